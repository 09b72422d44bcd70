"""`harken route`: rules tried before they go live."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import parts, safe, show_json, span, stdout, table
from routing import rules as routing_rules
from routing.cases import run_cases
from routing.diff import diff as compare
from routing.router import Router

app = typer.Typer(no_args_is_help=True, help="Routing rules: test them, and see what they would move.")


@app.command()
def diff(
    context: typer.Context,
    rules: Annotated[Path, typer.Option(help="The new rules.")],
    text: Annotated[str, typer.Option("--since", help="How far back, for example 24h or 7d.")] = "7d",
    brand: Annotated[str | None, typer.Option(help="Only this brand's mentions.")] = None,
    examples: Annotated[int, typer.Option(min=0, max=50, help="Examples shown of each move.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Route stored mentions again by new rules and print what would move. Nothing is moved."""
    router = Router(routing_rules.load(rules))
    begin = datetime.now(UTC) - span(text, "--since")
    with parts(context) as made:
        found = compare(made.store.history(begin, brand), router, examples)
    if as_json:
        show_json(asdict(found))
        return
    stdout.print(
        f"{found.total:,} mentions since {begin:%Y-%m-%d %H:%M} UTC: {found.moved:,} would move, "
        f"{found.reprioritised:,} would change priority, {found.retimed:,} would be due at another time"
    )
    for title, changes in (("Moves", found.moves), ("Priorities", found.priorities)):
        if changes:
            grid = table("now", "then", ">mentions", "for example (rule now → then)", title=f"\n{title}")
            for change in changes:
                shown = (f"{one.mention} ({one.old_rule} → {one.new_rule})" for one in change.examples)
                grid.add_row(safe(change.old), safe(change.new), f"{change.count:,}", safe("; ".join(shown)))
            stdout.print(grid)


@app.command("test")
def run_tests(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file of cases: mention, tags, what is expected.")],
    rules: Annotated[Path | None, typer.Option(help="The rules to test; else those in force.")] = None,
) -> None:
    """Run data-only tests of the rules; exit status 1 when one fails."""
    if rules is None:
        with parts(context) as made:
            loaded = made.rules
    else:
        loaded = routing_rules.load(rules)
    results = run_cases(loaded, file)
    for result in results:
        if not result.passed:
            stdout.print(f"[red]failed[/red]  {safe(result.name)}: {safe('; '.join(result.failures))}")
            stdout.print(f"        decided by {safe(result.why)}", style="dim")
    failed = sum(not result.passed for result in results)
    stdout.print(f"{len(results) - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)
