"""Waiting out what is only down for a while: say so once, wait, go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from pipeline.errors import HarkenError, Unavailable
from pipeline.metrics import WAITING
from pipeline.ports import Backoff, Clock

log = structlog.get_logger(__name__)
T = TypeVar("T")

OUTAGE = Backoff(first=0.1, factor=2.0, cap=2.0)
"""Delays while a broker or a database is away, seconds: short, since every retry is one cheap call."""


class Interrupted(HarkenError):
    """The process was asked to stop while it waited; what was not committed will be done again."""


def patiently(clock: Clock, what: str, call: Callable[[], T], backoff: Backoff = OUTAGE) -> T:
    """`call()`, again and again while it raises Unavailable; Interrupted when the clock is stopped meanwhile.

    The outage is logged when it starts and when it is over, whatever its length.
    """
    attempt = 0
    since = clock.monotonic()
    while True:
        try:
            result = call()
        except Unavailable as error:
            attempt += 1
            if attempt == 1:
                log.warning("waiting", for_=what, reason=str(error))
                WAITING.labels(what).set(1)
            if clock.wait(backoff.delay(attempt)):
                WAITING.labels(what).set(0)
                raise Interrupted(f"stopped while waiting for {what}") from error
        else:
            if attempt:
                log.info("going on", after=what, waited_secs=round(clock.monotonic() - since, 1))
                WAITING.labels(what).set(0)
            return result
