"""Retention of the embedded bus: whoever writes takes some of the oldest records away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile

from pipeline.bus.embedded_file import LAST, first_id


def milliseconds(time: datetime) -> int:
    """A time as records and members carry it: milliseconds since 1970."""
    return round(time.timestamp() * 1000)


def sweep(db: sqlite3.Connection, now: int, limit: int) -> bool:
    """Delete, in this write transaction, up to `limit` expired records of each partition, oldest first.

    Says whether there may be more. A record written under a clock that was ahead holds back those behind it, as in
    Kafka, where a segment goes with its newest record.
    """
    more = False
    for partition, start, kept in db.execute(
        "SELECT p.id, p.start, t.retention FROM partitions p JOIN topics t ON t.name = p.topic WHERE p.start < p.next"
    ).fetchall():
        first = first_id(partition)
        rows: Iterator[tuple[int, int]] = db.execute(
            "SELECT id, timestamp FROM records WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
            (first + start, first + LAST, limit),
        )
        expired = _older(rows, now - kept)
        if not expired:
            continue
        db.execute("DELETE FROM records WHERE id >= ? AND id <= ?", (first + start, expired[-1]))
        db.execute("UPDATE partitions SET start = ? WHERE id = ?", (expired[-1] - first + 1, partition))
        more = more or len(expired) == limit
    return more


def _older(rows: Iterator[tuple[int, int]], before: int) -> list[int]:
    return [id for id, _ in takewhile(lambda row: row[1] < before, rows)]
