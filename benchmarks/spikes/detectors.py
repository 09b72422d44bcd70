"""`python -m benchmarks.spikes.detectors FOLDER`: the detector beside other methods, on labelled and on made series.

FOLDER holds series of the Numenta Anomaly Benchmark and their `windows.json`. Methods whose library is not installed
are left out and named (benchmarks/spikes/rivals.txt).
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean, median

import msgspec

from benchmarks.spikes import candidates, nab, traffic
from spikes.detector import THRESHOLDS, Detector, Tuning

Method = Callable[[Sequence[datetime], Sequence[float]], list[float]]

WINDOW = 28 * 12
DAYS = 42
FALSE_PER_WEEK = 0.5
"""False alarms per brand-week at which the methods are compared on made series."""

NEIGHBOURS: tuple[dict[str, float | int], ...] = (
    {"half_life": 0.85},
    {"half_life": 1.15},
    {"floor": 0.25},
    {"floor": 1.0},
    {"window": 1.0},
    {"window": 33 / 24},
    {"remembered": 21},
    {"remembered": 60},
    {"prior_days": 4},
    {"prior_days": 8},
    {"prior_peak": 6.0},
    {"prior_peak": 10.0},
    {"least_peak": 2.0},
)


def harken(tuning: Tuning | None = None) -> Method:
    """The detector, as it is or tuned otherwise."""

    def method(times: Sequence[datetime], values: Sequence[float]) -> list[float]:
        detector = Detector(traffic.WIDTH, tuning=tuning)
        return [detector.step(at, value).score for at, value in zip(times, values, strict=True)]

    return method


def plain(make: Callable[[], candidates.Step], rising: bool = True) -> Method:
    """A candidate, made to be quiet for 28 hours below what it has reported."""

    def method(_times: Sequence[datetime], values: Sequence[float]) -> list[float]:
        step = make()
        scores = [max(0.0, step(value)) for value in values]
        return candidates.as_it_rises(scores, WINDOW) if rising else scores

    return method


METHODS: dict[str, tuple[Method, str | None]] = {
    "harken": (harken(), None),
    "EWMA, no refractory": (plain(candidates.ewma, rising=False), None),
    "EWMA": (plain(candidates.ewma), None),
    "median and MAD of a day": (plain(candidates.robust), None),
    "Poisson tail": (plain(lambda: candidates.tail(False)), None),
    "negative-binomial tail": (plain(lambda: candidates.tail(True)), None),
    "contextual": (plain(candidates.context), None),
    "Bayesian change point": (plain(candidates.change_point), None),
    "river StandardAbsoluteDeviation": (plain(candidates.absolute_deviation), "river"),
    "river HalfSpaceTrees": (plain(candidates.half_space_trees), "river"),
    "ruptures KernelCPD, in hindsight": (lambda _times, values: candidates.in_hindsight(values), "ruptures"),
}


def main(folder: Path) -> None:
    """Print both tables, the neighbourhood and the levels as Markdown."""
    labelled = nab.read(folder)
    made = [traffic.stormy(size, DAYS, seed) for size in traffic.SIZES for seed in (1, 2)]
    calm = [traffic.ordinary(size, DAYS, seed) for size in traffic.SIZES for seed in (3, 4)]
    print("| method | in sample | leave one out | half for half | storms found | median delay, min | by size |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (method, library) in METHODS.items():
        if library and importlib.util.find_spec(library) is None:
            print(f"| {name} | {library} is not installed | | | | | |")
            continue
        result = nab.evaluate(labelled, {it.name: method(it.times, it.values) for it in labelled})
        threshold = _threshold([(it, method(it.times(), it.values)) for it in calm])
        print(f"| {name} | {_points(result)} | {_found(made, method, threshold)} |", flush=True)
    _neighbourhood(labelled)
    _levels(labelled, made, calm)


def _neighbourhood(labelled: Sequence[nab.Series]) -> None:
    print("\n| tuned otherwise | in sample | leave one out | half for half |\n| --- | --- | --- | --- |")
    results = []
    for change in NEIGHBOURS:
        method = harken(msgspec.structs.replace(Tuning(), **change))
        result = nab.evaluate(labelled, {it.name: method(it.times, it.values) for it in labelled})
        results.append(result)
        print(f"| {', '.join(f'{key} {value:.4g}' for key, value in change.items())} | {_points(result)} |", flush=True)
    mean = nab.Result(*(fmean(values) for values in zip(*map(_values, results), strict=True)))
    least = nab.Result(*(min(values) for values in zip(*map(_values, results), strict=True)))
    print(f"| mean | {_points(mean)} |\n| worst | {_points(least)} |")


def _levels(labelled: Sequence[nab.Series], made: Sequence[traffic.Made], calm: Sequence[traffic.Made]) -> None:
    print("\n| sensitivity | score | alerts a week, calm | labelled series, outside the windows | storms found |")
    print("| --- | --- | --- | --- | --- |")
    method = harken()
    real = [(it, method(it.times, it.values)) for it in labelled]
    quiet = [(it, method(it.times(), it.values)) for it in calm]
    for name, level in THRESHOLDS.items():
        outside = [
            fmean(
                score >= level and not any(first <= at <= last for first, last in it.windows)
                for at, score in enumerate(scores)
                if at >= it.probation
            )
            for it, scores in real
        ]
        ordinary = [_alarms(scores, level) for _, scores in quiet]
        print(
            f"| {name} | {level:.2f} | {fmean(ordinary):.2f}, at most {max(ordinary):.2f} "
            f"| {7 * traffic.DAY * fmean(outside):.2f} | {_found(made, method, level)} |"
        )


def _values(result: nab.Result) -> tuple[float, ...]:
    return (result.in_sample, result.leave_one_out, result.splits, result.threshold)


def _points(result: nab.Result) -> str:
    return f"{result.in_sample:.1f} | {result.leave_one_out:.1f} | {result.splits:.1f}"


def _alarms(scores: Sequence[float], threshold: float) -> float:
    """Alarms a week on calm traffic, the first week left out."""
    judged = scores[7 * traffic.DAY :]
    return sum(score >= threshold for score in judged) / (len(judged) / (7 * traffic.DAY))


def _threshold(calm: Sequence[tuple[traffic.Made, list[float]]]) -> float:
    """The lowest at which calm traffic has FALSE_PER_WEEK alarms a week or fewer, on average."""
    scores = sorted((score for _, them in calm for score in them[7 * traffic.DAY :] if score > 0), reverse=True)
    allowed = int(FALSE_PER_WEEK * len(calm) * (DAYS / 7 - 1))
    above = [score for score in scores if score > scores[allowed]] if len(scores) > allowed else scores
    return above[-1] if above else scores[0]


def _found(made: Iterable[traffic.Made], method: Method, threshold: float) -> str:
    delays: dict[int, list[float]] = {}
    missed: dict[int, int] = {}
    for it in made:
        scores = method(it.times(), it.values)
        for onset, span in zip(it.onsets, it.spans, strict=True):
            hits = [at for at in range(onset, onset + span) if scores[at] >= threshold]
            if hits:
                delays.setdefault(it.size, []).append(5.0 * (hits[0] - onset + 1))
            else:
                missed[it.size] = missed.get(it.size, 0) + 1
    found = [delay for some in delays.values() for delay in some]
    total = len(found) + sum(missed.values())
    by_size = ", ".join(
        f"{size:,}: {len(delays.get(size, []))}/{len(delays.get(size, [])) + missed.get(size, 0)}"
        for size in traffic.SIZES
    )
    return f"{len(found)} of {total} | {median(found):.0f} | {by_size}" if found else f"0 of {total} | | {by_size}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
