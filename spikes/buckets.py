"""What was said in a stretch of time, in numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from spikes.counting import Said


class Bucket(Struct, frozen=True, kw_only=True):
    """A stretch of event time, from `at` on, so many minutes long. `authors` are distinct; `reposts` are among the
    mentions; `reach` is the sum of what each could have been seen by."""

    at: datetime
    minutes: int
    mentions: int = 0
    negative: int = 0
    authors: int = 0
    negative_authors: int = 0
    positive_authors: int = 0
    reposts: int = 0
    reach: int = 0

    @property
    def negative_share(self) -> float:
        """Negative mentions among all, 0 where there are none."""
        return self.negative / self.mentions if self.mentions else 0.0

    @property
    def until(self) -> datetime:
        """Its end, exclusive."""
        return self.at + timedelta(minutes=self.minutes)


COUNTS = ("mentions", "negative", "authors", "negative_authors", "positive_authors", "reposts", "reach")
"""What a bucket counts, as its columns are called."""

NOTHING: Mapping[str, int] = dict.fromkeys(COUNTS, 0)


class Tally:
    """Counts mentions exactly."""

    def __init__(self) -> None:
        self._mentions = self._negative = self._reposts = self._reach = 0
        self._authors: set[str] = set()
        self._angry: set[str] = set()
        self._pleased: set[str] = set()

    def add(self, it: Said) -> None:
        """Count one."""
        self._mentions += 1
        self._reposts += it.repost
        self._reach += it.reach
        self._authors.add(it.author)
        if it.tone < 0:
            self._negative += 1
            self._angry.add(it.author)
        elif it.tone > 0:
            self._pleased.add(it.author)

    def counts(self) -> dict[str, int]:
        """As the columns are called."""
        return {
            "mentions": self._mentions,
            "negative": self._negative,
            "authors": len(self._authors),
            "negative_authors": len(self._angry),
            "positive_authors": len(self._pleased),
            "reposts": self._reposts,
            "reach": self._reach,
        }


def tallied(mentions: Iterable[Said], width: int) -> dict[tuple[str, int], Tally]:
    """Tallies by facet (empty for all) and the first minute of buckets of this width."""
    found: defaultdict[tuple[str, int], Tally] = defaultdict(Tally)
    for it in mentions:
        at = it.minute - it.minute % width
        for facet in ("", *it.facets):
            found[facet, at].add(it)
    return found
