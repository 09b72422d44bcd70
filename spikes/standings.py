"""How the alerts of an incident stand: for people, in any process; it needs no target and no playbook."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.columns import NEVER
from pipeline.store.part import Part
from spikes._alert_rows import message_of


class Standing(NamedTuple):
    """How one target stands to one incident. `state` is waiting, held (quiet hours), sending, told, unsure (nobody
    knows whether it arrived) or refused; `told` whether it has heard of it at all; `since` is when it was called,
    `next_at` when it is tried next. `last_at` and `last_state` are of what it was told last, or could not be told."""

    target: str
    state: str
    told: bool
    since: datetime
    next_at: datetime | None
    attempts: int
    reason: str
    last_at: datetime | None
    last_state: str


class Called(NamedTuple):
    """How far the calls of an incident's `playbook` went (empty: none covers it): so many were made, the next is due
    at `next_at` unless somebody acknowledges it before; None where none is."""

    playbook: str
    made: int
    next_at: datetime | None


class Standings(Part):
    """Questions; none changes anything."""

    def standings(self, incident: str) -> list[Standing]:
        """How each target stands to an incident, in the order in which they were called."""
        query = select(alert_messages).where(alert_messages.c.incident == incident)
        with self._db.read() as transaction:
            found = [message_of(row) for row in transaction.run(query)]
        return [
            Standing(
                target=it.target,
                state=it.state,
                told=it.told_version > 0,
                since=it.since,
                next_at=it.next_at if it.next_at < NEVER else None,
                attempts=it.attempts,
                reason=it.reason,
                last_at=it.last_at,
                last_state=it.last_state,
            )
            for it in sorted(found, key=lambda it: (it.since, it.target))
        ]

    def called(self, incident: str) -> Called | None:
        """How far its calls went; None while nobody was to be told of it."""
        query = select(alerts.c.playbook, alerts.c.step, alerts.c.next_at).where(alerts.c.incident == incident)
        with self._db.read() as transaction:
            row = transaction.run(query).first()
        return Called(row.playbook, row.step, row.next_at if row.next_at < NEVER else None) if row else None
