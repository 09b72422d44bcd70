"""Between a web server's event loop and a connector's generator: requests wait here until their items are durable."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.mention import Item
from pipeline.ports import Rejection


@dataclass(frozen=True)
class Waiting:
    """One request's items and the promise its sender waits for."""

    items: Sequence[Item | Rejection]
    durable: asyncio.Future[bool]


class Inbox:
    """`submit` is awaited on the event loop; `take`, `durable` and `close` are called from the generator's thread.

    A request that nobody made durable within `timeout` seconds, or before `close`, is told so (False): its sender
    sends it again, and whatever part was taken meanwhile is recognised by its ids.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._queue: queue.Queue[Waiting] = queue.Queue()
        self._open: set[asyncio.Future[bool]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._kept: Waiting | None = None

    async def submit(self, items: Sequence[Item | Rejection]) -> bool:
        """Hand the items over; True when they are durable."""
        self._loop = asyncio.get_running_loop()
        if self._closed:
            return False
        durable: asyncio.Future[bool] = self._loop.create_future()
        self._open.add(durable)
        self._queue.put(Waiting(items, durable))
        try:
            return await asyncio.wait_for(durable, self._timeout)
        except TimeoutError:
            return False
        finally:
            self._open.discard(durable)

    def take(self, limit: int, timeout: float) -> list[Waiting]:
        """Whole requests of at most `limit` items together (one request has no more), waiting up to `timeout`."""
        taken: list[Waiting] = []
        count = 0
        try:
            while count < limit:
                waiting = self._kept or (self._queue.get_nowait() if taken else self._queue.get(timeout=timeout))
                self._kept = None
                if waiting.durable.done():
                    continue  # its sender was told to send it again
                if count + len(waiting.items) > limit:
                    self._kept = waiting
                    break
                taken.append(waiting)
                count += len(waiting.items)
        except queue.Empty:
            pass
        return taken

    def durable(self, taken: Sequence[Waiting]) -> None:
        """Tell the senders of these requests that they are safe."""
        self._call(lambda: _settle([waiting.durable for waiting in taken], True))

    def close(self) -> None:
        """Tell everybody who waits, and whoever comes from now on, to send again."""
        self._closed = True  # for the requests that come; those already in are answered on the loop
        self._call(lambda: _settle(list(self._open), False))

    def _call(self, answer: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and with it every request
                self._loop.call_soon_threadsafe(answer)


def _settle(waiting: Sequence[asyncio.Future[bool]], durable: bool) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(durable)
