"""How many mentions a second one core counts and watches, and how much memory that takes.

    python -m benchmarks.spikes.counting [--store URL] [--minutes 10] [--keys 5000]

Mentions come at `rate` a second of event time in batches of 500, spread over brands of 20 topics each, as fast as they
are taken. Reported: mentions a second of the process's own processor time (a PostgreSQL server's is not in it) and of
the clock on the wall, the slowest batch, series in memory, and how much the process grew.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.clock import ManualClock
from pipeline.codec import decode, encode
from pipeline.mention import Author, Enriched, Intent, Mention, Sentiment, Tags
from pipeline.store.database import Database
from pipeline.store.migrate import upgrade
from spikes.counts import Counts
from spikes.watch import Watch

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
BATCH = 500
TOPICS = 20


@dataclass(frozen=True)
class Measured:
    """`processor` and `wall` are mentions a second; `slowest` is in seconds, `grown` in MiB."""

    mentions: int
    processor: float
    wall: float
    slowest: float
    series: int
    grown: float


def traffic(rate: float, minutes: float, keys: int, seed: int = 1) -> Iterator[bytes]:
    """Enriched records as on the topic: a quarter negative, by accounts that mostly speak once."""
    rng = random.Random(seed)  # noqa: S311 - made-up traffic
    brands = max(1, keys // TOPICS)
    for number in range(int(rate * 60 * minutes)):
        at = START + timedelta(seconds=number / rate)
        label = rng.choices(("negative", "neutral", "positive"), (25, 55, 20))[0]
        mention = Mention(
            id=f"x:{number}",
            source=rng.choice(("x", "bluesky")),
            text="They were late again and nobody said a word about it.",
            author=Author(id=str(rng.randrange(2_000_000)), followers=100),
            created_at=at,
            collected_at=at,
        )
        tags = Tags(
            brand=f"brand-{rng.randrange(brands)}",
            sentiment=Sentiment(label=label, score=0.0),  # type: ignore[arg-type]  # one of the three
            topics=(f"topic-{rng.randrange(TOPICS - 3)}",),
            intents=(Intent(name="complaint", score=0.8),) if label == "negative" else (),
            reach=100,
        )
        yield encode(Enriched(mention=mention, tags=tags))


def measure(url: str, minutes: float = 10, keys: int = 5000, rate: float = 2000) -> Measured:
    """Count and watch so many minutes of event time in an empty database."""
    database = Database(url)
    upgrade(database)
    counts, watch = Counts(database, ManualClock(START + timedelta(days=1))), Watch()
    before = _resident()
    batch: list[bytes] = []
    total, processor, wall, slowest = 0, 0.0, 0.0, 0.0
    for record in traffic(rate, minutes, keys):
        batch.append(record)
        if len(batch) < BATCH:
            continue
        began, ticked = time.perf_counter(), time.process_time()
        items = [decode(value) for value in batch]
        with database.write() as transaction:
            watch.look(transaction, counts.count(transaction, [it for it in items if isinstance(it, Enriched)]))
        spent = time.perf_counter() - began
        processor, wall, slowest = processor + time.process_time() - ticked, wall + spent, max(slowest, spent)
        total += len(batch)
        batch.clear()
    grown = _resident() - before
    series = counts.remembered
    database.close()
    return Measured(total, total / processor, total / wall, slowest, series, grown)


def _resident() -> float:
    """The most memory this process had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="", help="an empty database; a SQLite file by default")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--keys", type=int, default=5000)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        print(measure(given.store or f"sqlite:///{Path(folder)}/store.db", given.minutes, given.keys))


if __name__ == "__main__":
    main()
