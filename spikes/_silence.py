"""Silence that should not be: the series brings a tenth of what it did, or nothing, for longer than chance allows.

A one-sided cumulative sum of log-likelihood ratios (Page, Biometrika 1954): that the rate fell to a tenth against that
it is as ever, for Poisson counts, divided by the over-dispersion that was seen. It must be certain, and twice what the
series' own lulls of the past weeks came to.
"""

from __future__ import annotations

import math

import msgspec

FALLEN = 0.1
"""The share of the usual that counts as silence."""
CERTAIN = math.log(1e6)
"""Silent from likelihoods a million to one."""
LULL = 2.0
"""… and from so many times the evidence of the greatest lull."""
FORGET = 1 / 4
"""How fast lulls are forgotten, against the level, which is halved in a week: halved in four."""


class Quiet(msgspec.Struct):
    """The long-term level and the evidence that it was left."""

    level: float = 0.0
    """Mentions a bucket in the last weeks; a burst counts as three times the level and three mentions."""
    spread: float = 0.0
    """Mean square of the errors below the expectation."""
    evidence: float = 0.0
    """That the rate has fallen: logarithm of the ratio of likelihoods, from 0 on."""
    height: float = 0.0
    """The most it came to since it was last 0."""
    lull: float = 0.0
    """The most it came to in lulls that ended, slowly forgotten."""
    buckets: int = 0
    """Buckets since it was 0."""

    def silent(self, value: float, factor: float, share: float, seasons: bool, day: float) -> bool:
        """With this bucket, of which `share` has passed? Before the nights are known, only after a whole day."""
        if not seasons and self.buckets < day:
            return False
        return self._next(value, share * self.level * factor) >= self._enough()

    def learn(self, value: float, factor: float, rate: float) -> None:
        """Take in a bucket."""
        usual = self.level * factor
        self.evidence = min(self._next(value, usual), 1.5 * self._enough())
        self.height = max(self.height, self.evidence)
        self.buckets += 1
        self.lull -= FORGET * rate * self.lull
        if self.evidence == 0:
            self.lull = max(self.lull, self.height)
            self.gap()
        if value < usual:
            self.spread += rate * ((value - usual) ** 2 - self.spread)
        self.level += rate * (min(value, 3 * self.level + 3) - self.level)

    def gap(self) -> None:
        """Nobody listened, or it is as ever: that is no silence."""
        self.evidence, self.height, self.buckets = 0.0, 0.0, 0

    def _enough(self) -> float:
        return max(CERTAIN, LULL * self.lull)

    def _next(self, value: float, usual: float) -> float:
        dispersion = max(1.0, self.spread / usual) if usual > 0 else 1.0
        ratio = (1 - FALLEN) * usual + value * math.log(FALLEN)
        return max(0.0, self.evidence + ratio / dispersion)
