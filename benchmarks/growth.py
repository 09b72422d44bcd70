"""Ten times the mentions through `harken ingest` on the embedded default: the time grows with them and no faster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.machine import BenchError, environment
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row

AT_MOST = Gate(10.5, at_most=True)


def measure(bench: Bench) -> Iterator[Row]:
    """N mentions (three times, the median), then ten times N."""
    count = bench.scaled(4_000, 1_000)
    runs = sorted(_ingest(bench, count, f"small-{number}") for number in range(bench.scaled(3, 1)))
    work, wall = runs[len(runs) // 2]
    long_work, long_wall = _ingest(bench, 10 * count, "large")
    note = f"{count / work:,.0f} and {10 * count / long_work:,.0f} mentions/s"
    yield Row("growth", f"harken ingest, {count:,} mentions", work, "s", note="without the interpreter's start")
    what = f"harken ingest, {10 * count:,} mentions"
    yield Row("growth", what, long_work, "s", long_work / work, f"{count:,}", AT_MOST, note)
    yield Row("growth", f"{what}, with start", long_wall, "s", long_wall / wall, f"{count:,}", AT_MOST)


def _ingest(bench: Bench, count: int, name: str) -> tuple[float, float]:
    """Seconds of work, and of the whole process."""
    bench.say(f"growth: {count:,} mentions")
    file = bench.mentions(name, count)
    folder = bench.folder / f"{name}-var"
    folder.mkdir()
    config = bench.configuration(
        name,
        bus={"type": "embedded", "path": str(folder / "bus.db")},
        store={"url": f"sqlite:///{folder}/harken.db"},
        http={"port": 0},
    )
    command = [sys.executable, "-m", "pipeline.cli", "--config", str(config), "ingest", str(file), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    wall = time.perf_counter() - begun
    if done.returncode:
        raise BenchError(f"harken ingest failed:\n{done.stderr.strip()[-2000:]}")
    said = json.loads(done.stdout)
    if said["taken_in"] != count or not said["balanced"]:
        raise BenchError(f"harken ingest took in {said['taken_in']} of {count}: {done.stdout.strip()}")
    return float(said["seconds"]), wall
