"""Those who push to a connector through a day: each item at its moment, and again as its sender documents, until it is
answered with a success or given up."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx2

from tests.contract.connectors import Push, Pushes
from tests.contract.jumping import JumpingClock

_PATIENCE_SECS = 10.0
"""How long a sender waits for an answer at most, in real time; what was not answered is sent again."""
_AT_ONCE = 8


class Sending:
    """`begin` and everything else is called by the owner of the clock; the requests are made aside. An item whose
    answer failed comes again after `pushes.again`, sometimes twice at once. `waiting` are those neither taken nor
    given up, `failed` counts the attempts that were not taken."""

    def __init__(
        self, pushes: Pushes, clock: JumpingClock, base: Callable[[], str | None], chance: random.Random
    ) -> None:
        self.waiting: set[str] = set()
        self.given_up: set[str] = set()
        self.failed = 0
        self._pushes = pushes
        self._clock = clock
        self._base = base
        self._chance = chance
        self._under_way = 0
        self._answers: queue.SimpleQueue[tuple[Push, int, bool]] = queue.SimpleQueue()
        self._client = httpx2.Client(trust_env=False, timeout=_PATIENCE_SECS)
        self._threads = ThreadPoolExecutor(_AT_ONCE, "sender")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        self._client.close()

    def begin(self, push: Push) -> None:
        """Send it for the first time."""
        self.waiting.add(push.id)
        self._send(push, 1)

    def under_way(self) -> bool:
        """Whether an answer is waited for. Those that have come are dealt with."""
        while self._under_way and not self._answers.empty():
            self._settle()
        return self._under_way > 0

    def finish(self) -> None:
        """Wait for the answers to what is under way: nobody is there any more to give good ones."""
        while self._under_way:
            self._settle()

    def _send(self, push: Push, number: int) -> None:
        if (base := self._base()) is None:  # nobody listens
            self._refused(push, number)
            return
        request = push.request(base, self._clock.now())
        copies = 2 if self._chance.random() < 0.2 else 1
        for copy in range(copies):
            self._under_way += 1
            self._threads.submit(self._ask, push, number if copy == 0 else 0, request)

    def _ask(self, push: Push, number: int, request: dict[str, Any]) -> None:
        taken = False
        try:
            taken = self._client.request("POST", **request).is_success
        except httpx2.HTTPError:
            pass  # whether it was taken, the sender does not know
        finally:
            self._answers.put((push, number, taken))

    def _settle(self) -> None:
        push, number, taken = self._answers.get()
        self._under_way -= 1
        if taken:
            self.waiting.discard(push.id)
        elif number:  # of a copy the other one is sent again
            self._refused(push, number)

    def _refused(self, push: Push, number: int) -> None:
        self.failed += 1
        if (delay := self._pushes.again(number)) is not None:
            self._clock.at(self._clock.monotonic() + delay, lambda: self._again(push, number + 1))
        elif push.id in self.waiting:
            self.waiting.remove(push.id)
            self.given_up.add(push.id)

    def _again(self, push: Push, number: int) -> None:
        if push.id in self.waiting:
            self._send(push, number)
