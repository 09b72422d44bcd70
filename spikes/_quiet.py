"""Quiet hours: when nobody is woken for what can wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk._validated import nearest
from desk.calendar import Calendar
from desk.calendar_settings import calendar_from
from pipeline.errors import ConfigError, Problem
from spikes.detection import Severity

_LONGEST = timedelta(days=400)


@dataclass(frozen=True)
class Quiet:
    """In the open hours of this calendar only what is of the severity `let_through` or above goes out."""

    calendar: Calendar
    let_through: Severity

    def holds(self, severity: Severity, at: datetime) -> bool:
        """Whether a message of this severity waits at this moment."""
        return severity.rank < self.let_through.rank and self.calendar.is_open(at)

    def end(self, at: datetime) -> datetime:
        """When the quiet hours that this moment lies in are over; the moment itself where it lies in none."""
        for stretch in self.calendar.open_stretches(at, at + _LONGEST):
            if stretch.start > at:
                break
            at = stretch.end
        return at


def quiet_from(values: object, path: str = "alerts.quiet_hours") -> Quiet | None:
    """The quiet hours from plain data: `timezone`, `hours` and `holidays` as a calendar has them, and `let_through`
    (critical unless stated). None for none. Raises ConfigError with every problem."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise ConfigError(
            [Problem(path, "is not a mapping", 'for example {timezone: UTC, hours: {mon-sun: "22:00-24:00"}}')]
        )
    rest = dict(values)
    named = rest.pop("let_through", Severity.CRITICAL)
    problems: list[Problem] = []
    if named not in list(Severity):
        remedy = nearest(named, [str(it) for it in Severity])
        problems.append(Problem(f"{path}.let_through", f"there is no severity {named!r}", remedy))
    try:
        calendar = calendar_from("quiet hours", rest, path=path)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if all(sum(it.end - it.start for it in hours) == 86_400 for hours in calendar.week):
        problems.append(Problem(f"{path}.hours", "never end", "leave some hours in which alerts go out"))
    if problems:
        raise ConfigError(problems)
    return Quiet(calendar, Severity(named))
