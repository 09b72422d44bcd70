"""What is promised to customers, as data: how soon a first answer, a next answer, a resolution; and what then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from desk._durations import Duration, parse, text
from desk._validated import nearest, validated, wrong
from desk.calendar import Calendar
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Priority
from pipeline.ports import Settings

ClockName = Literal["first_response", "next_response", "resolution"]
CLOCKS: tuple[ClockName, ...] = ("first_response", "next_response", "resolution")


@dataclass(frozen=True)
class Ahead:
    """When to warn: at a share of the time promised (`75%`), or so much open time before it is over (`15m`)."""

    share: Decimal | None = None
    span: timedelta = timedelta(0)

    def after(self, target: timedelta) -> timedelta:
        """How much open time passes before the warning, out of `target`; at once where the target is shorter."""
        if self.share is not None:
            return target * int(self.share * 1000) / 100_000
        return max(timedelta(0), target - self.span)

    def __str__(self) -> str:
        return text(self.span) if self.share is None else f"{self.share}%"


def _ahead(written: object) -> Ahead:
    if isinstance(written, Ahead):
        return written
    if not (isinstance(written, str) and written.endswith("%")):
        return Ahead(span=parse(written))
    try:
        share = Decimal(written[:-1])
    except InvalidOperation:
        raise wrong("not a percentage", "for example 75%, or 15m before it is due") from None
    if not 0 < share < 100:
        raise wrong("not between 0% and 100%", "for example 75%, or 15m before it is due")
    return Ahead(share=share)


class TargetSettings(Settings):
    """Promises in open time of a calendar; what is left out is not promised."""

    calendar: str | None = None
    first_response: Duration | None = None
    next_response: Duration | None = None
    resolution: Duration | None = None


class PolicySettings(TargetSettings):
    """The promises of one queue.

    `priorities` says what differs for a priority (each promise, and the calendar, falls back on the policy's own).
    `waiting_pauses` and `snoozing_pauses` name the clocks that stand still while we wait for the customer, and while
    the case is snoozed. `reopened` says whether a reopened case goes on with the time it had used or starts anew.
    `warn` comes before a clock is due, `escalate` so much open time after.
    """

    calendar: str
    priorities: dict[Priority, TargetSettings] = {}
    waiting_pauses: frozenset[ClockName] = frozenset({"resolution"})
    snoozing_pauses: frozenset[ClockName] = frozenset({"resolution"})
    reopened: Literal["continue", "restart"] = "continue"
    warn: Annotated[tuple[Annotated[Ahead, PlainValidator(_ahead)], ...], Field(max_length=10)] = ()
    escalate: Annotated[tuple[Duration, ...], Field(max_length=10)] = ()


@dataclass(frozen=True)
class Promise:
    """So much open time on this calendar."""

    span: timedelta
    calendar: Calendar


@dataclass(frozen=True)
class Policy:
    """A policy with its calendars at hand; see PolicySettings. Made by `policy_from`."""

    name: str
    promises: Mapping[tuple[ClockName, Priority], Promise]
    waiting_pauses: frozenset[ClockName] = frozenset({"resolution"})
    snoozing_pauses: frozenset[ClockName] = frozenset({"resolution"})
    restart: bool = False
    warn: tuple[Ahead, ...] = ()
    escalate: tuple[timedelta, ...] = ()


def policy_from(name: str, values: object, calendars: Mapping[str, Calendar], *, path: str = "") -> Policy:
    """The policy called `name` from plain data; raises ConfigError with every problem.

    `path` is where the data stands in its document (default: `service_levels.NAME`).
    """
    path = path or f"service_levels.{name}"
    settings = validated(PolicySettings, values, path)
    problems: list[Problem] = []
    places = {f"{path}.calendar": settings.calendar} | {
        f"{path}.priorities.{priority}.calendar": targets.calendar
        for priority, targets in settings.priorities.items()
        if targets.calendar is not None
    }
    for place, named in places.items():
        if named not in calendars:
            problems.append(Problem(place, f"there is no calendar {named!r}", nearest(named, calendars)))
    every = (settings, *settings.priorities.values())
    if all(getattr(targets, clock) is None for targets in every for clock in CLOCKS):
        problems.append(Problem(path, "promises nothing", f"give it {', '.join(CLOCKS)}, for example 1h"))
    if problems:
        raise ConfigError(problems)
    promises: dict[tuple[ClockName, Priority], Promise] = {}
    for priority in Priority:
        own = settings.priorities.get(priority, TargetSettings())
        calendar = calendars[own.calendar or settings.calendar]
        for clock in CLOCKS:
            span: timedelta | None = getattr(own, clock) or getattr(settings, clock)
            if span is not None:
                promises[clock, priority] = Promise(span, calendar)
    return Policy(
        name=name,
        promises=promises,
        waiting_pauses=settings.waiting_pauses,
        snoozing_pauses=settings.snoozing_pauses,
        restart=settings.reopened == "restart",
        warn=settings.warn,
        escalate=settings.escalate,
    )
