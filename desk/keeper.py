"""The clocks of cases at work: they put a queue in order, and tell of what is late, or soon will be.

Clocks are not kept: they follow from a case's events, the promises and the time. What is kept of them is what a queue
is sorted by (`cases.due`) and when there is next something to tell (`case_clocks`). What was told is in the case's own
events, so that a crash, or two keepers at once, never tell it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, func, select, update

from desk import events
from desk.case import Case
from desk.desk import Desk
from desk.dossier import CLOCK, Dossier
from desk.events import Event
from desk.events import decode as decode_event
from desk.explanations import why
from desk.feed import Feed
from desk.refusals import NoSuchCase
from desk.service_levels import Alarm, Clock, ClockState, alarms, clocks, next_alarm, soonest
from desk.shelf import lock_authors, open_up, read_case, save
from pipeline.ports import Clock as Time
from pipeline.store.case_tables import case_events, cases
from pipeline.store.columns import NEVER
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from pipeline.store.work_tables import case_clocks, clock_rules

FOLLOWER = "clocks"
"""The name under which the events are followed."""

_RULES = "clocks"
_wanted = (cases.c.id, cases.c.queue, cases.c.due, cases.c.promised, cases.c.body)


class Told(NamedTuple):
    """An alarm that was just recorded."""

    case: str
    queue: str
    alarm: Alarm


class Keeper(Part):
    """Keeps the clocks. `follow`, `fire` and `refresh` are steps for a timer: each does a bounded part of what there is
    to do and says how much that was. Several processes may run them; where their settings differ, the one that called
    `take_charge` last is obeyed and the others do nothing. StoreUnavailable as the store does."""

    def __init__(self, database: Database, clock: Time, desk: Desk, feed: Feed) -> None:
        super().__init__(database, clock)
        self._desk = desk
        self._feed = feed
        self._digest = desk.digest

    # -------------------------------------------------------------------- questions

    def clocks_of(self, case: str) -> tuple[Clock, ...]:
        """The clocks of a case as they stand now; none where its queue promises nothing. Raises NoSuchCase."""
        found = self.clocks_of_all([case])
        if case not in found:
            raise NoSuchCase(f"there is no case {case}")
        return found[case]

    def clocks_of_all(self, ids: Sequence[str]) -> dict[str, tuple[Clock, ...]]:
        """The clocks of each of these cases that there is: for a page of a list."""
        now = self._clock.now()
        with self._db.read() as transaction:
            rows = transaction.run(select(*_wanted).where(transaction.among(cases.c.id, ids))).all()
            histories = _histories(transaction, [row.id for row in rows])
        return {row.id: self._clocks(row.queue, histories[row.id], now) for row in rows}

    def why(self, case: str) -> tuple[str, ...]:
        """Every clock of a case, explained line by line. Raises NoSuchCase."""
        return tuple(line for clock in self.clocks_of(case) for line in why(clock))

    def late(self) -> dict[str, int]:
        """How many open cases of each queue are past the time their next answer was due, by promise or by rule."""
        query = select(cases.c.queue, func.count().label("counted")).group_by(cases.c.queue)
        with self._db.read() as transaction:
            rows = transaction.run(query.where(cases.c.closed_at == NEVER, cases.c.due < self._clock.now()))
            return {row.queue: row.counted for row in rows}

    # ------------------------------------------------------------------------ steps

    def take_charge(self) -> None:
        """Let these settings be the ones in force. Where the ones before could have led to another clock, `refresh` has
        all open cases to work out anew."""
        row = {"name": _RULES, "digest": self._digest, "place": ""}
        with self._db.write() as transaction:
            transaction.insert(
                clock_rules, [row], "name", ["digest", "place"], lambda new: new.digest != clock_rules.c.digest
            )

    def refresh(self, limit: int = 200) -> int:
        """Work out the clocks of some open cases anew, where the settings have changed; returns how many."""
        with self._db.read() as transaction:
            if self._place(transaction.run(select(clock_rules)).first()) is None:
                return 0
        with self._db.write() as transaction:
            held = transaction.run(select(clock_rules).with_for_update(skip_locked=True))
            place = self._place(held.first())
            if place is None:
                return 0
            open_ones = select(*_wanted).where(cases.c.closed_at == NEVER, cases.c.id > place)
            rows = transaction.run(open_ones.order_by(cases.c.id).limit(limit)).all()
            self._keep(transaction, rows)
            transaction.run(update(clock_rules).values(place=rows[-1].id if len(rows) == limit else None))
        return len(rows)

    def follow(self, limit: int = 500) -> int:
        """Keep up with what has happened to cases; returns how many events that were."""
        try:
            return self._feed.follow(FOLLOWER, self._changed, limit)
        except _ReplacedError:
            return 0

    def fire(self, limit: int = 50) -> list[Told]:
        """Record what there is to tell by now: Warned, Breached, and Escalated for a promise broken for long, each
        once. Returns what was recorded."""
        now = self._clock.now()
        due = select(case_clocks.c.case_id).where(case_clocks.c.next_alarm <= now)
        with self._db.read() as transaction:
            ids = list(transaction.run(due.order_by(case_clocks.c.next_alarm).limit(limit)).scalars())
        if not ids:
            return []
        told: list[Told] = []
        ticking: list[dict[str, Any]] = []
        with self._db.write() as transaction:
            if not self._in_charge(transaction):
                return []
            authors = transaction.run(select(cases.c.author).where(transaction.among(cases.c.id, ids))).scalars()
            leases = lock_authors(transaction, set(authors))
            dossiers = open_up(transaction, leases, ids=ids)
            histories = _histories(transaction, ids)
            for dossier in dossiers.values():
                for id in dossier.cases.keys() & set(ids):
                    told += self._tell(dossier, id, histories[id], now)
                    history = [*histories[id], *(event for case, event in dossier.news if case.id == id)]
                    ticking.append({"case_id": id, "next_alarm": self._next_alarm(dossier.cases[id], history)})
            save(transaction, dossiers.values(), leases)
            _tick(transaction, ticking)
            gone = sorted(set(ids) - {row["case_id"] for row in ticking})
            transaction.run(delete(case_clocks).where(transaction.among(case_clocks.c.case_id, gone)))
        return told

    # ----------------------------------------------------------------------- inside

    def _place(self, row: Row[Any] | None) -> str | None:
        """How far these settings have been applied to what is open; None where that is done, or they are not the ones
        in force."""
        return row.place if row and row.digest == self._digest else None

    def _in_charge(self, transaction: Transaction) -> bool:
        """Whether these settings are the ones in force, and remain so until the transaction ends."""
        return transaction.run(select(clock_rules.c.digest).with_for_update(read=True)).scalar() == self._digest

    def _changed(self, transaction: Transaction, ids: Sequence[str]) -> None:
        if not self._in_charge(transaction):
            raise _ReplacedError
        query = select(*_wanted).where(transaction.among(cases.c.id, ids)).order_by(cases.c.id)
        self._keep(transaction, transaction.run(query).all())

    def _keep(self, transaction: Transaction, rows: Sequence[Row[Any]]) -> None:
        """Write what has changed of these cases' clocks. `rows` are in order of id: who holds several holds them so.
        Their authors are not held, so that nobody is passed over meanwhile: what happens to a case just now comes as
        another event."""
        now = self._clock.now()
        ids = [row.id for row in rows]
        histories = _histories(transaction, ids)
        known = select(case_clocks).where(transaction.among(case_clocks.c.case_id, ids))
        ticks = {row.case_id: row.next_alarm for row in transaction.run(known)}
        moved: list[dict[str, Any]] = []
        ticking: list[dict[str, Any]] = []
        for row in rows:
            promised = due = None
            if self._desk.rules(row.queue).policy:
                promised = due = soonest(self._clocks(row.queue, histories[row.id], now)) or NEVER
            elif row.promised:
                due = read_case(row.body).due or NEVER
            if due and (row.promised, row.due) != (promised, due):
                moved.append({"it": row.id, "promised": promised, "due": due})
            alarm = self._next_alarm(read_case(row.body), histories[row.id])
            if ticks.get(row.id) != alarm:
                ticking.append({"case_id": row.id, "next_alarm": alarm})
        if moved:
            transaction.run(update(cases).where(cases.c.id == bindparam("it")), moved)
        _tick(transaction, ticking)

    def _clocks(self, queue: str, history: Sequence[Event], now: datetime) -> tuple[Clock, ...]:
        policy = self._desk.rules(queue).policy
        return clocks(policy, history, now) if policy else ()

    def _next_alarm(self, case: Case, history: Sequence[Event]) -> datetime | None:
        """When there is something to tell of a case: in the past for what was not told yet. Of a copy that is worked
        through the lead of its wave nothing is told: the lead's alarms are for all of them."""
        if case.lead:
            return None
        now = self._clock.now()
        running = self._clocks(case.queue, history, now)
        untold = _untold(running, history, now)
        return untold[0].at if untold else next_alarm(running, now)

    def _tell(self, dossier: Dossier, id: str, history: Sequence[Event], now: datetime) -> list[Told]:
        case = dossier.cases[id]
        if case.lead:
            return []
        running = self._clocks(case.queue, history, now)
        dues = {(clock.name, clock.number): clock.due for clock in running}
        untold = _untold(running, history, now)
        for alarm in untold:
            dossier.record(id, _event(alarm, dues[alarm.clock, alarm.number] or alarm.at, now))
        return [Told(id, case.queue, alarm) for alarm in untold]


class _ReplacedError(Exception):
    """Other settings are in force."""


def _histories(transaction: Transaction, ids: Sequence[str]) -> dict[str, list[Event]]:
    """The events of each of these cases, oldest first."""
    query = select(case_events.c.case_id, case_events.c.body).where(transaction.among(case_events.c.case_id, ids))
    found: dict[str, list[Event]] = {id: [] for id in ids}
    for row in transaction.run(query.order_by(case_events.c.case_id, case_events.c.number)):
        found[row.case_id].append(decode_event(row.body))
    return found


def _untold(running: Sequence[Clock], history: Iterable[Event], now: datetime) -> list[Alarm]:
    """What people should have heard by now and have not, oldest first. That a promise is in danger is no news once it
    is broken; that it was broken is news also when it was made good before anybody looked."""
    late = {(clock.name, clock.number) for clock in running if clock.state is ClockState.BREACHED}
    alarmed = [it for it in alarms(running, now) if it.kind != "warning" or (it.clock, it.number) not in late]
    alarmed += [
        Alarm(clock.name, clock.number, "breach", "due", clock.due)
        for clock in running
        if clock.due and clock.state is ClockState.BREACHED and not clock.live
    ]
    told = {it.alarm for it in history if isinstance(it, events.Warned | events.Breached | events.Escalated)}
    return sorted((it for it in alarmed if it.key not in told), key=lambda it: (it.at, it.key))


def _event(alarm: Alarm, due: datetime, now: datetime) -> Event:
    match alarm.kind:
        case "warning":
            return events.Warned(at=now, actor=CLOCK, alarm=alarm.key, due=due)
        case "breach":
            return events.Breached(at=now, actor=CLOCK, alarm=alarm.key, due=due)
        case "escalation":
            reason = f"the {alarm.clock.replace('_', ' ')} is {alarm.step} of open time late"
            return events.Escalated(at=now, actor=CLOCK, reason=reason, alarm=alarm.key)


def _tick(transaction: Transaction, rows: list[dict[str, Any]]) -> None:
    rows.sort(key=lambda row: row["case_id"])
    transaction.insert(case_clocks, rows, "case_id", update=["next_alarm"])
