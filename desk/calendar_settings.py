"""Calendars as data: what people write in settings, and the Calendar it makes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from desk._ical import LONGEST_BYTES, Closure, closures
from desk._validated import nearest, validated, wrong
from desk.calendar import Calendar, Holiday, Hours
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Settings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_END = 86_400
_ALWAYS = {"mon-sun": ["00:00-24:00"]}
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) ?- ?([01]?\d|2[0-4]):([0-5]\d)")
_YEARLY = re.compile(r"(\d\d)-(\d\d)")


def _hours(written: object) -> Hours:
    if isinstance(written, Hours):
        return written
    match = _HOURS.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise wrong("not a stretch of hours", "for example 09:00-12:30")
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
    hours = Hours(from_hour * 3600 + from_minute * 60, to_hour * 3600 + to_minute * 60)
    if hours.end > _DAY_END:
        raise wrong("a day ends at 24:00", "for example 18:00-24:00")
    if hours.start >= hours.end:
        raise wrong(
            "ends before it starts", "hours past midnight are written as 22:00-24:00, and 00:00-06:00 on the next day"
        )
    return hours


def _listed(written: object) -> object:
    """One stretch may stand alone."""
    return [written] if isinstance(written, str) else written


def _apart(stretches: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """The stretches in order; two that overlap are an error."""
    ordered = tuple(sorted(stretches))
    for one, other in pairwise(ordered):
        if other.start < one.end:
            raise wrong(f"{one} and {other} overlap", "write them as one stretch")
    return ordered


def _days(written: object) -> tuple[int, ...]:
    """`mon` or `mon-fri` as numbers of weekdays; Monday is 0."""
    first, _, last = str(written).strip().lower().partition("-")
    for day in (first, last or first):
        if day not in DAYS:
            raise wrong(f"{day or written!r} is not a day", f"{', '.join(DAYS)}, or a range such as mon-fri")
    numbers = DAYS.index(first), DAYS.index(last or first)
    if numbers[0] > numbers[1]:
        raise wrong("the range runs backwards", "the week begins with mon; name the days one by one")
    return tuple(range(numbers[0], numbers[1] + 1))


def _zone(written: object) -> ZoneInfo:
    if isinstance(written, ZoneInfo):
        return written
    try:
        return ZoneInfo(str(written))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(written, available_timezones()) if isinstance(written, str) else ""
        remedy = near if near.startswith("did") else "a name of the IANA database, such as Europe/Berlin"
        raise wrong("there is no such time zone", remedy) from None


def _date(written: object) -> date | tuple[int, int]:
    if isinstance(written, date) and not isinstance(written, datetime):
        return written
    try:
        if yearly := _YEARLY.fullmatch(str(written)):
            day = date(2000, int(yearly[1]), int(yearly[2]))
            return day.month, day.day
        return date.fromisoformat(str(written))
    except ValueError:
        raise wrong("not a date", "for example 2026-12-25, or 12-25 for every year") from None


_Stretches = Annotated[
    tuple[Annotated[Hours, PlainValidator(_hours)], ...],
    BeforeValidator(_listed),
]


class HolidaySettings(Settings):
    """One day off, or (with `hours`) one day with other hours than the week says."""

    date: Annotated[Any, PlainValidator(_date)]
    name: str = Field(min_length=1, max_length=80)
    hours: Annotated[_Stretches, Field(max_length=24)] = ()

    @model_validator(mode="after")
    def _no_overlap(self) -> HolidaySettings:
        _apart(self.hours)
        return self

    @property
    def holiday(self) -> Holiday:
        """The day's name and hours, in order."""
        return Holiday(self.name, _apart(self.hours))


class CalendarSettings(Settings):
    """When a team is at work.

    `timezone` is a name of the IANA database. `hours` maps days (`mon`, `mon-fri`) to stretches (`09:00-12:30`), or is
    `always`. `holidays` are days with other hours; `ical` names files of holidays, relative to the folder of the
    settings.
    """

    timezone: Annotated[ZoneInfo, PlainValidator(_zone)]
    hours: Annotated[dict[str, _Stretches], BeforeValidator(lambda value: _ALWAYS if value == "always" else value)]
    holidays: tuple[HolidaySettings, ...] = ()
    ical: tuple[str, ...] = ()

    def week(self, path: str, problems: list[Problem]) -> tuple[tuple[Hours, ...], ...]:
        """The hours of Monday to Sunday."""
        week: dict[int, tuple[Hours, ...]] = {}
        for days, stretches in self.hours.items():
            place = f"{path}.hours.{days}"
            try:
                ordered, numbers = _apart(stretches), _days(days)
            except ValueError as error:
                problems.append(_problem(place, error))
                continue
            twice = [DAYS[number] for number in numbers if number in week]
            if twice:
                problems.append(Problem(place, f"{twice[0]} has hours already", "give each day its hours once"))
            week.update(dict.fromkeys(numbers, ordered))
        if not problems and not any(week.values()):
            problems.append(Problem(f"{path}.hours", "has no open hours at all", "for example mon-fri: [09:00-17:00]"))
        return tuple(week.get(number, ()) for number in range(7))


def calendar_from(name: str, values: object, *, path: str = "", folder: Path | None = None) -> Calendar:
    """The calendar called `name` from plain data (of YAML or JSON); raises ConfigError with every problem.

    `path` is where the data stands in its document (default: `calendars.NAME`). Files under `ical` are read relative
    to `folder`; without one (data that came over the network, say) a file may not be named.
    """
    path = path or f"calendars.{name}"
    settings = validated(CalendarSettings, values, path)
    problems: list[Problem] = []
    week = settings.week(path, problems)
    dated: dict[date, Holiday] = {}
    yearly: dict[tuple[int, int], Holiday] = {}
    for number, entry in enumerate(settings.holidays):
        known: dict[Any, Holiday] = yearly if isinstance(entry.date, tuple) else dated
        if entry.date in known:
            other = known[entry.date].name
            problems.append(Problem(f"{path}.holidays[{number}]", f"{other!r} is on that day already", "keep one"))
        known[entry.date] = entry.holiday
    closed = [
        closure
        for number, file in enumerate(settings.ical)
        for closure in _read(file, f"{path}.ical[{number}]", folder, settings.timezone, problems)
    ]
    if problems:
        raise ConfigError(problems)
    listed = Calendar(name, settings.timezone, week, dated, yearly)
    return Calendar(name, settings.timezone, week, {**_days_off(closed, listed), **dated}, yearly)


def calendars_from(values: object, *, path: str = "calendars", folder: Path | None = None) -> dict[str, Calendar]:
    """Every calendar of a mapping from name to settings; raises ConfigError with the problems of all."""
    if not isinstance(values, Mapping):
        raise ConfigError([Problem(path, "not a mapping of names to calendars", "for example service: {timezone: …}")])
    made: dict[str, Calendar] = {}
    problems: list[Problem] = []
    for name, settings in values.items():
        try:
            made[str(name)] = calendar_from(str(name), settings, path=f"{path}.{name}", folder=folder)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return made


def holidays_from_ical(data: bytes, calendar: Calendar) -> list[dict[str, object]]:
    """The days that an iCalendar file closes for the team of this calendar, as entries for `holidays`.

    A day that is closed in part keeps the rest of its hours. Events that repeat are written out up to the year 2100.
    Raises ValueError saying what is wrong with the file.
    """
    return [
        {"date": day.isoformat(), "name": holiday.name, "hours": [str(hours) for hours in holiday.hours]}
        for day, holiday in _days_off(closures(data, calendar.timezone), calendar).items()
    ]


def _read(file: str, path: str, folder: Path | None, zone: ZoneInfo, problems: list[Problem]) -> Iterable[Closure]:
    if folder is None:
        problems.append(Problem(path, "a file cannot be named here", "import its days as holidays"))
        return []
    try:
        with (folder / file).open("rb") as opened:
            data = opened.read(LONGEST_BYTES + 1)
    except OSError as error:
        problems.append(Problem(path, f"{file} cannot be read: {error.strerror}", "check the path"))
        return []
    try:
        return closures(data, zone)
    except ValueError as error:
        problems.append(Problem(path, f"{file}: {error}", "export it again as iCalendar (.ics)"))
        return []


def _days_off(closed: Iterable[Closure], calendar: Calendar) -> dict[date, Holiday]:
    """The hours that are left of each day, and the names of what took the rest."""
    left: dict[date, Holiday] = {}
    for closure in sorted(closed):
        usual = calendar.holiday(closure.day)
        before = left.get(closure.day)
        hours = before.hours if before else usual.hours if usual else calendar.week[closure.day.weekday()]
        names = [*(before.name.split(", ") if before else ()), closure.name]
        left[closure.day] = Holiday(", ".join(dict.fromkeys(names)), tuple(_without(hours, closure)))
    return left


def _without(hours: Iterable[Hours], closure: Closure) -> Iterable[Hours]:
    for stretch in hours:
        for start, end in (
            (stretch.start, min(stretch.end, closure.start)),
            (max(stretch.start, closure.end), stretch.end),
        ):
            if start < end:
                yield Hours(start, end)


def _problem(path: str, error: ValueError) -> Problem:
    context = getattr(error, "context", None) or {}
    return Problem(path, context.get("message", str(error)), context.get("remedy", ""))
