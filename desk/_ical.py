"""Days off from an iCalendar file (RFC 5545), as governments, schools and calendar programs export them.

Every event that is not cancelled closes the team, whether or not it is marked as busy: public calendars of holidays
mark theirs as free.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

if TYPE_CHECKING:
    from icalendar import Event

LONGEST_BYTES = 4_000_000
MOST_DAYS = 20_000
HORIZON = datetime(2100, 1, 1)
"""Events that repeat for ever are written out to here."""

_DAY, _SECOND, _NOTHING = timedelta(days=1), timedelta(seconds=1), timedelta(0)
_TOO_OFTEN = {"HOURLY", "MINUTELY", "SECONDLY"}


_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, OSError, RecursionError)
"""What the libraries raise on malformed text: mostly ValueError; the rest was found by feeding them garbage."""


class Closure(NamedTuple):
    """A part of one day, by the wall clock in seconds after midnight, in which the team is off; and why."""

    day: date
    start: int
    end: int
    name: str


def closures(data: bytes, zone: ZoneInfo) -> list[Closure]:
    """What the file's events close, by the clock in `zone`. Raises ValueError saying what is wrong with the file."""
    from icalendar import Calendar as Document  # they take 0.1 s to import: only where there is a calendar file
    from icalendar import Event

    if len(data) > LONGEST_BYTES:
        raise ValueError(f"longer than {LONGEST_BYTES:,} bytes, which no calendar of holidays is")
    try:
        documents = Document.from_ical(data, multiple=True)
    except _UNREADABLE as error:
        raise ValueError(f"not an iCalendar file: {str(error)[:120]}") from error
    events = [event for document in documents for event in document.walk("VEVENT") if isinstance(event, Event)]
    if not events:
        raise ValueError("holds no event (VEVENT)")
    changed = {(_uid(event), _instance(event, zone)) for event in events if "RECURRENCE-ID" in event}
    found: list[Closure] = []
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        for closure in _closures(event, zone, changed):
            found.append(closure)
            if len(found) > MOST_DAYS:
                raise ValueError(f"its events close more than {MOST_DAYS:,} days")
    return found


def _closures(event: Event, zone: ZoneInfo, changed: set[tuple[str, datetime | None]]) -> Iterator[Closure]:
    name = _name(event)
    try:
        first, length = event.start, event.end - event.start
        starts = _starts(event, first)
        for start in starts:
            begin = _wall(start, zone)
            if "RECURRENCE-ID" in event or (_uid(event), begin) not in changed:
                whole_day = not isinstance(first, datetime)
                end = begin + max(length, _DAY) if whole_day else _wall(start + length, zone)
                yield from _days(begin, end, name)
    except _UNREADABLE as error:
        raise ValueError(f"the event {name!r} cannot be read: {str(error)[:120]}") from error


def _starts(event: Event, first: date | datetime) -> Iterator[Any]:
    """When the event happens, in its own time (a date, or a moment as written)."""
    zone = first.tzinfo if isinstance(first, datetime) else None
    naive = first.replace(tzinfo=None) if isinstance(first, datetime) else datetime(first.year, first.month, first.day)
    out = {_wall(skipped, zone) for skipped in event.exdates}
    extra = {_wall(added, zone) for added, _ in event.rdates}
    rules = [] if "RECURRENCE-ID" in event else event.rrules
    times = extra if rules else extra | {naive}
    for rule in rules:
        times |= set(islice(_repeats(dict(rule), rule.to_ical().decode(), naive, zone), MOST_DAYS + 1))
    for time in sorted(times - out):
        yield time.replace(tzinfo=zone) if isinstance(first, datetime) else time.date()


def _repeats(rule: dict[str, Any], written: str, first: datetime, zone: tzinfo | None) -> Iterator[datetime]:
    if str(rule.get("FREQ", [""])[0]).upper() in _TOO_OFTEN:
        raise ValueError("it repeats several times a day, which no holiday does")
    last = HORIZON
    if "UNTIL" in rule:
        until = rule["UNTIL"][0]
        last = min(HORIZON, _wall(until, zone) + (_NOTHING if isinstance(until, datetime) else _DAY - _SECOND))
    # dateutil would have UNTIL in the time zone of the start, which exports do not keep to, and COUNT without UNTIL
    parts = [part for part in written.split(";") if part.partition("=")[0].upper() not in ("UNTIL", "COUNT")]
    repeats = rrulestr(f"{';'.join(parts)};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=first)
    return islice(repeats, int(rule["COUNT"][0]) if "COUNT" in rule else None)


def _instance(event: Event, zone: ZoneInfo) -> datetime | None:
    """Which repetition of another event this one stands for."""
    moment = getattr(event["RECURRENCE-ID"], "dt", None)
    return _wall(moment, zone) if isinstance(moment, date) else None


def _wall(value: date | datetime, zone: tzinfo | None) -> datetime:
    """The time by the clock in `zone`, without the zone; a date is its midnight. `zone` None keeps what is written."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if value.tzinfo is None or zone is None:
        return value.replace(tzinfo=None)
    return value.astimezone(UTC).astimezone(zone).replace(tzinfo=None)


def _days(begin: datetime, end: datetime, name: str) -> Iterator[Closure]:
    for _ in range(MOST_DAYS):
        if begin >= end:
            return
        midnight = datetime(begin.year, begin.month, begin.day)
        until = min(end, midnight + _DAY)
        yield Closure(
            begin.date(), int((begin - midnight).total_seconds()), int((until - midnight).total_seconds()), name
        )
        begin = until
    raise ValueError(f"it is longer than {MOST_DAYS:,} days")


def _uid(event: Event) -> str:
    return str(event.get("UID", ""))


def _name(event: Event) -> str:
    """What the event is called, without line breaks and other control characters, and not too long."""
    summary = "".join(letter if letter.isprintable() else " " for letter in str(event.get("SUMMARY", "")))
    return " ".join(summary.split())[:80] or "day off"
