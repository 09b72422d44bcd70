"""What was counted, to look at: from any thread and any process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Row, select

from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.spike_tables import spike_brands, spike_buckets, spike_mentions, spike_states
from spikes.buckets import COUNTS, Bucket, tallied
from spikes.counting import facet_of, key_of, minute_of, time_of
from spikes.detection import Key
from spikes.shelf import loaded, series_of

Width = Literal[1, 5, 60, 1440]
"""Minutes of a bucket."""


class Readings(Part):
    """Buckets, windows and keys."""

    def series(self, key: Key, since: datetime, until: datetime, width: Width = 5) -> list[Bucket]:
        """Every bucket of this width that begins in the time, empty ones too; the first one holds `since`. What is not
        closed is counted as it stands. Minutes are there for as long as mentions are kept (`keep_hours`)."""
        first, end = minute_of(utc(since)), minute_of(utc(until) + timedelta(minutes=1, microseconds=-1))
        first -= first % width
        with self._db.read() as transaction:
            row = transaction.run(select(spike_brands).where(spike_brands.c.brand == key.brand)).first()
            counts = self._written(transaction, key, first, end, width) | self._open(
                transaction, key, max(first, _written_to(row, width)), end, width
            )
        return [
            Bucket(at=time_of(at), minutes=width, **counts.get(at, {})) for at in range(first, max(first, end), width)
        ]

    def window(self, key: Key, end: datetime, minutes: int) -> Bucket:
        """The `minutes` whole minutes before `end`, with its distinct authors, exactly; there for as long as mentions
        are kept."""
        until = minute_of(utc(end))
        with self._db.read() as transaction:
            minute = spike_mentions.c.minute
            found = loaded(transaction, key.brand, minute >= until - minutes, minute < until)
        facet = facet_of(key)
        tally = tallied([it for it in found if not facet or facet in it.facets], 1 << 62).get((facet, 0))
        return Bucket(at=time_of(until - minutes), minutes=minutes, **(tally.counts() if tally else {}))

    def keys(self, brand: str | None = None) -> list[Key]:
        """The series that were ever watched, of one brand or of all, in order."""
        query = select(spike_states.c.brand, spike_states.c.facet).distinct()
        if brand is not None:
            query = query.where(spike_states.c.brand == brand)
        with self._db.read() as transaction:
            return sorted(key_of(row.brand, row.facet) for row in transaction.run(query))

    def edge(self, brand: str) -> datetime | None:
        """The end of the newest minute in which something was said of the brand."""
        query = select(spike_brands.c.edge).where(spike_brands.c.brand == brand)
        with self._db.read() as transaction:
            edge = transaction.run(query).scalar()
        return None if edge is None else time_of(edge + 1)

    def edges(self) -> dict[str, datetime]:
        """The same for every brand."""
        query = select(spike_brands.c.brand, spike_brands.c.edge).where(spike_brands.c.edge >= 0)
        with self._db.read() as transaction:
            return {row.brand: time_of(row.edge + 1) for row in transaction.run(query)}

    def _written(
        self, transaction: Transaction, key: Key, since: int, until: int, width: Width
    ) -> dict[int, dict[str, int]]:
        bucket = spike_buckets.c
        query = select(bucket.at, *(bucket[name] for name in COUNTS)).where(
            bucket.series == series_of(key.brand, facet_of(key)),
            bucket.width == width,
            bucket.at >= since,
            bucket.at < until,
        )
        return {row.at: {name: getattr(row, name) for name in COUNTS} for row in transaction.run(query)}

    def _open(
        self, transaction: Transaction, key: Key, since: int, until: int, width: Width
    ) -> dict[int, dict[str, int]]:
        facet = facet_of(key)
        end = until + -until % width
        found = loaded(transaction, key.brand, spike_mentions.c.minute >= since, spike_mentions.c.minute < end)
        tallies = tallied([it for it in found if not facet or facet in it.facets], width)
        return {at: tally.counts() for (name, at), tally in tallies.items() if name == facet}


def _written_to(row: Row[tuple[int, ...]] | None, width: Width) -> int:
    """Up to where the buckets of this width are written."""
    if row is None or width == 1:
        return 0
    written: int = {5: row.closed, 60: row.hours, 1440: row.days}[width]
    return written
