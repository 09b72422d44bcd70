"""`harken topics discover`: what people complain of that is no topic yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from pipeline.commands.common import parts, safe, show_json, span, stdout, table
from pipeline.commands.setup import topics as app
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pipeline.wiring.candidates import Discovered


@app.command("discover")
def discover(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="How far back to look, for example 24h or 7d.")] = "7d",
    brand: Annotated[str | None, typer.Option(help="Of this brand alone.")] = None,
    fewest: Annotated[int, typer.Option(min=2, help="People who must have said it.")] = 5,
    most: Annotated[int, typer.Option(min=1, max=100, help="Candidates at most.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look in negative mentions that have no topic for what they have in common: candidates, with their words."""
    from pipeline.wiring.candidates import discovered

    with parts(context) as made:
        known = [it.name for it in made.config.brands]
        if brand is not None and brand not in known:
            raise ConfigError([Problem(f"--brand {safe(brand)}", "is no brand", f"one of {', '.join(known)}")])
        until = made.clock.now()
        found = discovered(made.database, until - span(since, "--since"), until, brand, fewest, most)
    if as_json:
        show_json(_as_json(found))
        return
    stdout.print(f"{found.negative} negative mentions, {found.without} of them without a topic")
    if not found.candidates:
        stdout.print(f"nothing in them that {fewest} people or more have in common", markup=False)
        return
    grid = table("candidate", "words", ">mentions", ">people", "examples")
    for it in found.candidates:
        words = ", ".join(safe(word) for word, _ in it.words)
        grid.add_row(safe(it.name), words, str(it.mentions), str(it.people), safe(" ".join(it.examples)))
    stdout.print(grid)
    stdout.print(
        "\nTo make topics of them, put into the configuration what you keep of this, under names of your own:\n"
    )
    typer.echo(snippet(found))


def snippet(found: Discovered) -> str:
    """The candidates as the stage's setting `enrich.topics.topics`."""
    named = {it.name: [word for word, _ in it.words] for it in found.candidates}
    document = {"enrich": {"topics": {"topics": named}}}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, default_flow_style=None, width=110)


def _as_json(found: Discovered) -> dict[str, object]:
    return {
        "negative": found.negative,
        "without_topic": found.without,
        "candidates": [{"name": it.name, **it._asdict()} for it in found.candidates],
        "yaml": snippet(found),
    }
