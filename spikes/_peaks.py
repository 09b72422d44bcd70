"""The highest buckets of the last day and, at quarter-days, of the days before it."""

from __future__ import annotations

from statistics import median

import msgspec


class Peaks(msgspec.Struct):
    """What has been high, in standard deviations. Numbers of buckets count on through gaps."""

    recent: list[tuple[int, float]] = msgspec.field(default_factory=list)
    """(number, height) of those that no later one reaches, the highest first."""
    past: list[float] = msgspec.field(default_factory=list)
    """The highest of the window, taken four times a day."""
    usual: float = 0.0
    """The median of the past ones and the prior; 0 before the first."""

    def highest(self, number: int, window: int) -> float:
        """The highest of the `window` buckets before this one; 0 if there is none above it."""
        for at, height in self.recent:
            if at >= number - window:
                return max(height, 0.0)
        return 0.0

    def add(self, number: int, height: float, window: int) -> None:
        """The next bucket's height. Each is added and dropped once."""
        recent = self.recent
        while recent and recent[-1][1] <= height:
            recent.pop()
        recent.append((number, height))
        while recent[0][0] <= number - window:
            del recent[0]

    def remember(self, day: int, days: int, prior_days: int, prior_peak: float, least: float) -> None:
        """Note the highest of the last `day` buckets, and what is usual."""
        first = self.recent[-1][0] - day
        self.past.append(max(least, next(height for at, height in self.recent if at > first)))
        del self.past[: -4 * days]
        self.usual = median(self.past + [prior_peak] * (4 * prior_days))
