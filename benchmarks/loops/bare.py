"""The function alone: no broker, no loop but `for`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.loops.told import Watch
from benchmarks.loops.work import Work


def main() -> None:
    """`python -m benchmarks.loops.bare MESSAGES WARM TIMED`: a file of one message a line."""
    path, warm, timed = sys.argv[1:]
    messages = Path(path).read_bytes().splitlines()[: int(warm) + int(timed)]
    work = Work()
    watch = Watch(int(warm), len(messages))
    for message in messages:
        work(message)
        watch.add(1)
    watch.report()


if __name__ == "__main__":
    main()
