"""The clocks of a case: how soon we promised to answer and to settle it, and how that stands. Pure.

first_response  from what the customer said until our first answer
next_response   from what they said after an answer until our next one; as many as there are such turns
resolution      from what the customer said until the case is resolved

A clock counts the open time of a calendar. Nothing is kept: clocks follow from the case's events, the policy and the
time, so that a corrected calendar or policy corrects every case, the closed ones too. The priority at a clock's end
(for one that runs: now) decides which promise it is held to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from desk._durations import text
from desk._runs import Ending, Pause, Run, Timeline
from desk.calendar import Calendar, Stretch
from desk.events import Event
from desk.policies import ClockName, Policy
from pipeline.mention import Priority


class ClockState(StrEnum):
    """How a clock stands. `stopped`: the case was closed before the promise was kept or broken."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    BREACHED = "breached"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Alarm:
    """Something people should hear of at `at`: a promise in danger, broken, or broken for long.

    `step` is how the policy wrote it (`75%`, `15m`). `key` is the same whenever the alarm is worked out again within
    its case, also when its time has moved, so that nobody hears of it twice.
    """

    clock: ClockName
    number: int
    kind: Literal["warning", "breach", "escalation"]
    step: str
    at: datetime

    @property
    def key(self) -> str:
        """Its identity within the case."""
        return f"{self.clock}:{self.number}:{self.kind}:{self.step}"


@dataclass(frozen=True)
class Clock:
    """One promise to one customer.

    `number` counts the clocks of one name from 1. `due` is None while the clock stands still and nobody knows until
    when; of a clock that ended, it is when it was or would have been due. `elapsed` is the open time counted, up to
    `ended` or now; `remaining` is what is left of `target`, below zero once it is overdue. `counted` are the spans
    (open or not) in which it ran; `alarms` what it raised and will raise if nothing happens; none once it ended.
    """

    name: ClockName
    number: int
    state: ClockState
    priority: Priority
    calendar: Calendar
    target: timedelta
    started: datetime
    due: datetime | None
    ended: datetime | None
    ending: Ending | None
    elapsed: timedelta
    counted: tuple[Stretch, ...]
    pauses: tuple[Pause, ...]
    alarms: tuple[Alarm, ...]

    @property
    def remaining(self) -> timedelta:
        """Open time left; negative when overdue."""
        return self.target - self.elapsed

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.ended is None


def clocks(policy: Policy, history: Iterable[Event], now: datetime) -> tuple[Clock, ...]:
    """Every clock of the case with these events (oldest first, beginning with Opened), as it stands `now`.

    A snooze ends when it said it would, whether or not somebody has recorded that yet. Raises NoOpenHours where a
    calendar never opens again.
    """
    timeline = Timeline(policy)
    for event in history:
        timeline.take(event)
    now = max(now, timeline.at) if timeline.case else now
    made = (_clock(run, policy, timeline.priority, now) for run in timeline.runs)
    return tuple(clock for clock in made if clock is not None)


def soonest(clocks: Iterable[Clock]) -> datetime | None:
    """When the first of the live clocks is due, for sorting a queue; None where none is."""
    return min((clock.due for clock in clocks if clock.live and clock.due), default=None)


def alarms(clocks: Iterable[Clock], now: datetime) -> tuple[Alarm, ...]:
    """What people should have heard of by `now`, oldest first; whoever tells them remembers each `key`. A clock that
    has ended raises none any more."""
    return tuple(alarm for alarm in _alarms(clocks) if _over(alarm, now))


def next_alarm(clocks: Iterable[Clock], now: datetime) -> datetime | None:
    """When to look again if nothing happens before."""
    return next((alarm.at for alarm in _alarms(clocks) if not _over(alarm, now)), None)


def _alarms(clocks: Iterable[Clock]) -> list[Alarm]:
    return sorted((alarm for clock in clocks for alarm in clock.alarms), key=lambda alarm: alarm.at)


def _over(alarm: Alarm, now: datetime) -> bool:
    """An answer on the last moment is in time, so a breach comes after it; a warning comes at its moment."""
    return alarm.at < now or (alarm.at == now and alarm.kind != "breach")


def _clock(run: Run, policy: Policy, priority: Priority, now: datetime) -> Clock | None:
    priority = run.priority or priority
    promise = policy.promises.get((run.name, priority))
    if promise is None:
        return None
    target, calendar = promise.span, promise.calendar
    counted = tuple(Stretch(start, end) for start, end in _spans(run, run.ended or now))
    due = _reached(run.spans if run.ended is None else [*run.spans[:-1], (run.spans[-1][0], None)], calendar, target)
    return Clock(
        name=run.name,
        number=run.number,
        state=_state(run, due, now),
        priority=priority,
        calendar=calendar,
        target=target,
        started=run.spans[0][0],
        due=due,
        ended=run.ended,
        ending=run.ending,
        elapsed=sum((calendar.between(start, end) for start, end in counted), timedelta(0)),
        counted=counted,
        pauses=tuple(run.pauses),
        alarms=tuple(_schedule(run, policy, calendar, target, due)),
    )


def _state(run: Run, due: datetime | None, now: datetime) -> ClockState:
    if due is not None and due < (run.ended or now):
        return ClockState.BREACHED
    if run.ended is not None:
        kept = run.ending == "answered" or (run.ending == "resolved" and run.name == "resolution")
        return ClockState.MET if kept else ClockState.STOPPED
    resting = run.pauses and (run.pauses[-1].end is None or now < run.pauses[-1].end)
    return ClockState.PAUSED if resting else ClockState.RUNNING


def _spans(run: Run, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    for start, end in run.spans:
        until = now if end is None else min(end, now)
        if start < until:
            yield start, until


def _reached(
    spans: Sequence[tuple[datetime, datetime | None]], calendar: Calendar, amount: timedelta
) -> datetime | None:
    """When a clock that runs in these spans has counted so much open time; None where it does not come to that."""
    for start, end in spans:
        counted = None if end is None else calendar.between(start, end)
        if counted is None or amount <= counted:
            return calendar.add(start, amount)
        amount -= counted
    return None


def _schedule(run: Run, policy: Policy, calendar: Calendar, target: timedelta, due: datetime | None) -> Iterator[Alarm]:
    if run.ended is not None:
        return
    for ahead in policy.warn:
        if at := _reached(run.spans, calendar, ahead.after(target)):
            yield Alarm(run.name, run.number, "warning", str(ahead), at)
    if due:
        yield Alarm(run.name, run.number, "breach", "due", due)
    for after in policy.escalate:
        if at := _reached(run.spans, calendar, target + after):
            yield Alarm(run.name, run.number, "escalation", text(after), at)
