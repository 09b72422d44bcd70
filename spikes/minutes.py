"""One minute of one series as it is counted, and five of them packed: the same in a fraction of the memory, once no
more is expected of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from struct import Struct as Layout
from typing import Literal, NamedTuple

from spikes.counting import Said
from spikes.sketch import ALL, Sketch

Voices = Literal["authors", "angry", "pleased"]
"""Everybody who spoke in a minute, those who spoke against the brand, and those who spoke for it."""

WHO: tuple[Voices, ...] = ("authors", "angry", "pleased")

BLOCK = 5
"""Minutes that are packed together, and begin at a multiple of so many."""

_HEAD = Layout("<6IQ4H3I")
"""Six counts, the reach, how many hashes each of WHO has, where those of the pleased begin, and the last hash that each
may hold."""

_HEADS = BLOCK * _HEAD.size


class Minute:
    """One minute of one facet."""

    __slots__ = (
        "angry",
        "authors",
        "copies",
        "mentions",
        "negative",
        "negative_reposts",
        "pleased",
        "reach",
        "reposts",
        "suspicious",
    )

    def __init__(self) -> None:
        self.mentions = self.negative = self.reposts = self.reach = 0
        self.negative_reposts = self.suspicious = self.copies = 0
        self.authors = Sketch()
        self.angry: Sketch | None = None
        self.pleased: Sketch | None = None

    def add(self, it: Said, author: int) -> None:
        """Count one."""
        self.mentions += 1
        self.reach += it.reach
        self.reposts += it.repost
        self.authors.add(author)
        if it.tone < 0:
            self.negative += 1
            self.negative_reposts += it.repost
            self.suspicious += it.suspicious
            self.copies += it.copy
            if self.angry is None:
                self.angry = Sketch()
            self.angry.add(author)
        elif it.tone > 0:
            if self.pleased is None:
                self.pleased = Sketch()
            self.pleased.add(author)


class Held(NamedTuple):
    """The hashes of a packed minute, in any order, and what all of them are below (`spikes.sketch.Hashes`)."""

    hashes: memoryview[int]
    limit: int


class Packed:
    """BLOCK minutes from `start` on. `negative` are their negative mentions, `pleased` the pleased voices of each
    minute, added up; `few` is whether every account that was pleased or angry is known in each."""

    __slots__ = ("_data", "few", "negative", "pleased", "start")

    def __init__(self, start: int, minutes: Mapping[int, Minute], who: tuple[Voices, ...] = WHO) -> None:
        """Pack those of `minutes` that are of this block; of the hashes only those of `who` are kept."""
        self.start = start
        self.negative = self.pleased = 0
        self.few = True
        heads, hashes = [], array("I")
        for minute in range(start, start + BLOCK):
            it = minutes.get(minute)
            if it is None:
                heads.append(bytes(_HEAD.size))
                continue
            sketches = [getattr(it, name) if name in who else None for name in WHO]
            together, begin = _together(sketches)
            hashes.extend(together)
            sizes = [0 if sketch is None else len(sketch.hashes) for sketch in sketches]
            last = [ALL - 1 if sketch is None else sketch.limit - 1 for sketch in sketches]
            counts = it.mentions, it.negative, it.reposts, it.negative_reposts, it.suspicious, it.copies
            heads.append(_HEAD.pack(*counts, it.reach, *sizes, begin, *last))
            self.negative += it.negative
            self.pleased += sizes[2]
            self.few = self.few and last[1] == last[2] == ALL - 1
        self._data = b"".join(heads) + hashes.tobytes()

    def __iter__(self) -> Iterator[int]:
        """The minutes in which something was said."""
        for number in range(BLOCK):
            if self._counts(number)[0]:
                yield self.start + number

    def minutes(self) -> dict[int, Minute]:
        """Unpacked."""
        found: dict[int, Minute] = {}
        for number in self:
            it = found[number] = Minute()
            counts = self._counts(number - self.start)
            it.mentions, it.negative, it.reposts, it.negative_reposts, it.suspicious, it.copies, it.reach = counts
        for name in WHO:
            for number, held in self._held(name):
                setattr(found[number], name, Sketch(sorted(held.hashes), held.limit))
        return found

    def voices(self, who: Voices, since: int, until: int) -> Iterator[Held]:
        """Who spoke in those of its minutes that are from `since` on and before `until`."""
        return (held for minute, held in self._held(who) if since <= minute < until)

    def negatives(self, since: int, until: int) -> int:
        """Negative mentions of these minutes."""
        first, last = max(0, since - self.start), min(BLOCK, until - self.start)
        return self.negative if last - first == BLOCK else sum(self._counts(it)[1] for it in range(first, last))

    def _counts(self, number: int) -> tuple[int, ...]:
        return _HEAD.unpack_from(self._data, number * _HEAD.size)[:7]

    def _held(self, who: Voices) -> Iterator[tuple[int, Held]]:
        all = memoryview(self._data)[_HEADS:].cast("I")
        place, which = 0, WHO.index(who)
        for number in range(BLOCK):
            head = _HEAD.unpack_from(self._data, number * _HEAD.size)
            authors, angry, pleased, begin, last = *head[7:11], head[11]
            begins = (0, 0 if last == ALL - 1 else authors, begin)
            if size := head[7 + which]:
                first = place + begins[which]
                yield self.start + number, Held(all[first : first + size], head[11 + which] + 1)
            place += max(authors, begins[1] + angry, begin + pleased)


def _together(sketches: Sequence[Sketch | None]) -> tuple[list[int], int]:
    """The hashes of each of WHO in one list, and where those of the pleased begin. As long as all who spoke are known,
    the others are among them: first those that are angry alone, then those that are both, then those that are pleased
    alone."""
    authors, angry, pleased = (() if sketch is None else sketch.hashes for sketch in sketches)
    if sketches[0] is None or sketches[0].limit < ALL:
        return [*authors, *angry, *pleased], len(authors) + len(angry)
    first, then = set(angry), set(pleased)
    both = first & then
    ordered = [*(first - both), *both, *(then - both), *(set(authors) - first - then)]
    return ordered, len(first) - len(both)
