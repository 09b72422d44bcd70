"""What a loop is told on its command line, and what it says at its end."""

from __future__ import annotations

import json
import sys
import time
from typing import NamedTuple


class Told(NamedTuple):
    """Where the messages are, where results go, and how many messages are for warming up and how many are timed."""

    bootstrap: str
    source: str
    target: str
    warm: int
    timed: int
    store: str

    @property
    def total(self) -> int:
        """All that the loop handles."""
        return self.warm + self.timed


def told() -> Told:
    """The arguments in Told's order."""
    bootstrap, source, target, warm, timed, store = sys.argv[1:]
    return Told(bootstrap, source, target, int(warm), int(timed), store)


class Watch:
    """Counts messages, and takes the time from the end of the warm-up to the end of the last."""

    def __init__(self, warm: int, total: int) -> None:
        self._warm = warm
        self._total = total
        self._started: tuple[int, float] | None = None
        self.handled = 0

    @property
    def over(self) -> bool:
        """Whether all were handled."""
        return self.handled >= self._total

    def add(self, messages: int) -> None:
        """So many more are finished, their results flushed."""
        self.handled += messages
        if self._started is None and self.handled >= self._warm:
            self._started = (self.handled, time.perf_counter())

    def report(self) -> None:
        """Print the line that the caller reads; right after the last message."""
        if self._started is None:
            raise RuntimeError(f"only {self.handled} messages came, fewer than the warm-up of {self._warm}")
        before, at = self._started
        print(json.dumps({"messages": self.handled - before, "seconds": time.perf_counter() - at}), flush=True)
