"""Of what an incident gathers, how much is of its matter, and how much of the matter it keeps: on made storms whose
posts are known, beside everything negative of the brand in that time (what was gathered before there was a matter)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean

import numpy as np
from msgspec.structs import replace as changed

from benchmarks.spikes.ordinary import Brand, ordinary
from benchmarks.spikes.phrases import NUMBERS
from benchmarks.spikes.said import Rows, records, seconds
from benchmarks.spikes.storms import storm
from pipeline.mention import Enriched
from spikes.matter import looked_at, matter
from spikes.story import MOST
from spikes.telling import DAYS

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
SHAPES = ("burst", "slow build", "influencer", "hawkes", "word of mouth", "delayed echo")
"""Those in which many people speak in their own words."""

BRANDS = (200, 2_000, 20_000)
"""Mentions a day."""

SIZES = (30, 100, 300, 1000)
SEEDS = (1, 2, 3)
WINDOW = timedelta(hours=6)
"""So long after its onset a storm is looked at."""

WIDTH = timedelta(minutes=15)


@dataclass(frozen=True)
class Trial:
    """What was gathered in one storm: the share of it that is of the storm, and the share of the storm in it, for
    everything negative and for what is of the matter; `known`: a matter was found."""

    per_day: int
    size: int
    before: float
    precision: float
    recall: float
    known: bool


def trial(per_day: int, shape: str, size: int, seed: int, *, topics: bool, everyday: bool, after: timedelta) -> Trial:
    """One storm around a brand, as it stands so long after its onset. `topics`: mentions have the topic that a topic
    stage would find; `everyday`: the storm is about what people complain of on any day, in the same words."""
    onset = MONDAY + timedelta(days=DAYS + 1, hours=14, minutes=3)
    life = ordinary(Brand("acme", per_day, seed=seed), MONDAY, DAYS + 2).said
    made = storm(shape, size, onset, seed).said
    if everyday:
        made["theme"] = NUMBERS["service"]
    life, made = life[life["mood"] < 0], made[made["mood"] < 0]
    ours = _items(made, "storm", onset, after, topics)
    theirs = _items(life, "life", onset, after, topics)
    before = [it for day in range(DAYS) for it in _day(life, onset - timedelta(days=day), topics)]
    every = sorted([*ours, *theirs], key=lambda it: (it.mention.created_at, it.mention.id))
    first = every[: looked_at(len(every))]
    found = matter(first, before, {"acme"}, _above(ours, theirs))
    right = {it.mention.id for it in ours}
    kept = [it for it in every if found is None or found.speaks(it)]
    hits = sum(it.mention.id in right for it in kept)
    share = len(ours) / len(every)
    return Trial(per_day, size, share, hits / len(kept) if kept else 0.0, hits / max(1, len(ours)), found is not None)


def _items(rows: Rows, name: str, onset: datetime, after: timedelta, topics: bool) -> list[Enriched]:
    at = rows["at"]
    some = rows[(at >= seconds(onset)) & (at < seconds(onset + after))]
    return [it if topics else _without(it) for it in records(some, "acme", name)]


def _day(rows: Rows, until: datetime, topics: bool) -> Iterator[Enriched]:
    at = rows["at"]
    day = rows[(at >= seconds(until - timedelta(days=1))) & (at < seconds(until))][-(MOST // DAYS) :]
    for it in records(day, "acme", f"before{until:%d}"):
        yield it if topics else _without(it)


def _without(it: Enriched) -> Enriched:
    return changed(it, tags=changed(it.tags, topics=()))


def _above(ours: Sequence[Enriched], theirs: Sequence[Enriched]) -> float:
    """The share of the storm in the fifteen minutes in which there was most of it."""
    width = int(WIDTH.total_seconds())
    mine = np.array([seconds(it.mention.created_at) // width for it in ours])
    if not len(mine):
        return 0.0
    best = int(np.bincount(mine - mine.min()).argmax() + mine.min())
    usual = sum(seconds(it.mention.created_at) // width == best for it in theirs)
    most = int(np.count_nonzero(mine == best))
    return most / (most + usual)


def main() -> None:
    """Print the table."""
    print("| storm | brand, mentions a day | precision before | after | recall | matter known |")
    print("|---|---|---|---|---|---|")
    kinds = {
        "with topics": {"topics": True, "everyday": False, "after": WINDOW},
        "words only": {"topics": False, "everyday": False, "after": WINDOW},
        "words only, after 20 minutes": {"topics": False, "everyday": False, "after": timedelta(minutes=20)},
        "an everyday complaint": {"topics": True, "everyday": True, "after": WINDOW},
    }
    for what, how in kinds.items():
        for per_day in BRANDS:
            for sizes in ((30, 100), (300, 1000)):
                made = [
                    trial(per_day, shape, size, seed, **how)  # type: ignore[arg-type]  # as written above
                    for shape in SHAPES
                    for size in sizes
                    for seed in SEEDS
                ]
                told = [mean(getattr(it, name) for it in made) for name in ("before", "precision", "recall", "known")]
                cells = " | ".join(f"{100 * it:.0f} %" for it in told)
                print(f"| {what}, {sizes[0]}-{sizes[1]} posts | {per_day:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
