"""The embedded bus's consumer: one member of a group, reading what it owns."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

import structlog

from pipeline.bus.embedded_file import LAST, BusFile, first_id
from pipeline.bus.embedded_heart import Heart
from pipeline.bus.embedded_member import Member, Place
from pipeline.bus.embedded_retention import milliseconds
from pipeline.errors import Fenced, HarkenError
from pipeline.ports import Clock, Partition, Record

_LOOK_EVERY = 0.02  # seconds between two looks at the file's version, about 10 microseconds each
_SHARES_EVERY = 1.0  # seconds between two looks for members that died; takeover is one lease and this at the latest
_BATCH_BYTES = 16 * 1024 * 1024  # a batch ends here though it may have more records: memory has a limit too

log = structlog.get_logger(__name__)


class EmbeddedConsumer:
    """A member of a group, for one thread at a time.

    It joins at the first poll, and again after it was given up for dead. Dropped without `close`, it stops beating.
    """

    def __init__(
        self,
        open_file: Callable[[], BusFile],
        group: str,
        topics: Sequence[str],
        member: str | None,
        clock: Clock,
        *,
        lease_secs: float,
        stall_secs: float,
    ) -> None:
        self._file = open_file()
        self._clock = clock
        self._member = Member(group, member or uuid4().hex, tuple(topics), round(lease_secs * 1000))
        self._heart = Heart(open_file(), self._member, clock, stall_secs)
        weakref.finalize(self, self._heart.stop)
        self._places: dict[Partition, Place] = {}
        self._incarnation = ""
        self._epoch: int | None = None  # the group's epoch at which `_places` is right; None: look again
        self._shares_due = clock.monotonic()
        self._turn = 0
        self._closed = False

    def poll(self, max_records: int, timeout: float) -> Sequence[Record]:
        """Up to `max_records` (or 16 MiB), in order per partition; each call begins with another partition.

        Raises ConfigError for a topic that was never applied, and Stop when another process lives under this name.
        """
        until = self._clock.monotonic() + timeout
        while True:
            self._heart.touch()
            version = self._file.version()
            if records := self._step(max_records):
                return records
            if not self._wait(until, version):
                return ()

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Save the positions, all or none.

        After Fenced everything uncommitted of the partitions it still owns comes again.
        """
        if not positions:
            return
        self._heart.touch()
        try:
            with self._file.writing() as db:
                self._save(db, positions)
        except Fenced:
            self._places, self._epoch = {}, None
            raise

    def assignment(self) -> frozenset[Partition]:
        """What it owned at the end of the last poll; nothing after Fenced, until the next."""
        return frozenset(self._places)

    def close(self) -> None:
        """Leave the group; when the file does not answer, the lease must run out instead."""
        if self._closed:
            return
        self._closed = True
        self._heart.stop()
        self._places = {}
        try:
            if self._incarnation:
                with self._file.writing() as db:
                    self._member.leave(db, self._incarnation)
        except HarkenError as error:
            log.warning("left the group without saying so", group=self._member.group, error=str(error))
        finally:
            self._file.close()

    def _save(self, db: sqlite3.Connection, positions: Mapping[Partition, int]) -> None:
        ours = positions.keys() <= self._places.keys() and self._member.epoch(db, self._incarnation) is not None
        if not ours or not self._member.commit(
            db, [(self._places[partition].id, offset) for partition, offset in positions.items()]
        ):
            raise Fenced(f"group {self._member.group}: a partition went to another member before its batch was done")

    def _step(self, max_records: int) -> list[Record]:
        with self._file.reading() as db:
            settled = self._settled(db)
            records = self._read(db, max_records) if settled else []
        if not settled:
            self._settle()
            with self._file.reading() as db:
                records = self._read(db, max_records)
        for record in records:  # only now: a read that failed half way must not have moved anything
            self._places[record.partition] = self._places[record.partition]._replace(offset=record.offset + 1)
        self._turn += 1
        return records

    def _settled(self, db: sqlite3.Connection) -> bool:
        """Whether the shares are as they were, or fair without a change of ours."""
        epoch = self._member.epoch(db, self._incarnation)
        if epoch is None or self._epoch is None:
            return False
        if epoch == self._epoch and not self._look_due():
            return True
        if self._member.plan(db, milliseconds(self._clock.now())):
            return False
        self._looked(epoch)
        return True

    def _settle(self) -> None:
        """Join if need be, and give and take partitions."""
        now = milliseconds(self._clock.now())
        with self._file.writing() as db:
            incarnation = self._incarnation
            again = self._member.epoch(db, incarnation) is None
            if again:
                incarnation = self._member.join(db, now, restart=not incarnation)
            self._member.beat(db, incarnation, now)
            self._member.carry_out(db, self._member.plan(db, now))
            places = self._member.places(db)
            epoch = self._member.epoch(db, incarnation)
        if again:
            self._places = {}  # others may have read on meanwhile: the group's positions count, not ours
        self._incarnation = incarnation
        self._places = {partition: self._places.get(partition, place) for partition, place in places.items()}
        self._looked(epoch)
        self._heart.beat_for(incarnation)

    def _looked(self, epoch: int | None) -> None:
        self._epoch = epoch
        self._shares_due = self._clock.monotonic() + _SHARES_EVERY

    def _look_due(self) -> bool:
        return self._clock.monotonic() >= self._shares_due

    def _read(self, db: sqlite3.Connection, max_records: int) -> list[Record]:
        partitions = list(self._places)
        turn = self._turn % len(partitions) if partitions else 0
        records: list[Record] = []
        size = 0
        for partition in partitions[turn:] + partitions[:turn]:
            place = self._places[partition]
            first = first_id(place.id)
            rows = db.execute(
                "SELECT id, timestamp, key, value FROM records WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
                (first + place.offset, first + LAST, max_records - len(records)),
            )
            for id, timestamp, key, value in rows:
                records.append(Record(partition, id & LAST, key, value, timestamp))
                size += len(value)
                if size >= _BATCH_BYTES:
                    rows.close()
                    return records
            if len(records) == max_records:
                break
        return records

    def _wait(self, until: float, version: int) -> bool:
        """Wait for a write by anybody or for the next look at the shares; False when the time is up or we stop."""
        while (left := until - self._clock.monotonic()) > 0 and not self._clock.wait(min(left, _LOOK_EVERY)):
            if self._file.version() != version or self._look_due():
                return True
        return False
