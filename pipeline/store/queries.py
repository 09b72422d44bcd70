"""What people ask: what waits in a queue, what became of one mention, what was said last week, who is at work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import case, delete, func, select

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.columns import NEVER
from pipeline.store.database import beyond
from pipeline.store.letters import columns as letter_columns
from pipeline.store.letters import letter
from pipeline.store.part import Part, target
from pipeline.store.records import Arrival, Dispatch, QueueSummary, Story, Tombstone, Worker
from pipeline.store.tables import dead_letters, intake, mentions, outbox, removed, tombstones, workers

FORGET_WORKERS = timedelta(days=1)
"""A process silent for so long is no longer listed."""


class Queries(Part):
    """Questions over all tables, and the table `workers`."""

    def queue(self, name: str, limit: int = 100, after: Routed | None = None) -> list[Routed]:
        """What waits in a queue, most pressing first: by priority, first response due, age. `after` is the last of the
        page before; it need not be there any more."""
        order = (mentions.c.priority, mentions.c.first_response_due, mentions.c.created_at, mentions.c.id)
        query = select(mentions.c.body).where(mentions.c.outcome == "queued", mentions.c.queue == name)
        if after is not None:
            due = after.decision.first_response_due or NEVER
            place = (after.decision.priority.rank, due, after.mention.created_at, after.mention.id)
            query = query.where(beyond(order, place))
        with self._db.read() as transaction:
            return [_routed(body) for body in transaction.run(query.order_by(*order).limit(limit)).scalars()]

    def queues(self) -> list[QueueSummary]:
        """Every queue in which something waits, by name."""
        ranks = [func.sum(case((mentions.c.priority == rank, 1), else_=0)).label(f"rank_{rank}") for rank in range(4)]
        first = func.min(mentions.c.first_response_due).label("first")
        query = (
            select(mentions.c.queue, func.count().label("waiting"), first, *ranks)
            .where(mentions.c.outcome == "queued")
            .group_by(mentions.c.queue)
            .order_by(mentions.c.queue)
        )
        with self._db.read() as transaction:
            return [
                QueueSummary(
                    name=row.queue,
                    waiting=row.waiting,
                    by_rank=(row.rank_0, row.rank_1, row.rank_2, row.rank_3),
                    first_due=None if row.first == NEVER else row.first,
                )
                for row in transaction.run(query)
            ]

    def filtered(self, reason: str | None = None, limit: int = 100) -> list[Routed]:
        """What nobody needs to see, newest first; a dead letter that was discarded is not among them."""
        query = select(mentions.c.body).where(mentions.c.outcome == "filtered")
        if reason is not None:
            query = query.where(mentions.c.filtered == reason)
        newest = query.order_by(mentions.c.created_at.desc(), mentions.c.id.desc()).limit(limit)
        with self._db.read() as transaction:
            return [_routed(body) for body in transaction.run(newest).scalars()]

    def history(self, since: datetime, brand: str | None = None, batch: int = 1000) -> Iterator[Routed]:
        """Everything said since then, oldest first, as it was tagged and decided. Reads `batch` at a time, each in a
        transaction of its own: what is stored meanwhile may or may not appear."""
        order = (mentions.c.created_at, mentions.c.id)
        query = select(*order, mentions.c.body).where(mentions.c.created_at >= since).order_by(*order).limit(batch)
        if brand is not None:
            query = query.where(mentions.c.brand == brand)
        page = query
        while True:
            with self._db.read() as transaction:
                rows = transaction.run(page).all()
            for row in rows:
                yield _routed(row.body)
            if len(rows) < batch:
                return
            page = query.where(beyond(order, (rows[-1].created_at, rows[-1].id)))

    def recent(self, limit: int) -> list[Routed]:
        """What was said last, the newest first, as it was tagged and decided."""
        newest = (mentions.c.created_at.desc(), mentions.c.id.desc())
        with self._db.read() as transaction:
            rows = transaction.run(select(mentions.c.body).order_by(*newest).limit(limit)).scalars()
            return [_routed(body) for body in rows]

    def story(self, id: str) -> Story:
        """All that is known about one mention, or one unreadable item by its intake id."""
        with self._db.read() as transaction:
            arrived = transaction.run(
                select(intake.c.id, intake.c.source, intake.c.via, intake.c.taken_at, intake.c.created_at).where(
                    intake.c.id == id
                )
            ).first()
            stored = transaction.run(select(mentions.c.body, mentions.c.stored_at).where(mentions.c.id == id)).first()
            removed_at = transaction.run(select(removed.c.removed_at).where(removed.c.id == id)).scalar()
            stone = transaction.run(select(tombstones).where(tombstones.c.target == target("mention", id))).first()
            letters = transaction.run(
                select(*letter_columns).where(dead_letters.c.intake_id == id).order_by(dead_letters.c.died_at)
            ).all()
            dispatches = transaction.run(
                select(
                    outbox.c.sink,
                    outbox.c.kind,
                    outbox.c.state,
                    outbox.c.attempts,
                    outbox.c.enqueued_at,
                    outbox.c.sent_at,
                    outbox.c.next_attempt_at,
                    outbox.c.last_error,
                )
                .where(outbox.c.mention_id == id)
                .order_by(outbox.c.seq)
            ).all()
        return Story(
            arrival=Arrival(**arrived._mapping) if arrived else None,
            routed=_routed(stored.body) if stored else None,
            stored_at=stored.stored_at if stored else None,
            removed_at=removed_at,
            tombstone=Tombstone(**stone._mapping) if stone else None,
            letters=tuple(letter(row) for row in letters),
            dispatches=tuple(Dispatch(**row._mapping) for row in dispatches),
        )

    def beat(self, member: str, role: str, started_at: datetime, handled: int, rate: float) -> None:
        """Say that a process is at work: records handled since it started, and a second of late."""
        now = self._clock.now()
        row = {
            "member": member,
            "role": role,
            "started_at": started_at,
            "beat_at": now,
            "handled": handled,
            "rate": rate,
        }
        with self._db.write() as transaction:
            transaction.insert(workers, [row], "member", update=["role", "started_at", "beat_at", "handled", "rate"])
            transaction.run(delete(workers).where(workers.c.beat_at < now - FORGET_WORKERS))

    def leave(self, member: str) -> None:
        """Say that a process has stopped as it was asked to."""
        with self._db.write() as transaction:
            transaction.run(delete(workers).where(workers.c.member == member))

    def workers(self) -> list[Worker]:
        """Every process that said it was at work within a day and has not left, by role and name."""
        with self._db.read() as transaction:
            rows = transaction.run(select(workers).order_by(workers.c.role, workers.c.member)).all()
        return [Worker(**row._mapping) for row in rows]


def _routed(body: bytes) -> Routed:
    return cast(Routed, decode(bytes(body)))
