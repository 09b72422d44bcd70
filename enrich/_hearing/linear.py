"""A trained model: load it, score drafts, and say which words carried a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from enrich import _nlp
from enrich._hearing import storage
from enrich._hearing.features import Reader
from enrich._hearing.part import Floats, Part, sigmoid, softmax
from enrich._hearing.told import Carried, Telling
from enrich._hearing.words import GRAMS, ROWS
from pipeline.ports import Draft

Mood = Literal["negative", "neutral", "positive"]
SENTIMENTS: tuple[Mood, Mood, Mood] = ("negative", "neutral", "positive")


@dataclass(eq=False)
class Model:
    """What was trained. `labels` of sentiment are SENTIMENTS. `made` says from what and how; `version` is a digest of
    all that decides its answers; on the scores of `base` it builds (a customer's model on the one that ships)."""

    kind: Literal["sentiment", "intent"]
    labels: tuple[str, ...]
    parts: tuple[Part, ...]
    made: Mapping[str, Any] = field(default_factory=dict)
    base: Model | None = None
    version: str = ""

    def __post_init__(self) -> None:
        self._part = {language: part for part in self.parts for language in part.languages}

    @property
    def languages(self) -> frozenset[str]:
        """The languages that it was trained in, ISO 639-1."""
        return frozenset(self._part)

    @property
    def thresholds(self) -> dict[str, dict[str, float]]:
        """For each part, the threshold of each label."""
        return {part.name: dict(zip(self.labels, map(float, part.thresholds), strict=True)) for part in self.parts}

    def part(self, draft: Draft) -> Part | None:
        """The part for the draft's language; None where there is none. What is too short to have its language told is
        taken for English where it has Latin letters only."""
        code = draft.language.code if draft.language is not None else "en"
        if code == "und":
            code = "en" if _nlp.text(draft.doc).isascii() else "und"
        return self._part.get(code)

    def judge(self, drafts: Sequence[Draft]) -> Judged:
        """Probabilities, and what is needed to explain them."""
        return Judged(self, drafts)

    def probabilities(self, drafts: Sequence[Draft]) -> NDArray[np.float32]:
        """Calibrated, one row a draft, one column a label; a row of nan where the language was not trained."""
        return self.judge(drafts).probabilities.astype(np.float32)

    def carried(self, draft: Draft, label: str) -> Carried:
        """The words that told most for the label (above 0) or against it, with their part of its log-odds; of
        sentiment, for the label against the mean of all three."""
        judged = self.judge([draft])
        weights = np.zeros(len(self.labels))
        weights[self.labels.index(label)] = 1.0
        if self.kind == "sentiment":
            weights -= 1.0 / len(self.labels)
        return judged.carried([0], [0], weights[:, None])[0]

    def save(self, directory: Path) -> None:
        """Write it; the same model is written as the same bytes. ConfigError where it cannot be."""
        storage.write(directory, *self._noted())
        if self.base:
            self.base.save(directory / "base")

    def digest(self) -> str:
        """What `version` is once it is loaded: a digest of all that is saved."""
        return storage.digest(*storage.packed(*self._noted()))[:16]

    def _noted(self) -> tuple[storage.Note, dict[str, NDArray[Any]]]:
        arrays: dict[str, NDArray[Any]] = {}
        notes = []
        names = Reader.shared().signals
        for part in self.parts:
            arrays[f"{part.name}.table"] = part.table.astype(np.float16)
            arrays[f"{part.name}.signals"] = part.signals.astype(np.float32)
            extra = tuple(f"base {label}" for label in self.base.labels) if self.base else ()
            notes.append(
                storage.PartNote(
                    name=part.name,
                    languages=part.languages,
                    english=part.english,
                    signals=(*names, *extra),
                    bias=tuple(part.bias.tolist()),
                    slope=tuple(part.slope.tolist()),
                    offset=tuple(part.offset.tolist()),
                    thresholds=tuple(part.thresholds.tolist()),
                )
            )
        note = storage.Note(
            format=storage.FORMAT,
            kind=self.kind,
            labels=self.labels,
            rows=ROWS,
            grams=GRAMS,
            parts=tuple(notes),
            made=dict(self.made),
            base=self.base.version if self.base else "",
        )
        return note, arrays

    @classmethod
    def load(cls, directory: Path) -> Model:
        """Read and check it; ConfigError with the place and the remedy."""
        return _load(directory, within=None)


class Judged:
    """A batch as a model judged it: `probabilities` and `thresholds`, one row a draft, one column a label (nan where
    the language was not trained)."""

    def __init__(self, model: Model, drafts: Sequence[Draft]) -> None:
        shape = (len(drafts), len(model.labels))
        self.probabilities: Floats = np.full(shape, np.nan)
        self.thresholds: Floats = np.full(shape, np.nan)
        self._drafts = drafts
        self._told: list[tuple[NDArray[np.int64], Telling]] = []
        parts = [model.part(draft) for draft in drafts]
        reader = Reader.shared()
        for part in model.parts:
            chosen = [number for number, one in enumerate(parts) if one is part]
            if not chosen:
                continue
            some = drafts if len(chosen) == len(drafts) else [drafts[number] for number in chosen]
            under = beneath(model.base, some) if model.base is not None else None
            batch = reader.read(some, part.english)
            signals = batch.signals if under is None else np.hstack([batch.signals, under])
            scored = part.score(batch, reader.words, signals)
            scores = part.calibrated(scored.scores)
            self.probabilities[chosen] = softmax(scores) if model.kind == "sentiment" else sigmoid(scores)
            self.thresholds[chosen] = part.thresholds
            self._told.append((np.array(chosen), Telling(part, batch, scored)))

    def carried(
        self, numbers: Sequence[int], which: Sequence[int], weights: Floats, *, against: bool = True
    ) -> list[Carried]:
        """For each of these drafts, the words with what they add to the sum of the labels' log-odds as weighted by one
        column of `weights` (labels, columns): `which` says by which. `against`: also those that take away from it."""
        found: list[Carried] = [()] * len(numbers)
        wanted, columns = np.array(numbers, dtype=np.int64), np.array(which, dtype=np.int64)
        for chosen, telling in self._told:
            place = np.full(len(self.probabilities), -1)
            place[chosen] = np.arange(len(chosen))
            mine = np.flatnonzero(place[wanted] >= 0)
            if len(mine):
                told = telling.told(place[wanted[mine]], columns[mine], weights, against)
                for number, words in zip(mine.tolist(), told, strict=True):
                    found[number] = words
        return found


def beneath(base: Model, drafts: Sequence[Draft]) -> Floats:
    """The log-odds of the labels of the model beneath, as further signals."""
    shares = np.nan_to_num(base.judge(drafts).probabilities, nan=0.5).clip(0.001, 0.999)
    found: Floats = np.log(shares / (1.0 - shares))
    return found


def _load(directory: Path, within: str | None) -> Model:
    note, arrays = storage.read(directory)
    if within is not None and note.digest[:16] != within:
        raise storage.wrong(directory, "is not the model on which the one above it was trained")
    if note.rows != ROWS or note.grams != GRAMS:
        raise storage.wrong(directory / storage.DESCRIPTION, "was made for other features than this version reads")
    if not note.labels or len(set(note.labels)) != len(note.labels) or not all(note.labels):
        raise storage.wrong(directory / storage.DESCRIPTION, "names no labels, or one twice")
    if note.kind == "sentiment" and note.labels != SENTIMENTS:
        raise storage.wrong(directory / storage.DESCRIPTION, f"a sentiment model's labels are {', '.join(SENTIMENTS)}")
    base = None
    if note.base:
        if within is not None:
            raise storage.wrong(directory, "builds on a model, though it is itself built upon")
        base = _load(directory / "base", note.base)
    parts = tuple(_part(directory, note, part, arrays, base) for part in note.parts)
    spoken = [language for part in parts for language in part.languages]
    if not parts or len(set(spoken)) != len(spoken):
        raise storage.wrong(directory / storage.DESCRIPTION, "has no parts, or two for one language")
    return Model(note.kind, note.labels, parts, note.made, base, note.digest[:16])


def _part(
    directory: Path, note: storage.Note, part: storage.PartNote, arrays: Mapping[str, NDArray[Any]], base: Model | None
) -> Part:
    labels = len(note.labels)
    names = (*Reader.shared().signals, *(f"base {label}" for label in (base.labels if base else ())))
    places = {name: number for number, name in enumerate(names)}
    if unknown := [name for name in part.signals if name not in places]:
        raise storage.wrong(
            directory / storage.DESCRIPTION,
            f"knows the signal {unknown[0]!r}, which is not known here (has a group of a vocabulary been renamed?)",
        )
    if any(len(row) != labels for row in (part.bias, part.slope, part.offset, part.thresholds)):
        raise storage.wrong(directory / storage.DESCRIPTION, f"{part.name}: needs one number for each label")
    bias, slope, offset, thresholds = map(np.array, (part.bias, part.slope, part.offset, part.thresholds))
    if (thresholds <= 0).any():
        raise storage.wrong(directory / storage.DESCRIPTION, f"{part.name}: a threshold is above 0")
    signals = np.zeros((len(names), labels))
    signals[[places[name] for name in part.signals]] = storage.array(
        arrays, f"{part.name}.signals", (len(part.signals), labels), directory
    )
    table = storage.array(arrays, f"{part.name}.table", (ROWS, labels + 1), directory).astype(np.float32)
    return Part(part.name, part.languages, part.english, table, signals, bias, slope, offset, thresholds)
