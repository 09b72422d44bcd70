"""Business time: when a team is at work, how much of that lies between two moments, and when so much has passed.

A team is open whenever the clock on its wall shows open hours of that day. What follows for daylight saving: an hour
that does not exist is not worked, and an hour that exists twice counts twice.

All arithmetic is on whole microseconds of UTC. A year's open intervals are laid out once, with running totals, so that
a question is a binary search however long the span is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from desk._durations import text
from pipeline.errors import HarkenError

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""A calendar is closed before and after these years; a date beyond them is somebody's typing error."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class NoOpenHours(HarkenError):
    """A calendar that never opens again, so that nothing on it can ever be due."""


class Hours(NamedTuple):
    """One stretch of a day by the clock on the wall, in seconds after midnight; the end is not part of it."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{_clock(self.start)}-{_clock(self.end)}"


class Stretch(NamedTuple):
    """A span of time, both ends in UTC; the end is not part of it."""

    start: datetime
    end: datetime


class Holiday(NamedTuple):
    """A day with hours of its own instead of the week's: none for a day off, some for half a day."""

    name: str
    hours: tuple[Hours, ...] = ()


class _Year(NamedTuple):
    """The open intervals that lie in one year of UTC, in order, and how much was open before each."""

    starts: list[int]
    ends: list[int]
    before: list[int]
    total: int


@dataclass(frozen=True)
class Calendar:
    """When a team is at work.

    `week` holds the hours of Monday to Sunday; `holidays` are days with other hours, `yearly` the same for every year
    by (month, day). A dated holiday wins over a yearly one. Made from settings by
    `desk.calendar_settings.calendar_from`.
    """

    name: str
    timezone: ZoneInfo
    week: tuple[tuple[Hours, ...], ...]
    holidays: Mapping[date, Holiday] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], Holiday] = field(default_factory=dict)
    _years: dict[int, _Year] = field(default_factory=dict, init=False, repr=False, compare=False)

    def add(self, start: datetime, span: timedelta) -> datetime:
        """The first moment (UTC) by which `span` of open time has passed since `start`.

        `between(start, add(start, span)) == span`. Half an hour from Friday 16:30, where work ends at 17:00, is Friday
        17:00, not Monday. Raises NoOpenHours when the calendar has not so much open time left, ValueError for a
        negative span.
        """
        left = span // _TICK
        if left < 0:
            raise ValueError("a span of open time cannot be negative")
        if left == 0:
            return start.astimezone(UTC)
        at = max(_ticks(start), 0)
        number = _year_of(at)
        if number <= LAST_YEAR:
            left += self._open_since_new_year(at)
        while number <= LAST_YEAR and left > self._year(number).total:
            left -= self._year(number).total
            number += 1
        if number > LAST_YEAR:
            raise NoOpenHours(
                f"the calendar {self.name!r} does not have {text(span)} of open time after {self.local(start)}: "
                "look at its hours and holidays"
            )
        year = self._year(number)
        index = bisect_left(year.before, left) - 1
        return _moment(year.starts[index] + left - year.before[index])

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much open time lies between the two; nothing when `end` is not after `start`."""
        last = (LAST_YEAR + 1 - FIRST_YEAR) * 366 * _DAY
        since, until = max(_ticks(start), 0), min(max(_ticks(end), 0), last)
        if until <= since:
            return timedelta(0)
        first_year, last_year = _year_of(since), _year_of(until)
        whole_years = sum(self._year(number).total for number in range(first_year, last_year))
        return (self._open_since_new_year(until) - self._open_since_new_year(since) + whole_years) * _TICK

    def open_stretches(self, start: datetime, end: datetime) -> Iterator[Stretch]:
        """The open time between the two, piece by piece; the pieces sum up to `between`."""
        since, until = max(_ticks(start), 0), _ticks(end)
        if until <= since:
            return
        for number in range(_year_of(since), min(_year_of(until), LAST_YEAR) + 1):
            year = self._year(number)
            for index in range(bisect_right(year.ends, since), len(year.starts)):
                if year.starts[index] >= until:
                    return
                yield Stretch(_moment(max(year.starts[index], since)), _moment(min(year.ends[index], until)))

    def is_open(self, at: datetime) -> bool:
        """Whether the team is at work at this moment."""
        return self.between(at, at + _TICK) > timedelta(0)

    def holiday(self, day: date) -> Holiday | None:
        """The day's own hours and their name, where it has some."""
        return self.holidays.get(day) or self.yearly.get((day.month, day.day))

    def local(self, at: datetime) -> str:
        """The moment as the team's own wall shows it: `Fri 2026-01-02 16:45`; with the offset where the wall shows the
        same time twice that day."""
        try:
            moment = at.astimezone(self.timezone)
        except OverflowError:  # the first and last hours of time itself have no local time everywhere
            moment = at
        shown = f"{moment:%a} {moment.date().isoformat()} {moment:%H:%M}"
        if moment.second:
            shown += f"{moment:%S}".rjust(3, ":")
        twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
        return f"{shown} {moment:%z}" if twice else shown

    def _hours_of(self, day: date) -> tuple[Hours, ...]:
        holiday = self.holiday(day)
        return self.week[day.weekday()] if holiday is None else holiday.hours

    def _open_since_new_year(self, at: int) -> int:
        year = self._year(_year_of(at))
        index = bisect_right(year.starts, at) - 1
        return 0 if index < 0 else year.before[index] + min(at, year.ends[index]) - year.starts[index]

    def _year(self, number: int) -> _Year:
        known = self._years.get(number)
        if known is None:
            known = self._years[number] = self._laid_out(number)
        return known

    def _laid_out(self, number: int) -> _Year:
        starts: list[int] = []
        ends: list[int] = []
        since, until = (_ticks(datetime(year, 1, 1, tzinfo=UTC)) for year in (number, number + 1))
        if number > LAST_YEAR:
            return _Year([], [], [], 0)
        for low, high, offset in _offsets(self.timezone, since, until):
            for day in range((low + offset) // _DAY, (high - 1 + offset) // _DAY + 1):
                midnight = day * _DAY - offset
                for hours in self._hours_of(date.fromordinal(_EPOCH_DAY + day)):
                    start = max(low, midnight + hours.start * _SECOND)
                    end = min(high, midnight + hours.end * _SECOND)
                    if ends and start <= ends[-1] < end:
                        ends[-1] = end
                    elif start < end:
                        starts.append(start)
                        ends.append(end)
        before, total = [], 0
        for start, end in zip(starts, ends, strict=True):
            before.append(total)
            total += end - start
        return _Year(starts, ends, before, total)


def _offsets(zone: ZoneInfo, since: int, until: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, offset from UTC) of each part of the span with one offset. Zones change it less than once a day."""
    begin = at = since
    offset = _offset(zone, at)
    while at < until:
        step = min(at + _DAY, until)
        if _offset(zone, step) != offset:
            low, high = at // _SECOND, step // _SECOND
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle * _SECOND) == offset else (low, middle)
            step = high * _SECOND
            yield begin, step, offset
            begin, offset = step, _offset(zone, step)
        at = step
    if begin < until:
        yield begin, until, offset


def _offset(zone: ZoneInfo, at: int) -> int:
    return (_moment(at).astimezone(zone).utcoffset() or timedelta(0)) // _TICK


def _ticks(at: datetime) -> int:
    return (at - _EPOCH) // _TICK


def _moment(ticks: int) -> datetime:
    return _EPOCH + ticks * _TICK


def _year_of(ticks: int) -> int:
    return _moment(ticks).year


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"
