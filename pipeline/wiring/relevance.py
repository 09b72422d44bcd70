"""What a brand's terms would have matched in what is stored and what reading it would cost, before they are saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import SourceRefused
from pipeline.mention import Mention
from pipeline.ports import Brand, Draft, Query, Stage, StageContext
from pipeline.store.scan import newest

if TYPE_CHECKING:
    from pipeline.wiring import Parts

BATCH = 1000
SHOWN = 5
MONTH_DAYS = 30.0


@dataclass
class Matched:
    """What one term found: how many mentions, how many of them in which nothing of the brand was found before, and some
    of those, newest first."""

    mentions: int = 0
    fresh: int = 0
    examples: list[Mention] = field(default_factory=list)


@dataclass
class Preview:
    """What the proposed brand would have meant in the stored mentions of a time.

    `read` mentions were looked at, from `since` on; `before` and `after` are those of the brand with its terms as they
    stand and as proposed, `gained` and `lost` the difference. `sources` has the mentions as proposed by configured
    source; `usd_month` what a platform that bills would ask for as many in 30 days; `queries` what each platform would
    be asked.
    """

    since: datetime
    read: int = 0
    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    terms: dict[str, Matched] = field(default_factory=dict)
    sources: Counter[str] = field(default_factory=Counter)
    losses: list[Mention] = field(default_factory=list)
    usd_month: dict[str, float] = field(default_factory=dict)
    queries: dict[str, Sequence[Query]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def preview(parts: Parts, now: Brand | None, proposed: Brand, period: timedelta, most: int) -> Preview:
    """Look through the newest `most` stored mentions of the period."""
    found = Preview(parts.clock.now() - period)
    found.terms = {term: Matched() for term in (*proposed.terms, *(f"@{one.lstrip('@')}" for one in proposed.handles))}
    reading = _Reading(now, proposed, found)
    place = None
    with parts.database.read() as transaction:
        while found.read < most:
            page = newest(
                transaction,
                found.since,
                parts.clock.now() + timedelta(days=1),
                after=place,
                most=min(BATCH, most - found.read),
                looked_at=BATCH,
            )
            reading.take([it.mention for it in page.mentions])
            place = page.next
            if place is None:
                break
    _at_the_platforms(parts, proposed, found, max(period.total_seconds() / 86_400, 1 / 24))
    return found


class _Reading:
    """Runs the brand stage as it stands, as proposed, and with each term by itself."""

    def __init__(self, now: Brand | None, proposed: Brand, found: Preview) -> None:
        from enrich._nlp import build
        from enrich.brand import Config
        from enrich.brand import Stage as BrandStage

        def stage(brand: Brand) -> Stage:
            return BrandStage(Config(), StageContext([brand], self._nlp))

        self._found = found
        self._nlp = build()
        self._now = stage(now) if now else None
        self._proposed = stage(proposed)
        self._alone = {term: stage(_alone(proposed, term)) for term in found.terms}

    def take(self, mentions: Sequence[Mention]) -> None:
        """Count these."""
        found = self._found
        # Each by itself: what its conversation was found to be about before is not the terms' doing.
        single = [msgspec.structs.replace(mention, conversation="", brand=None) for mention in mentions]
        docs = [self._nlp.make_doc(mention.text) for mention in single]
        before = _about(self._now, single, docs) if self._now else set()
        after = _about(self._proposed, single, docs)
        by_id = {mention.id: mention for mention in mentions}
        found.read += len(mentions)
        found.before += len(before)
        found.after += len(after)
        found.gained += len(after - before)
        found.lost += len(before - after)
        found.sources.update(by_id[id].via or by_id[id].source for id in after)
        found.losses += [by_id[id] for id in by_id if id in before - after][: SHOWN - len(found.losses)]
        for term, stage in self._alone.items():
            ids, matched = _about(stage, single, docs), found.terms[term]
            matched.mentions += len(ids)
            matched.fresh += len(ids - before)
            matched.examples += [by_id[id] for id in by_id if id in ids - before][: SHOWN - len(matched.examples)]


def _about(stage: Stage, mentions: Sequence[Mention], docs: Sequence[Any]) -> set[str]:
    """Those that are about the stage's brand."""
    drafts = [Draft(mention, doc) for mention, doc in zip(mentions, docs, strict=True)]
    stage.annotate(drafts)
    return {draft.mention.id for draft in drafts if draft.brand}


def _alone(brand: Brand, term: str) -> Brand:
    """The brand with this term or handle only. Its handles still are context for a term."""
    if term.startswith("@"):
        return replace(brand, terms=(), handles=(term,), context=())
    context = (*brand.context, *(f"@{one.lstrip('@')}" for one in brand.handles)) if brand.context else ()
    return replace(brand, terms=(term,), handles=(), context=context)


def _at_the_platforms(parts: Parts, brand: Brand, found: Preview, days: float) -> None:
    """What each configured source would be asked, and what a paid one would cost."""
    for source in parts.config.sources:
        price = getattr(source.module, "price_usd", None)
        if price is not None:
            found.usd_month[source.name] = price(source.settings) * found.sources[source.name] / days * MONTH_DAYS
        queries = getattr(source.module, "queries", None)
        if queries is not None:
            try:
                found.queries[source.name] = queries(source.settings, [brand])
            except SourceRefused as error:
                found.refused[source.name] = str(error)
