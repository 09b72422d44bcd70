"""What is said, as columns: a row for each mention, in whole numbers, so that a million of them fit; and as the records
that enrichment would hand on, made one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.spikes.phrases import THEMES, wording
from pipeline.mention import Author, Cluster, Enriched, Intent, Kind, Mention, Sentiment, Tags

Rows = NDArray[np.void]
"""Rows of `ROW`, in the order of time."""

Whole = NDArray[np.int64]
Real = NDArray[np.float64]

ROW = np.dtype(
    [
        ("at", "i8"),  # seconds since 1970
        ("author", "i8"),
        ("mood", "i1"),  # -1, 0 or 1
        ("repost", "?"),
        ("followers", "i4"),
        ("age", "i4"),  # of the account, in days
        ("source", "i1"),
        ("theme", "i1"),  # of phrases.THEMES
        ("words", "i4"),  # which wording; the same number is the same text
    ]
)

SOURCES = ("bluesky", "x", "rss")
SORTS = 1 << 16
"""So many different sorts of accounts there are."""

FIRST_OF_STORM = 10**12
"""Accounts from this number on spoke only in a storm."""


def rows(at: Whole, **columns: object) -> Rows:
    """Rows at these seconds, sorted, with the other columns given whole or as one value for all."""
    made = np.zeros(len(at), dtype=ROW)
    made["at"] = at
    for name, values in columns.items():
        made[name] = values
    return made[np.argsort(at, kind="stable")]


def merged(parts: Sequence[Rows]) -> Rows:
    """All of them in the order of time."""
    together = np.concatenate(parts) if parts else np.zeros(0, dtype=ROW)
    return together[np.argsort(together["at"], kind="stable")]


def people(authors: Whole, seed: int = 0) -> dict[str, Whole]:
    """Followers and ages of accounts: the same for the same account. Followers are log-normal around 200 with a long
    tail; one account in fifty is younger than a month."""
    dice = np.random.default_rng([seed, 1])
    followers = np.minimum(dice.lognormal(np.log(200), 1.7, SORTS), 5_000_000).astype(np.int64)
    age = np.where(dice.random(SORTS) < 0.02, dice.integers(0, 30, SORTS), dice.integers(30, 5000, SORTS))
    sort = authors * 40_503 % SORTS
    return {"followers": followers[sort], "age": age[sort]}


def seconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp())


def moment(at: int) -> datetime:
    """A time from its seconds since 1970."""
    return datetime.fromtimestamp(int(at), UTC)


def records(said: Rows, brand: str, name: str = "") -> Iterator[Enriched]:
    """The rows as mentions of the brand with their tags. `name` tells the ids of several such runs apart."""
    first_with: dict[tuple[int, int, int], str] = {}
    for number, row in enumerate(said.tolist()):
        at, author, mood, repost, followers, age, source, theme, words = row
        written = moment(at)
        where = SOURCES[source]
        id = f"{where}:{brand}{name}-{number}"
        text = wording(brand, theme, mood, words)
        same = (theme, mood, words)
        first = first_with.setdefault(same, id)
        yield Enriched(
            mention=Mention(
                id=id,
                source=where,
                text=text,
                author=Author(
                    id=f"a{author}",
                    handle=f"user{author}",
                    followers=followers,
                    created_at=written - timedelta(days=age),
                ),
                created_at=written,
                collected_at=written,
                kind=Kind.REPOST if repost else Kind.POST,
                parent=first if repost and first != id else None,
                via=where,
                lang="en",
                url=f"https://social.example/{id}",
            ),
            tags=Tags(
                brand=brand,
                sentiment=_sentiment(mood),
                intents=_intents(mood),
                topics=(THEMES[theme].topic,),
                repost=repost,
                cluster=Cluster(id=first, first=first == id),
                reach=followers,
            ),
        )


def _sentiment(mood: int) -> Sentiment:
    if mood < 0:
        return Sentiment("negative", -0.6)
    return Sentiment("positive", 0.6) if mood > 0 else Sentiment("neutral", 0.0)


def _intents(mood: int) -> tuple[Intent, ...]:
    if mood < 0:
        return (Intent(name="complaint", score=0.8),)
    return (Intent(name="praise", score=0.7),) if mood > 0 else ()
