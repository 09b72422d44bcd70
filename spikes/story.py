"""What an incident is about, who is in it, and how it goes on: pure, over texts and what is known of them.

At most `MOST` mentions of the incident and as many from before are looked at; of more, the same ones are chosen every
time (those whose ids have the lowest digests). Numbers of people are of those looked at; how many there are in all is
told apart.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from heapq import nsmallest
from urllib.parse import urlsplit

from msgspec import Struct

from desk.customers import Stance, advocate_score
from pipeline.mention import Enriched, Kind, Moment
from spikes._posts import Post, post, representatives
from spikes._terms import Term, terms
from spikes.counting import COMPLAINT, SURE, YOUNG, Said, said

MOST = 5000
"""Mentions looked at, of the incident and from before."""

SHOWN = 5
"""Advocates, links and places shown."""

SHARERS = 2
"""People who must have shared a link, or named a place."""

ENOUGH = 100
"""Mentions of one tone that suffice to compare with."""

SPOKEN = 8
"""Words in the shortest mention by which somebody speaks up for the brand: thanks for an answer are no such thing."""

WARM = 0.3
"""From this sentiment on somebody is glad of the brand, whatever it is they say."""

THEIRS = 0.3
"""The share of the posts that name another brand, from which that is told."""

_LINK = re.compile(r"https?://[^\s<>\"')\]]+", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:in|at|from|near|around|outside)\s+((?:[A-Z][^\W\d_]+[-\s]?){1,3})")
_NO_PLACES = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december i the a my your our this that it we they he she you no
    """.split()  # noqa: SIM905 - a list of words reads better so
)


class Advocate(Struct, frozen=True, kw_only=True):
    """Somebody who speaks well of the brand: their account, the score (-100..100, `desk/customers.py`), and the mention
    in which they do so now; None where they have before and are silent now."""

    account: str
    handle: str
    score: int
    mention: str | None


class Rival(Struct, frozen=True, kw_only=True):
    """Another of the configured brands: in how many of the posts it is named. `theirs`: more of them name it than name
    ours, so that this may be its storm, not ours."""

    brand: str
    posts: int
    theirs: bool


class Crowd(Struct, frozen=True, kw_only=True):
    """Who speaks. `new`: the share of accounts younger than a month among those whose age is known (None where nearly
    none is); `suspicious`: of accounts that are new and that nobody follows; `loudest`: the share of the posts by the
    account with the most of them; `copies`: of posts that repeat another."""

    posts: int
    authors: int
    new: float | None
    suspicious: float
    loudest: float
    copies: float


class Story(Struct, frozen=True, kw_only=True):
    """What it is about. `posts` and `authors` count all of it; the rest is of what was looked at. The posts, links and
    accounts are personal data: a story is made when it is asked for, and not kept."""

    since: Moment
    posts: int
    authors: int
    crowd: Crowd
    terms: tuple[Term, ...]
    topic: str | None
    places: tuple[str, ...]
    links: tuple[tuple[str, int], ...]
    first: Post | None
    loudest: Post | None
    posts_shown: tuple[Post, ...]
    advocates: tuple[Advocate, ...]
    rival: Rival | None
    sources: tuple[tuple[str, int], ...]
    sentiment: float | None
    sentiment_before: float | None


def story(
    brand: str,
    now: Iterable[Enriched],
    before: Iterable[Enriched] = (),
    *,
    around: Iterable[Enriched] = (),
    total: tuple[int, int] | None = None,
) -> Story | None:
    """The story of these mentions (`now`) against what is said of the brand otherwise (`before`); None where there are
    none. `around` is what else is said of the brand while it goes on: who speaks up for it. `total` are the mentions
    and authors there are, where `now` is only some."""
    looked_at = sorted(sample(now), key=lambda it: (it.mention.created_at, it.mention.id))
    if not looked_at:
        return None
    earlier = sample(before)
    counted = [said(it, it.mention.created_at) for it in looked_at]
    authors = {_account(it) for it in looked_at}
    ours = {brand} | {match.term for it in (*looked_at, *earlier) for match in it.tags.brands if match.brand == brand}
    found = terms(looked_at, _like(counted, earlier), ours)
    people = [it for it in looked_at if it.mention.kind is not Kind.REPOST]
    return Story(
        since=looked_at[0].mention.created_at,
        posts=total[0] if total else len(looked_at),
        authors=total[1] if total else len(authors),
        crowd=_crowd(looked_at, counted),
        terms=found,
        topic=_topic(looked_at),
        places=_places(looked_at, ours),
        links=_links(looked_at),
        first=post(people[0]) if people else None,
        loudest=post(max(people, key=lambda it: (it.tags.reach, it.mention.id))) if people else None,
        posts_shown=representatives(people, found),
        advocates=_advocates(sample(around), earlier),
        rival=_rival(brand, looked_at),
        sources=tuple(Counter(it.mention.source for it in looked_at).most_common()),
        sentiment=mean_sentiment(looked_at),
        sentiment_before=mean_sentiment(earlier),
    )


def sample(every: Iterable[Enriched], most: int = MOST) -> list[Enriched]:
    """So many of these at most, the same ones whatever their order."""
    return nsmallest(most, every, key=lambda it: chance(it.mention.id))


def chance(id: str) -> bytes:
    """By which a sample chooses: as good as random, and always the same."""
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _like(now: Sequence[Said | None], before: list[Enriched]) -> list[Enriched]:
    """What sounds like the incident, from before, where there is enough of it: against everything that is said, all
    trouble looks alike (problem, issue, annoying)."""
    tone = Counter(it.tone for it in now if it is not None).most_common(1)
    same = [it for it in before if tone and (counted := said(it, it.mention.created_at)) and counted.tone == tone[0][0]]
    return same if len(same) >= ENOUGH else before


def _account(it: Enriched) -> str:
    return f"{it.mention.source}:{it.mention.author.id}"


def _crowd(every: Sequence[Enriched], counted: Sequence[Said | None]) -> Crowd:
    posts = Counter(map(_account, every))
    ages: dict[str, bool] = {}
    for it in every:
        if (made := it.mention.author.created_at) is not None:
            ages.setdefault(_account(it), it.mention.created_at - made < YOUNG)
    odd = {it.author for it in counted if it is not None and it.suspicious}
    copies = sum(1 for it in every if it.tags.repost or (it.tags.cluster is not None and not it.tags.cluster.first))
    return Crowd(
        posts=len(every),
        authors=len(posts),
        new=sum(ages.values()) / len(ages) if len(ages) >= max(5, len(posts) / 10) else None,
        suspicious=len(odd) / len(posts),
        loudest=max(posts.values()) / len(every),
        copies=copies / len(every),
    )


def _topic(every: Sequence[Enriched]) -> str | None:
    counts = Counter(topic for it in every for topic in it.tags.topics)
    return min(counts, key=lambda topic: (-counts[topic], topic)) if counts else None


def _places(every: Sequence[Enriched], ours: Iterable[str]) -> tuple[str, ...]:
    """Where people say that they are, in so many words: `at Ashmere`. Only names that several give."""
    skipped = {word.lower() for word in ours}
    who: defaultdict[str, set[str]] = defaultdict(set)
    for it in every:
        for match in _PLACE.finditer(it.mention.text):
            name = " ".join(match[1].split()).rstrip("-")
            if name.split()[0].lower() not in _NO_PLACES and name.lower() not in skipped:
                who[name].add(_account(it))
    named = sorted(((len(by), name) for name, by in who.items() if len(by) > SHARERS), key=lambda it: (-it[0], it[1]))
    return tuple(name for _, name in named[:SHOWN])


def _links(every: Sequence[Enriched]) -> tuple[tuple[str, int], ...]:
    """What several people link to, without what follows a question mark, which may name who shares it."""
    who: defaultdict[str, set[str]] = defaultdict(set)
    for it in every:
        for found in _LINK.findall(it.mention.text):
            if place := _address(found.rstrip(".,;:!?\u2026")):
                who[place].add(_account(it))
    shared = [(link, len(by)) for link, by in who.items() if len(by) >= SHARERS]
    return tuple(sorted(shared, key=lambda it: (-it[1], it[0]))[:SHOWN])


def _address(link: str) -> str:
    try:
        parts = urlsplit(link)
    except ValueError:
        return ""
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}" if parts.netloc else ""


def _advocates(around: Iterable[Enriched], before: Sequence[Enriched]) -> tuple[Advocate, ...]:
    """Who speaks for the brand: now, then before; the louder and the warmer first. Nobody who complains now, whatever
    else they say."""
    around = list(around)
    if not around and not before:
        return ()
    until = max(it.mention.created_at for it in (*around, *before))
    theirs: defaultdict[str, list[Enriched]] = defaultdict(list)
    speaking: dict[str, Enriched] = {}
    for it in (*before, *around):
        counted = said(it, it.mention.created_at)
        if counted is not None and not counted.repost and it.tags.sentiment is not None:
            theirs[_account(it)].append(it)
    for it in around:
        if _speaks_up(it):
            speaking[_account(it)] = it
    for it in around:
        counted = said(it, it.mention.created_at)
        if counted is not None and counted.tone < 0:
            theirs.pop(_account(it), None)
    found = []
    for account, every in theirs.items():
        score = advocate_score((_stance(it, until) for it in every), max(it.tags.reach for it in every))
        now = speaking.get(account)
        if score > 0 and (now is not None or any(map(_speaks_up, every))):
            handle = every[-1].mention.author.handle
            mention = now.mention.id if now else None
            found.append(Advocate(account=account, handle=handle, score=score, mention=mention))
    found.sort(key=lambda it: (it.mention is None, -it.score, it.account))
    return tuple(found[:SHOWN])


def _speaks_up(it: Enriched) -> bool:
    counted = said(it, it.mention.created_at)
    if counted is None or counted.repost or counted.tone <= 0 or it.tags.intent("complaint") >= COMPLAINT:
        return False
    warm = it.tags.sentiment is not None and it.tags.sentiment.score >= WARM
    return (warm or it.tags.intent("praise") >= SURE) and len(it.mention.text.split()) >= SPOKEN


def _stance(it: Enriched, until: datetime) -> Stance:
    days = (until - it.mention.created_at).total_seconds() / 86_400
    score = it.tags.sentiment.score if it.tags.sentiment else 0.0
    return Stance(days, score, it.tags.intent("praise"), it.tags.intent("complaint"))


def _rival(brand: str, every: Sequence[Enriched]) -> Rival | None:
    named = Counter(name for it in every for name in {match.brand for match in it.tags.brands})
    ours = named.pop(brand, 0)
    if not named:
        return None
    name = min(named, key=lambda it: (-named[it], it))
    theirs = named[name] > ours
    if not theirs and named[name] < THEIRS * len(every):
        return None
    return Rival(brand=name, posts=named[name], theirs=theirs)


def mean_sentiment(every: Iterable[Enriched]) -> float | None:
    """How these sound on average, -1..1, without reposts; None where there is none."""
    scores = [it.tags.sentiment.score for it in every if it.tags.sentiment is not None and not it.tags.repost]
    return round(sum(scores) / len(scores), 2) if scores else None
