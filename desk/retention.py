"""What is kept goes when it is past its period, a short transaction at a time, so that nobody waits for it.

A mention's period is counted from when it was said or stored, whichever was later, a case's from when it was closed. A
closed case takes its mentions along, since without it they would count as new; an open one keeps its own. What stays
of a case are its figures, under a random id. An incident's period is counted from when it was closed as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, or_, select, update

from desk.audit import Audit
from desk.sessions import ABSOLUTE, IDLE
from desk.shelf import lock_authors
from desk.throttle import FORGET
from pipeline.ports import Clock
from pipeline.store.account_tables import invitations, sessions, throttles
from pipeline.store.case_tables import case_authors, case_mentions, cases
from pipeline.store.database import REMOVALS, Database, Transaction, beyond
from pipeline.store.expiry import Expire, Step, expire_ids, expire_letters, expire_mentions, take_out
from pipeline.store.fact_tables import handles
from pipeline.store.holdings import HOLDINGS, tables_of_cases
from pipeline.store.incident_expiry import expire_incidents
from pipeline.store.outbox import prune
from pipeline.store.part import Part
from pipeline.store.tables import mentions


class Periods(NamedTuple):
    """How many days each kind is kept; None for as long as it is not removed."""

    mentions_days: float | None = None
    cases_days: float | None = None
    dead_letters_days: float | None = None
    outbox_days: float | None = 7
    audit_days: float | None = None
    ids_days: float | None = None
    incidents_days: float | None = None


class Retention(Part):
    """Removes what is past its period. One object is used by one thread at a time; several processes may have one."""

    def __init__(self, database: Database, clock: Clock, periods: Periods) -> None:
        super().__init__(database, clock)
        self.periods = periods
        self._audit = Audit(database, clock)
        self._places: dict[str, Any] = {}
        self._through = False

    @property
    def through(self) -> bool:
        """Whether the last `sweep` came to the end of every kind: there is nothing more to do for a while."""
        return self._through

    def sweep(self, limit: int = 500) -> dict[str, int]:
        """Look at so many rows of each kind and remove what is past its period; returns how many of each kind went.
        The next call goes on from there, and after the end from the start."""
        now = self._clock.now()
        gone: dict[str, int] = {}
        for kind, days, expire in self._kinds():
            with self._db.write() as transaction:
                step = expire(transaction, self._places.get(kind), now - timedelta(days=days), now, limit)
            self._places[kind] = step.place
            gone[kind] = step.gone
        if self.periods.audit_days is not None:
            # By whole days, so that each day adds no more than one row that says what went.
            midnight = (now - timedelta(days=self.periods.audit_days)).replace(
                hour=0, minute=0, second=0, microsecond=0
            )
            gone["audit"] = self._audit.prune(midnight, limit)
            self._places["audit"] = True if gone["audit"] == limit else None
        if any(gone.values()):
            self._db.checkpoint()
        self._through = all(place is None for place in self._places.values())
        return gone

    def _kinds(self) -> Iterator[tuple[str, float, Expire]]:
        periods = self.periods
        steps: list[tuple[str, float | None, Expire]] = [
            ("cases", periods.cases_days, _expire_cases),
            ("mentions", periods.mentions_days, expire_mentions),
            ("dead_letters", periods.dead_letters_days, expire_letters),
            ("outbox", periods.outbox_days, _prune),
            ("ids", periods.ids_days, expire_ids),
            ("incidents", periods.incidents_days, expire_incidents),
            ("handles", 0 if periods.mentions_days or periods.cases_days else None, _expire_handles),
            ("sign_ins", 0, _expire_sign_ins),
        ]
        yield from ((kind, days, step) for kind, days, step in steps if days is not None)


def _prune(transaction: Transaction, place: Any, before: datetime, _now: datetime, limit: int) -> Step:
    return Step(*prune(transaction, place, before, limit))


def _expire_cases(transaction: Transaction, _place: Any, before: datetime, now: datetime, limit: int) -> Step:
    transaction.lock(REMOVALS)
    closed = (cases.c.standing == 3, cases.c.closed_at < before)
    query = select(cases.c.id, cases.c.author).where(*closed).order_by(cases.c.closed_at).limit(max(1, limit // 5))
    found = transaction.run(query).all()
    authors = sorted({row.author for row in found})
    lock_authors(transaction, authors)
    named = transaction.among(cases.c.id, [row.id for row in found])
    ids = list(transaction.run(select(cases.c.id).where(named, *closed)).scalars())  # none that was reopened meanwhile
    placed = select(case_mentions.c.mention).where(transaction.among(case_mentions.c.case_id, ids))
    take_out(transaction, list(transaction.run(placed).scalars()), now)
    names = [{"old": id, "new": f"expired-{secrets.token_hex(12)}"} for id in ids]
    for table in tables_of_cases():
        if not HOLDINGS[table.name].counted:
            transaction.run(delete(table).where(transaction.among(table.c.case_id, ids)))
        elif names:
            anonymous: dict[str, Any] = {"case_id": bindparam("new")} | ({"author": ""} if "author" in table.c else {})
            transaction.run(update(table).where(table.c.case_id == bindparam("old")).values(anonymous), names)
    transaction.run(delete(cases).where(transaction.among(cases.c.id, ids)))
    idle = (case_authors.c.owner.is_(None), ~exists().where(cases.c.author == case_authors.c.author))
    transaction.run(delete(case_authors).where(transaction.among(case_authors.c.author, authors), *idle))
    return Step(len(ids), True if len(found) == max(1, limit // 5) and ids else None)


def _expire_handles(transaction: Transaction, place: Any, _before: datetime, _now: datetime, limit: int) -> Step:
    """Handles of those of whom neither a mention nor a case is kept."""
    kept = or_(
        exists().where(mentions.c.author == handles.c.author), exists().where(cases.c.author == handles.c.author)
    )
    query = select(handles.c.handle, kept.label("kept")).order_by(handles.c.handle).limit(limit)
    if place is not None:
        query = query.where(beyond((handles.c.handle,), (place,)))
    rows = transaction.run(query).all()
    gone = [row.handle for row in rows if not row.kept]
    transaction.run(delete(handles).where(transaction.among(handles.c.handle, gone)))
    return Step(len(gone), rows[-1].handle if len(rows) == limit else None)


def _expire_sign_ins(transaction: Transaction, _place: Any, _before: datetime, now: datetime, _limit: int) -> Step:
    """Sessions that have ended, invitations that are no longer good, failures that are forgotten: as many as there are
    people, at the most."""
    over = (
        delete(sessions).where(or_(sessions.c.seen_at <= now - IDLE, sessions.c.started_at <= now - ABSOLUTE)),
        delete(invitations).where(invitations.c.expires_at <= now),
        delete(throttles).where(throttles.c.failed_at <= now - FORGET, throttles.c.blocked_until <= now),
    )
    return Step(sum(transaction.run(statement).rowcount for statement in over), None)
