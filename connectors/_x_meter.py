"""What reading has cost this month, and where it must stop.

X bills each post read (pay per use: about 0.005 USD, docs.x.com/x-api/getting-started/pricing). The months are
calendar months in UTC. Every post that arrives counts, also a duplicate, so that the meter errs on the dear side.
"""

from __future__ import annotations

from datetime import datetime

from pipeline.ports import Usage


class Meter:
    """Posts read in the month of `month` (`2026-01`), at a price each, up to a cap (None: no cap)."""

    def __init__(self, price_usd: float, cap_usd: float | None) -> None:
        self._price = price_usd
        self.cap = cap_usd
        self.month = ""
        self.posts = 0

    def restore(self, month: str, posts: int) -> None:
        """Go on from what a cursor saved, but never below what this process itself has counted."""
        if month > self.month:
            self.month, self.posts = month, posts
        elif month == self.month:
            self.posts = max(self.posts, posts)

    def count(self, posts: int, now: datetime) -> None:
        """Posts were read."""
        self.turn(now)
        self.posts += posts

    def turn(self, now: datetime) -> None:
        """Begin at nothing in a new month."""
        month = now.strftime("%Y-%m")
        if month > self.month:
            self.month, self.posts = month, 0

    @property
    def spent(self) -> float:
        """US dollars this month."""
        return self.posts * self._price

    def usage(self, now: datetime) -> list[Usage]:
        """The same as allowances of the month."""
        resets = self.resets(now)
        return [Usage("posts", self.posts, None, resets), Usage("USD", self.spent, self.cap, resets)]

    @property
    def reached(self) -> bool:
        """Whether another post would go over the cap."""
        return self.cap is not None and self.spent + self._price > self.cap

    @staticmethod
    def resets(now: datetime) -> datetime:
        """When the next month begins."""
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return first.replace(year=now.year + 1, month=1) if now.month == 12 else first.replace(month=now.month + 1)
