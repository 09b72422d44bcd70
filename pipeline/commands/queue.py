"""`harken queue`: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Routed
from pipeline.registry import suggestion

app = typer.Typer(no_args_is_help=True, help="The queues.")


@app.command("list")
def show_list(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The queue.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List a queue, the most urgent first."""
    with parts(context) as made:
        known = {*made.rules.queues, *(summary.name for summary in made.store.queues())}
        if name not in known:
            raise ConfigError([Problem(name, "there is no such queue", suggestion(name, sorted(known)))])
        page = made.store.queue(name, limit)
        waiting = next((summary.waiting for summary in made.store.queues() if summary.name == name), 0)
    if as_json:
        show_json([as_object(routed) for routed in page])
        return
    stdout.print(f"[bold]{safe(name)}[/bold]: {waiting} waiting" + (f", first {len(page)}" if page else ""))
    stdout.print(listing(page))


def as_object(routed: Routed) -> dict[str, Any]:
    """A queued mention for a program."""
    mention, decision = routed.mention, routed.decision
    return {
        "id": mention.id,
        "queue": decision.queue,
        "priority": str(decision.priority),
        "first_response_due": decision.first_response_due and decision.first_response_due.isoformat(),
        "rule": decision.rule,
        "evidence": list(decision.evidence),
        "source": mention.source,
        "brand": routed.tags.brand,
        "author": mention.author.handle or mention.author.name or mention.author.id,
        "text": mention.text,
        "created_at": mention.created_at.isoformat(),
        "url": mention.url,
    }


def listing(page: list[Routed]) -> Any:
    """A queue's mentions as a table: how soon, what, and why."""
    grid = table("priority", "answer", "source", "author", "what was said", "why", "id")
    for routed in page:
        mention, decision = routed.mention, routed.decision
        due = decision.first_response_due
        grid.add_row(
            decision.priority,
            ago(due) if due else "—",
            mention.source,
            safe(mention.author.handle or mention.author.name or mention.author.id, 18),
            safe(mention.title or mention.text, 90),
            safe("; ".join((decision.rule, *decision.evidence)), 60),
            safe(mention.id, 40),
        )
    return grid
