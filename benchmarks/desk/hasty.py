"""`python -m benchmarks.desk.hasty EPOCH PACE COMMAND…`: harken on a clock that goes PACE times as fast as the
machine's since EPOCH, so that leases run out without anybody waiting for it.

Processes that are given the same epoch and pace agree on the time. Only what is called the time goes faster: waits,
and the timers of the desk, take as long as ever.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from functools import partial

from pipeline import clock


class HastyClock(clock.SystemClock):
    """A clock that was right at `epoch` (seconds since 1970) and has gone `pace` times too fast since."""

    def __init__(self, epoch: float, pace: float) -> None:
        super().__init__()
        self._epoch = epoch
        self._pace = pace

    def now(self) -> datetime:
        """The time by this clock, aware, in UTC."""
        return datetime.fromtimestamp(self._epoch + (time.time() - self._epoch) * self._pace, UTC)


def main() -> None:
    """Run the command of harken that follows."""
    epoch, pace = float(sys.argv[1]), float(sys.argv[2])
    clock.SystemClock = partial(HastyClock, epoch, pace)  # type: ignore[assignment, misc] # before anybody imports it
    from pipeline import cli

    sys.argv = ["harken", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
