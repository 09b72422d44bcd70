"""What reading and answering has cost this month, and where reading must stop.

X bills each post read (pay per use: about 0.005 USD, docs.x.com/x-api/getting-started/pricing), each event that it
pushes (docs.x.com/x-api/activity/event-pricing) and each post written. The months are calendar months in UTC. Every
post that arrives counts, also a duplicate of the stream, so that the meter errs on the dear side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from pipeline.ports import Usage


@dataclass(frozen=True)
class Prices:
    """In US dollars: a post read; an event pushed; an answer to somebody who mentioned or quoted the account; another
    post of the account's."""

    post: float
    event: float
    answer: float
    own_post: float


class Counts(Struct, omit_defaults=True):
    """What was billed in one month (`2026-01`): posts read, answers seen come back, and US dollars for all but the
    posts read."""

    month: str = ""
    posts: int = 0
    answers: int = 0
    other_usd: float = 0.0


class Meter:
    """The counts of the month, at a price for each post read, up to a cap (None: no cap)."""

    def __init__(self, price_usd: float, cap_usd: float | None) -> None:
        self._price = price_usd
        self.cap = cap_usd
        self.counts = Counts()

    def restore(self, saved: Counts) -> None:
        """Go on from what a cursor saved, but never below what this process itself has counted."""
        mine = self.counts
        if saved.month > mine.month:
            self.counts = saved
        elif saved.month == mine.month:
            self.counts = Counts(
                mine.month,
                max(saved.posts, mine.posts),
                max(saved.answers, mine.answers),
                max(saved.other_usd, mine.other_usd),
            )

    def count(self, posts: int, now: datetime) -> None:
        """Posts were read."""
        self.turn(now)
        self.counts.posts += posts

    def bill(self, usd: float, now: datetime, answers: int = 0) -> None:
        """Something else was billed; `answers` of it were answers."""
        self.turn(now)
        self.counts.other_usd += usd
        self.counts.answers += answers

    def turn(self, now: datetime) -> None:
        """Begin at nothing in a new month."""
        month = now.strftime("%Y-%m")
        if month > self.counts.month:
            self.counts = Counts(month)

    @property
    def spent(self) -> float:
        """US dollars this month."""
        return self.counts.posts * self._price + self.counts.other_usd

    def usage(self, now: datetime) -> list[Usage]:
        """The same as allowances of the month."""
        resets = self.resets(now)
        answers = [Usage("answers", self.counts.answers, None, resets)] if self.counts.answers else []
        posts = Usage("posts", self.counts.posts, None, resets)
        return [posts, *answers, Usage("USD", self.spent, self.cap, resets)]

    @property
    def reached(self) -> bool:
        """Whether another post would go over the cap."""
        return self.cap is not None and self.spent + self._price > self.cap

    @staticmethod
    def resets(now: datetime) -> datetime:
        """When the next month begins."""
        first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return first.replace(year=now.year + 1, month=1) if now.month == 12 else first.replace(month=now.month + 1)
