"""Why a clock stands as it does, in sentences that a team lead can check against the calendar on the wall."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

from desk._durations import text
from desk.calendar import Calendar, Stretch
from desk.service_levels import Clock, ClockState

MOST_LINES = 40
"""How many stretches and days off an explanation lists before it says how many there are more."""

_NAMES = {"first_response": "First response", "next_response": "Next response", "resolution": "Resolution"}
_PAUSES = {"waiting": "waiting for the customer", "snoozed": "snoozed", "closed": "closed"}
_DONE = {"answered": "answered", "resolved": "resolved", "withdrawn": "withdrawn"}


def why(clock: Clock) -> tuple[str, ...]:
    """The verdict; what was counted, stretch by stretch; what was not, and why. Times are those of the calendar's
    zone. One line each, without a line break."""
    return (
        f"{_NAMES[clock.name]} {_verdict(clock)}",
        f"{text(clock.target)} of open time were promised ({clock.priority.value} priority, calendar "
        f"{clock.calendar.name}, {clock.calendar.timezone.key}), counted from {clock.calendar.local(clock.started)}",
        *_bounded(_counted(clock)),
        *_bounded(_not_counted(clock)),
    )


def _verdict(clock: Clock) -> str:
    local = clock.calendar.local
    late = f"{text(clock.remaining)} of open time late"
    due = f"due {local(clock.due)}" if clock.due else "not due while it stands still"
    ending = f"{_DONE[clock.ending]} {local(clock.ended)}" if clock.ending and clock.ended else ""
    match clock.state:
        case ClockState.BREACHED:
            return f"breached: {due}, {ending or 'nothing yet'}, {late}"
        case ClockState.MET:
            return f"met: {ending}, {due}"
        case ClockState.STOPPED:
            return f"stopped: {ending}, before it was due"
        case ClockState.PAUSED:
            return f"paused: {text(clock.remaining)} of open time left, {due}"
        case ClockState.RUNNING:
            return f"running: {text(clock.remaining)} of open time left, {due}"


def _counted(clock: Clock) -> Iterator[str]:
    for span in clock.counted:
        for stretch in clock.calendar.open_stretches(span.start, span.end):
            yield f"counted: {_span(clock.calendar, stretch)}, {text(stretch.end - stretch.start)}"


def _not_counted(clock: Clock) -> Iterator[str]:
    calendar = clock.calendar
    for pause in clock.pauses:
        if pause.end is None:
            yield f"not counted: since {calendar.local(pause.start)}, {_PAUSES[pause.reason]}"
        elif pause.start < pause.end:
            yield f"not counted: {_span(calendar, Stretch(pause.start, pause.end))}, {_PAUSES[pause.reason]}"
    for day in _days(clock):
        if holiday := calendar.holiday(day):
            hours = ", ".join(map(str, holiday.hours))
            yield f"not counted: {day:%a} {day.isoformat()}, {holiday.name}" + (f" (open {hours})" if hours else "")


def _days(clock: Clock) -> Iterator[date]:
    """The days of the calendar on which the clock ran, once each; of years, the first."""
    zone, seen = clock.calendar.timezone, date.min
    for span in clock.counted:
        day = max(span.start.astimezone(zone).date(), seen)
        last = min(span.end.astimezone(zone).date(), day + timedelta(days=1_000))
        while day <= last:
            yield day
            day += timedelta(days=1)
        seen = day


def _span(calendar: Calendar, stretch: Stretch) -> str:
    start, end = calendar.local(stretch.start), calendar.local(stretch.end)
    same_day = start.split()[:2] == end.split()[:2]
    return f"{start} to {end.split(maxsplit=2)[2] if same_day else end}"


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    last = ""
    for last in islice(lines, MOST_LINES):
        yield last
    if more := sum(1 for _ in lines):
        yield f"{last.partition(':')[0]}: and {more} more"
