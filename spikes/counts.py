"""Counting what is said, in event time, once whatever comes again.

One transaction counts a batch. Under the rows of its brands, so that of several workers one at a time counts a brand,
mentions are written into `spike_mentions`; what was there already is left out. All numbers follow from that table:
buckets of a minute are read off it, those of five minutes are written when their lateness is over, hours and days by
`roll_up`; what comes later still has its buckets written anew. A worker remembers the last hour of its brands
(`recent.py`), and sees by a brand's `seq` and `epoch` when others have counted, or taken something back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, delete, or_, select, update

from pipeline.mention import Enriched, Removal
from pipeline.ports import Clock
from pipeline.store.columns import fit, utc
from pipeline.store.database import Database, Transaction
from pipeline.store.part import stones_over
from pipeline.store.spike_tables import spike_brands, spike_mentions
from spikes.counting import Said, minute_of, said
from spikes.readings import Readings
from spikes.recent import KEPT, LATENESS, Brand
from spikes.shelf import STEP, late_buckets, loaded, put_buckets, recent_buckets, row_of

NEW = -1
"""What stands in the columns of a brand that has just been made."""

SWEEP = 64
"""Batches after which brands that have fallen silent leave the memory."""


class Scope(Struct):
    """One brand as a batch left it. `recent` is its last hour; the rest are minutes of event time: up to where its
    windows were judged before this batch and are to be judged now (ends, inclusive), up to where its buckets were
    closed and are now, and since when it is known."""

    brand: str
    recent: Brand
    judged_before: int
    judged: int
    closed_before: int
    closed: int
    since: int


class Touched(Struct):
    """What a batch changed: `counted` mentions are new, `repeated` ones were counted before, `late` ones are of a time
    of which nothing is kept any more, `left_out` ones do not count, and `taken_back` rows are gone."""

    scopes: tuple[Scope, ...] = ()
    counted: int = 0
    repeated: int = 0
    late: int = 0
    left_out: int = 0
    taken_back: int = 0

    @property
    def outcomes(self) -> dict[str, int]:
        """Mentions by what became of them."""
        names = ("counted", "repeated", "late", "left_out", "taken_back")
        return {name: getattr(self, name) for name in names}


class Counts(Readings):
    """Writes the tables `spike_brands`, `spike_mentions` and `spike_buckets`; used by one thread at a time."""

    def __init__(self, database: Database, clock: Clock, keep_hours: float = 48) -> None:
        super().__init__(database, clock)
        self._keep = int(keep_hours * 60)
        self._brands: dict[str, Brand] = {}
        self._batches = 0

    def count(
        self,
        transaction: Transaction,
        items: Sequence[Enriched],
        removals: Sequence[Removal] = (),
        upto: datetime | None = None,
        span: int | None = None,
    ) -> Touched:
        """Count a batch, then take back what was removed. A mention that was counted before, or that lies under a
        tombstone, is not counted.

        `upto` holds brands back: where another partition has come no further, windows are not judged and buckets not
        closed beyond it. With `span`, no more than so many minutes of a brand are judged from the first that is due:
        `behind` says whether there are more. `lost()` must be called when the transaction is not committed."""
        found = _last_of_each(items, self._clock.now())
        counting = _not_taken_back(transaction, items, found)
        gone = _taken_back(transaction, removals)
        brands = sorted({it.brand for it in counting} | {row.brand for row in gone})
        if not brands:
            return Touched(left_out=len(items) - len(found))
        held = {row.brand: row for row in _hold(transaction, brands)}
        new, repeated, late = self._new(transaction, counting, held)
        limit = None if upto is None else minute_of(utc(upto)) + 1
        scopes = [self._take(transaction, held[brand], new[brand], limit, span) for brand in brands if new[brand]]
        rows = [row_of(it, held[it.brand].seq + 1) for its in new.values() for it in its]
        transaction.insert(spike_mentions, rows, "id")
        self._write(transaction, scopes, held, new)
        taken_back = self._take_back(transaction, removals, held)
        self._sweep()
        return Touched(tuple(scopes), len(rows), repeated, late, len(items) - len(found), taken_back)

    def advance(self, transaction: Transaction, upto: datetime | None, span: int | None = None) -> Touched:
        """Go on with the brands that `upto` held back when their last mentions came, or that are behind."""
        waiting = sorted(brand for brand, recent in self._brands.items() if recent.waiting or recent.behind)
        if not waiting:
            return Touched()
        held = {row.brand: row for row in _hold(transaction, waiting)}
        limit = None if upto is None else minute_of(utc(upto)) + 1
        scopes = [self._take(transaction, held[brand], (), limit, span) for brand in waiting]
        scopes = [scope for scope in scopes if scope.judged > scope.judged_before]
        self._write(transaction, scopes, held, {})
        return Touched(tuple(scopes))

    def resting(self, transaction: Transaction, before: datetime) -> list[Scope]:
        """The brands of which nothing was said since then, as they stand."""
        query = select(spike_brands).where(spike_brands.c.edge < minute_of(utc(before)), spike_brands.c.since != NEW)
        scopes = []
        for row in transaction.run(query.order_by(spike_brands.c.brand)).all():
            recent = self._remembered(transaction, row)
            scopes.append(Scope(row.brand, recent, row.judged, row.judged, row.closed, row.closed, row.since))
        return scopes

    def lost(self) -> None:
        """Forget what is remembered: it may hold what was not committed."""
        self._brands.clear()

    @property
    def remembered(self) -> int:
        """How many series are in memory."""
        return sum(len(recent.series) for recent in self._brands.values())

    @property
    def behind(self) -> bool:
        """Is there more to be judged that nothing holds back?"""
        return any(recent.behind for recent in self._brands.values())

    def in_memory(self) -> set[tuple[str, str]]:
        """The series (brand, facet) that are."""
        return {(brand, facet) for brand, recent in self._brands.items() for facet in ("", *recent.series)}

    # ------------------------------------------------------------------- one brand

    def _new(
        self, transaction: Transaction, counting: Sequence[Said], held: dict[str, Row[Any]]
    ) -> tuple[dict[str, list[Said]], int, int]:
        """What is not counted yet, by brand and in the order it came; how many were, and how many come too late."""
        # Exact under the brands' rows, since the copies of a mention stand in one partition.
        known = select(spike_mentions.c.id).where(transaction.among(spike_mentions.c.id, [it.id for it in counting]))
        there = set(transaction.run(known).scalars()) if counting else set()
        new: dict[str, list[Said]] = {brand: [] for brand in held}
        late = 0
        for it in counting:
            if it.id in there:
                continue
            if it.minute < held[it.brand].purged:
                late += 1
                continue
            new[it.brand].append(it)
        return new, len(there), late

    def _take(
        self, transaction: Transaction, row: Row[Any], new: Sequence[Said], limit: int | None, span: int | None
    ) -> Scope:
        """Take the new mentions of one brand into its memory."""
        recent = self._remembered(transaction, row)
        first = min((it.minute for it in new), default=row.since)
        edge = max((it.minute for it in new), default=row.edge)
        before = row.judged if row.judged != NEW else first
        closed_before = row.closed if row.closed != NEW else first - first % STEP
        if row.since == NEW:
            recent.complete_from = closed_before
        recent.age(before)
        recent.absorb(new)
        recent.await_judging(new, row.edge)
        end = max(edge, row.edge) + 1
        upto = max(before, end if limit is None else min(end, limit))
        judged = upto if span is None else min(upto, max(before, recent.next_due(upto)) + span)
        recent.behind = judged < upto
        late = judged - LATENESS
        closed = max(closed_before, late - late % STEP)
        since = first if row.since == NEW else min(first, row.since)
        return Scope(row.brand, recent, before, judged, closed_before, closed, since)

    def _remembered(self, transaction: Transaction, row: Row[Any]) -> Brand:
        """The brand's last hour as its rows stand now."""
        recent = self._brands.get(row.brand)
        if recent is None or recent.epoch != row.epoch:
            since = max(0, row.judged - KEPT)
            recent = Brand(row.seq, row.epoch, since - since % STEP)
            rows = loaded(
                transaction,
                row.brand,
                spike_mentions.c.minute >= recent.complete_from,
                spike_mentions.c.seq <= row.seq,
            )
            self._brands[row.brand] = recent
        elif recent.seq != row.seq:
            rows = loaded(transaction, row.brand, spike_mentions.c.seq > recent.seq, spike_mentions.c.seq <= row.seq)
            rows = [it for it in rows if it.minute >= recent.complete_from]
        else:
            return recent
        recent.absorb(rows)
        recent.await_judging([it for it in rows if it.minute >= row.judged], row.judged)
        recent.seq = row.seq
        return recent

    def _write(
        self,
        transaction: Transaction,
        scopes: Sequence[Scope],
        held: dict[str, Row[Any]],
        new: dict[str, list[Said]],
    ) -> None:
        """The buckets that are closed now, those that come late, and how far each brand has come."""
        buckets: list[dict[str, Any]] = []
        brands: list[dict[str, Any]] = []
        now = minute_of(self._clock.now())
        for scope in scopes:
            row, minutes = held[scope.brand], [it.minute for it in new.get(scope.brand, ())]
            buckets += recent_buckets(scope.brand, scope.recent, scope.closed_before, scope.closed)
            late = {minute - minute % STEP for minute in minutes if minute < scope.closed_before}
            buckets += late_buckets(transaction, scope.brand, late)
            scope.recent.seq = row.seq + bool(minutes)
            first, edge = min(minutes, default=row.edge), max([row.edge, *minutes])
            begins = row.history_at == NEW and any(minute < now - self._keep for minute in minutes)
            brands.append(
                {
                    "brand": scope.brand,
                    "seq": scope.recent.seq,
                    "epoch": row.epoch,
                    "since": scope.since,
                    "edge": edge,
                    "judged": scope.judged,
                    "closed": scope.closed,
                    "hours": _back(row.hours, first, 60, scope.since),
                    "days": _back(row.days, first, 1440, scope.since),
                    "purged": row.purged,
                    "history_at": now if begins else row.history_at,
                }
            )
        put_buckets(transaction, buckets)
        transaction.insert(spike_brands, brands, "brand", update=[it for it in _columns if it != "brand"])

    def _take_back(self, transaction: Transaction, removals: Sequence[Removal], held: dict[str, Row[Any]]) -> int:
        """Delete rows; memories that may hold them are made anew. Numbers that were written stay."""
        if not removals:
            return 0
        here = [row for row in _taken_back(transaction, removals) if row.brand in held]
        transaction.run(delete(spike_mentions).where(transaction.among(spike_mentions.c.id, [row.id for row in here])))
        stale = {row.brand for row in here if row.minute >= held[row.brand].judged - KEPT - STEP}
        statement = update(spike_brands).where(transaction.among(spike_brands.c.brand, sorted(stale)))
        if stale:
            transaction.run(statement.values(epoch=spike_brands.c.epoch + 1))
        return len(here)

    def _sweep(self) -> None:
        self._batches += 1
        if self._batches % SWEEP:
            return
        ends = {brand: recent.newest for brand, recent in self._brands.items()}
        newest = max(ends.values(), default=0)
        for brand, end in ends.items():
            if end < newest - KEPT and not self._brands[brand].waiting:
                del self._brands[brand]


_columns = spike_brands.c.keys()


def _hold(transaction: Transaction, brands: Sequence[str]) -> Sequence[Row[Any]]:
    fresh = {name: NEW for name in _columns if name not in ("brand", "seq", "epoch")}
    return transaction.hold(spike_brands, "brand", brands, seq=0, epoch=0, **fresh)


def _last_of_each(items: Sequence[Enriched], now: datetime) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for item in items:
        it = said(item, now)
        if it is not None and it.id not in found:
            found[it.id] = it
    return found


def _back(written: int, first: int, width: int, since: int) -> int:
    """Up to where the buckets of an hour or a day are written, now that this mention came: those it is in are to be
    written again."""
    first = since if written == NEW else min(first, written)
    return first - first % width


def _not_taken_back(transaction: Transaction, items: Sequence[Enriched], found: dict[str, Said]) -> list[Said]:
    if not found:
        return []
    stones = stones_over(transaction, found, {it.author for it in found.values()})
    if not stones.found:
        return list(found.values())
    known = {fit(item.mention.id): _known_since(item) for item in items}
    return [it for it in found.values() if stones.over(it.id, it.author, known[it.id]) is None]


def _known_since(item: Enriched) -> datetime:
    created = utc(item.mention.created_at)
    return min(created, utc(item.mention.collected_at)) if item.mention.collected_at else created


def _taken_back(transaction: Transaction, removals: Sequence[Removal]) -> list[Row[Any]]:
    """The rows that these take back."""
    ids = [fit(it.mention) for it in removals if it.mention]
    authors = {fit(it.author): minute_of(utc(it.noticed_at)) for it in removals if it.author}
    theirs: list[ColumnElement[bool]] = []
    if ids:
        theirs.append(transaction.among(spike_mentions.c.id, ids))
    if authors:
        theirs.append(transaction.among(spike_mentions.c.author, sorted(authors)))
    if not theirs:
        return []
    columns = (spike_mentions.c.id, spike_mentions.c.brand, spike_mentions.c.author, spike_mentions.c.minute)
    rows = transaction.run(select(*columns).where(or_(*theirs))).all()
    return [row for row in rows if row.id in set(ids) or row.minute <= authors.get(row.author, NEW)]
