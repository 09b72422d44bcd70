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
from spikes.detector import STEPS, THRESHOLDS, Detector, Tuning

Method = Callable[[Sequence[datetime], Sequence[float]], list[float]]

WINDOW = 28 * 12
DAYS = 42
FALSE_PER_WEEK = 0.5
"""False alarms per brand-week at which the methods are compared on made series."""

NEIGHBOURS: tuple[dict[str, float | int], ...] = (
    {"half_life": 0.85},
    {"half_life": 1.15},
    {"floor": 1.0},
    {"window": 1.0},
    {"remembered": 21},
    {"prior_days": 5},
    {"prior_days": 7},
    {"prior_days": 8},
    {"prior_peak": 8.0},
    {"prior_peak": 10.0},
)
"""Those that change anything here: half the floor, a window of 33 hours, 60 days, and a least peak of 2 do not."""


def harken() -> Method:
    """The detector, as it is."""

    def method(times: Sequence[datetime], values: Sequence[float]) -> list[float]:
        detector = Detector(traffic.WIDTH)
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
    """The setting and its neighbours: leave one out and half for half, of scores as they are and in other steps."""
    print("\n| leave one out, half for half | as scored | unrounded | steps elsewhere |\n| --- | --- | --- | --- |")
    found = [("as it is", _held(labelled, Tuning()))]
    for change in NEIGHBOURS:
        name = ", ".join(f"{key} {value:.4g}" for key, value in change.items())
        found.append((name, _held(labelled, msgspec.structs.replace(Tuning(), **change))))
    columns = list(zip(*(points for _, points in found[1:]), strict=True))
    found += [("mean of the neighbours", tuple(map(fmean, columns))), ("worst of them", tuple(map(min, columns)))]
    for name, points in found:
        pairs = [f"{one_out:.1f}, {halves:.1f}" for one_out, halves in zip(points[::2], points[1::2], strict=True)]
        print(f"| {name} | {' | '.join(pairs)} |", flush=True)


def _held(labelled: Sequence[nab.Series], tuning: Tuning) -> tuple[float, ...]:
    """Leave one out and half for half: of the scores as they are, of unrounded ones, and the mean of ten ways to put as
    many steps elsewhere."""
    levels: dict[str, list[float]] = {}
    for it in labelled:
        detector = Detector(traffic.WIDTH, tuning=tuning)
        verdicts = [detector.step(at, value) for at, value in zip(it.times, it.values, strict=True)]
        levels[it.name] = [one.level if one.score else 0.0 for one in verdicts]
    unrounded = nab.evaluate(labelled, levels)
    moved = [nab.evaluate(labelled, _stepped(levels, part / 10 / STEPS)) for part in range(10)]
    return (
        *(moved[0].leave_one_out, moved[0].splits, unrounded.leave_one_out, unrounded.splits),
        *(fmean(it.leave_one_out for it in moved), fmean(it.splits for it in moved)),
    )


def _stepped(levels: dict[str, list[float]], shift: float) -> dict[str, list[float]]:
    """Rounded as scores are, with every step higher by so much."""
    return {
        name: [max(0.0, round((level - shift) * STEPS) / STEPS + shift) if level else 0.0 for level in them]
        for name, them in levels.items()
    }


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
