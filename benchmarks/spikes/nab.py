"""The scoring of the Numenta Anomaly Benchmark, standard profile, written from its publication.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA 2015. A
bucket at or above the threshold is a detection. In a labelled window the earliest detection counts, from nearly 1 at
its start to 0 at its end, along 2/(1 + exp(5y)) - 1, where y runs from -1 to 0; a window without one costs 1. A
detection outside costs up to 0.11, along the same curve going on from the end of the window before it. The first
15 % of a series, at most 750 buckets, are not scored. 0 is what a detector gets which never detects anything, 100 a
perfect one.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np

FALSE_ALARM = 0.11
PROBATION = 0.15
PROBATION_MOST = 750

Scores = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Series:
    """One labelled series; `windows` are pairs of the first and the last index."""

    name: str
    times: list[datetime]
    values: list[float]
    windows: list[tuple[int, int]]

    @property
    def probation(self) -> int:
        """So many buckets are not scored."""
        return min(int(PROBATION * len(self.values)), PROBATION_MOST)


@dataclass(frozen=True)
class Result:
    """Points from below 0 to 100, by how the threshold was chosen."""

    in_sample: float
    leave_one_out: float
    splits: float
    """The mean of all ways to choose it on two or three of five series (half of them) and to score the others."""
    threshold: float


def read(folder: Path) -> list[Series]:
    """Every series of a folder with `windows.json` as the benchmark has it: file name to pairs of times."""
    found = []
    for name, pairs in json.loads((folder / "windows.json").read_text(encoding="utf-8")).items():
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = [(_moment(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
        times = [at for at, _ in rows]
        windows = []
        for first, last in pairs:
            inside = [number for number, at in enumerate(times) if _moment(first) <= at <= _moment(last)]
            windows.append((inside[0], inside[-1]))
        found.append(Series(Path(name).stem, times, [value for _, value in rows], windows))
    return found


def points(series: Series, detections: Iterable[int]) -> float:
    """The raw points of these detections (indexes): at most the number of windows."""
    total = 0.0
    best = [-1.0] * len(series.windows)
    for number in detections:
        if number < series.probation:
            continue
        window, worth = _worth(series, number)
        if window is None:
            total += worth
        else:
            best[window] = max(best[window], worth)
    return total + sum(best)


def normal(raw: float, windows: int) -> float:
    """Raw points on the scale on which nothing is 0 and everything, at once, is 100."""
    return 100 * (raw + windows) / (2 * windows)


def evaluate(series: Sequence[Series], scores: Scores) -> Result:
    """Score with the threshold chosen on all, on all but one for that one, and on half for the other half.

    Of thresholds that are equally good the highest is taken.
    """
    steps = {it.name: _steps(it, scores[it.name]) for it in series}
    levels = np.unique(np.concatenate([levels for levels, _ in steps.values()]))[::-1]
    curves = {it.name: _at(levels, *steps[it.name], len(it.windows)) for it in series}
    windows = {it.name: len(it.windows) for it in series}

    def chosen(names: Iterable[str]) -> int:
        return int(np.argmax(np.sum([curves[name] for name in names], axis=0)))

    def scored(names: Sequence[str], at: int) -> float:
        return normal(sum(float(curves[name][at]) for name in names), sum(windows[name] for name in names))

    names = [it.name for it in series]
    best = chosen(names)
    left_out = sum(float(curves[name][chosen(set(names) - {name})]) for name in names)
    halves = [
        scored(sorted(set(names) - set(some)), chosen(some))
        for size in {len(names) // 2, (len(names) + 1) // 2}
        for some in combinations(names, size)
    ]
    return Result(scored(names, best), normal(left_out, sum(windows.values())), fmean(halves), float(levels[best]))


def _worth(series: Series, number: int) -> tuple[int | None, float]:
    """The window a detection is in, if any, and what it brings."""
    before = None
    for window, (first, last) in enumerate(series.windows):
        if first <= number <= last:
            return window, _curve(-(last - number + 1) / (last - first + 1)) / _curve(-1.0)
        if last < number:
            before = (first, last)
    if before is None:
        return None, -FALSE_ALARM
    return None, FALSE_ALARM * _curve((number - before[1]) / (before[1] - before[0]))


def _curve(position: float) -> float:
    """1 long before the end of a window, 0 at it, -1 long after."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def _steps(series: Series, scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Every score above 0 as a threshold, falling, and the points from there down."""
    best = [-1.0] * len(series.windows)
    total = -float(len(best))
    levels, found = [], []
    order = sorted(range(series.probation, len(scores)), key=lambda number: -scores[number])
    for place, number in enumerate(order):
        if scores[number] <= 0:
            break
        window, worth = _worth(series, number)
        if window is None:
            total += worth
        elif worth > best[window]:
            total += worth - best[window]
            best[window] = worth
        if place + 1 == len(order) or scores[order[place + 1]] != scores[number]:
            levels.append(scores[number])
            found.append(total)
    return np.array(levels), np.array(found)


def _at(levels: np.ndarray, own: np.ndarray, found: np.ndarray, windows: int) -> np.ndarray:
    """The points of one series at each of these thresholds."""
    reached = np.searchsorted(-own, -levels, side="right")
    return np.concatenate([[-float(windows)], found])[reached]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
