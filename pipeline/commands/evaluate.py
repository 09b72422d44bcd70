"""`harken eval`: how well sentiment and intents are heard, on texts that somebody labelled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import safe, settings, show_json, stdout, table

if TYPE_CHECKING:
    from pipeline.wiring.hearing import Task

app = typer.Typer(no_args_is_help=True, help="How well sentiment and intents are heard, on texts with labels.")

File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="A CSV file of texts with labels.")]
Text = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the texts.")]
Label = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the labels.")]
BrandColumn = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the brand that each text is about.")]
LangColumn = Annotated[str, typer.Option(metavar="COLUMN", help="The column of the languages; else they are detected.")]
Where = Annotated[
    list[str] | None,
    typer.Option(help="Only rows with COLUMN=VALUE; or !=, ^= (begins with), !^=. Again for more: all must hold."),
]
ModelDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A trained model; else the configuration's, else what ships.")
]
Compare = Annotated[Path | None, typer.Option(metavar="DIR", help="Another, on the same rows: what would change.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line.")]
IntentName = Annotated[str, typer.Option(metavar="NAME", help="The intent: complaint, praise, lead, question, …")]
Positive = Annotated[
    list[str] | None,
    typer.Option(help="The labels that stand for it, between commas or again; else its own name."),
]


@app.command()
def sentiment(
    context: typer.Context,
    file: File,
    text: Text = "text",
    label: Label = "label",
    brand: BrandColumn = "",
    lang: LangColumn = "",
    where: Where = None,
    model: ModelDir = None,
    compare: Compare = None,
    as_json: AsJson = False,
) -> None:
    """Judge three-way sentiment as the stage finds it."""
    from pipeline.wiring import hearing

    task = hearing.task("sentiment", file, text=text, label=label, brand=brand, lang=lang, where=where or ())
    _judge(context, task, model, compare, as_json)


@app.command()
def intent(
    context: typer.Context,
    file: File,
    intent: IntentName,
    positive: Positive = None,
    text: Text = "text",
    label: Label = "label",
    brand: BrandColumn = "",
    lang: LangColumn = "",
    where: Where = None,
    model: ModelDir = None,
    compare: Compare = None,
    as_json: AsJson = False,
) -> None:
    """Judge one intent against the rest, as the stage tags it."""
    from pipeline.wiring import hearing

    task = hearing.task(
        "intent", file, text=text, label=label, brand=brand, lang=lang, where=where or (),
        intent=intent, positive=values(positive) or [intent],
    )  # fmt: skip
    _judge(context, task, model, compare, as_json)


def values(given: Sequence[str] | None) -> list[str]:
    """What stands between the commas of an option that may come again."""
    return [word for one in given or () for part in one.split(",") if (word := part.strip())]


def _judge(context: typer.Context, task: Task, model: Path | None, compare: Path | None, as_json: bool) -> None:
    from pipeline.wiring import hearing

    config = settings(context).config_for("enrich")
    rows = hearing.truth(task)
    one = hearing.judge(config, task, rows, model)
    found = hearing.told(task, rows, one) | {"model": str(model or "")}
    if compare is not None:
        other = hearing.judge(config, task, rows, compare)
        found["compare"] = hearing.told(task, rows, other) | {"model": str(compare)}
        found["difference"] = hearing.differs(rows, one, other)
    if as_json:
        show_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    skipped = ", ".join(f"{count:,} with {safe(reason)}" for reason, count in found["skipped"].items())
    stdout.print(
        f"{found['n']:,} rows" + (f"; left out: {skipped}" if skipped else ""), highlight=False, soft_wrap=True
    )
    if other := found.get("compare"):
        _show_both(found, other, found["difference"])
        return
    _show_classes(found)
    _show_summary(found, "")
    if sure := found.get("confident"):
        stdout.print(
            f"praise taken for complaint or the reverse: {sure['reversed']:,} of the {sure['n']:,} found positive or "
            f"negative with a probability of {sure['from']} or more ({sure['share']:.1%})",
            highlight=False,
            soft_wrap=True,
        )
    if by_label := found.get("by_label"):
        grid = table("label in the file", ">rows", ">found", ">share")
        for name, one in by_label.items():
            grid.add_row(safe(name, 40), f"{one['n']:,}", f"{one['found']:,}", f"{one['share']:.1%}")
        stdout.print(grid)


def _show_classes(found: dict[str, Any]) -> None:
    grid = table("", ">precision", ">recall", ">F1", ">rows")
    for name, one in found["per_class"].items():
        shown = [f"{one[key]:.3f}" for key in ("precision", "recall", "f1")]
        grid.add_row(safe(name), *shown, f"{one['n']:,}")
    stdout.print(grid)


def _show_summary(found: dict[str, Any], title: str) -> None:
    low, high = found["ci95"]
    auc, ece = ("—" if found[key] is None else f"{found[key]:.3f}" for key in ("auc", "ece"))
    unknown = f", said unknown of {found['unknown']:,}" if found["unknown"] else ""
    stdout.print(
        f"{title}macro-F1 {found['macro_f1']:.3f} (95 %: {low:.3f} to {high:.3f}), AUC {auc}, "
        f"calibration error {ece}{unknown}",
        highlight=False,
        soft_wrap=True,
    )


def _show_both(one: dict[str, Any], other: dict[str, Any], change: dict[str, Any]) -> None:
    _show_summary(one, f"{safe(one['model'] or 'in force')}: ")
    _show_summary(other, f"{safe(other['model'])}: ")
    low, high = change["ci95"]
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference that could not be chance"
    stdout.print(
        f"difference {change['macro_f1']:+.3f} (95 %: {low:+.3f} to {high:+.3f}): {verdict}; right only now: "
        f"{change['worse']:,} rows, right only then: {change['better']:,}",
        highlight=False,
        soft_wrap=True,
    )
    grid = table("", ">F1 now", ">then", ">F1", ">precision", ">recall")
    for name, moved in change["per_class"].items():
        both = (f"{it['per_class'][name]['f1']:.3f}" for it in (one, other))
        grid.add_row(safe(name), *both, *(f"{moved[key]:+.3f}" for key in ("f1", "precision", "recall")))
    stdout.print(grid)
