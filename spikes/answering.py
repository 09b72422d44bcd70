"""One approved statement answers an incident's family: a person decides it, and from then on each case that follows
gets the words that were approved as an answer of its own, at a pace (`desk/statements.py` says who does, and who not).

It stops when a person says so, when the incident is closed, and when the approved draft does not stand any more: then
what waits is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Select, func, or_, select

from desk import statements
from desk.desk import Desk
from desk.drafting import Draft, DraftState
from desk.refusals import Conflict, NoSuchDraft, Unfit
from pipeline.ports import Clock
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.database import Database, Transaction, beyond
from pipeline.store.incident_tables import MEMBERS, incident_mentions
from pipeline.store.part import Part
from pipeline.store.tables import mentions
from spikes.incident_records import AnswersStopped, Event, Incident, StatementOut
from spikes.incident_shelf import hold, put, record
from spikes.incidents import TEXT_CHARS, WATCH, Incidents
from spikes.playbooks import Playbooks

log = structlog.get_logger(__name__)

ANSWERS_PER_MINUTE = 6.0
"""From one account, where no playbook says otherwise."""

LOOKED_AT = 20
"""The most cases tried for one answer."""

AGAIN = timedelta(seconds=30)
"""When those are tried again whose customer somebody was talking to."""


class Answers(NamedTuple):
    """How far it is: copies sent, on their way, and not sent (refused, withdrawn, back with a person); and how many
    cases follow that have none."""

    sent: int
    waiting: int
    failed: int
    left: int


def answer(incidents: Incidents, database: Database, id: str, draft: str, actor: str) -> Incident:
    """Let this draft, an answer to the case that the family follows, be sent to all of it. Raises NoSuchIncident,
    NoSuchDraft; Conflict where it was not approved, no case is followed, another is being sent, or it is closed; Unfit
    where something is left to fill in."""
    with database.read() as transaction:
        found = statements.approved(transaction, draft)

    def change(incident: Incident, now: datetime) -> Event:
        lead = incident.work.lead
        if not lead:
            raise Conflict("its cases follow none: choose the one that is answered first")
        if found.case != lead:
            raise Conflict(f"draft {draft} answers case {found.case}; its cases follow {lead}")
        if incident.work.answer:
            raise Conflict(f"draft {incident.work.answer} is being sent already: stop that first")
        return StatementOut(at=now, actor=actor, text=found.text[:TEXT_CHARS], draft=draft)

    return incidents.change(id, None, change)


def stop(incidents: Incidents, id: str, actor: str, text: str = "") -> Incident:
    """Send it to nobody else; what waits to be sent is taken back. Raises Conflict where nothing is being sent."""

    def change(incident: Incident, now: datetime) -> Event:
        if not incident.work.answer:
            raise Conflict("no statement is being sent")
        return AnswersStopped(at=now, actor=actor, text=text)

    return incidents.change(id, None, change, text)


def progress(database: Database, incident: Incident, draft: str) -> Answers:
    """How far the answering with this draft is."""
    counted = select(drafts.c.state, func.count().label("counted")).where(drafts.c.copied_from == draft)
    left = select(func.count()).select_from(_family(incident, draft).order_by(None).subquery())
    with database.read() as transaction:
        states: Mapping[str, int] = {
            row.state: row.counted for row in transaction.run(counted.group_by(drafts.c.state))
        }
        more = transaction.run(left).scalar_one() if incident.work.answer == draft else 0
    sent = states.get(DraftState.SENT, 0)
    waiting = states.get(DraftState.QUEUED, 0) + states.get(DraftState.SENDING, 0)
    return Answers(sent, waiting, sum(states.values()) - sent - waiting, more)


def answers_of(database: Database, incident: Incident) -> tuple[str, Answers] | None:
    """The draft that was last sent to an incident's cases, and how far that is; None where none was."""
    draft = incident.work.answered
    return (draft, progress(database, incident, draft)) if draft else None


class Answering(Part):
    """Queues the answers; used by one thread at a time, several processes may have one. `desk` knows through which
    sources one may answer, `playbooks` at what pace."""

    def __init__(
        self, database: Database, clock: Clock, incidents: Incidents, desk: Desk, playbooks: Playbooks
    ) -> None:
        super().__init__(database, clock)
        self._incidents = incidents
        self._desk = desk
        self._playbooks = playbooks
        self._places: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._rests: dict[tuple[str, str], datetime] = {}

    def step(self) -> int:
        """Queue at most one answer for each account and incident, where the pace allows it; take back what waits where
        it was stopped. Returns how many drafts changed. For a timer."""
        sending = {it.work.answer: it for it in self._incidents.live() if it.work.answer}
        changed = sum(statements.take_back(self._db, self._clock, it) for it in self._stopped(set(sending)))
        for incident in sending.values():
            for via in self._desk.vias:
                changed += self._one(incident, via)
        return changed

    def _stopped(self, sending: set[str]) -> Iterator[str]:
        """Statements of which copies wait that are not being sent any more."""
        query = select(drafts.c.copied_from).where(
            drafts.c.copied_from.is_not(None), drafts.c.state == DraftState.QUEUED.value, drafts.c.attempts == 0
        )
        with self._db.read() as transaction:
            found = set(transaction.run(query.distinct()).scalars())
        yield from sorted(found - sending)

    def _one(self, incident: Incident, via: str) -> int:
        now, key = self._clock.now(), (incident.work.answer, via)
        if now < self._rests.get(key, now):
            return 0
        with self._db.write() as transaction:
            held = hold(transaction, incident.id)
            if held.work.answer != incident.work.answer:
                return 0
            try:
                statement = statements.approved(transaction, held.work.answer)
            except (Conflict, NoSuchDraft, Unfit) as refusal:
                self._end(transaction, held, str(refusal))
                return 0
            pace = self._pace(held)
            last = transaction.run(_last(via)).scalar()
            if last is not None and now < last + pace:
                self._rests[key] = last + pace
                return 0
            return self._next(transaction, held, statement, via, now)

    def _next(self, transaction: Transaction, incident: Incident, statement: Draft, via: str, now: datetime) -> int:
        """Queue the answer to the first case in turn that can have one."""
        key = (statement.id, via)
        query = _family(incident, statement.id).where(mentions.c.via == via).limit(LOOKED_AT)
        if place := self._places.get(key):
            query = query.where(beyond(_order, place))
        rows = transaction.run(query).all()
        for row in rows:
            self._places[key] = (row.since, row.id)
            by = incident.work.answer_by
            copied = statements.copy_to(transaction, self._desk, statement, row.id, row.mention, by, now)
            if copied.outcome == "queued":
                self._rests[key] = now + self._pace(incident)
                return 1
        if len(rows) == LOOKED_AT:
            return 0
        # All had their turn: those who could not be answered then are tried again from the first.
        self._places.pop(key, None)
        self._rests[key] = now + AGAIN
        return 0

    def _pace(self, incident: Incident) -> timedelta:
        playbook = self._playbooks.chosen(incident.kind.value, incident.brand)
        each = playbook.answers_per_minute if playbook else ANSWERS_PER_MINUTE
        return timedelta(minutes=1) / each

    def _end(self, transaction: Transaction, incident: Incident, reason: str) -> None:
        """The statement does not stand any more."""
        over = AnswersStopped(at=self._clock.now(), actor=WATCH, text=reason)
        put(transaction, record(transaction, incident, over))
        log.info("a statement is sent to nobody any more", incident=incident.id, reason=reason)


_order = (cases.c.since, cases.c.id)


def _family(incident: Incident, draft: str) -> Select[Any]:
    """The cases that follow the incident's lead (or a copy's first case that does), or were resolved with it, which
    have no copy of the draft; each with what it is answered to: what is of the incident in it."""
    lead = incident.work.lead
    mine = drafts.alias("mine")
    led, had = select(cases.c.id).where(cases.c.lead == lead), select(mine.c.case_id).where(mine.c.copied_from == draft)
    follows = or_(cases.c.lead == lead, cases.c.lead.in_(led), cases.c.lead.in_(had))
    said = (
        select(*_order, func.max(case_mentions.c.mention).label("mention"))
        .join(case_mentions, case_mentions.c.case_id == cases.c.id)
        .join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
        .join(mentions, mentions.c.id == case_mentions.c.mention)
    )
    said = said.where(incident_mentions.c.incident == incident.id, incident_mentions.c.part.in_(MEMBERS))
    said = said.where(case_mentions.c.part == "said", follows, cases.c.id.not_in(had))
    return said.group_by(*_order).order_by(*_order)


def _last(via: str) -> Select[Any]:
    """When the last statement was queued for this account, of whatever incident."""
    return select(func.max(drafts.c.created_at)).where(drafts.c.copied_from.is_not(None), drafts.c.via == via)
