"""`harken figures`: how much came, how soon it was answered and settled, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, get_args

import typer

from desk.figures import Dimension, Figure, csv
from pipeline.commands.common import new_file, parts, safe, show_json, span, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.registry import suggestion

STEP = 5000
"""Events taken in at a time before it is counted."""


def show_figures(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w.")] = "7d",
    until: Annotated[str, typer.Option(help="Up to so long ago: 24h, 7d; 0m is now.")] = "0m",
    by: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Dimension))}.")] = "queue",
    queue: Annotated[str | None, typer.Option(help="Of this queue only.")] = None,
    team: Annotated[str | None, typer.Option(help="Of this team only.")] = None,
    source: Annotated[str | None, typer.Option(help="Of this source only.")] = None,
    brand: Annotated[str | None, typer.Option(help="Of this brand only.")] = None,
    timezone: Annotated[str, typer.Option(help="Whose hours and days: Europe/Berlin.")] = "UTC",
    out: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="A new CSV file; - prints it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Make them anew first: after a calendar, a promise or a team changed.")
    ] = False,
) -> None:
    """Show figures of the desk by queue, team, agent, source or brand, or hour by hour or day by day."""
    if by not in get_args(Dimension):
        raise ConfigError([Problem(f"--by {by}", "is no such grouping", suggestion(by, [*get_args(Dimension)]))])
    with parts(context) as made:
        if recount:
            made.facts.rebuild()
        while made.facts.follow(STEP):
            pass
        now = made.clock.now()
        first, last = now - span(since, "--since"), now - span(until, "--until")
        figures = made.figures
        found = figures.figures(
            first, last, _dimension(by), queue=queue, team=team, source=source, brand=brand, timezone=timezone
        )
    if as_json:
        show_json([asdict(it) for it in found])
    elif out == "-":
        typer.echo(csv(found), nl=False)
    elif out is not None:
        text = csv(found)
        with new_file(out) as file:
            file.write(text)
        stdout.print(f"{len(found)} rows in {safe(out)}", highlight=False)
    elif found:
        _show(found, by, first, last)
    else:
        stdout.print("No case in that time.")


def _dimension(by: str) -> Dimension:
    return next(it for it in get_args(Dimension) if it == by)


def _show(found: Sequence[Figure], by: str, first: datetime, last: datetime) -> None:
    columns = (by, ">cases", ">open", ">answer", ">p90", ">settled", ">in", ">p90", ">late", ">again", ">mood", ">cost")
    grid = table(*columns, title=f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")
    for it in found:
        moods = it.sentiment_before, it.sentiment_after
        grid.add_row(
            safe(it.name or "—", 40),
            f"{it.volume:,}",
            f"{it.backlog:,}",
            _span(it.first_response_median_secs),
            _span(it.first_response_p90_secs),
            f"{it.resolutions:,}",
            _span(it.resolution_median_secs),
            _span(it.resolution_p90_secs),
            f"{it.breaches:,}",
            "—" if it.reopen_rate is None else f"{it.reopen_rate:.0%}",
            "—" if moods[0] is None or moods[1] is None else f"{moods[1] - moods[0]:+.2f}",
            "—" if it.cost_per_resolution is None else f"{it.cost_per_resolution:,.2f}",
        )
    stdout.print(grid)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "—"
    minutes = timedelta(seconds=seconds) / timedelta(minutes=1)
    if minutes < 1:
        return f"{seconds:.0f}s"
    if minutes < 120:
        return f"{minutes:.0f}m"
    return f"{minutes / 60:.1f}h" if minutes < 48 * 60 else f"{minutes / 1440:.1f}d"
