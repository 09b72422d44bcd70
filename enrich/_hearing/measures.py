"""How well labels were found: figures of one model, and of two on the same rows.

Precision, recall and F1 as usual; macro-F1 is the mean F1 of the classes that occur among the true labels, so that a
class which a file does not have neither helps nor harms. Intervals are percentile bootstraps over rows (Efron 1979):
each figure is a function of how many rows fell into each cell of a table, so drawing rows with replacement is drawing
cell counts from a multinomial, exactly, and thousands of draws cost milliseconds. The seed is fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Codes = NDArray[np.intp]
"""One label a row, by its place among the labels."""

Floats = NDArray[np.floating[Any]]

BINS = 15
"""Of equal width, for the calibration error: the number of Guo et al. 2017."""

DRAWS = 4_000
SEED = 20_261


class Class(Struct, frozen=True):
    """One label: of those found the share that is right, of those there are the share that was found, F1, and how many
    rows have it."""

    precision: float
    recall: float
    f1: float
    n: int


class Figures(Struct, frozen=True):
    """Of `n` rows. `auc`: the chance that a row with a label scores above one without; `ece`: how far confidence and
    truth lie apart on average, 0..1; either is None where it cannot be told. `ci95`: of macro-F1. `confusion` counts
    rows by true label (outer) and found label."""

    n: int
    macro_f1: float
    per_class: dict[str, Class]
    auc: float | None
    ece: float | None
    ci95: tuple[float, float]
    confusion: dict[str, dict[str, int]]


class Difference(Struct, frozen=True):
    """What changes from one model to another on the same rows: macro-F1 with the 95 % interval of the paired
    difference, F1, precision and recall by class, and the rows that only the other (`better`) or only the one
    (`worse`) gets right."""

    macro_f1: float
    ci95: tuple[float, float]
    per_class: dict[str, dict[str, float]]
    better: int
    worse: int


def figures(labels: Sequence[str], truth: Codes, found: Codes, chances: Floats) -> Figures:
    """Of these rows. `chances` (rows x labels) are the probabilities of each label. With two labels the second is what
    is looked for: AUC and calibration are of its probability; with more, AUC is the mean of each label against the
    rest, and calibration is that of the label found. Both leave out rows whose chances are nan."""
    cells = _table(truth, found, len(labels))
    precision, recall, f1 = _scores(cells)
    present = cells.sum(axis=1) > 0
    drawn = _macro(_drawn(cells), present)
    told = ~np.isnan(chances).any(axis=1)
    told_truth, told_chances = truth[told], chances[told]
    if len(labels) == 2:
        gap = calibration(told_chances[:, 1], told_truth == 1)
    else:
        gap = calibration(told_chances[np.arange(len(told_chances)), found[told]], told_truth == found[told])
    return Figures(
        n=len(truth),
        macro_f1=float(_macro(cells, present)),
        per_class={
            label: Class(float(precision[k]), float(recall[k]), float(f1[k]), int(cells[k].sum()))
            for k, label in enumerate(labels)
        },
        auc=_mean_auc(told_truth, told_chances, [1] if len(labels) == 2 else range(len(labels))),
        ece=gap,
        ci95=_interval(drawn),
        confusion={
            label: {other: int(cells[k, j]) for j, other in enumerate(labels)} for k, label in enumerate(labels)
        },
    )


def difference(labels: Sequence[str], truth: Codes, one: Codes, other: Codes) -> Difference:
    """From the labels that `one` found to those that `other` found."""
    count = len(labels)
    cells = np.zeros((count, count, count))
    np.add.at(cells, (truth, one, other), 1)
    before, after = cells.sum(axis=2), cells.sum(axis=1)
    present = before.sum(axis=1) > 0
    drawn = _drawn(cells)
    gains = _macro(drawn.sum(axis=2), present) - _macro(drawn.sum(axis=3), present)
    changes = [late - early for early, late in zip(_scores(before), _scores(after), strict=True)]
    names = ("precision", "recall", "f1")
    return Difference(
        macro_f1=float(_macro(after, present) - _macro(before, present)),
        ci95=_interval(gains),
        per_class={
            label: {name: float(change[k]) for name, change in zip(names, changes, strict=True)}
            for k, label in enumerate(labels)
        },
        better=int(((one != truth) & (other == truth)).sum()),
        worse=int(((one == truth) & (other != truth)).sum()),
    )


def auc(holds: NDArray[np.bool_], score: Floats) -> float | None:
    """The chance that a row on which it holds scores above one on which it does not, ties counting half: the
    Mann-Whitney statistic of the ranks. None where all rows are alike."""
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    positive = int(holds.sum())
    pairs = positive * (len(holds) - positive)
    return float((ranks[holds].sum() - positive * (positive + 1) / 2) / pairs) if pairs else None


def calibration(confidence: Floats, right: NDArray[np.bool_]) -> float | None:
    """Expected calibration error over BINS bins of equal width: the mean distance between the confidence of a bin and
    the share that is right in it, weighted by its rows. None of no rows."""
    if not len(confidence):
        return None
    bins = np.clip((confidence * BINS).astype(np.intp), 0, BINS - 1)
    apart = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(apart).sum() / len(confidence))


def _table(truth: Codes, found: Codes, count: int) -> Floats:
    return np.bincount(truth * count + found, minlength=count * count).reshape(count, count).astype(float)


def _scores(cells: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label, of tables whose last two axes are true and found labels; 0 where there
    is nothing to divide by."""
    hits = np.diagonal(cells, axis1=-2, axis2=-1)
    found, true = cells.sum(axis=-2), cells.sum(axis=-1)
    return hits / np.maximum(found, 1), hits / np.maximum(true, 1), 2 * hits / np.maximum(found + true, 1)


def _macro(cells: Floats, present: NDArray[np.bool_]) -> Floats:
    macro: Floats = _scores(cells)[2][..., present].mean(axis=-1)
    return macro


def _drawn(cells: Floats) -> Floats:
    """DRAWS tables as they would come out if rows were drawn again."""
    total = int(cells.sum())
    drawn = np.random.default_rng(SEED).multinomial(total, cells.ravel() / total, size=DRAWS)
    return drawn.reshape(DRAWS, *cells.shape).astype(float)


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _mean_auc(truth: Codes, chances: Floats, labels: Sequence[int] | range) -> float | None:
    each = [found for k in labels if (found := auc(truth == k, chances[:, k])) is not None]
    return sum(each) / len(each) if each else None
