"""A customer: what one account said over time, how they felt, what was decided, and how they speak of us.

Only what the account said and what its network showed with it; nothing is looked up, and no two accounts are taken for
one person. What our own accounts post, reposts (somebody else's words) and what was filtered as spam say nothing about
how a customer feels: they are counted, and left out of every figure of sentiment.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pipeline.mention import Author, Decision, Routed
from pipeline.store import Store

HALF_LIFE_DAYS = 90.0
"""After so many days a mention weighs half in the advocate score: people change their minds."""

CAUTION = 2.0
"""So many neutral mentions are added in thought, so that one cheer does not make an advocate."""

LOUDEST = 6.0
"""The power of ten of a reach that counts in full: a million people."""

DECISIONS = 5
"""The last decisions shown."""


@dataclass(frozen=True)
class Month:
    """A calendar month (UTC): how much was said, and the mean sentiment (-1..1) where there is any."""

    month: str
    mentions: int
    sentiment: float | None


@dataclass(frozen=True)
class Decided:
    """Where one mention went."""

    mention: str
    created_at: datetime
    decision: Decision


@dataclass(frozen=True)
class Customer:
    """One account's profile. `sentiment` is the mean over everything, `trend` the mean of the later half less that of
    the earlier half; both None where there is too little (none; fewer than four). `reach` is the most people one
    mention could have been seen by. `last` is newest first. `advocate` is -100..100, see `advocate_score`."""

    id: str
    author: Author
    first_at: datetime
    last_at: datetime
    mentions: int
    months: tuple[Month, ...]
    sentiment: float | None
    trend: float | None
    intents: dict[str, int]
    queues: dict[str, int]
    filtered: dict[str, int]
    brands: dict[str, int]
    followers: int | None
    reach: int
    last: tuple[Decided, ...]
    advocate: int


def customer(store: Store, id: str, now: datetime) -> Customer | None:
    """The profile of `source:author_id`; None when nothing of theirs is kept. Reads all their mentions once."""
    return profile(id, store.mentions_of(id), now)


def profile(id: str, said: Iterable[Routed], now: datetime) -> Customer | None:
    """The same from their mentions, oldest first."""
    author: Author | None = None
    first_at = last_at = now
    total = reach = 0
    followers: int | None = None
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("intents", "queues", "filtered", "brands", "months")
    }
    scores: list[tuple[str, float]] = []
    stances: list[Stance] = []
    last: deque[Decided] = deque(maxlen=DECISIONS)
    for routed in said:
        mention, tags, decision = routed.mention, routed.tags, routed.decision
        first_at = mention.created_at if author is None else first_at
        author, last_at, total = mention.author, mention.created_at, total + 1
        followers = author.followers if author.followers is not None else followers
        reach = max(reach, tags.reach)
        month = f"{mention.created_at:%Y-%m}"
        counts["months"][month] += 1
        counts["queues" if decision.queue else "filtered"][decision.queue or str(decision.filtered)] += 1
        counts["intents"].update({intent.name: 1 for intent in tags.intents})
        if brand := tags.brand or mention.brand:
            counts["brands"][brand] += 1
        last.appendleft(Decided(mention.id, mention.created_at, decision))
        if tags.sentiment is None or tags.repost or mention.own or decision.filtered == "spam":
            continue
        scores.append((month, tags.sentiment.score))
        days = (now - mention.created_at).total_seconds() / 86_400
        stances.append(Stance(days, tags.sentiment.score, tags.intent("praise"), tags.intent("complaint")))
    if author is None:
        return None
    return Customer(
        id=id,
        author=author,
        first_at=first_at,
        last_at=last_at,
        mentions=total,
        months=tuple(
            Month(month, count, _mean([score for it, score in scores if it == month]))
            for month, count in sorted(counts["months"].items())
        ),
        sentiment=_mean([score for _, score in scores]),
        trend=_trend([score for _, score in scores]),
        intents=dict(counts["intents"].most_common()),
        queues=dict(counts["queues"].most_common()),
        filtered=dict(counts["filtered"].most_common()),
        brands=dict(counts["brands"].most_common()),
        followers=followers,
        reach=reach,
        last=tuple(last),
        advocate=advocate_score(stances, reach),
    )


@dataclass(frozen=True)
class Stance:
    """What one mention says about how its author stands to us: its age in days, the sentiment (-1..1), and the scores
    (0..1) of praise and complaint."""

    days: float
    sentiment: float
    praise: float = 0.0
    complaint: float = 0.0


def advocate_score(stances: Iterable[Stance], reach: int) -> int:
    """From -100 (speaks against us, loudly) over 0 (nobody knows) to 100 (speaks for us, loudly).

    Each mention weighs `w = 0.5 ** (days / 90)`. Over all, with `n = sum(w) + 2`:

        warmth = sum(w * sentiment) / n             -1..1
        word   = sum(w * (praise - complaint)) / n  -1..1
        voice  = min(1, log10(1 + reach) / 6)       0..1
        score  = 100 * (0.6 * warmth + 0.4 * word) * (0.5 + 0.5 * voice), rounded

    What somebody feels counts for more than what they set out to say, and a stranger's voice for half of that of one
    whom a million people hear. The formula is ours, made to be read and argued with; it orders a list, it is no
    measurement, and nothing in harken acts on it.
    """
    weighed = [(math.exp2(-max(0.0, it.days) / HALF_LIFE_DAYS), it) for it in stances]
    whole = sum(weight for weight, _ in weighed) + CAUTION
    warmth = sum(weight * it.sentiment for weight, it in weighed) / whole
    word = sum(weight * (it.praise - it.complaint) for weight, it in weighed) / whole
    voice = min(1.0, math.log10(1 + max(0, reach)) / LOUDEST)
    score = 100 * (0.6 * warmth + 0.4 * word) * (0.5 + 0.5 * voice)
    return round(max(-100.0, min(100.0, score)))


def _mean(scores: list[float]) -> float | None:
    return round(sum(scores) / len(scores), 3) if scores else None


def _trend(scores: list[float]) -> float | None:
    if len(scores) < 4:
        return None
    half = len(scores) // 2
    earlier, later = scores[:half], scores[-half:]
    return round(sum(later) / half - sum(earlier) / half, 3)
