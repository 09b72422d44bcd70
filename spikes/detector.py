"""One series of counts, bucket by bucket: how unusual is this one, or this silence?

A bucket is compared with what was expected of it, in standard deviations of the recent forecast errors. What that is
worth differs between brands: one has a burst every afternoon, another none in a month. So the height is divided by the
median of the highest peaks of the past days of the same series, which starts as if six days with peaks of nine
deviations had been seen. And a burst is reported as it rises: a bucket which is not the highest of the last 28 hours
scores nothing. All of it is online; no bucket is judged by a later one. docs/detecting.md explains the choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

import msgspec

from spikes._peaks import Peaks
from spikes._season import Season, hour_of_week
from spikes._silence import Quiet

Sensitivity = Literal["low", "normal", "high"]

DAY = timedelta(days=1)
FIRST_BUCKETS = 12
"""So many buckets are seen before the first one is judged."""


class Tuning(msgspec.Struct, frozen=True):
    """What the detector is set to, the same for every series. Changed only to measure (benchmarks/spikes)."""

    half_life: float = 1.0
    """Days after which a bucket counts half in the expectation and in the spread of the errors."""
    floor: float = 0.5
    """Added to the variance, in mentions squared: so that one mention where there were none is nothing."""
    window: float = 28 / 24
    """Days: within it a peak hides all that is lower. Also the span whose highest peak is remembered."""
    remembered: int = 30
    """Days of peaks the median is taken of."""
    prior_days: int = 6
    """Days a new series is taken to have been seen already …"""
    prior_peak: float = 9.0
    """… with daily peaks of so many standard deviations."""
    least_peak: float = 3.0
    """A day's highest peak counts as at least so many standard deviations."""


TAIL = 2.0
"""The share of days whose peak is above r times the median falls with r to the power of -2 (docs/detecting.md)."""

STEPS = 20
"""Scores are rounded to twentieths: finer differences are chance, and a threshold set by them does not hold."""

THRESHOLDS: Mapping[Sensitivity, float] = MappingProxyType({"low": 0.90, "normal": 0.85, "high": 0.75})
"""The score from which it is an alert."""


class Verdict(msgspec.Struct, frozen=True):
    """What the detector says of one bucket."""

    score: float
    """In [0, 1], in twentieths: the share of ordinary days without a peak this high; 0 unless it is the highest of the
    last 28 hours."""
    level: float
    """The same, not rounded and whatever came before it: how unusual the bucket is, new or not."""
    expected: float
    """Mentions expected of the bucket."""
    ratio: float
    """Mentions against the expected, half a mention added to both."""
    rare_per_week: float
    """In ordinary traffic, days a week that have a peak this high."""
    silent: bool
    """So little, for so long, that the series has probably stopped: less likely than one in a million."""


class DetectorState(msgspec.Struct):
    """All a detector knows: to be stored as JSON or MessagePack, and to go on from exactly as it was."""

    seen: int = 0
    """Buckets learned from."""
    last: datetime | None = None
    """The start of the last of them."""
    mean: float = 0.0
    variance: float = 0.0
    season: Season = msgspec.field(default_factory=Season)
    peaks: Peaks = msgspec.field(default_factory=Peaks)
    quiet: Quiet = msgspec.field(default_factory=Quiet)


class Detector:
    """Judges one series of counts in buckets of `width`.

    `step` is called once for every closed bucket, in the order of time. Buckets that were not listened to are left
    out: nothing is learned from a gap. `look` judges without learning. The same calls give the same verdicts, to the
    bit, however often the state was saved and read back in between.
    """

    def __init__(self, width: timedelta, state: DetectorState | None = None, tuning: Tuning | None = None) -> None:
        if not timedelta(0) < width <= DAY:
            raise ValueError(f"a bucket is longer than nothing and at most a day, not {width}")
        self.width = width
        self.state = state or DetectorState()
        self._tuning = tuning or Tuning()
        self._day = max(24.0, DAY / width)
        self._rate = _rate(self._tuning.half_life * self._day)
        self._week_rate = _rate(7 * self._day)
        self._window = max(1, round(self._tuning.window * self._day))
        self._quarter = max(1, round(self._day / 4))

    def step(self, at: datetime, value: float) -> Verdict:
        """Judge the closed bucket that starts at `at` (with its offset), then learn from it.

        Raises ValueError where it is not later than the last one, or where the value is no count.
        """
        state = self.state
        if state.last is not None and at <= state.last:
            raise ValueError(f"the bucket at {at.isoformat()} is not after the last one, {state.last.isoformat()}")
        verdict, height = self._judge(at, value, 1.0)
        if state.last is not None and at >= state.last + 2 * self.width:
            state.quiet.gap()
        self._learn(at, value, verdict, height)
        return verdict

    def look(self, at: datetime, value: float, share: float = 1.0) -> Verdict:
        """Judge a bucket or window that starts at `at` and of which `share` has passed, without learning from it."""
        return self._judge(at, value, share)[0]

    def _judge(self, at: datetime, value: float, share: float) -> tuple[Verdict, float]:
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"a count is a number from 0 on, not {value}")
        if not 0 < share <= 1:
            raise ValueError(f"the share of a bucket that has passed is above 0 and at most 1, not {share}")
        state, tuning = self.state, self._tuning
        hour = hour_of_week(at)
        expected = share * state.mean * state.season.factor(hour)
        ratio = (value + 0.5) / (expected + 0.5)
        known = state.season.known(hour)
        silent = state.quiet.silent(value, state.season.shape(hour), share, known, self._day)
        if state.seen < FIRST_BUCKETS:
            return Verdict(0.0, 0.0, expected, ratio, 7.0, silent), 0.0
        height = (value - expected) / math.sqrt(share * state.variance + tuning.floor)
        usual_peak = state.peaks.usual or tuning.prior_peak
        level = share_below(height / usual_peak)
        new = height > state.peaks.highest(self._number(at), self._window)
        score = round(level * STEPS) / STEPS if new else 0.0
        return Verdict(score, level, expected, ratio, 7 * (1 - level), silent), height

    def _learn(self, at: datetime, value: float, verdict: Verdict, height: float) -> None:
        state, tuning = self.state, self._tuning
        rate = max(self._rate, 1 / (state.seen + 1))
        error = value - verdict.expected
        if not verdict.silent:
            state.mean += rate * error
            state.variance = (1 - rate) * (state.variance + rate * error * error)
        hour = hour_of_week(at)
        state.season.learn(hour, value, state.mean, state.quiet.level, self._week_rate)
        state.quiet.learn(value, state.season.shape(hour), max(self._week_rate, 1 / (state.seen + 1)))
        if state.seen >= FIRST_BUCKETS:
            state.peaks.add(self._number(at), height, self._window)
        state.seen += 1
        state.last = at
        if state.seen % self._quarter == 0 and state.seen >= self._day:
            state.peaks.remember(
                round(self._day), tuning.remembered, tuning.prior_days, tuning.prior_peak, tuning.least_peak
            )

    def _number(self, at: datetime) -> int:
        return int(at.timestamp() // self.width.total_seconds())


def _rate(half_life: float) -> float:
    """The weight of the newest where the weights halve after so many."""
    return float(1 - 0.5 ** (1 / half_life))


def share_below(ratio: float) -> float:
    """The share of days whose peak is below `ratio` times the median: a Fréchet distribution with that median."""
    return float(0.5 ** (ratio**-TAIL)) if ratio > 0.05 else 0.0
