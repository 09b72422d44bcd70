"""`harken dead`: what could not be handled, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.codec import decode
from pipeline.collect import digest
from pipeline.commands.common import ago, parts, safe, show_json, stdout, table
from pipeline.errors import BadItem, BadRecord, ConfigError, Problem
from pipeline.mention import Mention, Removal
from pipeline.ports import Context
from pipeline.store import DeadLetter, Taken
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
        made.bus.apply(made.topics)
        back = _republish(made, [letter for letter in letters if letter.role != "collect"])
        for letter in letters:
            if letter.role == "collect":
                back += _revive(made, letter)
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


def _republish(made: Parts, letters: list[DeadLetter]) -> int:
    producer = made.bus.producer()
    try:
        for letter in letters:
            topic = letter.place.partition("[")[0]
            producer.send(topic, [(_key(letter), letter.payload)])
        producer.flush()
    finally:
        producer.close()
    return made.store.retrying(letters) if letters else 0


def _key(letter: DeadLetter) -> bytes:
    try:
        item = decode(letter.payload)
    except BadRecord:
        return letter.intake_id.encode()
    return (item if isinstance(item, Mention | Removal) else item.mention).thread.encode()


def _revive(made: Parts, letter: DeadLetter) -> int:
    source = next((source for source in made.config.sources if source.name == letter.via), None)
    if source is None:
        stdout.print(f"{letter.id}: no source {safe(letter.via)!r} is configured; correct the item and ingest it again")
        return 0
    connector = source.module.Connector(source.settings, Context(source.name, made.config.brands, made.clock))
    try:
        items = connector.parse(letter.payload)
    except BadItem as bad:
        stdout.print(f"{letter.id}: still unreadable: {safe(str(bad))}")
        return 0
    intake = made.intake(letter.via)
    mentions = [intake.adopted(item) for item in items if isinstance(item, Mention)]
    intake.publish(mentions)
    taken = [Taken(mention.id, mention.source, digest(mention), mention.created_at) for mention in mentions]
    return int(made.store.revive(letter.id, taken))
