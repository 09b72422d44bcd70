"""VADER as its package has it, one text at a time, on one core: the yardstick."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

if TYPE_CHECKING:
    from benchmarks.measures import Bench
    from benchmarks.results import Row


def measure(bench: Bench) -> Iterator[Row]:
    """The median of three processes."""
    from benchmarks.results import Row

    yield Row("vader", "VADER alone, one core", bench.vader(runs=3), "texts/s")


def main() -> None:
    """`python -m benchmarks.vader TEXTS`: a JSON list of texts; the median of three passes."""
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    score = SentimentIntensityAnalyzer().polarity_scores
    for text in texts[:500]:
        score(text)
    passes = []
    for _ in range(3):
        start = time.perf_counter()
        for text in texts:
            score(text)
        passes.append(time.perf_counter() - start)
    print(json.dumps({"texts": len(texts), "seconds": median(passes)}))


if __name__ == "__main__":
    main()
