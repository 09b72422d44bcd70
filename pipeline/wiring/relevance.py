"""What a brand's terms would have matched in what is stored and what reading it would cost, before they are saved."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from console.listening import Busy, Matched, Preview
from pipeline.errors import SourceRefused
from pipeline.mention import Mention
from pipeline.ports import Brand, Clock, Draft, Stage, StageContext
from pipeline.store import Store
from pipeline.store.database import Database
from pipeline.store.scan import newest

if TYPE_CHECKING:
    from pipeline.config import Source

BATCH = 1000
SLICE = 100
"""Mentions between two looks at the clock."""

SHOWN = 5
MONTH_DAYS = 30.0

MOST = 50_000
LONGEST_SECS = 3.0
"""How many mentions, and for how long, while somebody waits for a page."""

WAIT_SECS = 5.0
"""How long one waits for another's preview."""


class Terms:
    """`console.listening.Listening`. `sources` are the configured ones that are listened to."""

    def __init__(
        self, database: Database, store: Store, clock: Clock, brands: Sequence[Brand], sources: Sequence[Source]
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._brands = {it.name: it for it in brands}
        self._sources = sources
        self._one = threading.Lock()

    def brand(self, name: str) -> Brand | None:
        """As it is in force; see `Listening`."""
        return self._brands.get(name)

    def preview(self, proposed: Brand, days: int) -> Preview:
        """As long as a person waits; see `Listening`."""
        if not self._one.acquire(timeout=WAIT_SECS):
            raise Busy("another preview is being made here")
        try:
            return self.look(proposed, timedelta(days=days), MOST, LONGEST_SECS)
        finally:
            self._one.release()

    def look(self, proposed: Brand, period: timedelta, most: int, secs: float = float("inf")) -> Preview:
        """Look through the newest `most` stored mentions of the period, for `secs` seconds at most."""
        now = self._clock.now()
        found = Preview(now - period, usages=self._store.usages())
        handles = [f"@{one.lstrip('@')}" for one in proposed.handles]
        found.terms = {term: Matched() for term in (*proposed.terms, *handles)}
        reading = _Reading(self.brand(proposed.name), proposed, found)
        end = self._clock.monotonic() + secs
        with closing(self._newest(found.since)) as slices:
            for some in slices:
                left = most - found.read if self._clock.monotonic() < end else 0
                found.whole = len(some) <= left
                if left:
                    reading.take(some[:left])
                if not found.whole:
                    break
        seen = now - found.oldest if found.oldest else period
        self._at_the_platforms(proposed, found, min(max(seen, timedelta(days=1)), period) / timedelta(days=1))
        return found

    def _newest(self, since: datetime) -> Generator[Sequence[Mention]]:
        """The stored mentions said since then, newest first, some at a time."""
        place = None
        with self._database.read() as transaction:
            until = self._clock.now() + timedelta(days=1)
            while True:
                page = newest(transaction, since, until, after=place, most=BATCH, looked_at=BATCH)
                read = [it.mention for it in page.mentions]
                for start in range(0, len(read), SLICE):
                    yield read[start : start + SLICE]
                place = page.next
                if place is None:
                    return

    def _at_the_platforms(self, brand: Brand, found: Preview, days: float) -> None:
        """What each configured source would be asked, and what a paid one would cost."""
        for source in self._sources:
            price = getattr(source.module, "price_usd", None)
            if price is not None:
                each = price(source.settings) / days * MONTH_DAYS
                found.usd_before[source.name] = each * found.sources_before[source.name]
                found.usd_month[source.name] = each * found.sources[source.name]
            queries = getattr(source.module, "queries", None)
            if queries is not None:
                try:
                    found.queries[source.name] = queries(source.settings, [brand])
                except SourceRefused as error:
                    found.refused[source.name] = str(error)


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
        found.oldest = mentions[-1].created_at if mentions else found.oldest
        found.before += len(before)
        found.after += len(after)
        found.gained += len(after - before)
        found.lost += len(before - after)
        found.sources_before.update(by_id[id].via or by_id[id].source for id in before)
        found.sources.update(by_id[id].via or by_id[id].source for id in after)
        found.losses += [by_id[id] for id in by_id if id in before - after][: SHOWN - len(found.losses)]
        # What none of them finds together, none finds by itself.
        some = [(one, doc) for one, doc in zip(single, docs, strict=True) if one.id in after]
        for term, stage in self._alone.items():
            ids, matched = _about(stage, [one for one, _ in some], [doc for _, doc in some]), found.terms[term]
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
