"""`harken sources` and `harken gaps`: what each source brought against what is usual, what is left of its allowances,
and what was not heard."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from pipeline.commands.common import ago, parts, safe, show_json, span, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.store import RecordedGap
from pipeline.store.coverage import Round, Seen, UsedUp

AsJson = Annotated[bool, typer.Option("--json", help="One JSON array on standard output.")]


def sources(context: typer.Context, as_json: AsJson = False) -> None:
    """Show of each source when it was last heard, what it brought against what is usual, and what is left to it."""
    with parts(context) as made:
        file, store = made.config.file, made.store
        known, gaps = {it.via: it for it in store.sources()}, store.gaps(open_only=True)
        seen, usages, rounds = store.seen(), store.usages(), store.rounds()
        now = made.clock.now()
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys([*file.sources, *known]):
        settings, status = file.sources.get(name, {}), known.get(name)
        found.append(
            {
                "source": name,
                "type": str(settings.get("type", "")),
                "enabled": bool(settings.get("enabled", True)) and name in file.sources,
                "last_heard_at": status.last_heard_at if status else None,
                "last_item_at": status.last_item_at if status else None,
                "seen_24h": seen[name].day if name in seen else 0,
                "usual_24h": seen[name].usual if name in seen else None,
                "usage": [_used(it) for it in usages.get(name, ())],
                "recheck": _round(rounds[name]) if name in rounds else None,
                "open_gaps": sum(gap.via == name for gap in gaps),
                "open_gap_secs": _seconds([gap for gap in gaps if gap.via == name]),
            }
        )
    if as_json:
        show_json(found)
        return
    grid = table("source", "type", "last heard", "last item", ">24 h", ">usual", "allowances", ">open gaps")
    for one in found:
        grid.add_row(
            safe(one["source"]) + ("" if one["enabled"] else " [dim](off)[/dim]"),
            safe(one["type"]),
            ago(one["last_heard_at"], now),
            ago(one["last_item_at"], now),
            f"{one['seen_24h']:,}",
            _usual(seen.get(one["source"])),
            "\n".join(_left(it, now) for it in usages.get(one["source"], ())) or "—",
            f"{one['open_gaps']} ({timedelta(seconds=one['open_gap_secs'])})" if one["open_gaps"] else "0",
        )
    stdout.print(grid)
    for one in found:
        if checked := one["recheck"]:
            stdout.print(
                f"  {safe(one['source'])}: {checked['checked']:,} stored mentions asked about again, "
                f"{checked['gone']:,} "
                f"gone, {checked['reworded']:,} reworded; the last {ago(checked['at'], now)}",
                highlight=False,
            )


def gaps(
    context: typer.Context,
    source: Annotated[str, typer.Option(help="Of this source alone.")] = "",
    since: Annotated[str, typer.Option(help="Gaps that reach into the last 24h, 7d, 4w.")] = "30d",
    open_only: Annotated[bool, typer.Option("--open", help="Leave out what was repaired.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stretches of time in which a source was not heard, why, and whether they were repaired."""
    with parts(context) as made:
        now = made.clock.now()
        after = now - span(since, "--since")
        found = [it for it in made.store.gaps(open_only) if it.until >= after and source in ("", it.via)]
        known = {*made.config.file.sources, *(it.via for it in made.store.sources())}
    if source and source not in known:
        raise ConfigError(
            [Problem(f"--source {safe(source)}", "there is no such source", f"one of {', '.join(sorted(known))}")]
        )
    if as_json:
        show_json([_gap(it) for it in found])
        return
    if not found:
        stdout.print("No gap in that time.")
        return
    grid = table("source", "from", "to", ">length", "why", "repaired")
    for gap in found:
        repaired = f"{ago(gap.repaired_at, now)}: {safe(gap.note)}" if gap.repaired_at else safe(gap.note) or "no"
        length = str(timedelta(seconds=round((gap.until - gap.since).total_seconds())))
        grid.add_row(safe(gap.via), _at(gap.since), _at(gap.until), length, safe(gap.reason), repaired)
    stdout.print(grid)
    lost = [gap for gap in found if gap.repaired_at is None]
    stdout.print(
        f"\n{len(found)} gaps, {len(lost)} open: {timedelta(seconds=_seconds(lost))} not heard.", highlight=False
    )


def _seconds(gaps: list[RecordedGap]) -> int:
    """How long in all; where two overlap it counts once."""
    total, ends = 0.0, dict[str, datetime]()
    for gap in sorted(gaps, key=lambda it: it.since):
        since = max(gap.since, ends.get(gap.via, gap.since))
        total += max(0.0, (gap.until - since).total_seconds())
        ends[gap.via] = max(gap.until, since)
    return round(total)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _usual(seen: Seen | None) -> str:
    return "—" if seen is None or seen.usual is None else f"{seen.usual:,.0f}"


def _left(it: UsedUp, now: datetime) -> str:
    usage = it.usage
    number = "{:,.2f}" if usage.unit == "USD" else "{:,.0f}"
    text = f"{number.format(usage.used)} {safe(usage.unit)}"
    if usage.limit is not None:
        text = f"{number.format(usage.used)} of {number.format(usage.limit)} {safe(usage.unit)}"
    return text + (f", anew {ago(usage.resets, now)}" if usage.resets else "")


def _used(it: UsedUp) -> dict[str, Any]:
    usage = it.usage
    left = None if usage.limit is None else max(0.0, usage.limit - usage.used)
    return {
        "unit": usage.unit, "used": usage.used, "limit": usage.limit, "left": left, "resets": usage.resets, "at": it.at,
    }  # fmt: skip


def _round(it: Round) -> dict[str, Any]:
    return {"checked": it.checked, "gone": it.gone, "reworded": it.reworded, "rounds": it.rounds, "at": it.at}


def _gap(it: RecordedGap) -> dict[str, Any]:
    return {
        "source": it.via, "since": it.since, "until": it.until, "reason": it.reason, "note": it.note,
        "repaired_at": it.repaired_at,
    }  # fmt: skip
