"""How many different accounts, in little memory: exact as long as they are few, estimated from the smallest of their
hashes where they are many (k minimum values: Bar-Yossef et al. 2002). The order in which accounts come, and how often,
makes no difference."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

KEPT = 256
"""Exact up to so many different accounts."""

ALL = 1 << 32
"""One above the largest hash."""


class Sketch:
    """A set of 32-bit hashes, of which the smallest are kept: all of them below `limit`."""

    __slots__ = ("hashes", "limit")

    def __init__(self) -> None:
        self.hashes = array("I")
        self.limit = ALL

    def add(self, value: int) -> None:
        """Take in a hash."""
        if value >= self.limit or value in self.hashes:
            return
        self.hashes.append(value)
        if len(self.hashes) > KEPT:
            self.hashes = array("I", sorted(self.hashes))
            self.limit = self.hashes.pop()


def distinct(sketches: Iterable[Sketch]) -> int:
    """How many different hashes they have seen together."""
    union: set[int] = set()
    limit = ALL
    for sketch in sketches:
        union.update(sketch.hashes)
        if sketch.limit < limit:
            limit = sketch.limit
    if limit == ALL:
        return len(union)
    return round(sum(value < limit for value in union) * ALL / limit)
