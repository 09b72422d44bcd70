"""One member's rows in the bus file: joining, sharing, leaving. Every function works in the caller's transaction.

A member is its name and an incarnation, drawn anew at every joining. Its partitions are owned by name, so that a
restart under the same name finds its place; what it may do is decided by incarnation, so that the one before it, or
one that was given up for dead and came back, is refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

from pipeline.bus.embedded_file import unknown_topic
from pipeline.bus.embedded_share import share
from pipeline.errors import Stop
from pipeline.ports import Partition


class Place(NamedTuple):
    """A partition's id and the offset from which the group reads it on."""

    id: int
    offset: int


@dataclass(frozen=True)
class Plan:
    """What one member has to do for the shares to be fair: bury the dead, give up some partitions, take others."""

    dead: Sequence[str]
    release: Sequence[int]
    take: Sequence[int]

    def __bool__(self) -> bool:
        return bool(self.dead or self.release or self.take)


@dataclass(frozen=True)
class Member:
    """A member of a group; `lease` is how long it lives without a heartbeat, in milliseconds."""

    group: str
    name: str
    topics: Sequence[str]
    lease: int

    def epoch(self, db: sqlite3.Connection, incarnation: str) -> int | None:
        """The number that grows whenever the group's shares change; None when this incarnation is not a member."""
        row = db.execute(
            "SELECT g.epoch FROM groups g JOIN members m ON m.group_name = g.name"
            " WHERE g.name = ? AND m.name = ? AND m.incarnation = ?",
            (self.group, self.name, incarnation),
        ).fetchone()
        return None if row is None else int(row[0])

    def join(self, db: sqlite3.Connection, now: int, *, restart: bool) -> str:
        """Become a member and return the new incarnation.

        A `restart` takes the place of whoever had the name. One that was a member before does not: it raises Stop
        while another lives under its name, or the two would take it from each other for ever.
        """
        row = db.execute(
            "SELECT seen, lease FROM members WHERE group_name = ? AND name = ?", (self.group, self.name)
        ).fetchone()
        if not restart and row is not None and _alive(now, *row):
            raise Stop(f"another process joined group {self.group} as {self.name}; give each process its own name")
        known = {row[0] for row in db.execute("SELECT name FROM topics")}
        for topic in self.topics:
            if topic not in known:
                raise unknown_topic(topic)
        incarnation = uuid4().hex
        db.execute("INSERT OR IGNORE INTO groups (name, epoch) VALUES (?, 0)", (self.group,))
        db.execute(
            "INSERT OR REPLACE INTO members (group_name, name, incarnation, seen, lease, topics)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (self.group, self.name, incarnation, now, self.lease, json.dumps(sorted(self.topics))),
        )
        self._changed(db)
        return incarnation

    def beat(self, db: sqlite3.Connection, incarnation: str, now: int) -> None:
        """Say that it lives."""
        db.execute(
            "UPDATE members SET seen = ? WHERE group_name = ? AND name = ? AND incarnation = ?",
            (now, self.group, self.name, incarnation),
        )

    def plan(self, db: sqlite3.Connection, now: int) -> Plan:
        """What this member should do next; whoever asks is taken to be alive."""
        members: dict[str, frozenset[str]] = {}
        dead = []
        for name, seen, lease, topics in db.execute(
            "SELECT name, seen, lease, topics FROM members WHERE group_name = ?", (self.group,)
        ):
            if name == self.name or _alive(now, seen, lease):
                members[name] = frozenset(json.loads(topics))
            else:
                dead.append(name)
        partitions = dict(db.execute("SELECT id, topic FROM partitions").fetchall())
        owners: Mapping[int, str] = dict(
            db.execute(
                "SELECT partition, owner FROM places WHERE group_name = ? AND owner IS NOT NULL", (self.group,)
            ).fetchall()
        )
        target = share(partitions, owners, members)
        return Plan(
            dead=dead,
            release=[id for id, owner in owners.items() if owner == self.name and target.get(id) != self.name],
            take=[id for id, to in target.items() if to == self.name and owners.get(id) not in members],
        )

    def carry_out(self, db: sqlite3.Connection, plan: Plan) -> None:
        """Do what was planned in the same transaction."""
        for name in plan.dead:
            self._bury(db, name)
        db.executemany(
            "UPDATE places SET owner = NULL WHERE group_name = ? AND partition = ?",
            [(self.group, id) for id in plan.release],
        )
        db.executemany(
            "INSERT INTO places (group_name, partition, owner) VALUES (?, ?, ?)"
            " ON CONFLICT (group_name, partition) DO UPDATE SET owner = excluded.owner",
            [(self.group, id, self.name) for id in plan.take],
        )
        if plan:
            self._changed(db)

    def leave(self, db: sqlite3.Connection, incarnation: str) -> None:
        """Free its partitions and stop being a member."""
        if self.epoch(db, incarnation) is not None:
            self._bury(db, self.name)
            self._changed(db)

    def places(self, db: sqlite3.Connection) -> dict[Partition, Place]:
        """What it owns, and from where the group goes on: the committed offset, or the oldest that is kept."""
        return {
            Partition(topic, number): Place(id, offset)
            for id, topic, number, offset in db.execute(
                "SELECT p.id, p.topic, p.number, max(p.start, coalesce(g.committed, 0)) FROM places g"
                " JOIN partitions p ON p.id = g.partition WHERE g.group_name = ? AND g.owner = ?"
                " ORDER BY p.topic, p.number",
                (self.group, self.name),
            )
        }

    def commit(self, db: sqlite3.Connection, positions: Iterable[tuple[int, int]]) -> bool:
        """Save (partition id, next offset); False when one of the partitions is not its own."""
        changed = [
            db.execute(
                "UPDATE places SET committed = ? WHERE group_name = ? AND partition = ? AND owner = ?",
                (offset, self.group, id, self.name),
            ).rowcount
            for id, offset in positions
        ]
        return all(changed)

    def _bury(self, db: sqlite3.Connection, name: str) -> None:
        db.execute("DELETE FROM members WHERE group_name = ? AND name = ?", (self.group, name))
        db.execute("UPDATE places SET owner = NULL WHERE group_name = ? AND owner = ?", (self.group, name))

    def _changed(self, db: sqlite3.Connection) -> None:
        db.execute("UPDATE groups SET epoch = epoch + 1 WHERE name = ?", (self.group,))


def _alive(now: int, seen: int, lease: int) -> bool:
    # Not `seen > now - lease`: after the machine's clock was set back, a dead member's last sign lies in the future.
    return abs(now - seen) < lease
