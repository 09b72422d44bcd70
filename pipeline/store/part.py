"""What the parts of the store share: the database, the clock, and the few steps that more than one of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, case, delete, select, update

from pipeline.ports import Clock
from pipeline.store.columns import fit, utc
from pipeline.store.database import Database, Transaction
from pipeline.store.tables import dead_letters, intake, removed, tombstones


class Part:
    """One part of the store: its methods each run in one transaction of their own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._db = database
        self._clock = clock


class Stone(NamedTuple):
    """Why something was taken back, and when that was noticed; `expired`: it is past the period it is kept for."""

    reason: Literal["deleted", "account_gone", "account_hidden", "compliance", "erased", "expired"]
    noticed_at: datetime


class Victim(NamedTuple):
    """A mention to be removed, the tombstone it lies under, and its conversation (empty where it is not known)."""

    id: str
    source: str
    conversation: str
    stone: Stone


class Stones(NamedTuple):
    """The tombstones that some mentions may lie under, by target."""

    found: dict[str, Stone]

    def over(self, id: str, author: str | None = None, known_since: datetime | None = None) -> Stone | None:
        """The tombstone this mention lies under.

        What was taken back by its id never comes back. An author's removal covers what was known by then: an account
        that returns may speak again.
        """
        if not self.found:
            return None
        if stone := self.found.get(target("mention", id)):
            return stone
        stone = self.found.get(target("author", author)) if author else None
        return stone if stone and known_since and stone.noticed_at >= known_since else None


def target(kind: Literal["mention", "author"], id: str) -> str:
    """A tombstone's key; the same for an id as it came and as a column holds it."""
    return fit(f"{kind}:{fit(id)}")


def stones_over(transaction: Transaction, ids: Iterable[str], authors: Iterable[str] = ()) -> Stones:
    """The tombstones of these mentions and authors (`source:author_id`). A mention that was removed with its author's
    account has one of its own from then on."""
    wanted = list(ids)
    targets = {target("mention", id) for id in wanted} | {target("author", author) for author in authors}
    gone = select(removed.c.id, removed.c.reason, removed.c.removed_at).where(transaction.among(removed.c.id, wanted))
    found = {target("mention", row.id): Stone(row.reason, row.removed_at) for row in transaction.run(gone)}
    stones = select(tombstones.c.target, tombstones.c.reason, tombstones.c.noticed_at).where(
        transaction.among(tombstones.c.target, list(targets))
    )
    found |= {row.target: Stone(row.reason, row.noticed_at) for row in transaction.run(stones)}
    return Stones(found)


def arrival(id: str, source: str, via: str, digest: str, taken_at: datetime, created_at: datetime) -> dict[str, Any]:
    """An intake row."""
    return {
        "id": id,
        "source": source,
        "via": via,
        "digest": digest,
        "taken_at": taken_at,
        "created_at": utc(created_at),
    }


def ensure_intake(transaction: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Take in what an outcome shows to exist though its collector died before it could say so."""
    by_id = {fit(row["id"]): row for row in rows}
    query = select(intake.c.id).where(transaction.among(intake.c.id, list(by_id)))
    present = set(transaction.run(query).scalars())
    transaction.insert(intake, [by_id[id] for id in sorted(by_id.keys() - present)], "id")


def mark_removed(transaction: Transaction, victims: Sequence[Victim], now: datetime) -> None:
    """Leave of each only that it was removed: nothing of it in its intake row or a dead letter."""
    if not victims:
        return
    rows = {
        fit(victim.id): {
            "id": victim.id,
            "source": victim.source,
            "reason": victim.stone.reason,
            "removed_at": now,
            "conversation": victim.conversation,
            "purged_at": None,
        }
        for victim in victims
    }
    # One that comes again stands on the topics again: it is to be purged once more.
    transaction.insert(
        removed,
        [rows[id] for id in sorted(rows)],
        "id",
        update=["purged_at"],
        conversation=_known_conversation,
    )
    transaction.run(
        update(intake).where(transaction.among(intake.c.id, list(rows)), intake.c.digest != "").values(digest="")
    )
    transaction.run(delete(dead_letters).where(transaction.among(dead_letters.c.intake_id, list(rows))))


def _known_conversation(new: Any) -> ColumnElement[str]:
    return case((new.conversation != "", new.conversation), else_=removed.c.conversation)
