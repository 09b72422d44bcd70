"""`python -m benchmarks.console.fill URL [--cases N] [--mentions M]`: a PostgreSQL database with so many open cases and
mentions, to look at the console with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import islice
from typing import Annotated

import typer
from msgspec.structs import replace

from benchmarks.console import past
from benchmarks.desk.stream import Stream
from benchmarks.texts import BRANDS, made
from desk.cases import Cases
from desk.desk import Desk
from desk.facts import Facts
from desk.hearing import CaseSettings
from pipeline.clock import SystemClock
from pipeline.mention import Routed
from pipeline.store import Store

CASES = 100_000
MENTIONS = 5_000_000
BATCH = 500


def fill(url: str, cases: int, mentions: int, say: Callable[[str], None]) -> None:
    """Fill an empty database: what was said before straight into the tables, the open cases by the very code of the
    role deliver."""
    clock = SystemClock()
    store = Store(url, clock)
    try:
        store.upgrade()
        begun = time.perf_counter()
        past.write(store, url, mentions - cases, clock.now())
        say(f"{mentions - cases:,} mentions in {time.perf_counter() - begun:,.0f} s")
        begun = time.perf_counter()
        desk = Cases(store._db, clock, CaseSettings(join_hours=0))
        rest = Stream(seed=1, per_customer=1.2).opening(cases, clock.now())
        texts, dice = made(past.TEMPLATES, seed=11), random.Random(2)  # noqa: S311 - nothing secret
        while batch := [_said(it, dice.choice(texts), dice) for it in islice(rest, BATCH)]:
            store.deliver(batch, also=desk.take_in)
        say(f"{cases:,} open cases in {time.perf_counter() - begun:,.0f} s")
        begun = time.perf_counter()
        facts = Facts(store._db, clock, Desk())
        while facts.follow():
            pass
        say(f"their figures in {time.perf_counter() - begun:,.0f} s")
        past.settle(store)
    finally:
        store.close()


def _said(it: Routed, words: str, dice: random.Random) -> Routed:
    """The same in other words."""
    tags = past.tags(dice.choice(BRANDS), dice)
    author = replace(it.mention.author, handle=it.mention.author.id, followers=dice.randrange(5000))
    return replace(it, mention=replace(it.mention, text=words, author=author), tags=tags)


def main(
    url: Annotated[str, typer.Argument(help="postgresql://… of an empty database.")],
    cases: Annotated[int, typer.Option(help="Open cases.")] = CASES,
    mentions: Annotated[int, typer.Option(help="Mentions in all.")] = MENTIONS,
) -> None:
    """Fill it."""
    fill(url, cases, mentions, print)


if __name__ == "__main__":
    typer.run(main)
