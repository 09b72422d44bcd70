"""The last hour of each brand in memory, minute by minute and facet by facet: what the watch looks at.

It holds what `spike_mentions` holds and nothing else, so it is made anew from there whenever it may be stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from spikes.counting import Said, hash_of
from spikes.sketch import Sketch, distinct

Side = Literal["negative", "positive", "mentions"]
"""Which count a detector follows: distinct negative authors, distinct positive ones, or mentions."""

LATENESS = 10
"""Minutes of event time by which a mention may come late and still be watched."""

KEPT = 60 + LATENESS + 5
"""Minutes that are kept behind what was judged: the longest window and the bucket before the oldest that can change."""


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
    """The minutes of one facet; those in which nothing was said are not there."""

    __slots__ = ("minutes",)

    def __init__(self) -> None:
        self.minutes: dict[int, Minute] = {}

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
        found = self._between(end - width, end)
        if side == "negative":
            return distinct(it.angry for it in found if it.angry is not None)
        if side == "positive":
            return distinct(it.pleased for it in found if it.pleased is not None)
        return sum(it.mentions for it in found)

    def authors(self, end: int, width: int) -> int:
        """Distinct authors in the `width` minutes before `end`."""
        return distinct(it.authors for it in self._between(end - width, end))

    def negative(self, end: int, width: int) -> int:
        """Negative mentions of the `width` minutes before `end`."""
        return sum(it.negative for it in self._between(end - width, end))

    def _between(self, since: int, until: int) -> list[Minute]:
        minutes = self.minutes
        if len(minutes) < until - since:
            return [it for minute, it in minutes.items() if since <= minute < until]
        return [minutes[minute] for minute in range(since, until) if minute in minutes]


class Brand:
    """One brand's last hour. `seq` and `epoch` say what of its rows is in here."""

    def __init__(self, seq: int, epoch: int, complete_from: int) -> None:
        self.seq = seq
        self.epoch = epoch
        self.complete_from = complete_from
        """The first minute from which on everything is in here; a multiple of 5."""
        self.series: dict[str, Series] = {}
        self.waiting: dict[str, set[int]] = {}
        """Ends of windows to be judged, by facet."""

    def absorb(self, mentions: Iterable[Said]) -> None:
        """Count mentions, each once."""
        for it in mentions:
            author = hash_of(it.author)
            for facet in ("", *it.facets):
                series = self.series.get(facet)
                if series is None:
                    series = self.series[facet] = Series()
                minute = series.minutes.get(it.minute)
                if minute is None:
                    minute = series.minutes[it.minute] = Minute()
                minute.add(it, author)

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

    def forget(self, before: int) -> None:
        """Let go of minutes, and of who spoke in them."""
        before -= before % 5
        if before <= self.complete_from:
            return
        self.complete_from = before
        for facet, series in list(self.series.items()):
            for minute in [minute for minute in series.minutes if minute < before]:
                del series.minutes[minute]
            if not series.minutes:
                del self.series[facet]
