"""The embedded bus, the default: a durable log in one SQLite file, for one machine and any number of its processes.

SQLite by the standard library, because the whole promise is one file, many processes, transactions and a write-ahead
log, and that is what it is; a database layer on top would only stand between this adapter and its pragmas. One
machine: a write-ahead log needs shared memory, so the file must not lie on a network file system
(https://www.sqlite.org/wal.html).

    topics, partitions    what was applied; a partition knows its first and its next offset
    records               the log; a record's row id is its partition's id and its offset in one number
    groups, members       who reads together, and when each was last heard of
    places                a group's place in a partition: the committed offset and the owner

How it keeps the port's promises:

- *Durable on flush.* A flush is one transaction, synced to the disk before it returns. Commits and heartbeats are not
  synced one by one: losing the latest in a power cut only repeats a batch.
- *A topic must be applied* before it is written or read; `send` and `poll` raise ConfigError for one that was not.
- *Offsets* are dense from 0 as written and go on after retention. Retention takes the oldest records away as others
  are written, and on each heartbeat, committed or not, as Kafka does; a reader that was behind goes on at the start.
- *Membership.* A member is alive while its heartbeat (a small thread, as in Kafka's client, so that a long batch does
  not cost it its place) is younger than `lease_secs`; the partitions of one that is not are shared out by whoever
  polls next. Fair shares and who takes what are in `embedded_share.py`.
- *Purged means erased.* `purge` answers `now`: deleted text is overwritten with zeros in the file (`secure_delete`) and
  the write-ahead log, which still held it, is emptied before it returns. What SQLite left in a page when it moved a row
  before is beyond it: only `VACUUM` takes that away, which `harken erase` runs where it finds such remains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal
from zlib import crc32

from pydantic import Field

from pipeline.bus.embedded_consumer import EmbeddedConsumer
from pipeline.bus.embedded_file import LAST, BusFile, first_id
from pipeline.bus.embedded_producer import EmbeddedProducer
from pipeline.ports import Clock, Lag, Settings, Topic


class Config(Settings):
    """Where the file is and how long the bus waits for what."""

    path: Path = Field(Path("var/bus.db"), description="The file; beside it lie its -wal and -shm.")
    lease_secs: float = Field(
        10.0, gt=0, le=14, description="A member not heard of for so long has lost its partitions to the others."
    )
    stall_secs: float = Field(
        300.0, gt=0, description="A member that neither polls nor commits for so long is taken for hung and let go."
    )
    busy_secs: float = Field(5.0, gt=0, description="How long to wait for another process's write.")


class EmbeddedBus:
    """The Bus of one machine; building it opens nothing. Safe to share between threads."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._file = self._open(durable=True)

    def producer(self) -> EmbeddedProducer:
        """A new producer; may be shared between threads."""
        return EmbeddedProducer(self._open(durable=True), self._clock)

    def consumer(self, group: str, topics: Sequence[str], member: str | None = None) -> EmbeddedConsumer:
        """A new member of `group`; it joins at its first poll. For one thread at a time."""
        return EmbeddedConsumer(
            lambda: self._open(durable=False),
            group,
            topics,
            member,
            self._clock,
            lease_secs=self._config.lease_secs,
            stall_secs=self._config.stall_secs,
        )

    def apply(self, topics: Sequence[Topic]) -> Sequence[str]:
        """Make the topics as stated, all or none; fewer partitions than there are is no change."""
        changes: list[str] = []
        with self._file.writing() as db:
            for topic in topics:
                kept = round(topic.retention_hours * 3_600_000)
                row = db.execute("SELECT retention FROM topics WHERE name = ?", (topic.name,)).fetchone()
                have = db.execute("SELECT count(*) FROM partitions WHERE topic = ?", (topic.name,)).fetchone()[0]
                db.execute("INSERT OR REPLACE INTO topics (name, retention) VALUES (?, ?)", (topic.name, kept))
                db.executemany(
                    "INSERT INTO partitions (topic, number) VALUES (?, ?)",
                    [(topic.name, number) for number in range(have, topic.partitions)],
                )
                if row is None:
                    changes.append(
                        f"{topic.name}: made, {topic.partitions} partitions, kept {topic.retention_hours:g} h"
                    )
                    continue
                if have < topic.partitions:
                    changes.append(f"{topic.name}: {have} partitions before, {topic.partitions} now")
                if row[0] != kept:
                    changes.append(
                        f"{topic.name}: kept {row[0] / 3_600_000:g} h before, {topic.retention_hours:g} h now"
                    )
            if changes:  # every group looks again at what there is to share
                db.execute("UPDATE groups SET epoch = epoch + 1")
        return changes

    def lag(self, group: str, topic: str) -> Mapping[int, Lag]:
        """Each partition's lag; a purged or expired stretch right before the group is not counted. Empty for a topic
        that does not exist."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT p.id, p.number, p.next, max(p.start, coalesce(g.committed, 0)) FROM partitions p"
                " LEFT JOIN places g ON g.partition = p.id AND g.group_name = ? WHERE p.topic = ? ORDER BY p.number",
                (group, topic),
            ).fetchall()
            lags = {}
            for partition, number, end, committed in rows:
                row = db.execute(
                    "SELECT min(id) FROM records WHERE id >= ? AND id <= ?",
                    (first_id(partition) + committed, first_id(partition) + LAST),
                ).fetchone()
                reads_next = max(committed, end) if row[0] is None else row[0] & LAST
                lags[number] = Lag(committed=reads_next, end=end)
            return lags

    def purge(self, topic: str, keys: Sequence[bytes], matches: Callable[[bytes], bool]) -> Literal["now", "retention"]:
        """Erase the matching records, also from the disk; always `now`.

        Reads the index of the whole topic once (about 0.1 s a million records), so many keys cost little more than
        one. Raises BusUnavailable when somebody read the file so long that the log could not be emptied: call again.
        """
        if not keys:
            return "now"
        wanted, hashes = frozenset(keys), json.dumps([crc32(key) for key in keys])
        found: list[int] = []
        with self._file.reading() as db:
            for (partition,) in db.execute("SELECT id FROM partitions WHERE topic = ?", (topic,)).fetchall():
                rows = db.execute(
                    "SELECT id, key, value FROM records INDEXED BY records_by_hash"
                    " WHERE id >= ? AND id <= ? AND hash IN (SELECT value FROM json_each(?))",
                    (first_id(partition), first_id(partition) + LAST, hashes),
                )
                found.extend(id for id, key, value in rows if key in wanted and matches(value))
        if found:
            with self._file.writing() as db:
                db.executemany("DELETE FROM records WHERE id = ?", [(id,) for id in found])
        self._file.empty_log()
        return "now"

    def close(self) -> None:
        """Free the file; producers and consumers are closed by whoever asked for them."""
        self._file.close()

    def _open(self, *, durable: bool) -> BusFile:
        return BusFile(self._config.path, self._config.busy_secs, self._clock, durable=durable)
