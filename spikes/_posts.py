"""Posts to show: the one that stands for many, in words that may be forwarded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from pipeline.mention import Enriched, Moment
from spikes._terms import Term
from spikes._words import Words

QUOTE_CHARS = 140
"""A quotation is cut here, at a word's end."""

COMPARED = 60
"""Texts of a cluster that are compared with each other."""

SHOWN = 3
"""Posts shown."""

ALIKE = 0.4
"""Two posts that have more of their words in common (Jaccard) say the same."""

_HIDDEN = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\w+|(?<!\w)[@\uff20][\w.\-]+|\+?\d[\d\s()/-]{6,}\d")
_START = re.compile(r"^(?:\s*RT\b\s*:?|[\s:,.\-\u2013\u2014])+", re.IGNORECASE)


class Post(Struct, frozen=True, kw_only=True):
    """One mention that is shown, with its account; `quote` is its text in short, without names and links. `alike` is
    how many people said nearly the same."""

    mention: str
    source: str
    account: str
    handle: str
    said_at: Moment
    reach: int
    url: str
    quote: str
    alike: int = 1


def post(it: Enriched, alike: int = 1) -> Post:
    """The mention as it is shown."""
    mention = it.mention
    return Post(
        mention=mention.id,
        source=mention.source,
        account=f"{mention.source}:{mention.author.id}",
        handle=mention.author.handle,
        said_at=mention.created_at,
        reach=it.tags.reach,
        url=mention.url,
        quote=quote(mention.text),
        alike=alike,
    )


def quote(text: str) -> str:
    """A text in short: without handles, links, addresses and long numbers, on one line."""
    plain = _START.sub("", " ".join(_HIDDEN.sub(" ", text.replace("&amp;", "&")).split()))
    plain = re.sub(r"\s+([.,!?;:])", r"\1", plain).replace("\u201c", "'").replace("\u201d", "'").replace('"', "'")
    if len(plain) <= QUOTE_CHARS:
        return plain
    return plain[: QUOTE_CHARS - 1].rsplit(" ", 1)[0].rstrip(" ,.;:-") + "\u2026"


def representatives(every: Sequence[Enriched], terms: Sequence[Term]) -> tuple[Post, ...]:
    """Of each of the greatest groups of near copies its middle one; then single posts that have most of the terms. No
    two say the same."""
    groups: defaultdict[str, list[Enriched]] = defaultdict(list)
    for it in every:
        groups[it.tags.cluster.id if it.tags.cluster else it.mention.id].append(it)
    sizes = {id: len({it.mention.author.id for it in group}) for id, group in groups.items()}
    weight = {term.text: max(1.0, term.z) for term in terms}
    ranked = sorted(
        ((max(1, sizes[id]), _telling(group[0].mention.text, weight), id) for id, group in groups.items()),
        key=lambda it: (-(it[0] if it[0] > 2 else 1), -it[1], it[2]),
    )
    chosen: list[tuple[Post, set[str]]] = []
    for size, telling, id in ranked[: 20 * SHOWN]:
        if len(chosen) == SHOWN:
            break
        middle = _medoid(groups[id])
        words = _bag(middle.mention.text)
        shown = post(middle, size)
        if len(shown.quote.split()) < 4 or (size < 3 and not telling and chosen):
            continue
        if all(_jaccard(words, others) <= ALIKE for _, others in chosen):
            chosen.append((shown, words))
    return tuple(shown for shown, _ in chosen)


def _telling(text: str, weight: dict[str, float]) -> float:
    """How much of what sets the incident apart is in a text; short ones first, as they can be quoted in full."""
    found = sum(weight.get(" ".join(term), 0.0) for term in Words().terms(text))
    return found / (1 + max(0, len(quote(text)) - 110) / 60)


def _medoid(group: Sequence[Enriched]) -> Enriched:
    """The one that is most like all the others."""
    some = sorted(group, key=lambda it: (it.mention.created_at, it.mention.id))[:COMPARED]
    bags = [_bag(it.mention.text) for it in some]
    likeness = [sum(_jaccard(bag, other) for other in bags) for bag in bags]
    return some[max(range(len(some)), key=lambda place: (likeness[place], -place))]


def _bag(text: str) -> set[str]:
    return {word for words in Words().runs(text) for word in words}


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
