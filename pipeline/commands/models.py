"""`harken models`: which models are in force, which one runs in shadow, what that one says otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.clock import SystemClock
from pipeline.commands.common import parts, safe, settings, show_json, span, stdout, table
from pipeline.commands.people import me
from pipeline.errors import ConfigError, Problem
from pipeline.logs import configure
from pipeline.wiring import Parts

if TYPE_CHECKING:
    from desk.documents import Current, Version
    from pipeline.mention import Routed
    from pipeline.wiring.models import Chosen, Kind, Models

app = typer.Typer(
    no_args_is_help=True, help="Which models are in force: list, shadow, differences, promote, rollback, off."
)

DOCUMENT = "models"
Why = Annotated[str, typer.Option(help="Kept with the version, and in the audit log; else the command says it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Which = Literal["sentiment", "intent"]

_LINE = re.compile(r"(.+): (\S+) (-?[0-9.]+) -> (\S+) (-?[0-9.]+)")
"""As a stage writes it (`Tags.shadow`)."""


@app.command("list")
def show_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models in force and in shadow, and the versions of the document that says so."""
    from pipeline.wiring.models import KINDS

    with _parts(context) as made:
        current, models = _current(made)
        versions = made.documents.versions(DOCUMENT, 10)
        rows = [_row(kind, name, models.of(kind)) for kind in KINDS for name in ("model", "shadow")]
    found = [row for row in rows if row]
    if as_json:
        fields = ("version", "at", "actor", "why", "made_from")
        history = [{name: getattr(it, name) for name in fields} for it in versions]
        show_json({"version": current.version, "models": found, "versions": history})
        return
    grid = table("stage", "", "directory", "version", "labels", "languages")
    for row in found:
        grid.add_row(*(safe(str(row[key])) for key in ("stage", "runs", "directory", "version", "labels", "languages")))
    stdout.print(grid)
    if versions:
        grid = table(">version", "at (UTC)", "by", "why", title="\nChanges, the newest first")
        for it in versions:
            grid.add_row(str(it.version), f"{it.at:%Y-%m-%d %H:%M}", safe(it.actor), safe(it.why, 100))
        stdout.print(grid)


@app.command()
def shadow(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `harken train` has written.")],
    why: Why = "",
) -> None:
    """Let a model run beside the one in force: it scores everything and decides nothing."""
    from pipeline.wiring.models import load

    with _parts(context) as made:
        model, whole = load(directory), directory.resolve()
        kind = model.kind
        current, models = _current(made)
        _save(
            made,
            current,
            models.having(kind, shadow=whole, shadow_digest=model.version),
            why or f"{directory} in shadow",
        )
    stdout.print(f"{kind}: {safe(str(whole))} runs in shadow; harken models differences shows what it would change")


@app.command()
def promote(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="Else the one that runs in shadow.")] = None,
    why: Why = "",
) -> None:
    """Put a model in force: every process takes it up within seconds."""
    from pipeline.wiring.models import KINDS, load

    with _parts(context) as made:
        current, models = _current(made)
        if directory is None:
            shadows = [(kind, it) for kind in KINDS if (it := models.of(kind).shadow)]
            if len(shadows) != 1:
                message = "two run in shadow" if shadows else "none runs in shadow"
                raise ConfigError([Problem("DIR", message, "name the directory of the model to put in force")])
            ((kind, chosen),) = shadows
        else:
            chosen = directory.resolve()
            kind = load(directory).kind
        model = load(chosen)
        after = models.having(kind, model=chosen, digest=model.version)
        if models.of(kind).shadow == chosen:
            after = after.having(kind, shadow=None, shadow_digest="")
        _save(made, current, after, why or f"{chosen} in force")
    stdout.print(f"{kind}: {safe(str(chosen))} is in force; harken models rollback takes it back")


@app.command()
def rollback(context: typer.Context, why: Why = "") -> None:
    """Put the models back that were in force before: the newest earlier version of the document with others."""
    with _parts(context) as made:
        current, models = _current(made)
        number = _before(made, current, models)
        _save(made, current, _at(made, number), why or "taken back", back_to=number)
    called = f"version {number}" if number else "what the configuration says"
    stdout.print(f"the models of {called} are in force again")


@app.command()
def off(
    context: typer.Context,
    stage: Annotated[Which | None, typer.Argument(help="sentiment or intent; else both.")] = None,
    why: Why = "",
) -> None:
    """End the run in shadow; what is in force stays."""
    from pipeline.wiring.models import KINDS

    with _parts(context) as made:
        current, models = _current(made)
        after = models
        for kind in (stage,) if stage else KINDS:
            after = after.having(kind, shadow=None, shadow_digest="")
        if after == models:
            raise ConfigError([Problem(stage or "models", "none runs in shadow", "harken models list")])
        _save(made, current, after, why or "no longer in shadow")
    stdout.print("no longer in shadow")


@app.command()
def differences(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="How far back: 24h, 7d; else since the models were last changed.")] = "",
    label: Annotated[str, typer.Option(help="Only this label: complaint, sentiment, …")] = "",
    limit: Annotated[int, typer.Option(min=0, max=1000, help="So many examples, the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show where the model in shadow would have said something else: counts by label and direction, and examples."""
    with parts(context) as made:
        now = made.clock.now()
        begin = now - span(since or "7d", "--since")
        if not since and (latest := made.documents.current(DOCUMENT).latest):
            begin = latest.at
        counted: Counter[tuple[str, str, str]] = Counter()
        examples: list[dict[str, Any]] = []
        mentions = 0
        for routed, lines in _differing(made, begin, now, label):
            mentions += 1
            counted.update((match[1], match[2], match[4]) for match in lines)
            if len(examples) < limit:
                said = [match.group(0) for match in lines]
                examples.append({"mention": routed.mention.id, "text": routed.mention.text, "differences": said})
    columns = ("label", "now", "then", "mentions")
    counts = [dict(zip(columns, (*which, count), strict=True)) for which, count in counted.most_common()]
    if as_json:
        show_json({"since": begin, "mentions": mentions, "counts": counts, "examples": examples})
        return
    stdout.print(f"{mentions:,} mentions since {begin:%Y-%m-%d %H:%M} UTC on which the model in shadow differs")
    grid = table("label", "now", "then", ">mentions")
    for (name, was, then), count in counted.most_common():
        grid.add_row(safe(name), safe(was), safe(then), f"{count:,}")
    stdout.print(grid)
    for one in examples:
        stdout.print(f"{safe(one['mention'])}: {safe(one['text'], 160)}", highlight=False)
        stdout.print(f"  {safe('; '.join(one['differences']))}", style="dim", highlight=False)


def _differing(
    made: Parts, since: datetime, until: datetime, label: str
) -> Iterator[tuple[Routed, list[re.Match[str]]]]:
    """The stored mentions of that time on which the shadow differs, newest first, with what it says."""
    from pipeline.store.scan import newest

    after = None
    while True:
        with made.database.read() as transaction:
            page = newest(transaction, since, until, holding=b'"shadow":[', after=after, most=500)
        for routed in page.mentions:
            lines = [match for line in routed.tags.shadow if (match := _LINE.fullmatch(line))]
            if lines := [match for match in lines if label in ("", match[1])]:
                yield routed, lines
        if page.next is None:
            return
        after = page.next


def _row(kind: Kind, name: str, chosen: Chosen) -> dict[str, Any] | None:
    """What runs, as the list shows it; a directory that cannot be read any more is told, not raised."""
    from pipeline.wiring.models import knows, load

    directory = chosen.model if name == "model" else chosen.shadow
    row: dict[str, Any] = {"stage": kind, "runs": "in force" if name == "model" else "in shadow"}
    if directory is None and name == "shadow":
        return None
    if directory is None or directory == "none":
        version = "as it ships" if directory is None else "no model: the vocabularies alone"
        return row | {"directory": "", "version": version, "labels": "", "languages": ""}
    row |= {"directory": str(directory), "labels": "", "languages": ""}
    try:
        model = load(directory)
    except ConfigError as error:
        return row | {"version": error.problems[0].message}
    digest = chosen.digest if name == "model" else chosen.shadow_digest
    version = model.version if digest in ("", model.version) else f"{model.version}, not {digest}"
    labels, languages = knows(model)
    return row | {"version": version, "labels": ", ".join(labels), "languages": ", ".join(languages)}


@contextmanager
def _parts(context: typer.Context) -> Iterator[Parts]:
    """The parts, without what was saved put over the configuration: what is wrong there can be put right from here."""
    config = settings(context).config_for()
    configure(config.file.log, quiet=True)
    made = Parts(config, SystemClock())
    try:
        made.store.upgrade()
        yield made
    finally:
        made.close()


def _current(made: Parts) -> tuple[Current, Models]:
    from pipeline.wiring.models import read

    current = made.documents.current(DOCUMENT)
    return current, read(current.body)


def _save(made: Parts, current: Current, after: Models, why: str, back_to: int | None = None) -> Version:
    from pipeline.wiring.models import verify

    verify(after)
    if back_to is not None:
        return made.documents.roll_back(DOCUMENT, back_to, me(), why, current.version)
    return made.documents.save(DOCUMENT, after.text(), me(), why, current.version)


def _before(made: Parts, current: Current, models: Models) -> int:
    for number in range(current.version - 1, -1, -1):
        if _at(made, number).in_force() != models.in_force():
            return number
    raise ConfigError([Problem("models", "no others were in force before", "harken models list")])


def _at(made: Parts, number: int) -> Models:
    from pipeline.wiring.models import read

    version = made.documents.version(DOCUMENT, number) if number else None
    body = version.body if version else None
    return read(made.documents.kinds[DOCUMENT].given() if body is None else body)
