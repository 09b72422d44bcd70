"""Which mentions count, under which keys, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from msgspec import Struct

from pipeline.mention import Enriched, Kind, Tags
from pipeline.store.columns import fit, utc
from spikes.detection import Key

SPAM = 0.8
"""A mention at least so likely to be spam is not counted, unless it may be a complaint (so do the routing rules)."""

COMPLAINT = 0.3
"""From this score on something may be a complaint; from SURE on it is one, whatever words it is made in."""

SURE = 0.35
"""An intent is tagged only where its model's own threshold says that it holds; those that ship have 0.37 and more."""

YOUNG = timedelta(days=30)
"""An account younger than this is suspicious when few follow it."""

FOLLOWERS = 10

MOST_FACETS = 16
"""Facets of one mention beyond these are not counted."""

LONGEST = 100
"""A facet is cut after so many characters."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Said(Struct, frozen=True):
    """A mention as it counts. `minute` counts minutes of event time since 1970; `tone` is -1, 0 or 1; `facets` are
    `topic:delay`, `source:x`, `intent:lead`; `suspicious`: by a new account that nobody follows; `copy`: a text seen
    before, though not passed on as a repost."""

    id: str
    brand: str
    minute: int
    author: str
    tone: int
    repost: bool
    reach: int
    suspicious: bool
    copy: bool
    facets: tuple[str, ...]


def said(item: Enriched, now: datetime) -> Said | None:
    """The mention as it counts; None where it does not: of no brand, the brand's own, or spam.

    Its time is when it was written, but no later than when it was collected (or than `now`): a clock that is ahead
    would pull everybody's time along."""
    mention, tags = item.mention, item.tags
    brand = tags.brand or mention.brand
    if not brand or mention.own or _is_spam(tags):
        return None
    written = min(utc(mention.created_at), utc(mention.collected_at) if mention.collected_at else now)
    author = mention.author
    suspicious = (author.followers or 0) < FOLLOWERS and (
        author.created_at is not None and written - utc(author.created_at) < YOUNG
    )
    repost = tags.repost or mention.kind is Kind.REPOST
    return Said(
        id=fit(mention.id),
        brand=fit(_line(brand)),
        minute=minute_of(written),
        author=fit(f"{mention.source}:{author.id}"),
        tone=_tone(tags),
        repost=repost,
        reach=max(0, min(tags.reach, 2_000_000_000)),
        suspicious=suspicious,
        copy=not repost and tags.cluster is not None and not tags.cluster.first,
        facets=tuple(dict.fromkeys(_line(facet)[:LONGEST] for facet in _facets(item)))[:MOST_FACETS],
    )


def minute_of(at: datetime) -> int:
    """The minute a time falls in, counted from 1970."""
    return int((at - EPOCH).total_seconds() // 60)


def time_of(minute: int) -> datetime:
    """When a minute begins."""
    return EPOCH + timedelta(minutes=minute)


def key_of(brand: str, facet: str) -> Key:
    """The key of a facet as it is written in a row; the empty one is everything of the brand."""
    if not facet:
        return Key(brand)
    name, _, value = facet.partition(":")
    return Key(brand, name, value)  # type: ignore[arg-type]  # rows hold only the facets that are written here


def facet_of(key: Key) -> str:
    """A key's facet as it is written in a row."""
    return "" if key.facet == "all" else f"{key.facet}:{key.value}"


def hash_of(author: str) -> int:
    """32 bits for an account, the same in every process."""
    return int.from_bytes(blake2b(author.encode("utf-8", "surrogatepass"), digest_size=4).digest())


def _line(text: str) -> str:
    return text.replace("\n", " ").replace("\0", " ")


def _is_spam(tags: Tags) -> bool:
    return tags.spam is not None and tags.spam.score >= SPAM and tags.intent("complaint") < COMPLAINT


def _tone(tags: Tags) -> int:
    label = tags.sentiment.label if tags.sentiment else "neutral"
    if label == "negative" or (label == "neutral" and tags.intent("complaint") >= SURE):
        return -1
    return 1 if label == "positive" else 0


def _facets(item: Enriched) -> Iterator[str]:
    yield f"source:{item.mention.source}"
    for topic in item.tags.topics:
        yield f"topic:{topic}"
    for intent in item.tags.intents:
        if intent.score >= SURE:
            yield f"intent:{intent.name}"
