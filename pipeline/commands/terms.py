"""`harken terms preview`: what a brand's terms would have matched, what they would lose, and what they would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from console.listening import Preview
from pipeline.commands.common import parts, safe, show_json, span, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Mention
from pipeline.ports import Brand

app = typer.Typer(no_args_is_help=True, help="The terms of brands: preview a change.")


@app.callback()
def _several() -> None:
    """So that `preview` is named."""


@app.command()
def preview(
    context: typer.Context,
    brand: Annotated[str, typer.Argument(help="A brand of the configuration, or the name of one to be.")],
    add: Annotated[list[str] | None, typer.Option(help="A term to add, or an @handle; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A term or @handle to take away; repeatable.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A phrase in which no term counts; repeatable.")] = None,
    beside: Annotated[
        list[str] | None, typer.Option("--context", help="A word beside which alone terms count; repeatable.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only in this language (en); repeatable.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w.")] = "30d",
    most: Annotated[int, typer.Option(min=1, max=1_000_000, help="Look at so many mentions at most.")] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say what a brand's terms would have matched in what is stored and what they would cost, before they are saved."""
    with parts(context, "sources") as made:
        now = made.terms.brand(brand) or Brand(brand)
        proposed = _proposed(now, add or (), remove or (), exclude or (), beside or (), language or ())
        if not proposed.terms and not proposed.handles:
            raise ConfigError([Problem(f"brand {safe(brand)}", "has neither a term nor a handle", "--add one")])
        found = made.terms.look(proposed, span(since, "--since"), most)
    if as_json:
        show_json(_as_json(found))
    else:
        _show(brand, found, since)


def _proposed(
    brand: Brand,
    add: Sequence[str],
    remove: Sequence[str],
    exclude: Sequence[str],
    context: Sequence[str],
    languages: Sequence[str],
) -> Brand:
    known = {*brand.terms, *(f"@{one.lstrip('@')}" for one in brand.handles)}
    if unknown := [term for term in remove if term not in known]:
        raise ConfigError(
            [Problem(f"--remove {safe(it)}", "is not among its terms", ", ".join(sorted(known))) for it in unknown]
        )
    handles = [f"@{one.lstrip('@')}" for one in brand.handles] + [it for it in add if it.startswith("@")]
    terms = [*brand.terms, *(it for it in add if not it.startswith("@"))]
    return replace(
        brand,
        terms=tuple(dict.fromkeys(it for it in terms if it not in remove)),
        handles=tuple(dict.fromkeys(it for it in handles if it not in remove)),
        exclude=(*brand.exclude, *exclude),
        context=(*brand.context, *context),
        languages=(*brand.languages, *languages),
    )


def _show(brand: str, found: Preview, since: str) -> None:
    stdout.print(
        f"Of {found.read:,} mentions of the last {safe(since)}, {found.after:,} are about {safe(brand)} with these "
        f"terms; {found.before:,} with those in force: {found.gained:,} gained, {found.lost:,} lost.",
        highlight=False,
    )
    if not found.whole:
        stdout.print(f"Older ones than {found.oldest:%Y-%m-%d %H:%M} UTC were not looked at: see --most.", style="dim")
    stdout.print("Stored is only what was listened for: a new term finds more at its platform.", style="dim")
    grid = table("term", ">mentions", ">new", "for example")
    for term, matched in found.terms.items():
        grid.add_row(safe(term), f"{matched.mentions:,}", f"{matched.fresh:,}", _told(matched.examples[:1]))
    stdout.print(grid)
    if found.losses:
        stdout.print(f"Lost, for example: {_told(found.losses[:1])}", highlight=False)
    for via, count in found.sources.most_common():
        cost = f", about {found.usd_month[via]:,.2f} USD in 30 days" if via in found.usd_month else ""
        stdout.print(f"  {safe(via)}: {count:,}{cost}", highlight=False)
    for via, queries in found.queries.items():
        for query in queries:
            place = f" at {safe(query.place)}" if query.place else ""
            note = f" ({safe(query.note)})" if query.note else ""
            stdout.print(f"  {safe(via)} asks{place}: {safe(query.text)}{note}", highlight=False)
    for via, why in found.refused.items():
        stdout.print(f"  [red]{safe(via)} would refuse: {safe(why)}[/red]", highlight=False)


def _told(mentions: Sequence[Mention]) -> str:
    return " | ".join(f"{safe(it.text, 70)} [dim]{safe(it.id, 40)}[/dim]" for it in mentions)


def _as_json(found: Preview) -> dict[str, Any]:
    return {
        "since": found.since,
        "read": found.read,
        "whole": found.whole,
        "oldest": found.oldest,
        "before": found.before,
        "after": found.after,
        "gained": found.gained,
        "lost": found.lost,
        "terms": {
            term: {"mentions": it.mentions, "new": it.fresh, "examples": [one.id for one in it.examples]}
            for term, it in found.terms.items()
        },
        "lost_examples": [one.id for one in found.losses],
        "sources": dict(found.sources),
        "usd_month": found.usd_month,
        "queries": {
            via: [{"query": it.text, "place": it.place, "note": it.note} for it in queries]
            for via, queries in found.queries.items()
        },
        "refused": found.refused,
    }
