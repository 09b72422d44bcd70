"""What was said before: millions of mentions, written as fast as PostgreSQL takes them, row for row as the pipeline
would have left them: taken in, decided (nobody had to answer them), to be searched, and counted in buckets.

The indexes are made when the rows are there: so it takes minutes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import NamedTuple

import psycopg
from sqlalchemy import make_url, text

from benchmarks.texts import BRANDS, made
from pipeline.codec import encode
from pipeline.mention import Author, Decision, Intent, Language, Mention, Routed, Sentiment, Tags
from pipeline.store import Store
from pipeline.store.search_index import LEVELS, stretch
from pipeline.store.search_tables import searchable
from pipeline.store.spike_tables import spike_buckets
from pipeline.store.tables import intake, mentions
from pipeline.store.words import words_of
from spikes.shelf import digest, series_of

DAYS = 30
"""They were said in so many days before now."""

SOURCES = ("x", "bluesky", "reddit", "mastodon")
TOPICS = ("delivery", "price", "app", "staff", "refund", "safety", "tickets", "web")
INTENTS = ("complaint", "praise", "lead", "question")
TEMPLATES = 20_000
AUTHORS = 400_000
PROCESSES = 2

_ID, _MINUTE, _WHO = "ID00000000", datetime(2000, 1, 1, tzinfo=UTC), "WHO0000000"
_TIME = "2000-01-01T00:00:00Z"


class _Template(NamedTuple):
    """One text as the wire has it and as the search does, with places to fill."""

    brand: str
    source: str
    reason: str
    body: str
    words: str


def write(store: Store, url: str, number: int, now: datetime) -> None:
    """Write so many."""
    tables = (intake, mentions, searchable)
    with store._db.engine.begin() as connection:
        for table in tables:
            for index in table.indexes:
                index.drop(connection)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    shares = [
        (plain, first, min(first + math.ceil(number / PROCESSES), number), number, now)
        for first in range(0, number, math.ceil(number / PROCESSES))
    ]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write, shares))
    _write_buckets(plain, number, now)
    with store._db.engine.begin() as connection:
        connection.execute(text("SET maintenance_work_mem = '1GB'"))
        for table in tables:
            for index in table.indexes:
                index.create(connection)
    settle(store)


def settle(store: Store) -> None:
    """Have the planner know what is there, as autovacuum would after a while."""
    with store._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _write(share: tuple[str, int, int, int, datetime]) -> None:
    url, first, last, number, now = share
    templates = _templates()
    since = now - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / number
    with psycopg.connect(url) as a, psycopg.connect(url) as b, psycopg.connect(url) as c:
        for begin in range(first, last, 20_000):
            rows = [_row(templates, place, since + step * place) for place in range(begin, min(begin + 20_000, last))]
            for connection, table, lines in zip(
                (a, b, c), (_INTAKE, _MENTIONS, _SEARCHABLE), zip(*rows, strict=True), strict=True
            ):
                with connection.cursor().copy(table) as copy:
                    copy.write("".join(lines))


_INTAKE = f"COPY intake ({', '.join(it.name for it in intake.c)}) FROM STDIN"
_MENTIONS = f"COPY mentions ({', '.join(it.name for it in mentions.c)}) FROM STDIN"
_SEARCHABLE = "COPY searchable (mention, author, at, words) FROM STDIN"


def _row(templates: Sequence[_Template], place: int, said_at: datetime) -> tuple[str, str, str]:
    """The lines of one mention for the three tables, in the order of their columns."""
    it = templates[place % TEMPLATES]
    who = f"a{(place * 7919) % AUTHORS}"
    key, id, author = f"p{place}", f"{it.source}:p{place}", f"{it.source}:{who}"
    at = f"{said_at:%Y-%m-%dT%H:%M:%S}Z"
    body = it.body.replace(_ID, key).replace(_WHO, who).replace(_TIME, at).encode().hex()
    seconds = int(said_at.timestamp())
    times = " ".join(f"'{stretch(level, seconds >> level)}'" for level in LEVELS)
    return (
        f"{id}\t{it.source}\t{it.source}\td{place}\t{at}\t{at}\n",
        f"{id}\t{it.source}\t{it.source}\tpost\t{author}\t{id}\t{it.brand}\t{at}\t{at}\t{at}\tfiltered\t\\N\t{it.reason}"
        f"\t2\t9999-01-01T00:00:00Z\t\\N\tnobody asks\tv1\t{at}\t{at}\t\\\\x{body}\n",
        f"{id}\t{author}\t{seconds}\t{it.words} '@{who}' {times}\n",
    )


def _templates() -> list[_Template]:
    dice = random.Random(5)  # noqa: S311 - nothing secret
    return [_template(said, dice) for said in made(TEMPLATES, seed=3)]


def _template(said: str, dice: random.Random) -> _Template:
    brand, source = dice.choice(BRANDS), dice.choice(SOURCES)
    mention = Mention(
        id=f"{source}:{_ID}",
        source=source,
        via=source,
        text=said,
        author=Author(id=_WHO, handle=_WHO, followers=dice.randrange(5000)),
        created_at=_MINUTE,
        collected_at=_MINUTE,
        conversation=f"{source}:{_ID}",
        url=f"https://{source}.example/{_ID}",
    )
    reason = dice.choice(("noise", "noise", "repost", "spam"))
    decision = Decision(rule="nobody asks", rules_version="v1", decided_at=_MINUTE, filtered=reason)
    places: dict[str, list[str]] = {}
    for place, word in enumerate(words_of(said), start=1):
        places.setdefault(word, []).append(str(place))
    words = " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())
    body = encode(Routed(mention=mention, tags=tags(brand, dice), decision=decision)).decode()
    return _Template(brand, source, reason, body, words)


def tags(brand: str, dice: random.Random) -> Tags:
    """What might have been found in a mention of this brand."""
    score = round(dice.uniform(-1, 1), 3)
    label = "negative" if score < -0.3 else "positive" if score > 0.3 else "neutral"
    return Tags(
        brand=brand,
        language=Language(code="en", confidence=0.98, by="detector"),
        sentiment=Sentiment(label=label, score=score),  # type: ignore[arg-type]  # one of the three
        intents=(Intent(name=dice.choice(INTENTS), score=round(dice.uniform(0.3, 1), 2)),),
        topics=(dice.choice(TOPICS),),
        reach=dice.randrange(10_000),
    )


def _write_buckets(url: str, number: int, now: datetime) -> None:
    """The counts of the same time, with the daily rise and fall that is usual, in all three widths."""
    minute = int(now.timestamp() // 60)
    end = minute - minute % 5 - 10
    since = end - DAYS * 1440 - (end - DAYS * 1440) % 1440
    with psycopg.connect(url) as connection:
        columns = ", ".join(it.name for it in spike_buckets.c)
        with connection.cursor().copy(f"COPY spike_buckets ({columns}) FROM STDIN") as copy:
            for brand in BRANDS:
                copy.write("".join(_buckets(brand, number, since, end)))
        for brand in BRANDS:
            connection.execute(
                "INSERT INTO spike_brands VALUES (%s, 1, 0, %s, %s, %s, %s, %s, %s)",
                (brand, since, end, end, end, end - end % 60, end - end % 1440),
            )


def _buckets(brand: str, number: int, since: int, end: int) -> Iterator[str]:
    dice = random.Random(brand)  # noqa: S311 - nothing secret
    average = number / len(BRANDS) / (DAYS * 288)
    facets = {"": 1.0}
    facets |= {f"source:{it}": 1 / len(SOURCES) for it in SOURCES}
    facets |= {f"topic:{it}": 1 / len(TOPICS) for it in TOPICS}
    facets |= {f"intent:{it}": 0.2 for it in INTENTS}
    for facet, share in facets.items():
        series = series_of(brand, facet)
        sums: dict[tuple[int, int], int] = {}
        for at in range(since, end, 5):
            daily = 1 + 0.6 * math.sin(2 * math.pi * (at % 1440) / 1440 - 2)
            counted = round(average * share * daily * dice.uniform(0.8, 1.2))
            for width in (5, 60, 1440):
                first = at - at % width
                if first + width <= end:
                    sums[width, first] = sums.get((width, first), 0) + counted
        for (width, at), counted in sums.items():
            if counted:
                against, people = counted // 3, math.ceil(counted * 0.9)
                shown = series.replace("\n", "\\n")
                yield (
                    f"{digest(series, width, at)}\t{shown}\t{width}\t{at}\t{counted}\t{against}\t{people}"
                    f"\t{math.ceil(against * 0.9)}\t{people // 4}\t{counted // 5}\t{counted * 900}\n"
                )
