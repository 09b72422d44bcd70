"""Push: cases are given to people who are there, can do them and have room."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select, update

from desk import taking
from desk.case import Standing
from desk.desk import Desk
from desk.presence import Agent, agent_of
from desk.roles import allowed, parse_roles
from desk.shelf import dossier_of, save
from pipeline.ports import Clock
from pipeline.store.account_tables import users
from pipeline.store.case_tables import case_authors, cases
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from pipeline.store.work_tables import agents

ASSIGNER = "system:assignment"
"""The actor of what is given."""

ASSIGNING = 0x68617272
"""Advisory lock: one assigner at a time, so that nobody is given more than they have room for."""

_NEVER_YET = datetime.min.replace(tzinfo=UTC)


class Assignment(Part):
    """Gives the cases of the queues that push. Safe to run in several processes."""

    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        super().__init__(database, clock)
        self._desk = desk

    def assign(self, limit: int = 500) -> int:
        """Give at most so many cases to people, each the most urgent one for whoever is least loaded; returns how many.

        People are those set up as agents who may work cases, say they are available, were seen lately, and have fewer
        customers than their capacity. Nobody gets what does not fit their queues, languages and topics, nor what they
        themselves gave back or let run out last: somebody else does. The actor is `system:assignment`.
        """
        given = 0
        while given < limit and self._waiting() and self._give():
            given += 1
        return given

    def _waiting(self) -> bool:
        """Whether there is anything to give and anybody to give it to: asked first, so that a quiet desk writes
        nothing."""
        ready = select(cases.c.id).where(cases.c.queue.in_(self._desk.pushed), cases.c.standing == Standing.READY.value)
        with self._db.read() as transaction:
            if not self._desk.pushed or transaction.run(ready.limit(1)).first() is None:
                return False
            return bool(_people(transaction, self._clock.now(), self._desk))

    def _give(self) -> bool:
        """Give one case, in a transaction of its own, which holds one author only; whether there was one for
        anybody."""
        with self._db.write() as transaction:
            transaction.lock(ASSIGNING)
            now = self._clock.now()
            return any(self._give_to(transaction, agent, now) for agent in _people(transaction, now, self._desk))

    def _give_to(self, transaction: Transaction, agent: Agent, now: datetime) -> bool:
        queues = [name for name in self._desk.pushed if not agent.queues or name in agent.queues]
        id = taking.most_urgent(transaction, queues, agent.languages, agent.topics, besides=agent.user)
        if id is None:
            return False
        dossier = dossier_of(transaction, id)
        before = {dossier.lease.author: dossier.lease}
        dossier.claim(id, agent.user, ASSIGNER, now, self._desk.term)
        save(transaction, [dossier], before)
        transaction.run(update(agents).where(agents.c.user == agent.user).values(given_at=now))
        return True


def _people(transaction: Transaction, now: datetime, desk: Desk) -> list[Agent]:
    """Who is there and has room for more: the least loaded for what they can carry first, then who has waited
    longest."""
    there = (
        agents.c.presence == "available",
        agents.c.seen_at >= now - desk.away,
        agents.c.capacity > 0,
        users.c.disabled_at.is_(None),
    )
    query = select(agents, users.c.roles).join(users, agents.c.user == "user:" + users.c.id).where(*there)
    found = {row.user: row for row in transaction.run(query) if "cases.work" in allowed(parse_roles(row.roles.split()))}
    if not found:
        return []
    held = select(case_authors.c.owner, func.count().label("counted")).group_by(case_authors.c.owner)
    held = held.where(case_authors.c.owner.is_not(None), case_authors.c.until > now)
    loads = {row.owner: row.counted for row in transaction.run(held)}
    people = [(loads.get(user, 0), row.given_at, agent_of(row)) for user, row in found.items()]
    room = [it for it in people if it[0] < it[2].capacity]
    room.sort(key=lambda it: (it[0] / it[2].capacity, it[1] or _NEVER_YET, it[2].user))
    return [agent for _, _, agent in room]
