"""The embedded bus's producer: a list in memory, and one synced transaction a flush."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from zlib import crc32

from pipeline.bus.embedded_file import BusFile, first_id, unknown_topic
from pipeline.bus.embedded_retention import milliseconds, sweep
from pipeline.ports import Clock

_SWEEP_EVERY = 1.0  # seconds between two looks for expired records, while there are none left over
_SWEEP_AT_LEAST = 1000


class EmbeddedProducer:
    """Writes records; may be shared between threads, whose sends then share a flush.

    A key's partition is its CRC-32 modulo the number of partitions at the time of the flush, so that all producers
    agree at any moment. After a flush that raised, nothing is held back: what was sent has to be sent again.
    """

    def __init__(self, file: BusFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[tuple[str, Sequence[tuple[bytes, bytes]]]] = []
        self._known: set[str] = set()
        self._sweep_due = clock.monotonic()

    def send(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Queue the records; raises ConfigError for a topic that was never applied."""
        if topic not in self._known:
            with self._file.reading() as db:
                self._known = {row[0] for row in db.execute("SELECT name FROM topics")}
            if topic not in self._known:
                raise unknown_topic(topic)
        with self._lock:
            self._pending.append((topic, tuple(records)))

    def flush(self) -> None:
        """Write what was sent in one transaction, synced to the disk before this returns."""
        with self._lock:
            pending, self._pending = self._pending, []
            if not pending:
                return
            now = milliseconds(self._clock.now())
            due = self._clock.monotonic() >= self._sweep_due
            more = False
            with self._file.writing() as db:
                written = _append(db, pending, now)
                if due:
                    more = sweep(db, now, limit=max(_SWEEP_AT_LEAST, 2 * written))
            if due:  # while some are left over the next flush goes on with them, faster than it adds new ones
                self._sweep_due = self._clock.monotonic() + (0.0 if more else _SWEEP_EVERY)

    def close(self) -> None:
        """Free the file; what was not flushed is lost."""
        self._file.close()


def _append(db: sqlite3.Connection, pending: Sequence[tuple[str, Sequence[tuple[bytes, bytes]]]], now: int) -> int:
    ends: dict[str, list[list[int]]] = {}  # topic -> [partition id, row id of its next record], by number
    rows: list[tuple[int, int, int, bytes, bytes]] = []
    for topic, records in pending:
        if topic not in ends:
            ends[topic] = [
                [partition, first_id(partition) + offset]
                for partition, offset in db.execute(
                    "SELECT id, next FROM partitions WHERE topic = ? ORDER BY number", (topic,)
                )
            ]
        partitions = ends[topic]
        count = len(partitions)
        for key, value in records:
            hash = crc32(key)
            end = partitions[hash % count]
            rows.append((end[1], hash, now, key, value))
            end[1] += 1
    db.executemany("INSERT INTO records (id, hash, timestamp, key, value) VALUES (?, ?, ?, ?, ?)", rows)
    db.executemany(
        "UPDATE partitions SET next = ? WHERE id = ?",
        [(id - first_id(partition), partition) for partitions in ends.values() for partition, id in partitions],
    )
    return len(rows)
