"""What is done with the counts from time to time: hours and days are added up, and what is past its time goes."""

from __future__ import annotations

from sqlalchemy import case, delete, func, or_, select, update

from pipeline.ports import Clock
from pipeline.store.database import Database
from pipeline.store.part import Part
from pipeline.store.spike_tables import spike_brands, spike_buckets, spike_detections, spike_mentions, spike_states
from spikes.counting import minute_of
from spikes.counts import NEW
from spikes.shelf import STEP, exact_buckets, put_buckets

HOUR, DAY = 60, 1440

CHUNK = 5000
"""Rows deleted at once."""


class Upkeep(Part):
    """Adds up and clears away; several processes may have one."""

    def __init__(self, database: Database, clock: Clock, keep_hours: float = 48, history_days: float = 90) -> None:
        super().__init__(database, clock)
        self._keep = int(keep_hours * 60)
        self._history = int(history_days * DAY)

    def roll_up(self) -> bool:
        """Write the next hour or day of a brand that is over; whether there was one. The brand waits meanwhile."""
        brand = spike_brands.c
        due = or_(brand.closed - brand.hours >= HOUR, brand.closed - brand.days >= DAY)
        query = select(brand.brand).where(brand.since != NEW, due).order_by(brand.brand).limit(1)
        with self._db.write() as transaction:
            row = transaction.run(select(spike_brands).where(brand.brand.in_(query)).with_for_update()).first()
            if row is None:
                return False
            width, written, column = (HOUR, row.hours, "hours")
            if row.closed - row.hours < HOUR:
                width, written, column = (DAY, row.days, "days")
            said = (spike_mentions.c.brand == row.brand, spike_mentions.c.minute >= written)
            next_one = transaction.run(select(func.min(spike_mentions.c.minute)).where(*said)).scalar()
            over = row.closed - row.closed % width
            at = over if next_one is None else min(next_one - next_one % width, over)
            if at < over:
                put_buckets(transaction, exact_buckets(transaction, row.brand, at, at + width, width))
                at += width
            transaction.run(update(spike_brands).where(brand.brand == row.brand).values({column: at}))
        return True

    def expire(self) -> bool:
        """Delete some of what is past its time; whether there may be more. Mentions go `keep_hours` before the newest
        of their brand, by whole days and once these are added up, but where history was brought not within twice
        `keep_hours` after that began; buckets of five minutes and detections `history_days` before the newest of all,
        and so do the states of series that nobody watched for as long."""
        self._let_go()
        newest = select(func.max(spike_brands.c.edge)).scalar_subquery()
        mention, bucket = spike_mentions.c, spike_buckets.c
        purged = select(spike_brands.c.purged).where(spike_brands.c.brand == mention.brand).scalar_subquery()
        past = newest - self._history
        steps = (
            (spike_mentions, mention.minute < purged),
            (spike_buckets, (bucket.width == STEP) & (bucket.at < past)),
            (spike_detections, spike_detections.c.at < past),
            (spike_states, spike_states.c.through < past),
        )
        more = False
        for table, old in steps:
            with self._db.write() as transaction:
                ids = transaction.run(select(table.c.id).where(old).limit(CHUNK)).scalars().all()
                transaction.run(delete(table).where(transaction.among(table.c.id, ids)))
            more = more or len(ids) == CHUNK
        return more

    def _let_go(self) -> None:
        """Note up to where mentions are not needed any more, so that none is counted there after they went."""
        brand, now = spike_brands.c, minute_of(self._clock.now())
        over = case((brand.days < brand.edge - self._keep, brand.days), else_=brand.edge - self._keep)
        day = over - over % DAY
        settled = or_(brand.history_at == NEW, brand.history_at <= now - 2 * self._keep)
        with self._db.write() as transaction:
            query = select(brand.brand, day.label("day")).where(brand.since != NEW, settled, day > brand.purged)
            for row in transaction.run(query.order_by(brand.brand).with_for_update()).all():
                statement = update(spike_brands).where(brand.brand == row.brand)
                transaction.run(statement.values(purged=row.day, history_at=NEW))
