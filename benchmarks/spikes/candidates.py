"""The methods the detector is compared with, each in its plainest form: a count in, a score out, nothing ahead."""

from __future__ import annotations

import importlib
import math
from bisect import bisect_left, insort
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence

import numpy as np

DAY = 288
Step = Callable[[float], float]


def ewma() -> Step:
    """Standard deviations above an exponentially weighted mean; half-lives of a day."""
    moments = _Moments()

    def step(value: float) -> float:
        score = (value - moments.mean) / math.sqrt(moments.variance + 1)
        moments.add(value)
        return score

    return step


def robust() -> Step:
    """Median and median absolute deviation of the last day (Iglewicz and Hoaglin 1993)."""
    last: deque[float] = deque()
    ordered: list[float] = []

    def step(value: float) -> float:
        score = 0.0
        if len(ordered) >= 12:
            middle = ordered[len(ordered) // 2]
            apart = float(np.median(np.abs(np.array(ordered) - middle)))
            score = (value - middle) / (1.4826 * apart + 1)
        last.append(value)
        insort(ordered, value)
        if len(last) > DAY:
            ordered.pop(bisect_left(ordered, last.popleft()))
        return score

    return step


def tail(negative_binomial: bool) -> Step:
    """Minus the logarithm of the chance of so much (Chernoff's bound), Poisson or negative binomial."""
    moments = _Moments()

    def step(value: float) -> float:
        mean = moments.mean + 0.01
        score = 0.0
        if value > mean:
            score = value * math.log(value / mean) - value + mean
            excess = moments.variance - mean
            if negative_binomial and excess > 1e-6:
                size = mean * mean / excess
                score = value * math.log(value / mean) - (value + size) * math.log((value + size) / (mean + size))
        moments.add(value)
        return score

    return step


def context() -> Step:
    """How surprising a level is after the two before it, of eight levels an octave apart (contextual detection)."""
    moments = _Moments()
    seen: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    before = (0, 0)

    def step(value: float) -> float:
        nonlocal before
        level = min(max(int(math.log2((value + 1) / (moments.mean + 1)) + 3), 0), 7)
        known = seen[before]
        rare = -math.log2((known[level] + 0.5) / (known.total() + 4))
        known[level] += 1
        before = (before[1], level)
        moments.add(value)
        return rare * max(0, level - 3)

    return step


def change_point() -> Step:
    """Bayesian online change points (Adams and MacKay 2007) of log counts: the surprise, over the likeliest runs."""
    hazard = 1 / DAY
    belief, mean, trust, shape, scale = np.ones(1), np.zeros(1), np.ones(1), np.ones(1), np.full(1, 0.1)

    def step(value: float) -> float:
        nonlocal belief, mean, trust, shape, scale
        x = math.log1p(value)
        spread = scale * (trust + 1) / (shape * trust)
        lgamma = np.array([math.lgamma(s + 0.5) - math.lgamma(s) for s in shape])
        log = lgamma - 0.5 * np.log(2 * math.pi * shape * spread)
        log -= (shape + 0.5) * np.log1p((x - mean) ** 2 / (2 * shape * spread))
        chance = np.exp(log)
        total = float(belief @ chance)
        upward = x > float(belief @ mean)
        grown = belief * chance * (1 - hazard)
        belief = np.append(hazard * total, grown)
        scale = np.append(0.1, scale + trust * (x - mean) ** 2 / (2 * (trust + 1)))
        mean = np.append(0.0, (trust * mean + x) / (trust + 1))
        trust, shape = np.append(1.0, trust + 1), np.append(1.0, shape + 0.5)
        if len(belief) > 100:
            keep = np.sort(np.argsort(belief)[-100:])
            belief, mean, trust, shape, scale = (it[keep] for it in (belief, mean, trust, shape, scale))
        belief = belief / belief.sum()
        return max(-math.log(total + 1e-300), 0.0) if upward else 0.0

    return step


def half_space_trees() -> Step:
    """River's half-space trees over the count scaled by what was seen so far."""
    module = importlib.import_module("river.anomaly")
    trees = module.HalfSpaceTrees(n_trees=10, height=8, window_size=DAY, seed=1)
    most = 1.0

    def step(value: float) -> float:
        nonlocal most
        most = max(most, value)
        item = {"x": math.log1p(value) / math.log1p(most)}
        score = float(trees.score_one(item))
        trees.learn_one(item)
        return score

    return step


def absolute_deviation() -> Step:
    """River's distance from the mean of all so far, in standard deviations, upwards only."""
    module = importlib.import_module("river.anomaly")
    scorer = module.StandardAbsoluteDeviation(sub_stat=importlib.import_module("river.stats").Mean())
    moments = _Moments()

    def step(value: float) -> float:
        score = float(scorer.score_one(None, value)) if value > moments.mean else 0.0
        scorer.learn_one(None, value)
        moments.add(value)
        return score

    return step


def in_hindsight(values: Sequence[float]) -> list[float]:
    """Ruptures' exact segmentation of log counts, knowing the whole series: the height of each step upwards."""
    module = importlib.import_module("ruptures")
    signal = np.log1p(np.array(values))
    ends = module.KernelCPD(kernel="linear", min_size=3).fit(signal.reshape(-1, 1)).predict(pen=10 * signal.var())
    scores = [0.0] * len(values)
    for start, middle, end in zip([0, *ends], ends, ends[1:], strict=False):
        scores[middle] = max(0.0, float(signal[middle:end].mean() - signal[start:middle].mean()))
    return scores


def as_it_rises(scores: Sequence[float], window: int) -> list[float]:
    """Only what is higher than everything in the window before it; the others become 0."""
    kept = []
    recent: deque[tuple[int, float]] = deque()
    for number, score in enumerate(scores):
        while recent and recent[0][0] < number - window:
            recent.popleft()
        kept.append(score if score > (recent[0][1] if recent else 0.0) else 0.0)
        while recent and recent[-1][1] <= score:
            recent.pop()
        recent.append((number, score))
    return kept


class _Moments:
    """Exponentially weighted mean and variance; half-life a day."""

    def __init__(self) -> None:
        self.mean = 0.0
        self.variance = 0.0
        self._seen = 0

    def add(self, value: float) -> None:
        self._seen += 1
        rate = max(1 - 0.5 ** (1 / DAY), 1 / self._seen)
        error = value - self.mean
        self.mean += rate * error
        self.variance = (1 - rate) * (self.variance + rate * error * error)
