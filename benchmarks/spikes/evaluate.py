"""How often the watch takes nothing for something, how soon it sees a firestorm, what it misses, what it calls it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median

from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from benchmarks.spikes.storms import CASTS
from benchmarks.spikes.trials import FIRST, LASTS, SILENT, VOICES, Found, Outcome, Plan, carried_out
from spikes.detector import THRESHOLDS

FALSE_A_WEEK = Gate(1, at_most=True)
SOON_MINUTES = Gate(5, at_most=True)

SMALL = (30, 100, 300, 1000)
LARGE = (10_000, 100_000)
FEW_SHAPES = ("burst", "slow build", "repost storm", "bot flood")
"""What is made as large as that."""

ALONE = ("one account", "praise")
"""Shapes in which there are no many angry people: how soon is told by kind only."""

NEVER = LASTS.total_seconds() / 60
"""What a storm that was not seen counts as, in minutes: as long as it was watched for."""


def plans(quick: bool) -> list[Plan]:
    """The longest first."""
    if quick:
        some = tuple((shape, size) for shape in CASTS for size in SMALL[1:])
        return [
            Plan(5_000, 0, 14, (*some, ("burst", LARGE[0]), ("bot flood", LARGE[0]))),
            *(Plan(per_day, 0, 21, (*some, (SILENT, 0))) for per_day in (500, 50)),
            Plan(5, 0, 21, some),
        ]
    every = tuple((shape, size) for shape in CASTS for size in SMALL)
    large = tuple((shape, size) for shape in FEW_SHAPES for size in LARGE)
    more = tuple((shape, size) for shape in CASTS for size in SMALL[1::2])
    silent = ((SILENT, 0),)
    found = [
        Plan(50_000, 0, 14, every + large),
        *(Plan(5_000, seed, 21, (every + large + silent, more)[seed]) for seed in range(2)),
        *(Plan(500, seed, 28, (every + silent, more, ())[seed]) for seed in range(3)),
        *(Plan(50, seed, 28, (every + large[:1] + silent, more, (), ())[seed]) for seed in range(4)),
        *(Plan(5, seed, 28, (every, more, (), ())[seed]) for seed in range(4)),
    ]
    return found


def measure(bench: Bench) -> Iterator[Row]:
    """Every plan, on as many cores as there are."""
    todo = plans(bench.quick)
    bench.say(f"spikes: {len(todo)} made brands, {sum(len(plan.storms) for plan in todo)} storms")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(carried_out, todo))
    yield from rows(found, gates=not bench.quick)


def rows(found: Sequence[Found], gates: bool = True) -> Iterator[Row]:
    """The table."""
    yield from _ordinary(found, gates)
    outcomes = [it for one in found for it in one.outcomes]
    storms = [it for it in outcomes if it.shape not in (*ALONE, SILENT)]
    swift = [it for it in storms if it.soon >= VOICES]
    what = f"{len(swift)} storms with {VOICES} angry people within {FIRST.seconds // 60} minutes: onset to alert"
    if swift:
        yield _delay(what, swift, SOON_MINUTES if gates else None)
    reached = [it for it in storms if it.fifteenth is not None]
    after = f"{len(reached)} storms with {VOICES} angry people at all: the last of them to alert"
    if reached:
        yield _delay(after, reached, SOON_MINUTES if gates else None, since_voices=True, named=False)
    for shape in dict.fromkeys(it.shape for it in reached):
        yield _delay(f"{shape}: onset to alert", [it for it in reached if it.shape == shape])
    for size in sorted({it.size for it in reached}):
        some = [it for it in reached if it.size == size]
        yield _delay(f"{size:,} posts: onset to alert", some, named=False)
    for per_day in sorted({it.per_day for it in reached}):
        some = [it for it in reached if it.per_day == per_day]
        yield _delay(f"brand of {per_day:,.0f} a day: onset to alert", some, named=False)
    smaller = [it for it in storms if it.fifteenth is None]
    if smaller:
        seen = sum(it.minutes is not None for it in smaller)
        yield Row("spikes", f"storms with fewer than {VOICES} angry people: seen", seen, f"of {len(smaller)}")
    for shape in (*ALONE, SILENT):
        if some := [it for it in outcomes if it.shape == shape]:
            yield _delay(f"{shape}: onset to alert", some)
    yield from _kinds(outcomes)


def _ordinary(found: Sequence[Found], gates: bool) -> Iterator[Row]:
    weeks = sum(it.weeks for it in found)
    for name in THRESHOLDS:
        alerts = [alert for it in found for alert in it.alerts[name]]
        by_brand = []
        for per_day in sorted({it.plan.per_day for it in found}):
            some = [it for it in found if it.plan.per_day == per_day]
            rate = sum(len(it.alerts[name]) for it in some) / sum(it.weeks for it in some)
            by_brand.append(f"{per_day:,.0f} a day: {rate:.2g}")
        early = sum(it.first_week for it in alerts)
        occasions = sum(bool(it.occasion) for it in alerts)
        kinds = _listed(it.kind for it in alerts)
        note = f"{', '.join(by_brand)}; {early} in first weeks, {occasions} on occasions; {kinds}"
        gate = FALSE_A_WEEK if gates and name == "normal" else None
        what = f"ordinary traffic, {weeks:.0f} brand-weeks, sensitivity {name}: false alerts"
        yield Row("spikes", what, len(alerts) / weeks, "a brand-week", gate=gate, note=note)


def _delay(
    what: str,
    some: Sequence[Outcome],
    gate: Gate | None = None,
    since_voices: bool = False,
    named: bool = True,
) -> Row:
    """The median, and by name what was missed, unless another row names it."""
    delays = sorted(_waited(it, since_voices) for it in some)
    missed = [it for it in some if it.minutes is None]
    late = delays[int(len(delays) * 0.9)]
    note = f"seen {len(some) - len(missed)} of {len(some)}; nine of ten within {late:.3g} min"
    if missed and named:
        note += f"; missed: {_misses(missed)}"
    return Row("spikes", what, median(delays), "min", gate=gate, note=note)


def _waited(it: Outcome, since_voices: bool) -> float:
    if it.minutes is None:
        return NEVER
    return it.minutes - (it.fifteenth or 0.0) if since_voices else it.minutes


def _misses(missed: Iterable[Outcome]) -> str:
    return _listed(f"{it.shape} {it.size:,} at {it.per_day:,.0f} a day" for it in missed)


def _kinds(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """The confusion table, one row for each kind."""
    for expected in dict.fromkeys(it.expected for it in outcomes):
        called = [it.called for it in outcomes if it.expected == expected and it.called]
        if called:
            what = f"{expected}: called that, of those seen"
            yield Row("spikes", what, called.count(expected), f"of {len(called)}", note=f"called {_listed(called)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in Counter(names).most_common())
