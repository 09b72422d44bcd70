"""`harken spikes backtest --since 90d`: which incidents another sensitivity would have made of what is stored."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from pipeline.commands.common import parts, safe, show_json, span, stderr, stdout
from pipeline.commands.fitting import fitted

if TYPE_CHECKING:
    from spikes.detector import Sensitivity
    from spikes.hindsight import Compared, Hindsight


def backtest(context: typer.Context, since: str, brand: str | None, sensitivity: str, as_json: bool) -> None:
    """Compare this sensitivity with the one in force, and show it; changes nothing."""
    from spikes.hindsight import hindsight

    back = span(since, "--since")
    asked = cast("Sensitivity", sensitivity)
    with parts(context) as made, Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=stderr, transient=True,
        disable=as_json or not stderr.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("counting")
        found = hindsight(
            made.database,
            made.clock,
            made.clock.now() - back,
            asked,
            made.config.file.spikes.sensitivity,
            brand,
            lambda number: bar.update(task, description=f"{number:,} mentions counted"),
        )
    if as_json:
        show_json(_as_object(found))
    else:
        _draw(found)


def _as_object(found: Hindsight) -> dict[str, Any]:
    return {
        "mentions": found.mentions,
        "brand_weeks": round(found.weeks, 4),
        "asked": found.asked,
        "in_force": found.in_force,
        "incidents": [
            {
                "which": it.which,
                "id": it.incident.id,
                "brand": it.incident.brand,
                "topic": it.incident.topic,
                "kind": str(it.incident.kind),
                "severity": str(it.incident.severity),
                "onset": it.incident.extent.onset.isoformat(),
                "late_minutes": it.late.total_seconds() / 60,
                "score": it.incident.extent.score,
            }
            for it in found.incidents
        ],
    }


def _draw(found: Hindsight) -> None:
    stdout.print(f"{found.mentions:,} mentions, {found.weeks:.1f} weeks of brands.", highlight=False)
    for name, its in ((found.asked, found.of("asked")), (found.in_force, found.of("in_force"))):
        force = " (in force)" if name == found.in_force else ""
        stdout.print(f"{name}{force}: {_rate(its, found.weeks)}", highlight=False)
        if found.asked == found.in_force:
            break
    if found.asked != found.in_force:
        which = Counter(it.which for it in found.incidents)
        stdout.print(f"With {found.asked} {which['new']} would be new and {which['gone']} gone.", highlight=False)
    if found.incidents:
        stdout.print()
        stdout.print(fitted([_row(it) for it in found.incidents], ("score", "severity"), stdout.width))


def _rate(its: list[Compared], weeks: float) -> str:
    if not its:
        return "no alert"
    rate = f", {len(its) / weeks:.2f} a week and brand" if weeks >= 1 else ""
    minutes = sorted(it.late.total_seconds() / 60 for it in its)
    late = f"noticed {median(minutes):.0f} minutes after the onset (median; the latest after {minutes[-1]:.0f})"
    return f"{len(its)} alert{'s' if len(its) > 1 else ''}{rate}; {late}"


def _row(it: Compared) -> dict[str, str]:
    incident = it.incident
    return {
        "which": it.which,
        "onset": f"{incident.extent.onset:%Y-%m-%d %H:%M}",
        "after": f"{it.late.total_seconds() / 60:.0f} min",
        "severity": str(incident.severity),
        "score": f"{incident.extent.score:.2f}",
        "kind": str(incident.kind).replace("_", " "),
        "brand": safe(f"{incident.brand}, {incident.topic}" if incident.topic else incident.brand, 60),
    }
