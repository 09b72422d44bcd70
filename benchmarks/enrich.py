"""Every default stage over batches of mentions, on one core, without a bus or a store."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.machine import on_one_core
from benchmarks.measures import Bench
from benchmarks.results import Gate, Row
from enrich._nlp import build
from enrich.pipeline import Enrichment
from pipeline.collector import spare_the_collector
from pipeline.config import load
from pipeline.mention import Author, Mention
from pipeline.ports import StageContext

BATCHES = (64, 500)
WARM = 1000
LEAST = Gate(0.25)


def measure(bench: Bench) -> Iterator[Row]:
    """The median of five runs for each size of batch; each run beside VADER alone."""
    runs = bench.scaled(5, 1)
    for size in BATCHES:
        found: list[tuple[float, float]] = []
        for _ in range(runs):
            vader = bench.vader()
            timed = on_one_core("benchmarks.enrich", str(bench.configuration("enrich")), str(bench.sample), str(size))
            found.append((timed["texts"] / timed["seconds"], vader))
        speed = median(speed for speed, _ in found)
        ratio = median(speed / vader for speed, vader in found)
        yield Row("enrich", f"all stages, batches of {size}", speed, "texts/s", ratio, "VADER alone", LEAST, "aim 0.40")


def main() -> None:
    """`python -m benchmarks.enrich CONFIG TEXTS SIZE`: the first thousand texts are for warming up."""
    config, texts, size = load(Path(sys.argv[1])), json.loads(Path(sys.argv[2]).read_text("utf-8")), int(sys.argv[3])
    mentions = _mentions(texts)
    nlp = build()
    context = StageContext(config.brands, nlp)
    enrich = Enrichment([(stage.name, stage.module.Stage(stage.settings, context)) for stage in config.stages], nlp)
    spare_the_collector()  # as a worker does before its first batch
    for start in range(0, WARM, size):
        enrich(mentions[start : min(start + size, WARM)])
    begun = time.perf_counter()
    for start in range(WARM, len(mentions), size):
        enrich(mentions[start : start + size])
    print(json.dumps({"texts": len(mentions) - WARM, "seconds": time.perf_counter() - begun}))


def _mentions(texts: Sequence[str]) -> list[Mention]:
    now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    return [
        Mention(
            id=f"bench:{number}",
            source="bench",
            text=text,
            author=Author(id=f"a{number % 700}", followers=number % 3000),
            created_at=now + timedelta(seconds=number),
        )
        for number, text in enumerate(texts)
    ]


if __name__ == "__main__":
    main()
