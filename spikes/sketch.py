"""How many different accounts, in little memory: exact as long as they are few, estimated from the smallest of their
hashes where they are many (k minimum values: Bar-Yossef et al. 2002). The order in which accounts come, and how often,
makes no difference."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Protocol

KEPT = 256
"""Exact up to so many different accounts."""

ALL = 1 << 32
"""One above the largest hash."""


class Hashes(Protocol):
    """A set of 32-bit hashes, of which those below `limit` are known."""

    @property
    def hashes(self) -> Sequence[int]: ...  # noqa: D102 - see above
    @property
    def limit(self) -> int: ...  # noqa: D102


class Sketch:
    """A set of 32-bit hashes, of which the smallest are kept, in order: all of them below `limit`."""

    __slots__ = ("hashes", "limit")

    def __init__(self, hashes: Iterable[int] = (), limit: int = ALL) -> None:
        self.hashes = array("I", hashes)
        self.limit = limit

    def add(self, value: int) -> None:
        """Take in a hash."""
        if value >= self.limit:
            return
        hashes = self.hashes
        at = bisect_left(hashes, value)
        if at < len(hashes) and hashes[at] == value:
            return
        hashes.insert(at, value)
        if len(hashes) > KEPT:
            self.limit = hashes.pop()


class Union:
    """What several of them have seen together, one after the other."""

    __slots__ = ("_found", "_limit")

    def __init__(self) -> None:
        self._found: set[int] = set()
        self._limit = ALL

    def add(self, sketch: Hashes) -> None:
        """Take in all that one has seen."""
        self._found.update(sketch.hashes)
        if sketch.limit < self._limit:
            self._limit = sketch.limit

    def count(self) -> int:
        """How many different hashes."""
        limit = self._limit
        if limit == ALL:
            return len(self._found)
        return round(sum(value < limit for value in self._found) * ALL / limit)


def distinct(sketches: Iterable[Hashes]) -> int:
    """How many different hashes they have seen together."""
    union = Union()
    for sketch in sketches:
        union.add(sketch)
    return union.count()
