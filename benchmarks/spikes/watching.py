"""Rows through the real watch, without the table of mentions: for traffic too large to be counted through the store.

What that table is for (knowing copies, other workers, what was taken back) does not matter here. A test holds this to
what `Counts` and `Watch` find.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.spikes.phrases import THEMES
from benchmarks.spikes.said import SOURCES, Rows
from pipeline.store.database import Transaction
from spikes.counting import FOLLOWERS, YOUNG, Said
from spikes.counts import Scope, Touched
from spikes.detection import Detection
from spikes.detector import Sensitivity
from spikes.recent import LATENESS, Brand
from spikes.shelf import STEP, put_buckets, recent_buckets
from spikes.watch import Watch

AT_ONCE = 1000
"""Rows in one batch."""


def counted(rows: Rows, brand: str, name: str = "") -> list[Said]:
    """The rows as they count: what `spikes.counting.said` makes of `said.records`."""
    same = np.stack([rows["theme"], rows["mood"], rows["words"]], axis=1)
    _, firsts = np.unique(same, axis=0, return_index=True) if len(rows) else (None, np.zeros(0, np.int64))
    copies = ~rows["repost"]
    copies[firsts] = False
    suspicious = (rows["followers"] < FOLLOWERS) & (rows["age"] < YOUNG.days)
    facets = {
        (source, theme, mood): _facets(source, theme, mood)
        for source in range(len(SOURCES))
        for theme in range(len(THEMES))
        for mood in (-1, 0, 1)
    }
    return [
        Said(
            id=f"{SOURCES[source]}:{brand}{name}-{number}",
            brand=brand,
            minute=at // 60,
            author=f"{SOURCES[source]}:a{author}",
            tone=mood,
            repost=repost,
            reach=followers,
            suspicious=doubtful,
            copy=copied,
            facets=facets[source, theme, mood],
        )
        for number, ((at, author, mood, repost, followers, _, source, theme, _), doubtful, copied) in enumerate(
            zip(rows.tolist(), suspicious.tolist(), copies.tolist(), strict=True)
        )
    ]


def _facets(source: int, theme: int, mood: int) -> tuple[str, ...]:
    found = (f"source:{SOURCES[source]}", f"topic:{THEMES[theme].topic}")
    return found if mood == 0 else (*found, "intent:complaint" if mood < 0 else "intent:praise")


class Feed:
    """One brand's traffic through the watch, in the order of time."""

    def __init__(self, brand: str, sensitivity: Sensitivity = "normal") -> None:
        self._brand = brand
        self._sensitivity: Sensitivity = sensitivity
        self._watch = Watch(sensitivity)
        self._recent: Brand | None = None
        self._edge = self._judged = self._closed = self._since = 0

    def take(self, transaction: Transaction, rows: Rows, name: str = "") -> Iterator[Detection]:
        """What the watch sees in the rows, batch by batch."""
        said = counted(rows, self._brand, name)
        for start in range(0, len(said), AT_ONCE):
            yield from self._batch(transaction, said[start : start + AT_ONCE])

    def _batch(self, transaction: Transaction, new: list[Said]) -> list[Detection]:
        first, last = new[0].minute, new[-1].minute
        if self._recent is None:
            self._since = self._judged = first
            self._closed = first - first % STEP
            self._edge = -1
            self._recent = Brand(1, 0, self._closed)
        recent, judged_before, closed_before = self._recent, self._judged, self._closed
        edge, self._edge = self._edge, max(self._edge, last)
        self._judged = max(judged_before, self._edge + 1)
        late = self._judged - LATENESS
        self._closed = max(closed_before, late - late % STEP)
        recent.age(judged_before)
        recent.absorb(new)
        recent.await_judging(new, edge)
        scope = Scope(self._brand, recent, judged_before, self._judged, closed_before, self._closed, self._since)
        put_buckets(transaction, recent_buckets(self._brand, recent, closed_before, self._closed))
        return self._watch.look(transaction, Touched((scope,), len(new)))

    @contextmanager
    def branch(self, transaction: Transaction) -> Iterator[Feed]:
        """The same brand at the same moment, to go on differently: nothing of it stays."""
        other = Feed(self._brand, self._sensitivity)
        other._watch, other._recent = copy.deepcopy(self._watch), copy.deepcopy(self._recent)
        other._edge, other._judged, other._closed = self._edge, self._judged, self._closed
        other._since = self._since
        nested = transaction.connection.begin_nested()
        try:
            yield other
        finally:
            nested.rollback()
