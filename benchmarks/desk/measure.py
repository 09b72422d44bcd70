"""The desk: many people at once, and a long queue beside a short one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from benchmarks.desk.day import Day, spend
from benchmarks.desk.depth import compared
from benchmarks.desk.office import Office
from benchmarks.machine import BenchError
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row

NONE = Gate(0, at_most=True)
P99_OF_FEW = Gate(5, at_most=True)

LEASE_SECS = 20
"""So short that many run out."""

SHOWN = 20


def measure(bench: Bench) -> Iterator[Row]:
    """A day on each database, then `next` at two depths on each."""
    # Each thinks so long between two actions, on average, that two cores are busy and not swamped.
    for kind, people, actions, pause, servers in (
        ("PostgreSQL", 160, bench.scaled(20_000, 1_600), 3.5, 2),
        ("SQLite", 16, bench.scaled(4_000, 480), 0.5, 1),
    ):
        bench.say(f"desk: {people} people on {kind}, {actions:,} actions")
        with closing(Office(bench.folder / f"desk-{kind}", _url(bench, kind, "day"), lease_secs=LEASE_SECS)) as office:
            day = spend(
                office,
                people=people,
                actions=actions,
                cases=max(1_000, actions // 5),
                pause=pause,
                seed=7,
                servers=servers,
            )
        yield from _day(day, f"{people} people, {kind}")
    for kind in ("PostgreSQL", "SQLite"):
        sizes = (1_000, bench.scaled(100_000, 10_000))
        bench.say(f"desk: next with {sizes[0]:,} and {sizes[1]:,} open cases on {kind}")
        urls = (_url(bench, kind, "few"), _url(bench, kind, "many"))
        few, many = compared(bench.folder / f"depth-{kind}", urls, sizes, bench.scaled(800, 200))
        yield Row("desk", f"{kind}, {few.cases:,} open cases: p99 of next", few.at(0.99), "s", note=_p50(few.at(0.5)))
        speed = f"{_p50(many.at(0.5))}; made by deliver at {many.cases / many.filled_secs:,.0f} mentions/s"
        what = f"{kind}, {many.cases:,} open cases: p99 of next"
        ratio = many.at(0.99) / few.at(0.99)
        yield Row("desk", what, many.at(0.99), "s", ratio, f"{few.cases:,}", P99_OF_FEW, speed)


def _day(day: Day, who: str) -> Iterator[Row]:
    record, faults = day.record, day.faults()
    if faults:
        raise BenchError("\n".join([f"{len(faults)} things that must not be ({who}):", *faults[:SHOWN]]))
    done = day.doings
    kept = len({post.key for post in day.posts if post.kept})
    told = (
        f"{kept:,} answers sent, {record.kinds['lease_expired']:,} leases run out, {record.kinds['taken_over']:,} "
        f"taken over, {len(day.late()):,} sends refused"
    )
    what = f"{who}, {done.actions:,} actions: two owners, sent twice, sent under a stale token"
    yield Row("desk", what, len(faults), "faults", gate=NONE, note=told)
    busy = sum(number for name, number in done.refused.items() if name.endswith(": 503"))
    note = f"{busy:,} were told to come again" if busy else ""
    yield Row("desk", f"{who}: throughput", done.actions / day.seconds, "actions/s", note=note)
    for name in ("next", "claim"):
        took = sorted(done.took[name])
        yield Row("desk", f"{who}: p50 of {name}", took[len(took) // 2], "s", note=f"{len(took):,} calls")
        yield Row("desk", f"{who}: p99 of {name}", took[int(len(took) * 0.99)], "s")


def _url(bench: Bench, kind: str, name: str) -> str:
    return bench.servers.database() if kind == "PostgreSQL" else f"sqlite:///{bench.folder}/desk-{name}.db"


def _p50(secs: float) -> str:
    return f"p50 {secs:.3g} s"
