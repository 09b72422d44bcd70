"""Mentions and cases by what was said and who said it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from console.api.models import MentionOut, Page, Told
from console.api.queues import Reads
from console.api.refusals import answers
from console.api.schemas import V1, Part
from console.api.services import Given
from console.api.views import mention_out
from desk.case_records import Said
from desk.search import Hit, Search

router = APIRouter(prefix=V1, tags=["search"])


class Looked(Part):
    """What for: words that must all occur, "phrases", @handles; mentions, or the cases they are in."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    kind: Literal["mention", "case"] = "mention"
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class HitOut(Told):
    """A mention, and the id of the case it is in, if any."""

    mention: MentionOut
    case: str | None


class HitsOut(Page[HitOut]):
    """The newest first; of a case the newest mention that was looked for. `words` are what to highlight; a handle
    begins with `@`."""

    words: list[str]


@router.get("/search", responses=answers())
def search(asked: Annotated[Looked, Query()], me: Reads, given: Given) -> HitsOut:
    """Find what was said, by words, exact phrases and handles."""
    del me
    finder = Search(given.database, given.clock)
    find = finder.cases if asked.kind == "case" else finder.mentions
    found = find(asked.q, asked.after, asked.limit)
    return HitsOut(items=[_out(hit) for hit in found.items], next=found.next, words=list(found.words))


def _out(hit: Hit) -> HitOut:
    mention = hit.routed.mention
    return HitOut(mention=mention_out(Said(mention.id, "said", mention.created_at, hit.routed)), case=hit.case)
