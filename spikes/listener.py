"""What the role `spikes` does with a batch, and between batches: count, watch, all in one transaction."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, select

from pipeline.mention import Enriched, Removal
from pipeline.ports import Clock
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from pipeline.store.spike_tables import spike_partitions
from spikes.counting import minute_of, said, time_of
from spikes.counts import Counts, Touched
from spikes.detection import Detection
from spikes.recent import LATENESS
from spikes.watch import Watch

SPAN = 1440
"""Minutes of event time for which a transaction counts and judges what is said. Years of an archive at once would keep
everybody else from the store for many seconds."""

BUSY, PAUSE = 0.5, 0.2
"""After transactions of so many seconds, one after the other, so many go by before the next one: who waits for SQLite's
only writer looks every tenth of a second, and in no order."""

TRIM = 50
"""Batches after which the memory is looked through."""


class Heard(Struct):
    """What came of a batch: mentions by what became of them, and what was found; `series` are in memory."""

    outcomes: dict[str, int]
    found: list[Detection]
    series: int

    @property
    def detections(self) -> list[tuple[str, str]]:
        """Kind and severity of what was found."""
        return [(it.kind.value, it.severity.value) for it in self.found]


class Listener(Part):
    """Counts and watches. May be shared among threads: one at a time is served.

    Partitions are not read in step: after a stop, days of one may come before the first record of another. So windows
    are judged only up to where every partition that has records left was heard; what a partition says next cannot be
    older than that, save by its lateness."""

    def __init__(self, database: Database, clock: Clock, counts: Counts, watch: Watch) -> None:
        super().__init__(database, clock)
        self._counts = counts
        self._watch = watch
        self._turn = threading.Lock()
        self._batches = 0

    def take(
        self,
        items: Sequence[tuple[int, Enriched]],
        removals: Sequence[Removal],
        lagging: Collection[int] = (),
    ) -> Heard:
        """Count a batch of (partition, mention), in several transactions where it spans days. `lagging` are the
        partitions that have records beyond this batch."""
        outcomes: Counter[str] = Counter()
        found: list[Detection] = []
        pieces = _pieces(items, self._clock.now())
        rested = self._clock.monotonic()
        for number, piece in enumerate(pieces, start=1):
            rested = rested if number == 1 else self._give_way(rested)
            left = {partition for later in pieces[number:] for partition in later.edges}
            with self._transaction() as transaction:
                upto = self._heard(transaction, piece.edges, {*lagging, *left})
                limit = None if upto is None else time_of(upto)
                gone = removals if number == len(pieces) else ()
                touched = self._counts.count(transaction, piece.items, gone, limit, SPAN)
                found += self._watch.look(transaction, touched)
            outcomes.update(touched.outcomes)
        if self._counts.behind:
            self._give_way(rested)
            found += self.go_on(lagging).found
        self._trim()
        return Heard(outcomes, found, self._counts.remembered)

    def go_on(self, lagging: Collection[int] = ()) -> Heard:
        """Judge what was held back for a partition that has come further since. What is left when the process is asked
        to stop is judged after the next start."""
        found: list[Detection] = []
        rested = self._clock.monotonic()
        while True:
            with self._transaction() as transaction:
                upto = self._heard(transaction, {}, lagging)
                limit = None if upto is None else time_of(upto)
                found += self._watch.look(transaction, self._counts.advance(transaction, limit, SPAN))
            if not self._counts.behind or self._clock.stopping:
                return Heard(Touched().outcomes, found, self._counts.remembered)
            rested = self._give_way(rested)

    def silence(self) -> Heard:
        """Judge whether brands of which nothing came of late have fallen silent; only while no partition lags."""
        with self._transaction() as transaction:
            until = self._clock.now() - timedelta(minutes=LATENESS)
            resting = self._counts.resting(transaction, until - timedelta(minutes=LATENESS))
            found = self._watch.listen(transaction, resting, minute_of(until))
        return Heard(Touched().outcomes, found, self._counts.remembered)

    def edges(self) -> dict[str, datetime]:
        """How far each brand was heard, in event time."""
        return self._counts.edges()

    def _heard(self, transaction: Transaction, edges: Mapping[int, int], lagging: Collection[int]) -> int | None:
        """Note how far each partition was heard; the minute up to which all that lag were, None where none does."""
        named = sorted((str(number), edge) for number, edge in edges.items())
        rows = [{"partition": name, "edge": edge} for name, edge in named]
        transaction.insert(spike_partitions, rows, "partition", update=["edge"], guard=_is_later)
        if not lagging:
            return None
        known = {row.partition: row.edge for row in transaction.run(select(spike_partitions))}
        return min(int(known.get(str(number), 0)) for number in lagging)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        with self._turn:
            try:
                with self._db.write() as transaction:
                    yield transaction
            except BaseException:
                self._counts.lost()
                self._watch.lost()
                raise

    def _give_way(self, rested: float) -> float:
        """Between two transactions of a batch: let others have their turn, now and then; returns when they last had."""
        if self._clock.monotonic() - rested < BUSY:
            return rested
        self._clock.wait(PAUSE)
        return self._clock.monotonic()

    def _trim(self) -> None:
        self._batches += 1
        if self._batches % TRIM == 0:
            with self._turn:
                self._watch.forget_all_but(self._counts.in_memory())


class _Piece(NamedTuple):
    """Part of a batch, and the newest minute of each partition in it."""

    items: list[Enriched]
    edges: dict[int, int]


def _pieces(items: Sequence[tuple[int, Enriched]], now: datetime) -> list[_Piece]:
    """The batch in its order, cut where a brand has come further than SPAN; at least one."""
    pieces = [_Piece([], {})]
    since: dict[str, int] = {}
    for partition, item in items:
        if (it := said(item, now)) is not None:
            if it.minute > since.setdefault(it.brand, it.minute) + SPAN:
                pieces.append(_Piece([], {}))
                since = {it.brand: it.minute}
            edges = pieces[-1].edges
            edges[partition] = max(edges.get(partition, 0), it.minute)
        pieces[-1].items.append(item)
    return pieces


def _is_later(new: Any) -> ColumnElement[bool]:
    later: ColumnElement[bool] = new.edge > spike_partitions.c.edge
    return later
