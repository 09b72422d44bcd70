"""`harken queue`: what waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from pipeline.commands.case import take_next
from pipeline.commands.common import ago, parts, safe, show_json, stdout
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Routed
from pipeline.registry import suggestion

app = typer.Typer(no_args_is_help=True, help="The queues.")


app.command("next")(take_next)


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


def listing(page: list[Routed]) -> Group:
    """A queue's mentions, three lines each, for a screen of any width: how soon and who, what was said, and why."""
    lines: list[Text] = []
    for place, routed in enumerate(page, start=1):
        mention, decision = routed.mention, routed.decision
        due = decision.first_response_due
        by = mention.author.handle or mention.author.name or mention.author.id
        head = f"{place:>2}. [bold]{decision.priority}[/bold] · " + (f"answer {ago(due)}" if due else "no time set")
        if due and due < datetime.now(UTC):
            head = head.replace("answer", "[red]was due[/red]")
        lines.append(Text.from_markup(f"{head} · {safe(mention.source)} · {safe(by, 24)} · {safe(mention.id, 60)}"))
        lines.append(Text.from_markup(f"    {safe(f'{mention.title} {mention.text}', 600)}"))
        lines.append(
            Text.from_markup(f"    because {safe('; '.join((decision.rule, *decision.evidence)), 160)}", style="dim")
        )
    for line in lines:
        line.truncate(stdout.width, overflow="ellipsis")
    return Group(*lines)


@app.command("filtered")
def show_filtered(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only those filtered for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List what nobody needs to see, newest first, with the reason: so that a mistake can be found."""
    with parts(context) as made:
        page = made.store.filtered(reason, limit)
    if as_json:
        show_json([as_object(routed) | {"filtered": routed.decision.filtered} for routed in page])
        return
    stdout.print(listing(page) if page else "Nothing was filtered.")
