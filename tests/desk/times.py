"""Reading what a person writes in the tables: `Fri 2026-01-02 16:45`, with an offset where the wall shows it twice."""

from __future__ import annotations

from datetime import UTC, datetime

from desk.calendar import Calendar


def when(written: str, calendar: Calendar) -> datetime:
    """The moment in UTC; fails where the weekday is wrong, or the wall never shows that time or shows it twice."""
    _, day, clock, *offset = written.split()
    if offset:
        moment = datetime.strptime(f"{day} {clock} {offset[0]}", "%Y-%m-%d %H:%M %z")
    else:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=calendar.timezone)
    moment = moment.astimezone(UTC)
    assert calendar.local(moment) == written
    return moment
