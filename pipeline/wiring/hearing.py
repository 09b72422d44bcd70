"""A stage judged as it runs: the configured stages it needs before it, its own labels and probabilities, on the rows
of a file of labelled texts. Opens no connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from enrich._hearing import measures, tables
from enrich._nlp import build
from pipeline.config import Adapter, Config
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Author, Mention
from pipeline.ports import Brand, Draft, Stage, StageContext

What = Literal["sentiment", "intent"]

REST = "rest"
"""What a row is called that has not the intent."""

SURE = 0.8
"""From this probability on a judgement is a confident one."""

BATCH = 500
_WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_GIVEN = frozenset({"mention", "doc"})


class Scoring(Stage, Protocol):
    """A stage that also tells how likely each label is, before any threshold; nothing where it does not know."""

    def scores(self, batch: Sequence[Draft]) -> Sequence[Mapping[str, float]]:
        """One mapping of label to probability for each draft."""
        ...


@dataclass(frozen=True)
class Task:
    """What is to be judged, on which rows: for an intent, its name and the labels in the file that stand for it."""

    what: What
    file: Path
    columns: tables.Columns
    wheres: tuple[tables.Where, ...]
    intent: str = ""
    positive: tuple[str, ...] = ()


@dataclass(frozen=True)
class Truth:
    """The rows to judge by: their table, the labels in the order of `codes`, and each row's code."""

    table: tables.Table
    labels: tuple[str, ...]
    codes: measures.Codes


@dataclass(frozen=True)
class Judged:
    """What one model said of the rows: `found` and `chances` as `measures.figures` takes them; `unknown` counts the
    rows of which it said that it does not know, whose chances are nan."""

    version: str
    found: measures.Codes
    chances: measures.Floats
    unknown: int


def task(
    what: What,
    file: Path,
    *,
    text: str,
    label: str,
    brand: str = "",
    lang: str = "",
    where: Sequence[str] = (),
    intent: str = "",
    positive: Sequence[str] = (),
) -> Task:
    """The task that the options of a command say. Raises ConfigError for a condition that is none."""
    columns = tables.Columns(text=text, label=label, brand=brand, lang=lang)
    return Task(what, file, columns, tables.conditions(where), intent, tuple(positive))


def truth(task: Task) -> Truth:
    """Read the rows. Raises ConfigError where the file, a column or a label is not as the task says."""
    table = tables.read(task.file, task.columns, task.wheres)
    if task.what == "sentiment":
        table, said = tables.sentiments(table)
        labels: tuple[str, ...] = tables.SENTIMENTS
    else:
        labels = (REST, task.intent)
        said = [labels[holds] for holds in tables.matching(table, task.positive)]
    tables.two_classes(task.file, said)
    return Truth(table, labels, np.array([labels.index(label) for label in said], dtype=np.intp))


def judge(config: Config, task: Task, rows: Truth, model: Path | None) -> Judged:
    """What the stage says of these rows, with the model of this directory, else with the one that the configuration
    names, else with the one that ships. Raises ConfigError where the stage or the intent is not known."""
    brands = _brands(rows.table.rows) or config.brands
    nlp = build()
    stages, judged = _stages(config, task.what, StageContext(brands, nlp), model)
    found = np.zeros(len(rows.codes), dtype=np.intp)
    chances = np.full((len(rows.codes), len(rows.labels)), np.nan)
    known: set[str] = set()
    for start, batch in batches(rows.table.rows, nlp):
        for stage in stages:
            stage.annotate(batch)
        judged.annotate(batch)
        for place, (draft, scores) in enumerate(zip(batch, judged.scores(batch), strict=True), start):
            known |= scores.keys()
            if task.what == "sentiment":
                found[place] = rows.labels.index(draft.sentiment.label) if draft.sentiment else 1
                if scores:
                    chances[place] = [scores[label] for label in rows.labels]
            else:
                found[place] = any(it.name == task.intent for it in draft.intents)
                if task.intent in scores:
                    chances[place] = (1.0 - scores[task.intent], scores[task.intent])
    if task.what == "intent" and task.intent not in known:
        said = f"it knows {', '.join(sorted(known))}" if known else "name another with --model"
        raise _wrong(f"--intent {task.intent}", "is no intent that the model knows", said)
    return Judged(judged.version, found, chances, int(np.isnan(chances[:, 0]).sum()))


def told(task: Task, rows: Truth, judged: Judged) -> dict[str, Any]:
    """Everything there is to say of one model on these rows, as JSON takes it."""
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(measures.figures(rows.labels, rows.codes, judged.found, judged.chances))
    if task.what == "sentiment":
        found["confident"] = _confident(rows, judged)
    else:
        found["by_label"] = _by_label(rows, judged)
    return found | {
        "judged": task.intent or task.what,
        "stage": judged.version,
        "unknown": judged.unknown,
        "skipped": dict(rows.table.skipped),
    }


def differs(rows: Truth, one: Judged, other: Judged) -> dict[str, Any]:
    """What changes from one model to the other, as JSON takes it."""
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(measures.difference(rows.labels, rows.codes, one.found, other.found))
    return made


def _confident(rows: Truth, judged: Judged) -> dict[str, Any]:
    """How many were found positive or negative with confidence, and how many of these are the very opposite."""
    sure = (judged.found != 1) & (judged.chances[np.arange(len(judged.found)), judged.found] >= SURE)
    wrong = sure & (rows.codes == 2 - judged.found)
    count, reversed_ = int(sure.sum()), int(wrong.sum())
    return {"from": SURE, "n": count, "reversed": reversed_, "share": reversed_ / count if count else 0.0}


def _by_label(rows: Truth, judged: Judged) -> dict[str, dict[str, float]]:
    """Of each label as the file has it: how many rows, and on how many of them the intent was found."""
    said = Counter(row.label for row in rows.table.rows)
    tagged = Counter(row.label for row, found in zip(rows.table.rows, judged.found, strict=True) if found)
    return {label: {"n": n, "found": tagged[label], "share": tagged[label] / n} for label, n in said.most_common(50)}


def batches(rows: Sequence[tables.Row], nlp: Any) -> Iterator[tuple[int, list[Draft]]]:
    """The rows as mentions with their tokens, a batch at a time, each with the place of its first row."""
    for start in range(0, len(rows), BATCH):
        yield (
            start,
            [
                Draft(mention=_mention(number, row), doc=nlp.make_doc(row.text))
                for number, row in enumerate(rows[start : start + BATCH], start)
            ],
        )


def _mention(number: int, row: tables.Row) -> Mention:
    return Mention(
        id=f"file:{number}",
        source="file",
        text=row.text,
        author=Author(id=str(number)),
        created_at=_WHEN,
        lang=row.lang or None,
        brand=row.brand or None,
    )


def _brands(rows: Sequence[tables.Row]) -> tuple[Brand, ...]:
    """The brands of the file's own column, each known by its name and the handle that is its name."""
    names = sorted({row.brand for row in rows} - {""})
    return tuple(Brand(name, (name,), (name.replace(" ", ""),)) for name in names)


def _stages(config: Config, what: What, context: StageContext, model: Path | None) -> tuple[list[Stage], Scoring]:
    """The stage to judge, with the model, and those before it that fill what it needs."""
    configured = list(config.stages)
    place = next((n for n, it in enumerate(configured) if it.module.__name__ == f"enrich.{what}"), None)
    if place is None:
        raise _wrong("enrich", f"has no stage {what}, so there is nothing to judge", f"add {what}: {{}} to it")
    judged = cast(Scoring, _made(_with(configured[place], model), context))
    needed, before = set(judged.needs), []
    for adapter in reversed(configured[:place]):
        provides = adapter.module.Stage.provides
        if needed & provides:
            needed |= adapter.module.Stage.needs
            before.append(_made(adapter, context))
    if lacking := needed - _GIVEN - {field for stage in before for field in stage.provides}:
        raise _wrong("enrich", f"{what} needs {', '.join(sorted(lacking))}", "harken check says what to change")
    return before[::-1], judged


def _made(adapter: Adapter, context: StageContext) -> Stage:
    stage: Stage = adapter.module.Stage(adapter.settings, context)
    return stage


def _with(adapter: Adapter, model: Path | None) -> Adapter:
    if model is None:
        return adapter
    settings = adapter.settings.model_copy(update={"model": model, "shadow": None})
    return Adapter(adapter.name, adapter.module, settings)


def _wrong(place: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place, message, remedy)])
