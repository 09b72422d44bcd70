"""Which case is next, and what time alone changes: leases that run out, snoozes that end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from desk import handling
from desk.case import Standing
from desk.dossier import CLOCK
from desk.shelf import lock_authors, open_up, save
from pipeline.store.case_tables import case_authors, cases
from pipeline.store.database import Transaction

_urgency = (cases.c.priority, cases.c.due, cases.c.since, cases.c.id)


def most_urgent(
    transaction: Transaction,
    queues: Sequence[str],
    languages: Sequence[str] = (),
    topics: Sequence[str] = (),
    besides: str | None = None,
) -> str | None:
    """The most urgent case that is ready in these queues, its author held; None where there is none. A case of no
    known language, or no topic, suits everybody. What another transaction holds is passed over, so that nobody waits
    and no two get the same. `besides` leaves out what this user was the last to have and gave back."""
    choices = [_ready(queue, languages, topics, besides) for queue in dict.fromkeys(queues)]
    if len(choices) > 1:  # look first, so that only the author of the best is held
        tops = [(tuple(top), number) for number, it in enumerate(choices) if (top := transaction.run(it).first())]
        choices = [choices[number] for _, number in sorted(tops)]
    for choice in choices:
        free = choice.join(case_authors, case_authors.c.author == cases.c.author).where(case_authors.c.owner.is_(None))
        held = free.with_for_update(of=case_authors, skip_locked=True)
        while row := transaction.run(held).first():
            # It was ready when we looked; now that its author is ours nobody can change it, so look again.
            if transaction.run(_still_ready(row.id, queues)).first():
                return str(row.id)
    return None


def sweep(transaction: Transaction, now: datetime, limit: int) -> int:
    """Give back what was held under leases that have run out, and wake what has slept its time: at most so many of
    each; returns how many authors that concerned. What another transaction holds is left to it."""
    overdue = select(case_authors.c.author).where(case_authors.c.owner.is_not(None), case_authors.c.until <= now)
    overdue = overdue.order_by(case_authors.c.until).limit(limit).with_for_update(skip_locked=True)
    rested = select(case_authors.c.author).join(cases, cases.c.author == case_authors.c.author)
    rested = rested.where(cases.c.wakes_at.is_not(None), cases.c.wakes_at <= now).order_by(cases.c.wakes_at)
    rested = rested.limit(limit).with_for_update(of=case_authors, skip_locked=True)
    authors = {*transaction.run(overdue).scalars(), *transaction.run(rested).scalars()}
    if not authors:
        return 0
    leases = lock_authors(transaction, authors)
    dossiers = open_up(transaction, leases)
    for dossier in dossiers.values():
        dossier.lapse(now)
        for case in dossier.open_cases():
            if case.wakes_at and case.wakes_at <= now:
                handling.wake(dossier, case.id, CLOCK, now)
    save(transaction, dossiers.values(), leases)
    return len(authors)


def _still_ready(id: str, queues: Sequence[str]) -> Select[Any]:
    ready = cases.c.standing == Standing.READY.value
    return select(cases.c.id).where(cases.c.id == id, ready, cases.c.queue.in_(queues))


def _ready(queue: str, languages: Sequence[str], topics: Sequence[str], besides: str | None) -> Select[Any]:
    query = select(*_urgency).where(cases.c.queue == queue, cases.c.standing == Standing.READY.value)
    if languages:
        query = query.where(cases.c.language.in_(["", *languages]))
    if topics:
        query = query.where(cases.c.topic.in_(["", *topics]))
    if besides:
        query = query.where(cases.c.returned_by.is_distinct_from(besides))
    return query.order_by(*_urgency).limit(1)
