"""A call that blocks, made beside a generator of pages, so that it goes on yielding and stops at once.

For platforms whose client knows no other way than to wait. The call must end by itself in bounded time: one that is
left behind when the generator stops runs on until then, in a thread that keeps no process alive.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

from pipeline.ports import Clock, Page

_PATIENCE_SECS = 0.5

Found = TypeVar("Found")


class Stopping(Exception):
    """The process was asked to stop while a call was under way."""


def aside(call: Callable[[], Found], clock: Clock) -> Generator[Page, None, Found]:
    """Yield empty pages until `call` is done, and return what it returned; raises what it raised, or Stopping."""
    done: queue.SimpleQueue[tuple[Found | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:  # handed over whatever it is, or nobody would ever hear of it
            done.put((None, error))

    threading.Thread(target=work, name="aside", daemon=True).start()
    while True:
        try:
            found, error = done.get(timeout=_PATIENCE_SECS)
            break
        except queue.Empty:
            if clock.stopping:
                raise Stopping from None
            yield Page(heard=False)
    if error is not None:
        raise error
    return found  # type: ignore[return-value]  # without an error it is what the call returned


def resting(seconds: float, clock: Clock) -> Generator[Page, None, None]:
    """Wait so long, a moment at a time, with an empty page after each; ends early when asked to stop."""
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0 and not clock.wait(min(left, _PATIENCE_SECS)):
        yield Page(heard=False)
