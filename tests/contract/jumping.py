"""A clock for whole days in seconds: it stands still until its owner moves it or waits, and what is due happens on the
way."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class JumpingClock:
    """Belongs to the thread that made it: its waits return at once and move the time. Other threads' waits last until
    the time has come to their end. `at` puts something on the agenda; it is done by the owner when its time comes."""

    def __init__(self, start: datetime | None = None) -> None:
        self.start = start or datetime.now(UTC)
        self.waits: list[float] = []
        self._elapsed = 0.0
        self._stopped = False
        self._owner = threading.get_ident()
        self._moved = threading.Condition()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """The time it stands at."""
        return self.start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._elapsed

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """End every wait."""
        with self._moved:
            self._stopped = True
            self._moved.notify_all()

    def wait(self, seconds: float) -> bool:
        """Of the owner: be there at once. Of others: until the owner is."""
        if threading.get_ident() == self._owner:
            self.waits.append(seconds)
            self.advance(seconds)
            return self._stopped
        with self._moved:
            until = self._elapsed + seconds
            self._moved.wait_for(lambda: self._stopped or self._elapsed >= until)
            return self._stopped

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this so many seconds after the start."""
        heapq.heappush(self._agenda, (seconds, next(self._numbers), act))

    def step(self, longest: float) -> None:
        """Move it to what is due next, and do that; by `longest` where nothing is until then."""
        due = self._agenda[0][0] - self._elapsed if self._agenda else longest
        self.advance(min(max(due, 0.0), longest))

    def advance(self, seconds: float) -> None:
        """Move it forward, doing on the way what is due."""
        until = self._elapsed + seconds
        while self._agenda and self._agenda[0][0] <= until and not self._stopped:
            moment, _, act = heapq.heappop(self._agenda)
            self._move(max(moment, self._elapsed))
            act()
        self._move(max(until, self._elapsed))

    def _move(self, elapsed: float) -> None:
        with self._moved:
            self._elapsed = elapsed
            self._moved.notify_all()
