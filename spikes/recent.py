"""The last hour of each brand in memory, minute by minute and facet by facet: what the watch looks at.

It holds what `spike_mentions` holds and nothing else, so it is made anew from there whenever it may be stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from spikes.counting import Said, hash_of
from spikes.minutes import BLOCK, WHO, Minute, Packed, Voices
from spikes.sketch import ALL, Hashes, Union, distinct

Side = Literal["negative", "positive", "mentions"]
"""Which count a detector follows: distinct negative authors, distinct positive ones, or mentions."""

LATENESS = 10
"""Minutes of event time by which a mention may come late and still be watched."""

KEPT = 60 + LATENESS + 5
"""Minutes that are kept behind what was judged: the longest window and the bucket before the oldest that can change."""


class Window(Struct):
    """What was counted in some minutes; `negative_reposts`, `suspicious` and `copies` are among the negative."""

    minutes: int
    mentions: int = 0
    negative: int = 0
    authors: int = 0
    negative_authors: int = 0
    positive_authors: int = 0
    reposts: int = 0
    reach: int = 0
    negative_reposts: int = 0
    suspicious: int = 0
    copies: int = 0


class Series:
    """The minutes of one facet; those in which nothing was said are not there. Those of which no more is expected are
    packed, in blocks by their first minute."""

    __slots__ = ("blocks", "minutes")

    def __init__(self) -> None:
        self.minutes: dict[int, Minute] = {}
        self.blocks: dict[int, Packed] = {}

    @property
    def first(self) -> int:
        """The first minute in which something was said; there is one."""
        packed = [next(iter(self.blocks[min(self.blocks)]))] if self.blocks else []
        return min([*packed, *self.minutes])

    @property
    def newest(self) -> int:
        """The last."""
        packed = [max(self.blocks[max(self.blocks)])] if self.blocks else []
        return max([*packed, *self.minutes])

    def minute(self, at: int) -> Minute:
        """This minute, to count in."""
        it = self.minutes.get(at)
        if it is None:
            if block := self.blocks.pop(at - at % BLOCK, None):
                self.minutes |= block.minutes()
            it = self.minutes.get(at)
        if it is None:
            it = self.minutes[at] = Minute()
        return it

    def window(self, end: int, width: int) -> Window:
        """The `width` minutes before `end`."""
        found = self._between(end - width, end)
        total = Window(width)
        for it in found:
            total.mentions += it.mentions
            total.negative += it.negative
            total.reposts += it.reposts
            total.reach += it.reach
            total.negative_reposts += it.negative_reposts
            total.suspicious += it.suspicious
            total.copies += it.copies
        total.authors = distinct(it.authors for it in found)
        total.negative_authors = distinct(it.angry for it in found if it.angry is not None)
        total.positive_authors = distinct(it.pleased for it in found if it.pleased is not None)
        return total

    def voices(self, side: Side, end: int, width: int) -> int:
        """Distinct authors of this side (or mentions) in the `width` minutes before `end`."""
        if side == "mentions":
            return sum(it.mentions for it in self._between(end - width, end))
        return distinct(self._who(_WHO[side], end - width, end))

    def all_voices(self, side: Side, end: int, widths: Sequence[int]) -> list[int]:
        """The same for several widths, the shortest first: distinct authors of one side."""
        union, before, counts = Union(), end, []
        for width in widths:
            for it in self._who(_WHO[side], end - width, before):
                union.add(it)
            before = end - width
            counts.append(union.count())
        return counts

    def at_most(self, side: Side, end: int, widths: Sequence[int]) -> list[int] | None:
        """What `all_voices` is not above, nor negative mentions are where that is the side: found without comparing
        accounts. None where accounts were so many that they are estimated."""
        counts = []
        for width in widths:
            since, count = end - width, 0
            for start, block in self.blocks.items():
                if start < end and since < start + BLOCK:
                    if not block.few:
                        return None
                    count += block.negatives(since, end) if side == "negative" else block.pleased
            for minute, it in self.minutes.items():
                if since <= minute < end and (sketch := it.angry if side == "negative" else it.pleased) is not None:
                    if sketch.limit < ALL:
                        return None
                    count += it.negative if side == "negative" else len(sketch.hashes)
            counts.append(count)
        return counts

    def authors(self, end: int, width: int) -> int:
        """Distinct authors in the `width` minutes before `end`."""
        return distinct(self._who("authors", end - width, end))

    def negative(self, end: int, width: int) -> int:
        """Negative mentions of the `width` minutes before `end`."""
        since = end - width
        packed = sum(it.negatives(since, end) for it in self._blocks(since, end))
        return packed + sum(it.negative for minute, it in self.minutes.items() if since <= minute < end)

    def spoken(self, since: int, until: int) -> set[int]:
        """The minutes of this time in which something was said."""
        packed = (minute for block in self._blocks(since, until) for minute in block)
        return {minute for minute in (*packed, *self.minutes) if since <= minute < until}

    def pack(self, before: int, who: tuple[Voices, ...]) -> None:
        """Pack the blocks that end before then."""
        for start in {minute - minute % BLOCK for minute in self.minutes if minute < before}:
            self.blocks[start] = Packed(start, self.minutes, who)
            for minute in range(start, start + BLOCK):
                self.minutes.pop(minute, None)

    def forget(self, before: int) -> bool:
        """Let go of the minutes before then, a multiple of BLOCK; whether any is left."""
        for start in [start for start in self.blocks if start < before]:
            del self.blocks[start]
        for minute in [minute for minute in self.minutes if minute < before]:
            del self.minutes[minute]
        return bool(self.minutes or self.blocks)

    def _blocks(self, since: int, until: int) -> list[Packed]:
        return [it for start, it in self.blocks.items() if start < until and since < start + BLOCK]

    def _who(self, who: Voices, since: int, until: int) -> Iterator[Hashes]:
        for block in self._blocks(since, until):
            yield from block.voices(who, since, until)
        for minute, it in self.minutes.items():
            if since <= minute < until and (sketch := getattr(it, who)) is not None:
                yield sketch

    def _between(self, since: int, until: int) -> list[Minute]:
        packed = [pair for block in self._blocks(since, until) for pair in block.minutes().items()]
        return [it for minute, it in [*packed, *self.minutes.items()] if since <= minute < until]


_WHO: Mapping[Side, Voices] = MappingProxyType({"negative": "angry", "positive": "pleased"})


class Brand:
    """One brand's last hour. `seq` and `epoch` say what of its rows is in here."""

    def __init__(self, seq: int, epoch: int, complete_from: int) -> None:
        self.seq = seq
        self.epoch = epoch
        self.complete_from = complete_from
        """The first minute from which on everything is in here; a multiple of 5."""
        self._packed_to = 0
        self.series: dict[str, Series] = {}
        self.waiting: dict[str, set[int]] = {}
        """Ends of windows to be judged, by facet."""
        self.behind = False
        """Are there some that could be judged already?"""

    @property
    def newest(self) -> int:
        """The last minute in here in which something was said; 0 where nothing was."""
        return max((series.newest for series in self.series.values()), default=0)

    def absorb(self, mentions: Iterable[Said]) -> None:
        """Count mentions, each once."""
        for it in mentions:
            author = hash_of(it.author)
            for facet in ("", *it.facets):
                series = self.series.get(facet)
                if series is None:
                    series = self.series[facet] = Series()
                series.minute(it.minute).add(it, author)

    def await_judging(self, mentions: Iterable[Said], edge: int) -> None:
        """Note the windows that these change as they come, the newest minute so far being `edge`: those that ended
        longer ago than LATENESS are not judged again."""
        for it in mentions:
            edge = max(edge, it.minute)
            if not it.tone:
                continue
            first = max(it.minute, edge - LATENESS) + 1
            for facet in ("", *it.facets) if it.tone < 0 else ("",):
                self.waiting.setdefault(facet, set()).add(first)

    def next_due(self, until: int) -> int:
        """The end of the first window that is to be judged; `until` where there is none before."""
        return min((min(ends) for ends in self.waiting.values()), default=until)

    def due(self, until: int) -> Iterator[tuple[str, list[int]]]:
        """The facets with the ends of the windows that are to be judged, none after `until`; they wait no more.

        A window that ends a minute in which nobody of the kind spoke holds no more than the one before it."""
        for facet in list(self.waiting):
            first = min(self.waiting[facet])
            if first > until:
                continue
            later = {end for end in self.waiting[facet] if end > until}
            if later:
                self.waiting[facet] = later
            else:
                del self.waiting[facet]
            if series := self.series.get(facet):
                ends = {minute + 1 for minute, it in series.minutes.items() if it.angry or it.pleased}
                yield facet, sorted(end for end in ends if first <= end <= until)

    def age(self, judged: int) -> None:
        """Now that windows were judged up to there: pack the minutes that no window to be judged ends in, and let go of
        those, and of who spoke in them, that none holds."""
        over = judged - LATENESS - 1
        over -= over % BLOCK
        if over <= self._packed_to:
            return
        self._packed_to = over
        before = judged - KEPT
        before -= before % BLOCK
        self.complete_from = max(before, self.complete_from)
        for facet, series in list(self.series.items()):
            if series.forget(before):
                # Only of a brand as a whole it matters who was pleased, once its buckets are written.
                series.pack(over, ("authors", "angry") if facet else WHO)
            else:
                del self.series[facet]
