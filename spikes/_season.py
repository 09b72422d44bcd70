"""How much of the usual an hour of the week sees, once two weeks have been seen, and as far as it helps to know it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec

HOURS = 168
WEEKS = 2
"""An hour of the week is known once it was seen so often."""
NEWEST = 0.2
"""The weight of the newest week, after the first five."""
SHRINK = 0.3
"""Mentions a bucket added to both sides of a factor, so that hours of a quiet series stay near 1."""
CLIP = 3.0
"""A bucket above so many times the usual (and three mentions) teaches no more than one at that height."""
WORTH = (0.05, 0.2)
"""Seasons that make the error smaller by less than 5 % are left out; from 25 % on they count whole."""


class Season(msgspec.Struct):
    """Factors by hour of the week, in UTC."""

    factors: list[float] = msgspec.field(default_factory=list)
    times: list[int] = msgspec.field(default_factory=list)
    hour: int = -1
    total: float = 0.0
    count: int = 0
    flat_error: float = 0.0
    season_error: float = 0.0
    trust: float = 0.0

    def known(self, hour: int) -> bool:
        """Has this hour of the week been seen often enough?"""
        return bool(self.times) and self.times[hour] >= WEEKS

    def shape(self, hour: int) -> float:
        """What this hour of the week sees of the level; 1 while it is not known."""
        return self.factors[hour] if self.known(hour) else 1.0

    def factor(self, hour: int) -> float:
        """The same as far as it has been of use in expecting the next bucket: nearer to 1."""
        return 1 + self.trust * (self.shape(hour) - 1)

    def learn(self, hour: int, value: float, mean: float, level: float, rate: float) -> None:
        """Take in a bucket, the present mean and the long-term level; `rate` is the weight of the newest error."""
        if hour != self.hour:
            self._close(level)
            self.hour, self.total, self.count = hour, 0.0, 0
        self.total += min(value, CLIP * level + 3)
        self.count += 1
        if self.known(hour):
            root = math.sqrt(value)
            self.flat_error += rate * ((root - math.sqrt(mean)) ** 2 - self.flat_error)
            self.season_error += rate * ((root - math.sqrt(mean * self.factors[hour])) ** 2 - self.season_error)
            if self.flat_error > 0:
                gain = 1 - self.season_error / self.flat_error
                self.trust = min(max((gain - WORTH[0]) / WORTH[1], 0.0), 1.0)

    def _close(self, level: float) -> None:
        if self.count == 0:
            return
        if not self.factors:
            self.factors, self.times = [1.0] * HOURS, [0] * HOURS
        self.times[self.hour] += 1
        seen = (self.total / self.count + SHRINK) / (level + SHRINK)
        self.factors[self.hour] += max(1 / self.times[self.hour], NEWEST) * (seen - self.factors[self.hour])


def hour_of_week(at: datetime) -> int:
    """From Monday, 0:00 UTC."""
    moment = at.astimezone(UTC)
    return moment.weekday() * 24 + moment.hour
