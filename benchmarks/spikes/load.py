"""Two thousand mentions a second through counting and watching, on one core, with thousands of series in memory."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from benchmarks.machine import on_one_core
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from pipeline.clock import SystemClock
from pipeline.mention import Author, Enriched, Intent, Mention, Sentiment, Tags
from pipeline.store import Store
from pipeline.store.database import Database, Transaction
from pipeline.store.spike_tables import spike_mentions
from spikes.counts import Counts
from spikes.watch import Watch

BRANDS, TOPICS = 500, 10
"""5,000 series of a brand's topic; with sources, intents and all of a brand, 8,000."""

BATCH = 500
WARM = 5000
"""Mentions at the rate before the timed ones: detectors that had heard nothing for a while catch up once."""

TRIM = 50 * BATCH
"""Mentions after which the memory is looked through, as the role does."""

HOURS = 6
"""Of event time before the load, thinly: by then the last hour, which is held in memory, should grow no further."""

RATE = 2000
"""Mentions a second."""

OF_VADER = Gate(0.2)
MEMORY_MB = Gate(400, at_most=True)
GROWN = Gate(1.15, at_most=True)

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def measure(bench: Bench) -> Iterator[Row]:
    """Counting and watching on each database, beside VADER and a bare dict counter."""
    filled, timed = bench.scaled(36_000, 3_600), bench.scaled(40_000, 4_000)
    for kind in ("SQLite", "PostgreSQL"):
        bench.say(f"spikes: {timed:,} mentions on {kind}")
        url = bench.servers.database() if kind == "PostgreSQL" else f"sqlite:///{bench.folder}/spikes-load.db"
        vader = bench.vader()
        found = on_one_core("benchmarks.spikes.load", url, str(filled), str(timed))
        speed, bare = timed / found["seconds"], timed / found["bare_seconds"]
        note = (
            f"{timed / found['cpu_seconds']:,.0f}/s of our CPU; {speed / bare:.3g} of a dict counter; "
            f"p99 of a batch {found['p99']:.2g} s"
        )
        what = f"counting and watching, {BRANDS * TOPICS:,} brand-topic keys, {kind}"
        yield Row("spikes-load", what, speed, "mentions/s", speed / vader, "VADER alone", OF_VADER, note)
        note = f"{found['series']:,} series in memory"
        yield Row("spikes-load", f"peak memory, {kind}", found["peak_mb"], "MB", gate=MEMORY_MB, note=note)
        what = f"memory after {HOURS} hours of event time, {kind}"
        ratio = found["late_mb"] / found["early_mb"]
        yield Row("spikes-load", what, found["late_mb"], "MB", ratio, f"{HOURS // 2 + 1} hours", GROWN)
    minutes = bench.scaled(120, 4)
    bench.say(f"spikes: {minutes} minutes at {RATE:,} mentions a second")
    found = on_one_core("benchmarks.spikes.load", f"sqlite:///{bench.folder}/spikes-sustained.db", str(minutes))
    what = f"peak memory by {minutes // 2} minutes of event time at {RATE:,} mentions/s"
    yield Row("spikes-load", what, found["half_mb"], "MB", gate=MEMORY_MB)
    what = f"peak memory by {minutes} minutes of event time at {RATE:,} mentions/s"
    note = f"{found['speed']:,.0f} mentions/s, made as they are counted, without their rows"
    yield Row("spikes-load", what, found["peak_mb"], "MB", gate=MEMORY_MB, note=note)


class Untabled(Transaction):
    """Leaves out the rows of mentions: they fill the disk, not the memory, and are not read while all goes well."""

    def insert(self, table: Table, rows: Sequence[dict[str, Any]], key: str, *given: Any, **named: Any) -> None:
        """Insert them, unless they are mentions."""
        if table is not spike_mentions:
            super().insert(table, rows, key, *given, **named)


def sustain(url: str, minutes: int) -> dict[str, float]:
    """The most memory, in MB, by so many minutes of event time at the full rate, and half as many; mentions a second,
    which are made as they are counted."""
    counts, watch, database = fresh(url)
    begun, done, peaks = time.perf_counter(), 0, []
    for minute in range(minutes):
        for second in range(0, 60 * RATE, BATCH):
            at = START + timedelta(minutes=minute, seconds=second / RATE)
            items = made(BATCH, at, RATE, minute * 60 * RATE + second)
            with database.write() as transaction:
                untabled = Untabled(transaction.connection)
                watch.look(untabled, counts.count(untabled, items))
            done += len(items)
            if done % TRIM == 0:
                watch.forget_all_but(counts.in_memory())
        peaks.append(_peak_mb())
    seconds = time.perf_counter() - begun
    return {"half_mb": peaks[minutes // 2 - 1], "peak_mb": peaks[-1], "speed": done / seconds}


def fresh(url: str) -> tuple[Counts, Watch, Database]:
    """What counts and watches, over an empty store."""
    store = Store(url, SystemClock())
    store.upgrade()
    store.close()
    database = Database(url)
    return Counts(database, SystemClock()), Watch(), database


def made(number: int, start: datetime, per_second: float, seed: int) -> list[Enriched]:
    """Mentions of BRANDS brands, the first of which are spoken of far more often than the last, evenly in event
    time."""
    dice = random.Random(seed)  # noqa: S311 - nothing secret
    brands = [f"brand{number:03}" for number in range(BRANDS)]
    weights = list(accumulate((rank + 1) ** -0.8 for rank in range(BRANDS)))
    found = []
    for count in range(number):
        at = start + timedelta(seconds=count / per_second)
        mood = dice.choices(("negative", "neutral", "positive"), (15, 60, 25))[0]
        intents = {"negative": (Intent("complaint", 0.8),), "positive": (Intent("praise", 0.8),)}.get(mood, ())
        found.append(
            Enriched(
                mention=Mention(
                    id=f"x:{seed}-{count}",
                    source=dice.choice(("x", "bluesky", "rss")),
                    text="as made",
                    author=Author(id=f"a{dice.randrange(200_000)}", followers=dice.randrange(5000)),
                    created_at=at,
                    collected_at=at,
                ),
                tags=Tags(
                    brand=dice.choices(brands, cum_weights=weights)[0],
                    sentiment=Sentiment(mood, 0.5),  # type: ignore[arg-type]  # one of the three above
                    intents=intents,
                    topics=(f"topic{dice.randrange(TOPICS)}",),
                    reach=dice.randrange(5000),
                ),
            )
        )
    return found


def main() -> None:
    """`python -m benchmarks.spikes.load URL FILLED TIMED`: HOURS of event time thinly, then TIMED at the rate.
    `URL MINUTES`: so many minutes of event time at the rate."""
    url, filled = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) == 3:
        print(json.dumps(sustain(url, filled)))
        return
    timed = int(sys.argv[3])
    counts, watch, database = fresh(url)
    memory: list[float] = []
    thin = filled // HOURS
    for hour in range(HOURS):
        run(database, counts, watch, made(thin, START + timedelta(hours=hour), thin / 3600, hour))
        memory.append(_resident_mb())
    items = made(WARM + timed, START + timedelta(hours=HOURS), RATE, HOURS)
    run(database, counts, watch, items[:WARM])
    items = items[WARM:]
    worked = time.process_time()
    took = run(database, counts, watch, items)
    worked = time.process_time() - worked
    begun = time.perf_counter()
    tally(items)
    found = {
        "seconds": sum(took),
        "cpu_seconds": worked,
        "p99": sorted(took)[int(len(took) * 0.99)],
        "bare_seconds": time.perf_counter() - begun,
        "early_mb": memory[HOURS // 2],
        "late_mb": memory[-1],
        "peak_mb": _peak_mb(),
        "series": counts.remembered,
    }
    print(json.dumps(found))


def run(database: Database, counts: Counts, watch: Watch, items: Sequence[Enriched]) -> list[float]:
    """Seconds for each batch, as the role does it: one transaction, committed."""
    took = []
    for start in range(0, len(items), BATCH):
        begun = time.perf_counter()
        with database.write() as transaction:
            watch.look(transaction, counts.count(transaction, items[start : start + BATCH]))
        took.append(time.perf_counter() - begun)
    return took


def tally(items: Sequence[Enriched]) -> Counter[tuple[str | None, str, int]]:
    """What a loop with a dict would count: mentions by brand, facet and minute, copies and all, in memory only."""
    found: Counter[tuple[str | None, str, int]] = Counter()
    for item in items:
        brand, minute = item.tags.brand, int(item.mention.created_at.timestamp()) // 60
        for facet in ("", item.mention.source, *item.tags.topics, *(intent.name for intent in item.tags.intents)):
            found[brand, facet, minute] += 1
    return found


def _resident_mb() -> float:
    return _status("VmRSS:")


def _peak_mb() -> float:
    return _status("VmHWM:")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


if __name__ == "__main__":
    main()
