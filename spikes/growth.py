"""How fast it grows, and how much is to be expected in the next hour, from a handful of counts.

Fitted is a Poisson regression whose logarithm is a straight line in time (P. McCullagh, J. Nelder, Generalized Linear
Models, 2nd ed. 1989, chapter 6), over the last hour or less, by iteratively reweighted least squares. Counts of people
who copy each other vary more than Poisson's: the variance is taken to be `phi` times the mean, with `phi` Pearson's
chi-squared over the degrees of freedom (ibid., 4.5), never less than 1. A weak prior says that doubling within a few
minutes is rare, so that three counts suffice to say something, with an interval as wide as it must be.

A storm does not double for ever: in the forecast the slope wears off (a damped trend: E. Gardner, E. McKenzie,
"Forecasting Trends in Time Series", Management Science 31:10, 1985), and storms end sooner than any line says. How
much sooner was measured on what was said of companies (`FADES`, `SCATTER`). The interval holds what is not known of the
line, that scatter, and that of counts, by simulation with a fixed seed: the same counts give the same forecast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Course = Literal["growing", "steady", "fading", "over", "unknown"]

FEWEST = 3
"""Counts that are needed to say anything."""

RECENT = timedelta(hours=1)
"""How far back the line goes: further back it was another storm."""

SLOPE = math.log(2) / 10
"""The slope a minute (doubling in ten) that the prior takes for one standard deviation."""

WEARS_OFF = timedelta(minutes=5)
"""After so long half of the slope is left."""

FADES, SCATTER = -0.4, 0.8
"""The mean and standard deviation of the logarithm of what an hour brings over what the line says."""

SURE = 1.64
"""Standard deviations: of the interval of the doubling time (90 %)."""

OVER = 0.1
"""The share of its highest count below which it counts as over."""

DRAWS = 2000
"""Of the simulation."""

Floats = NDArray[np.float64]


class Span(NamedTuple):
    """An estimate, and the interval it lies in with a chance of nine in ten."""

    middle: float
    low: float
    high: float


class Growth(NamedTuple):
    """How it goes on. `doubling` (minutes) is set while it is growing; its upper end is infinite where that is not
    sure. `halving` is set while it is fading. `next_hour` is how many more are to be expected in the hour after the
    last count; None where nothing can be said."""

    course: Course
    doubling: Span | None = None
    halving: Span | None = None
    next_hour: Span | None = None


def growth(counts: Sequence[float], width: timedelta, share: float = 1.0) -> Growth:
    """From counts in buckets of this width, oldest first, without gaps; `share` of the last one has gone by."""
    minutes = width.total_seconds() / 60
    recent = np.asarray(counts[-max(FEWEST, round(RECENT / width)) :], dtype=np.float64)
    if len(recent) < FEWEST or recent.sum() <= 0:
        return Growth("unknown")
    lengths = np.full(len(recent), minutes)
    lengths[-1] *= min(1.0, max(0.05, share))
    times = np.cumsum(lengths) - lengths / 2
    times -= times[-1]
    line, spread, phi = _fit(times, recent, lengths)
    slope, error = float(line[1]), math.sqrt(spread[1, 1])
    low, high = slope - SURE * error, slope + SURE * error
    doubling = halving = None
    if slope > 0 and low > -slope:
        doubling = Span(math.log(2) / slope, math.log(2) / high, math.log(2) / low if low > 0 else math.inf)
    if slope < 0 and high < -slope:
        halving = Span(math.log(2) / -slope, math.log(2) / -low, math.log(2) / -high if high < 0 else math.inf)
    rates = recent / lengths
    peak = float(np.max(np.asarray(counts, dtype=np.float64))) / minutes
    course = _course(low, high, float(np.mean(rates[-2:])), peak)
    return Growth(
        course,
        doubling if course == "growing" else None,
        halving if course == "fading" else None,
        _next_hour(line, spread, phi, float(lengths[-1]) / 2),
    )


def _course(low: float, high: float, rate: float, peak: float) -> Course:
    if rate <= OVER * peak:
        return "over"
    if low > 0:
        return "growing"
    return "fading" if high < 0 else "steady"


def _fit(times: Floats, counts: Floats, lengths: Floats) -> tuple[Floats, Floats, float]:
    """The line (logarithm of the rate a minute at the last count, slope a minute), its covariance, and phi."""
    design = np.column_stack([np.ones_like(times), times])
    prior = np.diag([1e-6, 1 / SLOPE**2])  # precision: none to speak of on the level
    line = np.array([math.log(max(counts.sum(), 0.5) / lengths.sum()), 0.0])
    for _ in range(50):
        mean = np.exp(np.clip(design @ line, -30, 30)) * lengths
        gradient = design.T @ (counts - mean) - prior @ line
        precision = design.T @ (design * mean[:, None]) + prior
        step = np.linalg.solve(precision, gradient)
        step *= min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))  # no leaps from a bad start
        line = line + step
        if float(np.abs(step).max()) < 1e-9:
            break
    mean = np.maximum(np.exp(np.clip(design @ line, -30, 30)) * lengths, 1e-9)
    chi = float((((counts - mean) ** 2) / np.maximum(mean, 0.5)).sum())
    phi = max(1.0, chi / max(1, len(counts) - 2))
    precision = design.T @ (design * mean[:, None]) / phi + prior
    return line, np.linalg.inv(precision), phi


def _next_hour(line: Floats, spread: Floats, phi: float, since: float) -> Span:
    """What comes in the 60 minutes from `since` minutes after the middle of the last count."""
    draw = np.random.default_rng(20_260_112)
    lines = draw.multivariate_normal(line, spread, size=DRAWS)
    ahead = np.arange(0.5, 60.0)  # the middle of each minute
    decay = math.log(2) / (WEARS_OFF.total_seconds() / 60)
    reached = (1 - np.exp(-decay * (ahead + since))) / decay  # minutes of undamped growth
    expected = np.exp(np.clip(lines[:, :1] + lines[:, 1:] * reached[None, :], -30, 20)).sum(axis=1)
    expected *= np.exp(draw.normal(FADES, SCATTER, size=DRAWS))
    if phi > 1.0:
        expected = draw.gamma(np.maximum(expected / (phi - 1), 1e-9), phi - 1)
    seen = draw.poisson(np.minimum(expected, 1e12))
    low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95])
    return Span(float(middle), float(low), float(high))
