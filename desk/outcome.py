"""What a case came to, as it follows from its events alone. Pure.

Times never run backwards within a case: an event that is dated before the one ahead of it happened together with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from desk import events
from desk.calendar import NoOpenHours
from desk.case import Case, apply, opened
from desk.events import Event
from desk.policies import ClockName, Policy
from desk.service_levels import clocks

Ending = Literal["resolved", "withdrawn", ""]


@dataclass(frozen=True)
class Span:
    """A time in which the case was open; `until` is None and `ending` empty while it is."""

    since: datetime
    until: datetime | None = None
    ending: Ending = ""


@dataclass
class Outcome:
    """A case after its events.

    `said` are the mentions that are left, by id, with when they were said; `said_at` is when the first was, or when it
    was heard if that was earlier. `agent` is who gave the first answer, empty where nobody knows. `draft` is the draft
    of the last answer, None where there was none or it was given on the platform. `held` is how long people held the
    case, for leases that have ended. `breaches` are broken promises: the event's number and when it was broken.
    """

    case: Case
    at: datetime
    said_at: datetime
    said: dict[str, datetime]
    spans: list[Span]
    answered_at: datetime | None = None
    agent: str = ""
    draft: str | None = None
    held: timedelta = timedelta(0)
    breaches: list[tuple[int, datetime]] = field(default_factory=list)

    @property
    def resolved_at(self) -> datetime | None:
        """When it was resolved, unless it was reopened since."""
        return self.spans[-1].until if self.spans[-1].ending == "resolved" else None

    @property
    def first_response(self) -> timedelta | None:
        """From what the customer said to our first answer."""
        return None if self.answered_at is None else self.answered_at - self.said_at

    @property
    def resolution(self) -> timedelta | None:
        """From what the customer said until it was resolved, unless it was reopened since."""
        return None if self.resolved_at is None else self.resolved_at - self.said_at


def outcome(id: str, history: Sequence[Event]) -> Outcome:
    """What these events, oldest first and beginning with Opened, make of the case."""
    first = history[0]
    if not isinstance(first, events.Opened):
        raise ValueError(f"case {id} begins with {first.kind}")
    made = Outcome(
        case=opened(id, first),
        at=first.at,
        said_at=min(first.created_at, first.at),
        said={first.mention: first.created_at},
        spans=[Span(first.at)],
    )
    lease = _Lease()
    queued: dict[str, events.ReplyQueued] = {}
    for event in history[1:]:
        before = made.case
        made.case, made.at = apply(before, event), max(made.at, event.at)
        lease.take(event, made)
        match event:
            case events.MentionAdded() | events.CustomerReplied():
                made.said[event.mention] = event.created_at
            case events.MentionRemoved():
                made.said.pop(event.mention, None)
            case events.ReplyQueued():
                queued[event.key] = event
            case events.ReplySent():
                on_its_way = queued.get(event.key)
                _answered(made, before, on_its_way.actor if on_its_way else event.actor)
                made.draft = on_its_way.draft if on_its_way else None
            case events.AnsweredNatively():
                _answered(made, before, event.actor)
                made.draft = None
            case events.Resolved():
                _close(made, "resolved")
            case events.Withdrawn():
                _close(made, "withdrawn")
            case events.Reopened():
                if made.spans[-1].until is not None:
                    made.spans.append(Span(made.at))
            case events.Breached():
                made.breaches.append((made.case.version, event.due))
    return made


def open_times(made: Outcome, history: Sequence[Event], policy: Policy | None) -> tuple[float | None, float | None]:
    """First response and resolution in seconds of the calendar's open time, without pauses, as the clocks of the
    service level counted them; None where the policy has no such clock."""
    if policy is None or (made.answered_at is None and made.resolved_at is None):
        return None, None
    try:
        counted = clocks(policy, history, made.at)
    except NoOpenHours:
        return None, None

    def last(name: ClockName, ending: str) -> float | None:
        ended = [clock.elapsed.total_seconds() for clock in counted if clock.name == name and clock.ending == ending]
        return ended[-1] if ended else None

    return (
        None if made.answered_at is None else last("first_response", "answered"),
        None if made.resolved_at is None else last("resolution", "resolved"),
    )


def _answered(made: Outcome, before: Case, actor: str) -> None:
    """An answer that nobody sent from here is taken to be the owner's, if there was one."""
    if made.answered_at is None:
        made.answered_at = made.at
        made.agent = actor if actor.startswith("user:") else before.owner or ""


def _close(made: Outcome, ending: Ending) -> None:
    span = made.spans[-1]
    if span.until is None:
        made.spans[-1] = Span(span.since, made.at, ending)


@dataclass
class _Lease:
    """Who holds the case is of no interest here, only since when, and until when at most."""

    since: datetime | None = None
    until: datetime | None = None

    def take(self, event: Event, made: Outcome) -> None:
        """One more event."""
        match event:
            case events.Claimed() | events.TakenOver():
                self._end(made)
                self.since, self.until = made.at, event.until
            case events.LeaseExtended():
                self.until = event.until
            case (
                events.LeaseExpired()
                | events.Released()
                | events.Transferred()
                | events.Resolved()
                | events.Withdrawn()
            ):
                self._end(made)

    def _end(self, made: Outcome) -> None:
        if self.since is not None and self.until is not None:
            made.held += max(timedelta(0), min(made.at, self.until) - self.since)
        self.since = self.until = None
