"""What an incident is the matter of, and which mentions are of it: of all that is said against a brand while something
goes on, a part would have been said on any day.

A mention is of the matter where it says one of the words or phrases that set the incident apart, is on a topic or has a
link that does, or replies to one that is. What sets it apart is found as for the story (`spikes/_terms.py`), against
what was said of the brand in the week before in the same tone, with one more condition: that the share of people who
say it is several times what it was. It is looked for in the first mentions of the incident, twice as many each time,
so that the same mentions give the same matter whenever, and by whomever, they are looked at.

While little is known (fewer than `KNOWN` mentions, or nothing to compare with), and where what sets it apart explains
too little of what the watch saw above the usual, everything is of the matter: a storm is not lost for want of words.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from pipeline.mention import Enriched
from spikes._terms import COMPARABLE, FEWEST, SURE
from spikes._words import Words

T = TypeVar("T")

KNOWN = 16
"""Mentions from which on a matter is looked for."""

LOOKED_AT = 4096
"""The most in which it is looked for."""

OFTENER = 5.0
"""How many times its share from before a term, topic or link has now."""

EXPLAINED = 0.4
"""Of what the watch saw above the usual, the least part that must be explained."""

_LINK = re.compile(r"https?://[^\s<>\"')\[\]]+", re.IGNORECASE)


@dataclass(frozen=True)
class Matter:
    """What sets an incident apart: terms (as `Words.terms` makes them, without the brand's `words`), topics, links."""

    words: Words = field(default_factory=Words)
    terms: frozenset[tuple[str, ...]] = frozenset()
    topics: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    def speaks(self, it: Enriched) -> bool:
        """Whether a mention is of the matter by what it says."""
        if self.topics.intersection(it.tags.topics) or self.links.intersection(links(it)):
            return True
        return not self.terms.isdisjoint(self.words.terms(it.mention.text))


def looked_at(known: int) -> int:
    """In how many of so many mentions the matter is looked for: 0, or KNOWN times a power of two."""
    if known < KNOWN:
        return 0
    return int(min(LOOKED_AT, KNOWN * 2 ** int(math.log2(known / KNOWN))))


def matter(now: Sequence[Enriched], before: Sequence[Enriched], ours: Collection[str], above: float) -> Matter | None:
    """What sets `now` apart from `before`, both of one tone; `ours` are the brand's own words, `above` is the share of
    what the watch saw that is above the usual, 0..1. None where it is not known."""
    if len(now) < KNOWN or len(before) < COMPARABLE:
        return None
    words = Words(ours)
    found = Matter(
        words,
        frozenset(
            _apart(
                (words.terms(it.mention.text) for it in now),
                (words.terms(it.mention.text) for it in before),
                now,
                before,
            )
        ),
        frozenset(_apart((it.tags.topics for it in now), (it.tags.topics for it in before), now, before)),
        frozenset(_apart(map(links, now), map(links, before), now, before)),
    )
    explained = sum(map(found.speaks, now)) / len(now)
    return found if explained >= EXPLAINED * above else None


def links(it: Enriched) -> frozenset[str]:
    """What a mention links to, without what follows a question mark."""
    found = set()
    for link in _LINK.findall(it.mention.text):
        try:
            parts = urlsplit(link.rstrip(".,;:!?\u2026"))
        except ValueError:
            continue
        found.add(f"{parts.netloc.lower()}{parts.path.rstrip('/')}")
    return frozenset(found)


def _apart(
    said: Iterable[Iterable[T]],
    said_before: Iterable[Iterable[T]],
    now: Sequence[Enriched],
    before: Sequence[Enriched],
) -> set[T]:
    """What so many more people say, by the odds ratio and surely: as a z-score of at least SURE."""
    here, there = _people(said, now), _people(said_before, before)
    everybody, everybody_before = len({*map(_account, now)}), len({*map(_account, before)})
    found = set()
    for one, people in here.items():
        count, earlier = len(people), len(there.get(one, ()))
        if count < FEWEST:
            continue
        share, share_before = count / everybody, (earlier + 0.5) / (everybody_before + 1)
        if share < OFTENER * share_before:
            continue
        spread = 1 / count - 1 / (everybody + 1) + 1 / (earlier + 0.5) - 1 / (everybody_before + 1)
        if math.log(share / share_before) >= SURE * math.sqrt(max(spread, 1e-9)):
            found.add(one)
    return found


def _people(said: Iterable[Iterable[T]], by: Sequence[Enriched]) -> dict[T, set[str]]:
    found: defaultdict[T, set[str]] = defaultdict(set)
    for things, it in zip(said, by, strict=True):
        for one in things:
            found[one].add(_account(it))
    return found


def _account(it: Enriched) -> str:
    return f"{it.mention.source}:{it.mention.author.id}"
