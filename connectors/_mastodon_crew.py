"""Work for several servers side by side on one event loop in a thread of its own, handing over what it finds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

_log = structlog.get_logger(__name__)

Found = TypeVar("Found")

_WAITING = 200
"""What may wait to be taken; then whoever finds more waits too, and with it the server that sends it."""
_PATIENCE_SECS = 2.0


class Crew(Generic[Found]):
    """A context manager, at whose end whatever is under way is abandoned at once."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._helpers = ThreadPoolExecutor(thread_name_prefix="mastodon-helper")
        self._loop.set_default_executor(self._helpers)
        self._found: asyncio.Queue[Found] = asyncio.Queue(_WAITING)
        self._under_way: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mastodon", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result(timeout=2 * _PATIENCE_SECS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_PATIENCE_SECS)
        self._loop.close()
        # A thread that looks up a name would end some time later; one still at work is not waited for long.
        ending = threading.Thread(target=self._helpers.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        ending.start()
        ending.join(timeout=_PATIENCE_SECS)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin this; it hands over by `put`, and its own failures too."""
        self._loop.call_soon_threadsafe(self._begin, work)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(self._done(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _done(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            _log.exception("work for a server failed in a way it never announced")

    async def put(self, found: Found) -> None:
        """Hand this over: called by the work."""
        await self._found.put(found)

    def take(self, most: int, timeout: float) -> list[Found]:
        """What was handed over, in its order; empty where there was nothing for `timeout` seconds."""
        return asyncio.run_coroutine_threadsafe(self._take(most, timeout), self._loop).result()

    async def _take(self, most: int, timeout: float) -> list[Found]:
        try:
            async with asyncio.timeout(timeout):
                taken = [await self._found.get()]
        except TimeoutError:
            return []
        while len(taken) < most and not self._found.empty():
            taken.append(self._found.get_nowait())
        return taken

    async def _abandon(self) -> None:
        """What was begun here is called off, and calls off its own parts in the order they need."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_PATIENCE_SECS)
