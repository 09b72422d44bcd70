"""Time, handed in: the system's, and one that a test moves by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's time. `stop()` (from a signal handler or another thread) ends every wait."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Wait so long or until `stop`; True when stopped."""
        return self._stop.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask everybody who waits on this clock to finish."""
        self._stop.set()


class ManualClock:
    """A clock that stands still until moved; `wait` moves it, so that a backoff takes no time and can be read off
    `waits`."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed = 0.0
        self._stopped = False
        self.waits: list[float] = []

    def now(self) -> datetime:
        """The time it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Seconds it was moved by since it was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move it forward."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def wait(self, seconds: float) -> bool:
        """Move it forward at once and note the wait."""
        self.waits.append(seconds)
        self.advance(seconds)
        return self._stopped

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """Make `wait` and `stopping` answer True."""
        self._stopped = True
