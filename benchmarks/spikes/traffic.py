"""Made counts with known onsets: ordinary traffic of brands of all sizes, and storms in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

DAY = 288
WIDTH = timedelta(minutes=5)
START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""

SIZES = (5, 50, 500, 5_000, 50_000)
"""Mentions a day."""


@dataclass(frozen=True)
class Made:
    """Counts by five minutes and where storms began."""

    name: str
    size: int
    values: list[float]
    onsets: list[int]
    """Indexes; empty: ordinary traffic only."""
    spans: list[int]
    """How many buckets each storm goes on."""

    def times(self) -> list[datetime]:
        """When each bucket starts."""
        return [START + number * WIDTH for number in range(len(self.values))]


def ordinary(size: int, days: int, seed: int) -> Made:
    """Negative-binomial counts: nights, week-ends, a slow trend, moods of hours, and small bursts that fade."""
    random = np.random.default_rng([seed, size])
    number = np.arange(days * DAY)
    hour = number / 12 % 24
    night = 1 + 0.7 * np.sin((hour - 9) / 24 * 2 * math.pi)
    weekend = np.where(number // DAY % 7 >= 5, 0.7, 1.0)
    trend = np.exp(0.2 * np.sin(number / (40 * DAY) * 2 * math.pi + random.uniform(0, 6)))
    mood = np.zeros(len(number))
    for at in range(1, days * DAY):
        mood[at] = 0.98 * mood[at - 1] + random.normal(0, 0.05)
    level = size / DAY * night * weekend * trend * np.exp(mood - mood.var() / 2)
    for at in map(int, np.flatnonzero(random.random(len(number)) < 1.5 / (7 * DAY))):
        height = level[at] * min(random.pareto(2.0), 3.0)
        level[at:] += height * np.exp(-np.arange(len(number) - at) / random.uniform(2, 12))
    spread = 8.0
    counts = random.poisson(level * random.gamma(spread, 1 / spread, len(number)))
    return Made(f"ordinary {size}", size, counts.astype(float).tolist(), [], [])


def stormy(size: int, days: int, seed: int) -> Made:
    """The same with three storms from the third week on: 15 times the usual day's five minutes and no less than four
    posts each five minutes at their height, which a slow one reaches in two hours and a quick one at once."""
    made = ordinary(size, days, seed)
    random = np.random.default_rng([seed, size, 1])
    values = np.array(made.values)
    onsets, spans = [], []
    for part in range(3):
        onset = int((15 + part * (days - 16) / 3 + random.uniform(0, (days - 16) / 3 - 1)) * DAY)
        rise = int(random.choice([1, 6, 24]))
        span = int(random.uniform(36, 96))
        top = max(4.0, 15 * size / DAY * random.uniform(0.5, 1.5))
        since = np.arange(span)
        values[onset : onset + span] += random.poisson(
            top * np.minimum((since + 1) / rise, 1) * np.exp(-np.maximum(since - rise, 0) / (span / 3))
        )
        onsets.append(onset)
        spans.append(span)
    return Made(f"stormy {size}", size, values.tolist(), onsets, spans)
