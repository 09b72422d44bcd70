"""Brands: what other terms would have found in what is stored, and what each platform would be asked, before they are
saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from console.api.auth import Caller, needs
from console.api.bodies import Body, Language, Text, Whole
from console.api.models import Told
from console.api.refusals import answers
from console.api.schemas import V1, Id
from console.api.services import Given
from console.listening import Preview
from desk.refusals import Unfit
from pipeline.mention import Mention
from pipeline.ports import Brand

router = APIRouter(prefix=f"{V1}/brands", tags=["brands"])

TERMS = 100
"""Of one kind, of one brand."""

TERM_CHARS = 200

DAYS = 366
EXAMPLE_CHARS = 500

Term = Annotated[Text, Field(max_length=TERM_CHARS, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")]
Terms = Annotated[list[Term], Field(max_length=TERMS)]


class Proposal(Body):
    """What a brand would be known by; what is left out stays as it is in force. `days` is how far to look back."""

    terms: Terms | None = None
    handles: Terms | None = None
    exclude: Terms | None = None
    context: Terms | None = None
    languages: Annotated[list[Language], Field(max_length=TERMS)] | None = None
    days: Annotated[int, Field(ge=1, le=DAYS), Whole] = 30


class ExampleOut(Told):
    """A stored mention, its text cut to 500 characters."""

    id: str
    source: str
    said_at: datetime
    text: str
    url: str


class TermOut(Told):
    """What a term (or `@handle`) found by itself: so many mentions, `new` ones of them that are not about the brand by
    its terms in force, and some of these."""

    term: str
    mentions: int
    new: int
    examples: list[ExampleOut]


class AllowanceOut(Told):
    """How much of something a source has used, of how much (null: no limit is known), and when that starts anew."""

    unit: str
    used: float
    limit: float | None
    resets: datetime | None


class QueryOut(Told):
    """What a platform would be asked, where (empty: everywhere), and what that leaves to harken."""

    query: str
    place: str
    note: str


class SourceOut(Told):
    """One source: mentions with the terms in force and with those proposed; what a platform that bills would ask for as
    many in 30 days (else null), and whether that is `over` what the source may spend; why it would refuse them."""

    source: str
    before: int
    after: int
    usd_before: float | None
    usd_month: float | None
    over: bool
    allowances: list[AllowanceOut]
    queries: list[QueryOut]
    refused: str | None


class PreviewOut(Told):
    """What the terms would have found among the stored mentions said from `since` on. `read` of them were looked at,
    the newest first: all where `whole`, else back to `oldest`. `before` are about the brand by its terms in force,
    `after` by those proposed; `gained` and `lost` is the difference. Only what was listened for is stored: at its
    platform a new term finds more."""

    brand: str
    since: datetime
    read: int
    whole: bool
    oldest: datetime | None
    before: int
    after: int
    gained: int
    lost: int
    terms: list[TermOut]
    lost_examples: list[ExampleOut]
    sources: list[SourceOut]


@router.post("/{name}/preview", responses=answers())
def preview_terms(name: Id, body: Proposal, me: Annotated[Caller, needs("system.manage")], given: Given) -> PreviewOut:
    """Try a brand's terms, or those of a brand to be, on what is stored; nothing is saved. It takes some seconds at
    most, and looks at less where it would take longer; one at a time (503)."""
    del me
    now = given.listening.brand(name) or Brand(name)
    proposed = replace(
        now,
        terms=now.terms if body.terms is None else once(body.terms),
        handles=now.handles if body.handles is None else once(body.handles),
        exclude=now.exclude if body.exclude is None else once(body.exclude),
        context=now.context if body.context is None else once(body.context),
        languages=now.languages if body.languages is None else once(body.languages),
    )
    if not proposed.terms and not proposed.handles:
        raise Unfit("terms", "a brand is known by at least one term or handle")
    return preview_out(name, given.listening.preview(proposed, body.days))


def once(terms: Iterable[str]) -> tuple[str, ...]:
    """Each of them once, in order, without the spaces around it."""
    return tuple(dict.fromkeys(it.strip() for it in terms if it.strip()))


def preview_out(brand: str, found: Preview) -> PreviewOut:
    """As it is shown."""
    names = dict.fromkeys([*found.queries, *found.refused, *found.sources, *found.sources_before])
    return PreviewOut(
        brand=brand,
        since=found.since,
        read=found.read,
        whole=found.whole,
        oldest=found.oldest,
        before=found.before,
        after=found.after,
        gained=found.gained,
        lost=found.lost,
        terms=[
            TermOut(term=term, mentions=it.mentions, new=it.fresh, examples=_examples(it.examples))
            for term, it in found.terms.items()
        ],
        lost_examples=_examples(found.losses),
        sources=[_source(name, found) for name in names],
    )


def _examples(mentions: Sequence[Mention]) -> list[ExampleOut]:
    return [
        ExampleOut(id=it.id, source=it.source, said_at=it.created_at, text=it.text[:EXAMPLE_CHARS], url=it.url)
        for it in mentions
    ]


def _source(name: str, found: Preview) -> SourceOut:
    used = [it.usage for it in found.usages.get(name, ())]
    cost = found.usd_month.get(name)
    cap = next((it.limit for it in used if it.unit == "USD"), None)
    return SourceOut(
        source=name,
        before=found.sources_before[name],
        after=found.sources[name],
        usd_before=found.usd_before.get(name),
        usd_month=cost,
        over=cost is not None and cap is not None and cost > cap,
        allowances=[AllowanceOut.model_validate(it) for it in used],
        queries=[QueryOut(query=it.text, place=it.place, note=it.note) for it in found.queries.get(name, ())],
        refused=found.refused.get(name),
    )
