"""Training a model from labelled files: what is learned from, and what is written where. Needs scikit-learn."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enrich import language
from enrich._hearing import corpus, sources, tables
from enrich._hearing.card import YOURS, Origin, card, read_figures
from enrich._hearing.corpus import Example
from enrich._nlp import build
from pipeline.errors import ConfigError, Problem
from pipeline.ports import StageContext
from pipeline.wiring.hearing import Task, batches
from pipeline.wiring.models import Kind, knows, load, shipped

if TYPE_CHECKING:
    from types import ModuleType

    from enrich._hearing.linear import Model

INTENTS = ("complaint", "praise", "lead", "question")
"""What a model that ships knows."""


FEWEST = 10
"""Examples with a label, and as many without it, are the least that can teach it."""


SPOKEN = 150
"""What ships judges a language other than English of which it has seen so many texts: with fewer nobody could say how
well it does."""


@dataclass(frozen=True)
class Lesson:
    """What to learn from.

    With a file of labels (`task`) the model builds on `base` (else on the one that ships), which has learned harken's
    corpus: measured, that is better than learning the corpus again beside the file. Without one, what ships is made
    anew, from the corpus, `sources` by name, and `corrections`: these alone would not do, since they are all errors,
    and a model taught by them on top of another would learn to contradict it. `only` leaves out corpus and base.
    `command` is how the card says it was made; `figures` are files of what `harken eval --json` printed, for the card.
    """

    kind: Kind
    out: Path
    task: Task | None = None
    corrections: Sequence[Path] = ()
    sources: Mapping[str, Path] = field(default_factory=dict)
    only: bool = False
    base: Path | None = None
    command: str = ""
    figures: Sequence[Path] = ()


def learn(lesson: Lesson) -> dict[str, Any]:
    """Train, and write the model with its card into `out`, whole or not at all. Returns what was made, as JSON takes
    it. Raises ConfigError for what cannot be used, before anything is written."""
    refuse_used(lesson.out)
    training = _training()
    figures = [(path.stem, read_figures(path)) for path in lesson.figures]
    given = list(_origins(lesson))
    base = _base(lesson)
    names = _names(lesson, given)
    if lesson.task is None and not lesson.only:
        given = _spoken(lesson.kind, given)
    origins = _kept(lesson.kind, names, given)
    examples = [one for it in origins for one in it.examples]
    if not examples:
        remedy = "name a FILE of labels, or --source; or leave out --only"
        raise ConfigError([Problem("harken train", "there is nothing to learn from", remedy)])
    if lesson.kind == "sentiment":
        model: Model = training.train_sentiment(examples, base=base)
    else:
        model = training.train_intents(examples, names, base=base)
    made_with = ", ".join(f"{name} {version(name)}" for name in ("harken", "scikit-learn", "numpy"))
    labels, languages = knows(model)
    made_of = (origins, lesson.command, made_with, figures, base.version if base else "")
    text = card(lesson.kind, model.version, labels, languages, *made_of)
    with _whole(lesson.out) as folder:
        model.save(folder)
        (folder / "CARD.md").write_text(text, encoding="utf-8")
    return {
        "out": str(lesson.out),
        "kind": lesson.kind,
        "version": model.version,
        "labels": labels,
        "languages": languages,
        "base": base.version if base else "",
        "examples": {it.name: len(it.examples) for it in origins},
        "skipped": {it.name: dict(it.skipped) for it in origins if it.skipped},
    }


def refuse_used(out: Path) -> None:
    """Raise ConfigError where there is something in this directory, or it is none."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError([Problem(str(out), "is there already and not empty", "name a new directory with --out")])


def _training() -> ModuleType:
    try:
        import_module("sklearn")
        return import_module("enrich._hearing.training")
    except ModuleNotFoundError as error:
        message = f"training needs the library {error.name!r}"
        raise ConfigError([Problem("harken train", message, "pip install 'harken[train]'")]) from None


def _base(lesson: Lesson) -> Model | None:
    """The model to build on; none where what ships is made."""
    if lesson.base is None:
        return None if lesson.task is None or lesson.only else load(shipped(lesson.kind))
    model = load(lesson.base)
    problem = remedy = ""
    if lesson.task is None or lesson.only:
        problem, remedy = "goes with a FILE of labels, and not with --only", "leave it out"
    elif model.kind != lesson.kind:
        problem, remedy = f"{lesson.base} is a model of {model.kind}", f"name one of {lesson.kind}"
    elif model.base is not None:
        problem, remedy = f"{lesson.base} builds on another itself", "name the one it builds on, or leave it out"
    if problem:
        raise ConfigError([Problem("--base", problem, remedy)])
    return model


def _origins(lesson: Lesson) -> Iterator[Origin]:
    """Everything to learn from, in order."""
    if lesson.task is not None:
        yield _labelled(lesson.task)
    names = ("sentiment",) if lesson.kind == "sentiment" else _known(lesson)
    weight = sources.CORRECTED if lesson.task is None else 1.0
    for path in lesson.corrections:
        found, skipped = sources.corrections(path, names, weight)
        about = f"corrections of the desk, each counting as {weight:g}"
        yield Origin(path.name, about, YOURS, [path], found, skipped)
    for name, path in lesson.sources.items():
        found = sources.public(name, path)
        yield Origin(name, sources.SOURCES[name].origin, sources.SOURCES[name].licence, [path], found, {})
    if lesson.task is None and not lesson.only:
        about = "harken's own corpus, `docs/corpus.md`"
        yield Origin("harken", about, corpus.LICENCE, corpus.files(), corpus.load(), {})


def _known(lesson: Lesson) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*INTENTS, *([lesson.task.intent] if lesson.task else [])]))


def _names(lesson: Lesson, origins: Sequence[Origin]) -> tuple[str, ...]:
    """The labels to train: all, where what ships is made; else that of the file, and those of which the corrections
    say enough."""
    if lesson.kind == "sentiment":
        return tables.SENTIMENTS
    if lesson.task is None:
        return INTENTS
    examples = [one for it in origins for one in it.examples]
    said = (name for name in _known(lesson) if name == lesson.task.intent or _enough("intent", name, examples))
    return tuple(said)


def _enough(kind: Kind, name: str, examples: Sequence[Example]) -> bool:
    if kind == "sentiment":
        return sum(one.sentiment == name for one in examples) >= FEWEST
    said = Counter(one.says(name) for one in examples)
    return min(said[True], said[False]) >= FEWEST


def _kept(kind: Kind, names: Sequence[str], origins: Sequence[Origin]) -> list[Origin]:
    """Without what says nothing of these labels, and without languages that are too few to be learned: a few rows of
    a file that are taken for Finnish must not keep the English ones from being learned. English is learned by itself,
    all other languages together."""
    labels = frozenset(names)
    kept = [_without(it, "no label that is trained", lambda one: not _speaks(kind, one, labels)) for it in origins]
    examples = [one for it in kept for one in it.examples]
    parts = [[one for one in examples if _is_of(english, one)] for english in (True, False)]
    if not any(part and all(_enough(kind, name, part) for name in names) for part in parts):
        return kept  # the training says what there is too little of
    for part in parts:
        if part and not all(_enough(kind, name, part) for name in names):
            english = part[0].lang == "en"
            why = "a text in English" if english else "a text in another language than English"
            kept = [_without(it, f"{why}, too few to learn from", partial(_is_of, english)) for it in kept]
    return kept


def _spoken(kind: Kind, origins: Sequence[Origin]) -> list[Origin]:
    """Without the languages, English apart, that too few texts with a label are in."""
    texts: Counter[str] = Counter()
    for it in origins:
        texts.update(one.lang for one in it.examples if kind == "sentiment" or one.intents is not None)
    why = f"a text in a language of which there are fewer than {SPOKEN}"
    return [_without(it, why, lambda one: one.lang != "en" and texts[one.lang] < SPOKEN) for it in origins]


def _is_of(english: bool, one: Example) -> bool:
    return (one.lang == "en") is english


def _speaks(kind: Kind, one: Example, labels: frozenset[str]) -> bool:
    if kind == "sentiment":
        return one.sentiment is not None
    return one.intents is not None and (one.known is None or bool(one.known & labels))


def _without(origin: Origin, why: str, goes: Callable[[Example], bool]) -> Origin:
    stays = [one for one in origin.examples if not goes(one)]
    if gone := len(origin.examples) - len(stays):
        return origin._replace(examples=stays, skipped={**origin.skipped, why: gone})
    return origin


def _labelled(task: Task) -> Origin:
    """The rows of a file of labels; where no column says the language, it is detected."""
    table = tables.read(task.file, task.columns, task.wheres)
    if task.what == "sentiment":
        table, said = tables.sentiments(table)
        tables.two_classes(task.file, said)
        found = [
            Example(text=row.text, sentiment=mood, lang=lang, brand=row.brand, source=task.file.stem)
            for row, mood, lang in zip(table.rows, said, _languages(table.rows), strict=True)
        ]
        return Origin(task.file.name, "labels of sentiment", YOURS, [task.file], found, table.skipped)
    holds = tables.matching(table, task.positive)
    tables.two_classes(task.file, [task.intent if one else "rest" for one in holds])
    known = frozenset({task.intent})
    found = [
        Example(
            text=row.text, intents=known if one else frozenset(), known=known, lang=lang, brand=row.brand,
            source=task.file.stem,
        )
        for row, one, lang in zip(table.rows, holds, _languages(table.rows), strict=True)
    ]  # fmt: skip
    about = f"labels of {task.intent} ({', '.join(task.positive)})"
    return Origin(task.file.name, about, YOURS, [task.file], found, table.skipped)


def _languages(rows: Sequence[tables.Row]) -> list[str]:
    """Of each row: what its column says, else what is detected; English where that cannot be said."""
    nlp = build()
    stage = language.Stage(language.Config(), StageContext((), nlp))
    found: list[str] = []
    for _, batch in batches(rows, nlp):
        stage.annotate(batch)
        codes = (draft.language.code if draft.language else "und" for draft in batch)
        found += ("en" if code == "und" else code for code in codes)
    return found


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` at the end, or goes."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise ConfigError([Problem(str(out), f"cannot be written: {error.strerror}", "name another")]) from None
    try:
        folder.chmod(0o755)
        yield folder
        folder.replace(out)  # over an empty directory too
    finally:
        shutil.rmtree(folder, ignore_errors=True)
