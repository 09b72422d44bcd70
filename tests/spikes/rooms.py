"""Counts and a watch over a store, to be fed and restarted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from pipeline.clock import ManualClock
from pipeline.mention import Enriched, Removal
from pipeline.store import Store
from pipeline.store.database import Transaction
from pipeline.store.spike_tables import spike_detections, spike_mentions
from spikes.counting import minute_of, time_of
from spikes.counts import Counts, Touched
from spikes.detection import Detection
from spikes.detector import Sensitivity
from spikes.watch import Watch
from tests.spikes.days import MIDNIGHT

NOW = MIDNIGHT + timedelta(days=400)

Found = set[tuple[str, ...]]


class Room:
    """What was told stands in `told`, in order."""

    def __init__(self, store: Store, sensitivity: Sensitivity = "normal") -> None:
        self.store = store
        self.told: list[Detection] = []
        self._sensitivity: Sensitivity = sensitivity
        self.restart()

    def restart(self) -> None:
        """Nothing is remembered."""
        self.counts = Counts(self.store._db, ManualClock(NOW))
        self.watch = Watch(self._sensitivity, self._tell)

    def _tell(self, _transaction: Transaction, detection: Detection) -> None:
        self.told.append(detection)

    def take(self, items: Iterable[Enriched], batch: int = 500, removals: Sequence[Removal] = ()) -> list[Touched]:
        """Count and watch, in batches; the removals come with the first."""
        ready = list(items)
        taken = []
        for first in range(0, max(1, len(ready)), batch):
            with self.store._db.write() as transaction:
                given = removals if not first else ()
                touched = self.counts.count(transaction, ready[first : first + batch], given)
                self.watch.look(transaction, touched)
            taken.append(touched)
        return taken

    def listen(self, until: datetime) -> None:
        """Judge the silence of brands of which nothing came, up to then."""
        with self.store._db.write() as transaction:
            self.watch.listen(transaction, self.counts.resting(transaction, until), minute_of(until))

    def found(self) -> Found:
        """What stands in the table: brand, facet, kind, the window's end and the onset."""
        with self.store._db.read() as transaction:
            rows = transaction.run(select(spike_detections)).all()
        return {(it.brand, it.facet, it.kind, str(time_of(it.at)), str(time_of(it.onset))) for it in rows}

    def rows(self) -> set[str]:
        """The ids of the mentions that are kept."""
        with self.store._db.read() as transaction:
            return set(transaction.run(select(spike_mentions.c.id)).scalars())
