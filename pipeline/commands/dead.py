"""`harken dead`: what could not be handled, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.errors import ConfigError, Problem
from pipeline.revival import retry as send_again
from pipeline.store import DeadLetter
from pipeline.wiring import Parts

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, retry, discard.")

Ids = Annotated[list[str] | None, typer.Argument(help="Ids as `harken dead list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All that wait.")]


@app.command("list")
def show_list(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List those that wait for a person, oldest first."""
    with parts(context) as made:
        letters = made.store.dead(limit)
    if as_json:
        show_json([_brief(letter) for letter in letters])
        return
    if not letters:
        stdout.print("No dead letters.")
        return
    grid = table("id", "source", "place", "reason", "died")
    for letter in letters:
        grid.add_row(letter.id, safe(letter.source), safe(letter.place), safe(letter.reason, 200), ago(letter.died_at))
    stdout.print(grid)
    stdout.print("\nharken dead show ID, harken dead retry ID…|--all, harken dead discard ID…|--all --why TEXT")


@app.command()
def show(
    context: typer.Context,
    id: Annotated[str, typer.Argument()],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show one with its reason and bytes."""
    with parts(context) as made:
        letter = made.store.dead_letter(id)
    if letter is None:
        raise ConfigError([Problem(id, "there is no such dead letter", "harken dead list")])
    payload = letter.payload.decode("utf-8", "backslashreplace")
    if as_json:
        show_json(_brief(letter) | {"payload": payload})
        return
    for name, value in _brief(letter).items():
        stdout.print(f"[bold]{name:>9}[/bold]  {safe(str(value))}")
    stdout.print(f"[bold]  payload[/bold]  {len(letter.payload)} bytes")
    stdout.print("".join(char if char.isprintable() or char in "\n\t" else "�" for char in payload), markup=False)


@app.command()
def retry(context: typer.Context, ids: Ids = None, everything: All = False) -> None:
    """Send them through again: a mention to the start of its topic's way, an unreadable item to its connector."""
    with parts(context, "sources") as made:
        letters = _chosen(made, ids, everything)
        back, left = send_again(made, letters)
    for id, why in left.items():
        stdout.print(f"{id}: {safe(why)}")
    stdout.print(f"{back} of {len(letters)} on their way again")


@app.command()
def discard(
    context: typer.Context,
    ids: Ids = None,
    everything: All = False,
    why: Annotated[str, typer.Option(help="Kept with them.")] = "",
) -> None:
    """Give them up: each then counts as filtered, with the reason `discarded`."""
    if not why:
        raise ConfigError([Problem("--why", "is missing", "say why; it is kept with the ledger")])
    with parts(context) as made:
        count = made.store.discard([letter.id for letter in _chosen(made, ids, everything)], why)
    stdout.print(f"{count} discarded")


def _brief(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "source": letter.source,
        "place": letter.place,
        "reason": letter.reason,
        "role": letter.role,
        "stage": letter.stage,
        "state": letter.state,
        "attempts": letter.attempts,
        "died_at": letter.died_at.isoformat(),
        "note": letter.note,
    }


def _chosen(made: Parts, ids: list[str] | None, everything: bool) -> list[DeadLetter]:
    if everything == bool(ids):
        raise ConfigError([Problem("harken dead", "which ones?", "name ids, or say --all")])
    if everything:
        found: list[DeadLetter] = []
        while page := made.store.dead(1000, found[-1] if found else None):
            found += page
        return found
    letters = {id: made.store.dead_letter(id) for id in ids or ()}
    missing = [id for id, letter in letters.items() if letter is None or letter.state != "dead"]
    if missing:
        raise ConfigError([Problem(id, "is not a dead letter (any more)", "harken dead list") for id in missing])
    return [letter for letter in letters.values() if letter]
