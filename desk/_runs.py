"""When the clocks of a case run and stand still, event by event. `desk.service_levels` says what time that makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from desk import events
from desk.case import Case, State, apply, opened
from desk.events import Event
from desk.policies import ClockName, Policy
from pipeline.mention import Priority

Ending = Literal["answered", "resolved", "withdrawn"]
PauseReason = Literal["waiting", "snoozed", "closed"]


class Pause(NamedTuple):
    """When a clock stood still, and why; `end` None where nobody knows yet."""

    start: datetime
    end: datetime | None
    reason: PauseReason


@dataclass
class Run:
    """A clock on its way through the events. `spans` are when it ran; the last may have no end."""

    name: ClockName
    number: int
    spans: list[tuple[datetime, datetime | None]]
    pauses: list[Pause] = field(default_factory=list)
    ended: datetime | None = None
    ending: Ending | None = None
    priority: Priority | None = None
    settled: bool = False
    """Whether reopening the case leaves it alone."""
    resting: tuple[PauseReason, datetime | None] | None = None

    def halt(self, at: datetime) -> None:
        """Stop counting, if it did."""
        start, end = self.spans[-1]
        if end is None:
            self.spans[-1] = start, max(start, at)

    def rest(self, at: datetime, reason: PauseReason, until: datetime | None) -> None:
        """Stand still from `at`; until a known time, or until `go`."""
        self.go(at)
        self.halt(at)
        self.pauses.append(Pause(at, until, reason))
        if until is not None:
            self.spans.append((until, None))

    def go(self, at: datetime) -> None:
        """Count again, if it stood still; also before the pause was to end."""
        if not self.pauses:
            return
        begun, until, reason = self.pauses[-1]
        if until is None or until > at:
            self.pauses[-1] = Pause(begun, at, reason)
            self.spans = [span for span in self.spans if span[1] is not None or span[0] <= at]
            if not self.spans or self.spans[-1][1] is not None:
                self.spans.append((at, None))


class Timeline:
    """Which clocks ran when; what state the case is in after each event is `desk.case`'s to say."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.case: Case | None = None
        self.runs: list[Run] = []
        self.at = datetime.min
        self._answered_or_closed = datetime.min
        self._unheard: datetime | None = None
        """What the customer said while the case was closed."""

    @property
    def priority(self) -> Priority:
        """That of the case after the last event."""
        return self.case.priority if self.case else Priority.NORMAL

    def take(self, event: Event) -> None:
        """One more event; one that is dated before the last happened together with it."""
        if self.case is None:
            if not isinstance(event, events.Opened):
                raise ValueError(f"a case begins with opened, not with {event.kind}")
            self.case, self.at = opened("", event), event.at
            self._answered_or_closed = said = min(event.created_at, event.at)
            self._start("first_response", said)
            self._start("resolution", said)
            return
        before = self.case
        self.at = max(self.at, event.at)
        self.case = apply(before, event)
        match event:
            case events.ReplySent() | events.AnsweredNatively():
                self._end("answered", "first_response", "next_response")
            case events.Resolved():
                self._end("resolved", "first_response", "next_response", "resolution")
            case events.Withdrawn():
                self._end("withdrawn", "first_response", "next_response", "resolution")
            case events.Reopened():
                self._reopen(before)
            case events.CustomerReplied() | events.MentionAdded():
                self._heard(min(event.created_at, self.at))
        self._stand_still_or_go()

    def _heard(self, said: datetime) -> None:
        said = max(said, self._answered_or_closed)
        if self.case and not self.case.open:
            self._unheard = self._unheard or said
        elif self.case and self.case.answers and not any(run.name != "resolution" for run in self._live()):
            self._start("next_response", said)

    def _start(self, name: ClockName, at: datetime) -> None:
        number = 1 + sum(run.name == name for run in self.runs)
        self.runs.append(Run(name, number, [(at, None)]))

    def _end(self, ending: Ending, *names: ClockName) -> None:
        for run in self.runs:
            if run.name in names and run.ended is None:
                run.go(self.at)
                run.halt(self.at)
                run.ended, run.ending, run.priority = self.at, ending, self.priority
            if run.name in names and ending == "answered":
                run.settled = True
        self._answered_or_closed, self._unheard = self.at, None

    def _reopen(self, before: Case) -> None:
        """What closing ended goes on, or begins again; and what was said meanwhile wants an answer."""
        for run in [run for run in self.runs if run.ended is not None and not run.settled and not before.open]:
            if self.policy.restart:
                run.settled = True
                self._start(run.name, self.at)
            elif run.ended is not None:
                run.pauses.append(Pause(run.ended, self.at, "closed"))
                run.spans.append((self.at, None))
                run.ended = run.ending = run.priority = run.resting = None
        said, self._unheard = self._unheard, None
        if said is not None:
            self._heard(said)

    def _stand_still_or_go(self) -> None:
        for run in self._live():
            wanted = self._rest_of(run.name)
            if wanted == run.resting:
                continue
            run.resting = wanted
            if wanted is None:
                run.go(self.at)
            else:
                run.rest(self.at, *wanted)

    def _rest_of(self, name: ClockName) -> tuple[PauseReason, datetime | None] | None:
        """Why a clock of this name stands still now, and until when."""
        if self.case and self.case.state is State.WAITING and name in self.policy.waiting_pauses:
            return "waiting", None
        if self.case and self.case.state is State.SNOOZED and name in self.policy.snoozing_pauses:
            wakes_at = self.case.wakes_at
            return None if wakes_at and wakes_at <= self.at else ("snoozed", wakes_at)
        return None

    def _live(self) -> list[Run]:
        return [run for run in self.runs if run.ended is None]
