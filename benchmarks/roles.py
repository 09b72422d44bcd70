"""The roles in processes of their own on Kafka and PostgreSQL: how much they take in, how soon, in how much memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.loop import tutorial_speed
from benchmarks.machine import BenchError
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from pipeline.clock import SystemClock
from pipeline.codec import decode
from pipeline.config import load
from pipeline.mention import Routed
from pipeline.wiring import ROLES, WORKERS, Parts
from tests.faults.household import Household

OF_VADER = Gate(0.12)
OF_TUTORIAL = Gate(20)
MEMORY_MB = Gate(400, at_most=True)
P99_SECS = Gate(1.5, at_most=True)

PACE = 200.0
"""Mentions a second, where latency is measured."""

POLL_SECS = 0.25


class Took(NamedTuple):
    """What a process took by now: the most memory it ever held, in MB of 10^6 bytes, and seconds of CPU."""

    peak_mb: float
    cpu_secs: float


class Roles(Household):
    """A household that also tells what its processes took; `took` holds the last word of one that has ended."""

    def __init__(self, config: Path, directory: Path) -> None:
        super().__init__(config, directory)
        self.took: dict[str, Took] = {}

    def look(self) -> None:
        """Note what each living process has taken by now."""
        for name in self._running:
            if self.alive(name) and (took := _taken(Path(f"/proc/{self._running[name].pid}"))):
                self.took[name] = took


def _taken(process: Path) -> Took | None:
    """None for one that is just ending: it has no memory any more."""
    lines = (process / "status").read_text(encoding="utf-8").splitlines()
    peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
    if peak is None:
        return None
    # After the name, which may hold anything: user and system time are the 12th and 13th fields.
    fields = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return Took(peak * 1024 / 1e6, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


def end_to_end(bench: Bench) -> Iterator[Row]:
    """From the start of collect to a ledger that is drained."""
    count = bench.scaled(30_000, 10_000)
    vader, tutorial = bench.vader(runs=3), tutorial_speed(bench)
    with closing(_Run(bench, "end-to-end", count, "max")) as run:
        begun = time.time()
        run.collect()
        ended = run.drained()
        speed = count / (ended - begun)
        first = run.moments()[0][0].timestamp()
        working = count / (ended - first)
        what = f"{count:,} mentions, Kafka and PostgreSQL, one process a role"
        yield Row("end-to-end", what, speed, "mentions/s", speed / vader, "VADER alone", OF_VADER)
        note = f"{working:,.0f}/s from the first mention collected: collect takes {first - begun:.1f} s to start"
        yield Row(
            "end-to-end", "the same", speed, "mentions/s", speed / tutorial, "a tutorial's loop", OF_TUTORIAL, note
        )
        for role in ROLES:
            took = run.roles.took[role]
            spent = f"{took.cpu_secs:.1f} s of CPU, its start included"
            yield Row("end-to-end", f"peak memory of {role}", took.peak_mb, "MB", gate=MEMORY_MB, note=spent)


def latency(bench: Bench) -> Iterator[Row]:
    """From collected to stored, at a steady pace."""
    seconds = bench.scaled(60, 15)
    count = int(PACE * seconds)
    with closing(_Run(bench, "latency", count, 1)) as run:
        run.collect()
        run.drained()
        took = sorted((stored - collected).total_seconds() for collected, stored in run.moments())
    what = f"{PACE:.0f} mentions/s for {seconds} s"
    yield Row("latency", f"{what}: p50", took[len(took) // 2], "s")
    yield Row("latency", f"{what}: p99", took[int(len(took) * 0.99)], "s", gate=P99_SECS)
    yield Row("latency", f"{what}: longest", took[-1], "s")


class _Run:
    """One file through the roles; they are up before collect starts."""

    def __init__(self, bench: Bench, name: str, count: int, speed: float | str) -> None:
        self._count = count
        file = bench.mentions(name, count, PACE)
        path = bench.configuration(
            name,
            bus={"type": "kafka", "servers": [bench.servers.bootstrap]},
            topics={"prefix": f"bench-{uuid4().hex[:8]}", "partitions": 4},
            store={"url": bench.servers.database()},
            sources={"file": {"type": "replay", "path": str(file), "speed": speed}},
            log={"format": "text"},
        )
        logs = bench.folder / f"{name}-logs"
        logs.mkdir()
        self.roles = Roles(path, logs)
        self._parts = Parts(load(path), SystemClock())
        self._engine = sa.create_engine(
            self._parts.config.file.store.url.get_secret_value().replace("://", "+psycopg://", 1)
        )
        try:
            self._parts.store.upgrade()
            self._parts.bus.apply(self._parts.topics)
            for role in WORKERS:
                self.roles.start(role)
            self._until(lambda: len(self._parts.store.workers()) == len(WORKERS), 60, "all workers at work")
        except BaseException:
            self.close()
            raise

    def collect(self) -> None:
        """Start collecting."""
        self.roles.start("collect")

    def drained(self) -> float:
        """The time at which every mention had an outcome; the ledger then says so too."""
        self._until(lambda: self._stored() >= self._count, 300, "the last mention stored")
        at = time.time()
        self.roles.look()
        self._until(lambda: sum(records for _, records in self._parts.lag()) == 0, 30, "empty topics")
        ledger = self._parts.ledger().as_json()
        if not ledger["balanced"] or ledger["in_flight"] or ledger["taken_in"] != self._count:
            raise BenchError(f"the ledger is wrong: {ledger}")
        return at

    def moments(self) -> list[tuple[datetime, datetime]]:
        """(collected, stored) of every mention, earliest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT body, stored_at FROM mentions")).all()
        found = []
        for row in rows:
            record = decode(bytes(row.body))
            if isinstance(record, Routed) and record.mention.collected_at:
                found.append((record.mention.collected_at, row.stored_at))
        return sorted(found)

    def close(self) -> None:
        """End every process."""
        self.roles.close()
        self._engine.dispose()
        self._parts.close()

    def _stored(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM mentions")).scalar_one())

    def _until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.roles.look()
            if time.monotonic() > deadline:
                raise BenchError(f"{what}: not within {seconds:.0f} s\n{self.roles.logs()}")
            time.sleep(POLL_SECS)
