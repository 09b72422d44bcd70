"""`harken train`: a model of sentiment or of intents from labelled texts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.common import safe, show_json, stdout, table
from pipeline.commands.evaluate import AsJson, BrandColumn, Label, LangColumn, Positive, Text, Where, values
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pipeline.wiring.hearing import Task, What

app = typer.Typer(no_args_is_help=True, help="Train a model of sentiment or intents on texts with labels.")

File = Annotated[
    Path | None, typer.Argument(metavar="[FILE.csv]", help="Your texts with labels; without: what ships is made.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="A new or empty directory for the model and its card.")]
With = Annotated[
    list[Path] | None,
    typer.Option("--with", metavar="FILE.csv", help="What `harken corrections export` wrote; again for more."),
]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME=PATH", help="A public set: xlmt, vader_tweets, purchase_iphonex."),
]
Only = Annotated[bool, typer.Option("--only", help="Without harken's own corpus, and without a model to build on.")]
Base = Annotated[Path | None, typer.Option(metavar="DIR", help="With FILE: the model to build on; else what ships.")]
Figures = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE.json", help="What `harken eval --json` printed, for the card; again for more."),
]


@app.command()
def sentiment(
    out: Out,
    file: File = None,
    text: Text = "text",
    label: Label = "label",
    brand: BrandColumn = "",
    lang: LangColumn = "",
    where: Where = None,
    corrections: With = None,
    source: Sources = None,
    only: Only = False,
    base: Base = None,
    figures: Figures = None,
    as_json: AsJson = False,
) -> None:
    """Train three-way sentiment on your labels, on top of what ships; without FILE, make what ships anew."""
    task = _task("sentiment", file, text, label, brand, lang, where or ())
    _train("sentiment", task, out, corrections or (), source or (), only, base, figures or (), as_json)


@app.command()
def intent(
    out: Out,
    file: File = None,
    intent: Annotated[str, typer.Option(metavar="NAME", help="The intent that FILE has labels of.")] = "",
    positive: Positive = None,
    text: Text = "text",
    label: Label = "label",
    brand: BrandColumn = "",
    lang: LangColumn = "",
    where: Where = None,
    corrections: With = None,
    source: Sources = None,
    only: Only = False,
    base: Base = None,
    figures: Figures = None,
    as_json: AsJson = False,
) -> None:
    """Train one intent on your labels, on top of what ships; without FILE, make what ships anew."""
    if file is not None and not intent:
        raise ConfigError([Problem("--intent", "which intent has FILE labels of?", "for example --intent complaint")])
    if intent and (file is None or not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", intent)):
        remedy = "small letters, digits and _, and a FILE with labels of it"
        raise ConfigError([Problem(f"--intent {safe(intent, 40)}", "cannot be trained so", remedy)])
    task = _task("intent", file, text, label, brand, lang, where or (), intent, values(positive) or [intent])
    _train("intent", task, out, corrections or (), source or (), only, base, figures or (), as_json)


def _task(
    what: What,
    file: Path | None,
    text: str,
    label: str,
    brand: str,
    lang: str,
    where: Sequence[str],
    intent: str = "",
    positive: Sequence[str] = (),
) -> Task | None:
    from pipeline.wiring import hearing

    if file is None:
        return None
    return hearing.task(
        what, file, text=text, label=label, brand=brand, lang=lang, where=where, intent=intent, positive=positive
    )


def _train(
    kind: What,
    task: Task | None,
    out: Path,
    corrections: Sequence[Path],
    source: Sequence[str],
    only: bool,
    base: Path | None,
    figures: Sequence[Path],
    as_json: bool,
) -> None:
    from pipeline.wiring.learning import Lesson, learn

    sources = dict(_source(one) for one in source)
    said = shlex.join(_said(kind, task, corrections, sources, only, base, figures))
    made = learn(Lesson(kind, out, task, corrections, sources, only, base, said, figures))
    if as_json:
        show_json(made)
        return
    grid = table("learned from", ">examples", "left out")
    for name, count in made["examples"].items():
        left = ", ".join(f"{n:,} with {why}" for why, n in made["skipped"].get(name, {}).items())
        grid.add_row(safe(name), f"{count:,}", safe(left))
    stdout.print(grid)
    stdout.print(
        f"{kind} {made['version']}: {', '.join(made['labels'])}; languages {', '.join(made['languages'])}\n"
        f"written to {safe(str(out))}, with CARD.md. To judge it: harken eval {kind} FILE.csv --model {safe(str(out))}",
        highlight=False,
    )


def _source(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise ConfigError([Problem(f"--source {safe(text, 80)}", "is no source", "NAME=PATH, as xlmt=xlmt.csv")])
    return name, Path(path)


def _said(
    kind: What,
    task: Task | None,
    corrections: Sequence[Path],
    sources: dict[str, Path],
    only: bool,
    base: Path | None,
    figures: Sequence[Path],
) -> Iterator[str]:
    """The command as the card says it: files by their names alone, since folders differ from machine to machine."""
    yield from ("harken", "train", kind)
    if task is not None:
        yield task.file.name
        if task.intent:
            yield from ("--intent", task.intent, "--positive", ",".join(task.positive))
        for name in ("text", "label", "brand", "lang"):
            default = name if name in ("text", "label") else ""
            if (column := getattr(task.columns, name)) != default:
                yield from (f"--{name}", column)
        for where in task.wheres:
            yield from ("--where", f"{where.column}{where.operator}{where.value}")
    for path in corrections:
        yield from ("--with", path.name)
    for name, path in sources.items():
        yield from ("--source", f"{name}={path.name}")
    if only:
        yield "--only"
    if base is not None:
        yield from ("--base", base.name)
    for path in figures:
        yield from ("--figures", path.name)
    yield from ("--out", "DIR")
