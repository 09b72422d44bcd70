"""A day of what is said about two brands: ordinary talk, and what is not. Everything follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pipeline.mention import Author, Cluster, Enriched, Intent, Mention, Sentiment, Tags

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


def dice(seed: int) -> random.Random:
    """Chance, the same in every run."""
    return random.Random(seed)  # noqa: S311 - made-up days


Tone = Literal["positive", "neutral", "negative"]


def item(number: int | str, at: datetime, tone: Tone = "neutral", **changes: Any) -> Enriched:
    """A mention about acme with its tags, by an author of its own unless another is named."""
    author = changes.pop("author", f"a{number}")
    source = changes.pop("source", "x")
    tags: dict[str, Any] = {
        "brand": "acme",
        "sentiment": Sentiment(label=tone, score={"positive": 0.6, "neutral": 0.0, "negative": -0.6}[tone]),
        "reach": 100,
    }
    account = {name: changes.pop(name) for name in ("followers", "joined") if name in changes}
    extra = {name: changes.pop(name) for name in list(changes) if name in Tags.__struct_fields__}
    mention = Mention(
        id=f"{source}:{number}",
        source=source,
        text="the train is late again",
        author=Author(id=author, followers=account.get("followers", 200), created_at=account.get("joined")),
        created_at=at,
        **changes,
    )
    return Enriched(mention=mention, tags=Tags(**tags | extra))


def talk(
    rng: random.Random, brand: str, since: datetime, hours: float, per_hour: float, name: str = "talk"
) -> Iterator[Enriched]:
    """Ordinary talk: a quarter of it negative, from two sources, about two topics, by authors who come again."""
    at = since
    number = 0
    while True:
        at += timedelta(hours=rng.expovariate(per_hour))
        if at >= since + timedelta(hours=hours):
            return
        number += 1
        tone: Tone = rng.choices(("negative", "neutral", "positive"), (25, 55, 20))[0]
        yield item(
            f"{brand}-{name}-{number}",
            at,
            tone,
            brand=brand,
            author=f"{brand}-{rng.randrange(5000)}",
            source=rng.choice(("x", "reddit")),
            topics=(rng.choice(("delay", "price")),),
            intents=(Intent(name="complaint", score=0.7),) if tone == "negative" else (),
        )


def storm(
    rng: random.Random, brand: str, since: datetime, posts: int, minutes: float, name: str = "storm", **changes: Any
) -> Iterator[Enriched]:
    """So many negative posts about `rats`, each by another account, denser at the start."""
    for number in range(posts):
        at = since + timedelta(minutes=minutes * rng.random() ** 1.5)
        given = {"brand": brand, "author": f"{name}-{number}", "source": "x", "topics": ("rats",)} | changes
        yield item(f"{brand}-{name}-{number}", at, "negative", **given)


def day(seed: int = 1, per_hour: float = 60) -> list[Enriched]:
    """The day: quiet until a firestorm about `rats` at 14:07, a storm of reposts at 18:30, one angry account at 21:00,
    and talk about another brand."""
    rng = dice(seed)
    found = [
        *talk(rng, "acme", MIDNIGHT, 24, per_hour),
        *talk(rng, "brio", MIDNIGHT, 24, per_hour / 10),
        *storm(rng, "acme", MIDNIGHT + timedelta(hours=14, minutes=7), 300, 70),
        *storm(rng, "brio", MIDNIGHT + timedelta(hours=18, minutes=30), 80, 40, "echo", repost=True, topics=("late",)),
        *storm(rng, "brio", MIDNIGHT + timedelta(hours=21), 40, 30, "rant", author="ranter", topics=("rant",)),
        *storm(
            rng,
            "brio",
            MIDNIGHT + timedelta(hours=22, minutes=45),
            60,
            20,
            "bots",
            topics=("fraud",),
            followers=0,
            joined=MIDNIGHT - timedelta(days=3),
            cluster=Cluster(id="c", first=False),
        ),
    ]
    return sorted(found, key=lambda it: it.mention.created_at)


def shuffled(items: Sequence[Enriched], rng: random.Random, minutes: float = 10, again: float = 0.2) -> list[Enriched]:
    """The same out of order: each is late by up to so many minutes, and a share of them comes twice."""
    late = timedelta(minutes=minutes)
    arrivals = [(it.mention.created_at + late * rng.random(), it) for it in items]
    arrivals += [(at + timedelta(minutes=5 * rng.random()), it) for at, it in arrivals if rng.random() < again]
    arrivals.sort(key=lambda pair: pair[0])
    return [it for _, it in arrivals]
