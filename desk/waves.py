"""Copies of one text are worked through one case, the lead: the others rest, and are resolved once it is answered.

A case that opens as a near-duplicate of one that the rules sent to the same queue, of the same brand, follows that one
if it was said within `wave_hours` of it, or before that long has gone by since its answer. Always worked by themselves:
what is urgent, or more urgent than the lead; texts of fewer than `wave_words` words, which two people may both have
come to say; private messages; what an author says whom somebody is talking to. A lead that goes to another queue is
followed there. One that is withdrawn gives its place to the next.

What is left to do stands in the cases themselves, so that whoever is stopped half way, or does it twice, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, or_, select

from desk import events
from desk.case import Case, Standing, State
from desk.dossier import Dossier
from desk.hearing import WAVE, CaseSettings, brand_of, family, share_fate
from desk.shelf import lock_authors, open_up, read_case, save
from pipeline.mention import Kind, Priority, Routed
from pipeline.ports import Clock
from pipeline.store.case_tables import cases
from pipeline.store.database import Database, Transaction

BATCH = 200
"""How many copies are seen to in one transaction."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_Wave = tuple[str, str | None, str]
"""The texts, the brand, and the queue that the rules gave."""


class Leads:
    """Which cases could lead what a batch brings."""

    def __init__(self, as_it_stands: Callable[[Case], Case], settings: CaseSettings) -> None:
        """`as_it_stands` tells how a case that was added stands by now."""
        self._of: dict[_Wave, dict[str, Case]] = {}
        self._as_it_stands = as_it_stands
        self._window = timedelta(hours=settings.wave_hours)
        self._words = settings.wave_words

    def add(self, case: Case) -> None:
        """One more, unless it follows another."""
        if case.family and case.lead is None:
            self._of.setdefault((case.family, case.brand, case.routed_queue), {})[case.id] = case

    def leader(self, it: Routed) -> Case | None:
        """The case through which this one is worked, if it opens a case."""
        wave, decision = family(it), it.decision
        if wave is None or not self._window or decision.priority is Priority.URGENT or it.mention.kind is Kind.MESSAGE:
            return None
        if len(it.mention.text.split()) < self._words:
            return None
        copies = self._of.get((wave, brand_of(it), str(decision.queue)), {}).values()
        now = [self._as_it_stands(case) for case in copies]
        return _first(now, it.mention.created_at, decision.priority, self._window)


def leads_of(transaction: Transaction, copies: Sequence[Routed], hours: float) -> list[Case]:
    """The cases of their waves that follow no other, without those that were closed too long before."""
    families = sorted({wave for it in copies if (wave := family(it))})
    if not families or not hours:
        return []
    window = timedelta(hours=hours)
    horizon = max(min(it.mention.created_at for it in copies), _LONG_AGO + window) - window
    query = select(cases.c.body).where(transaction.among(cases.c.family, families), cases.c.lead.is_(None))
    return [read_case(body) for body in transaction.run(query.where(cases.c.closed_at >= horizon)).scalars()]


def settle(database: Database, clock: Clock, hours: float, limit: int) -> int:
    """Do for at most so many copies what their leads' fate asks for, some in each transaction; returns how many."""
    window = timedelta(hours=hours)
    done = 0
    while done < limit:
        with database.read() as transaction:
            ended = transaction.run(_ended).all()
        before = done
        for row in ended:
            if done < limit:
                with database.write() as transaction:
                    done += _see_to(transaction, row.lead, clock.now(), window, min(BATCH, limit - done))
        if done == before:
            break
    return done


_following = cases.alias("following")
_waiting = (
    select(_following.c.lead)
    .where(_following.c.lead.is_not(None), _following.c.standing == Standing.RESTING.value)
    .distinct()
    .subquery()
)
_ended = (
    select(_waiting.c.lead)
    .join(cases, cases.c.id == _waiting.c.lead, isouter=True)
    .where(or_(cases.c.id.is_(None), cases.c.state.in_(["replied", "waiting", "resolved", "withdrawn"])))
    .order_by(_waiting.c.lead)
)


def _see_to(transaction: Transaction, id: str, now: datetime, window: timedelta, limit: int) -> int:
    """See to some of those that follow this case, which has ended."""
    body = transaction.run(select(cases.c.body).where(cases.c.id == id)).scalar()
    lead = None if body is None else read_case(body)
    if lead and lead.done_at:
        return _each(transaction, id, now, limit, lambda dossier, case: share_fate(dossier, case.id, lead, now))
    if lead and lead.state is not State.WITHDRAWN:  # opened again meanwhile
        return 0
    eldest = transaction.run(_followers(id, 1).with_only_columns(cases.c.body)).scalar()
    if eldest is None:
        return 0
    copy = read_case(eldest)
    same = (cases.c.family == copy.family, cases.c.lead.is_(None), cases.c.routed_queue == copy.routed_queue)
    brand = cases.c.brand.is_not_distinct_from(copy.brand)
    others = [read_case(it) for it in transaction.run(select(cases.c.body).where(*same, brand)).scalars()]
    heir = _first(others, copy.since, copy.priority, window)
    if heir is None:
        return _each(transaction, id, now, 1, lambda dossier, case: _promote(dossier, case, lead, now))
    joined = events.FamilyJoined(at=now, actor=WAVE, family=str(copy.family), lead=heir.id)
    return _each(transaction, id, now, limit, lambda dossier, case: dossier.record(case.id, joined))


def _each(
    transaction: Transaction, lead: str, now: datetime, limit: int, change: Callable[[Dossier, Case], object]
) -> int:
    """Change some of those that follow a case, the oldest first; returns how many. Whom somebody has, or who is being
    answered, waits."""
    authors = set(transaction.run(_followers(lead, limit).with_only_columns(cases.c.author)).scalars())
    if not authors:
        return 0
    leases = lock_authors(transaction, authors)
    dossiers = open_up(transaction, leases)
    changed = 0
    for dossier in dossiers.values():
        dossier.lapse(now)
        for case in dossier.open_cases():
            if case.lead == lead and case.owner is None and not case.pending:
                change(dossier, case)
                changed += 1
    save(transaction, dossiers.values(), leases)
    return changed


def _promote(dossier: Dossier, case: Case, lead: Case | None, now: datetime) -> None:
    dossier.record(case.id, events.Freed(at=now, actor=WAVE, reason="the case it followed is gone", leads=True))
    if lead and lead.queue != case.queue:
        moved = events.Transferred(at=now, actor=WAVE, queue=lead.queue, reason="its wave is worked there")
        dossier.record(case.id, moved)


def _followers(lead: str, limit: int) -> Select[Any]:
    query = select(cases.c.id).where(cases.c.lead == lead, cases.c.standing == Standing.RESTING.value)
    return query.order_by(cases.c.since, cases.c.id).limit(limit)


def _first(copies: Iterable[Case], said_at: datetime, priority: Priority, window: timedelta) -> Case | None:
    """Of these copies the one through which another is worked: that was answered last, else the oldest."""
    fits = [case for case in copies if _may_lead(case, said_at, priority, window)]
    done = [(case.done_at, case.id, case) for case in fits if case.done_at]
    return max(done)[2] if done else min(fits, key=lambda case: (case.since, case.id), default=None)


def _may_lead(case: Case, said_at: datetime, priority: Priority, window: timedelta) -> bool:
    if case.lead or case.alone or case.state is State.WITHDRAWN or case.priority.rank > priority.rank:
        return False
    # Of differences, as a time that somebody made up may be the first there is, or the last.
    return case.since - said_at <= window and said_at - (case.done_at or case.since) <= window
