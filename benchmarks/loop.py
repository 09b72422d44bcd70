"""The same small function bare, in harken's worker, and in the loops that others write: one broker, the same messages
and partitions, one core and one process each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from uuid import uuid4

from benchmarks import texts
from benchmarks.machine import RIVALS, on_one_core
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from pipeline.bus.kafka import Config, KafkaBus

WORKER = Gate(0.75)
WARM = 2000
SLOW_WARM = 100


def measure(bench: Bench) -> Iterator[Row]:
    """Bare and worker alternate three times; the rivals run once each, the slow ones on fewer of the messages."""
    timed = bench.scaled(10_000, 4_000)
    preload(bench, WARM + timed)
    bare_runs: list[float] = []
    worker_runs: list[float] = []
    for _ in range(bench.scaled(3, 1)):
        bare_runs.append(_speed("bare", str(bench.folder / "messages.jsonl"), str(WARM), str(timed)))
        worker_runs.append(_in_loop(bench, "worker", WARM, timed, f"sqlite:///{bench.folder}/worker.db"))
    bare = median(bare_runs)
    ratio = median(ours / alone for ours, alone in zip(worker_runs, bare_runs, strict=True))
    yield Row("loops", "the function, bare", bare, "messages/s")
    yield Row("loops", "harken's worker", median(worker_runs), "messages/s", ratio, "bare", WORKER)
    quix = _in_loop(bench, "quix", WARM, timed, "", rival=True)
    yield Row("loops", "Quix Streams", quix, "messages/s", quix / bare, "bare")
    few = bench.scaled(2_000, 800)
    fast = _in_loop(bench, "faststream_loop", SLOW_WARM, few, "", rival=True)
    yield Row(
        "loops", "FastStream", fast, "messages/s", fast / bare, "bare", note="one message at a time, as its guide"
    )
    tutorial = tutorial_speed(bench)
    yield Row("loops", "a tutorial's loop", tutorial, "messages/s", tutorial / bare, "bare", note="and a small model")


def preload(bench: Bench, count: int) -> None:
    """Write the messages to a file and to the topic `bench-in`, unless an earlier measure did."""
    path = bench.folder / "messages.jsonl"
    if path.exists():
        return
    messages = [
        json.dumps({"id": f"bench:{number}", "author": f"a{number % 700}", "text": text}).encode()
        for number, text in enumerate(texts.some(count, bench.texts))
    ]
    path.write_bytes(b"\n".join(messages))
    bench.servers.topic("bench-in")
    # Without compression: aiokafka reads lz4 only with a package more.
    bus = KafkaBus(Config(servers=[bench.servers.bootstrap], compression="none"))
    producer = bus.producer()
    for start in range(0, count, 500):
        batch = messages[start : start + 500]
        producer.send("bench-in", [(str(start + place).encode(), message) for place, message in enumerate(batch)])
        producer.flush()
    producer.close()
    bus.close()


def tutorial_speed(bench: Bench) -> float:
    """The tutorial's loop, messages a second; measured once a run."""
    if bench.tutorial is None:
        preload(bench, WARM + bench.scaled(10_000, 4_000))
        count = bench.scaled(400, 150)
        bench.tutorial = _in_loop(bench, "tutorial", 50, count, bench.servers.database(), rival=True)
    return bench.tutorial


def _in_loop(bench: Bench, module: str, warm: int, timed: int, store: str, *, rival: bool = False) -> float:
    bench.say(f"loops: {module}")
    target = f"bench_{uuid4().hex}"
    if module != "tutorial":
        bench.servers.topic(target)
    arguments = (bench.servers.bootstrap, "bench-in", target, str(warm), str(timed), store)
    return _speed(module, *arguments, python=RIVALS if rival else None)


def _speed(module: str, *arguments: str, python: Path | None = None) -> float:
    found = on_one_core(f"benchmarks.loops.{module}", *arguments, python=python)
    return float(found["messages"] / found["seconds"])
