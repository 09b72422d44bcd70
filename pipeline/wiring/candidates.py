"""Candidate topics in what is stored: complaints and other negative mentions on which no topic was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from enrich._candidates import Candidate, Said, candidates
from pipeline.mention import Kind, Routed
from pipeline.store import scan
from pipeline.store.database import Database
from spikes._words import Words

SLICES = 8
"""Equal parts of a time, each looked at by itself: the newest mentions alone would be the last hour of a busy week."""

A_SLICE = 1_000
LOOKED_AT = 10_000
"""Mentions read, and looked at for those of the brand, in each part."""

_SPAM = 0.5


class Discovered(NamedTuple):
    """The candidates, and how many negative mentions they were found in: without a topic, and of all that were read."""

    candidates: tuple[Candidate, ...]
    without: int
    negative: int


def discovered(
    database: Database, since: datetime, until: datetime, brand: str | None = None, fewest: int = 5, most: int = 10
) -> Discovered:
    """What negative mentions of a time that have no topic have in common, beside what has one or is not negative."""
    with database.read() as transaction:
        read: list[Routed] = []
        part: timedelta = (until - since) / SLICES
        for number in range(SLICES):
            first = since + part * number
            last = until if number == SLICES - 1 else first + part
            brands = None if brand is None else [brand]
            found = scan.newest(transaction, first, last, brands=brands, most=A_SLICE, looked_at=LOOKED_AT)
            read += [it for it in found.mentions if _counts(it)]
    words = Words({word for it in read for match in it.tags.brands for word in (match.term, match.brand)})
    negative = [it for it in read if _negative(it)]
    without = [it for it in negative if not it.tags.topics]
    ids = {it.mention.id for it in without}
    others = (it for it in read if it.mention.id not in ids)
    candidate = candidates([*_said(without, words)], [*_said(others, words)], fewest, most)
    return Discovered(candidate, len(without), len(negative))


def _counts(it: Routed) -> bool:
    tags = it.tags
    if it.mention.own or tags.repost or it.mention.kind is Kind.REPOST:
        return False
    return tags.spam is None or tags.spam.score < _SPAM or _negative(it)


def _negative(it: Routed) -> bool:
    tags = it.tags
    if tags.target is not None and tags.target.of != "brand":
        return False
    return tags.intent("complaint") > 0 or (tags.sentiment is not None and tags.sentiment.label == "negative")


def _said(mentions: Iterable[Routed], words: Words) -> Iterator[Said]:
    for it in mentions:
        copies = it.tags.cluster.id if it.tags.cluster is not None else it.mention.id
        author = f"{it.mention.source}:{it.mention.author.id}"
        yield Said(it.mention.id, author, copies, frozenset(words.terms(it.mention.text)))
