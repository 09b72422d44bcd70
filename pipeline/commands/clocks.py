"""`harken case clocks` and `harken calendar`: what was promised, how it stands and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.clock import SystemClock
from pipeline.commands.common import parts, safe, settings, show_json, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.registry import suggestion
from pipeline.wiring import Parts

if TYPE_CHECKING:
    from desk.calendar import Calendar
    from desk.service_levels import Clock

calendar = typer.Typer(no_args_is_help=True, help="Calendars: check, show.")

Days = Annotated[int, typer.Option(min=1, max=366, help="How many days, from today.")]


def show_clocks(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="A case's id, as lists show it.")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Show what was promised in a case, how that stands, and what was counted and what was not."""
    from desk.explanations import why

    with parts(context) as made:
        clocks = made.keeper.clocks_of(id)
    if as_json:
        show_json([as_object(clock) for clock in clocks])
        return
    if not clocks:
        stdout.print("Its queue has no service level: nothing is promised. docs/service-levels.md says how to.")
    for clock in clocks:
        for number, line in enumerate(why(clock)):
            stdout.print(line if number == 0 else f"  {line}", markup=False, highlight=False)


@calendar.command()
def check(context: typer.Context, days: Days = 7) -> None:
    """Check calendars, promises, queues and macros, and show when each calendar is open; opens no connection."""
    made = Parts(settings(context).config_for(), SystemClock())
    desk = made.desk
    if not desk.calendars:
        stdout.print("There are no calendars: desk.calendars, see docs/service-levels.md.")
    for name in desk.calendars:
        _show(desk.calendars[name], days)
    for queue, rules in desk.queues.items():
        promise = f"promises as {rules.policy.name} says" if rules.policy else "promises nothing"
        stdout.print(f"queue {queue}: {promise}; cases are {rules.assign}ed", markup=False, highlight=False)


@calendar.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A calendar of the configuration.")],
    days: Days = 28,
) -> None:
    """Show when one calendar is open, day by day, and its holidays; opens no connection."""
    calendars = Parts(settings(context).config_for(), SystemClock()).desk.calendars
    if name not in calendars:
        raise ConfigError(
            [Problem(f"desk.calendars.{name}", "there is no such calendar", suggestion(name, list(calendars)))]
        )
    _show(calendars[name], days)


def _show(calendar: Calendar, days: int) -> None:
    now = datetime.now(UTC)
    state = "open" if calendar.is_open(now) else "closed"
    grid = table("day", "open", ">hours", "", title=f"{calendar.name} ({calendar.timezone.key}), {state} now")
    for row in _rows(calendar, now, days):
        grid.add_row(*row)
    stdout.print(grid)


def _rows(calendar: Calendar, now: datetime, days: int) -> Iterator[tuple[str, str, str, str]]:
    today = now.astimezone(calendar.timezone).date()
    for day in (today + timedelta(days=number) for number in range(days)):
        midnight, next_one = (
            datetime(at.year, at.month, at.day, tzinfo=calendar.timezone).astimezone(UTC)
            for at in (day, day + timedelta(days=1))
        )
        holiday = calendar.holiday(day)
        listed = holiday.hours if holiday else calendar.week[day.weekday()]
        hours = calendar.between(midnight, next_one) / timedelta(hours=1)
        shown = ", ".join(map(str, listed)) or "closed"
        yield f"{day:%a} {day.isoformat()}", shown, f"{hours:g}", safe(holiday.name) if holiday else ""


def as_object(clock: Clock) -> dict[str, Any]:
    """A clock for a program."""
    from desk.explanations import why

    return {
        "clock": clock.name,
        "number": clock.number,
        "state": clock.state.value,
        "priority": clock.priority.value,
        "calendar": clock.calendar.name,
        "started": clock.started.isoformat(),
        "due": clock.due and clock.due.isoformat(),
        "ended": clock.ended and clock.ended.isoformat(),
        "remaining_secs": clock.remaining.total_seconds(),
        "why": why(clock),
    }
