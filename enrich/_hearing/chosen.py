"""Which model a stage judges by: what ships, one of the customer's own, or none; and one in its shadow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from enrich._hearing.linear import Model
from enrich._hearing.part import Floats
from enrich._hearing.told import Carried
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Draft

Choice = Path | Literal["none"] | None
"""A stage's setting `model`: a folder; None for what ships; `none` for the rules alone."""

SHIPPED = Path(__file__).parent.parent / "models"


def chosen(choice: Choice, kind: Literal["sentiment", "intent"]) -> Model | None:
    """The model of this setting; ConfigError, naming the place and the remedy, where it cannot be used."""
    if choice == "none":
        return None
    return loaded(SHIPPED / kind if choice is None else choice, kind)


def loaded(directory: Path, kind: Literal["sentiment", "intent"]) -> Model:
    """The model in this folder, which must be of this kind."""
    model = Model.load(directory)
    if model.kind != kind:
        remedy = f"name the folder of a model of {kind}"
        raise ConfigError([Problem(str(directory), f"holds a model of {model.kind}, not of {kind}", remedy)])
    return model


class Opinion:
    """A batch as a model and those beneath it judged it: each label by the first that was trained for it in the draft's
    language. `shares` are the probabilities and `thresholds` theirs, a row a draft, a column for each of `labels`; nan
    where nobody was trained for it."""

    def __init__(self, model: Model, drafts: Sequence[Draft]) -> None:
        self._judged = [(one, one.judge(drafts)) for one in _stack(model)]
        self.labels = tuple(dict.fromkeys(label for one, _ in self._judged for label in one.labels))
        self.shares: Floats = np.full((len(drafts), len(self.labels)), np.nan)
        self.thresholds = self.shares.copy()
        self._by = np.full(self.shares.shape, -1)
        for number, (one, judged) in enumerate(self._judged):
            columns = [self.labels.index(label) for label in one.labels]
            free = np.isnan(self.shares[:, columns]) & ~np.isnan(judged.probabilities)
            self.shares[:, columns] = np.where(free, judged.probabilities, self.shares[:, columns])
            self.thresholds[:, columns] = np.where(free, judged.thresholds, self.thresholds[:, columns])
            self._by[:, columns] = np.where(free, number, self._by[:, columns])

    def carried(self, numbers: Sequence[int], labels: Sequence[str]) -> list[Carried]:
        """For each of these drafts, the words that spoke for the label named beside it."""
        found: list[Carried] = [()] * len(numbers)
        columns = [self.labels.index(label) for label in labels]
        for by, (model, judged) in enumerate(self._judged):
            mine = [place for place, number in enumerate(numbers) if self._by[number, columns[place]] == by]
            if mine:
                which = [model.labels.index(labels[place]) for place in mine]
                each = np.eye(len(model.labels))
                told = judged.carried([numbers[place] for place in mine], which, each, against=False)
                for place, words in zip(mine, told, strict=True):
                    found[place] = words
        return found

    def leaning(self, numbers: Sequence[int]) -> list[Carried]:
        """For each of these drafts, the words that carried its sentiment: above 0 for positive against negative."""
        found: list[Carried] = [()] * len(numbers)
        for by, (_, judged) in enumerate(self._judged):
            mine = [place for place, number in enumerate(numbers) if self._by[number, 0] == by]
            if mine:
                told = judged.carried([numbers[place] for place in mine], [0] * len(mine), _FOR_POSITIVE)
                for place, words in zip(mine, told, strict=True):
                    found[place] = words
        return found


_FOR_POSITIVE: Floats = np.array([[-1.0], [0.0], [1.0]])  # of negative, neutral, positive


def _stack(model: Model) -> list[Model]:
    return [model] if model.base is None else [model, *_stack(model.base)]
