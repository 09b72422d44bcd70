"""Answers that are kept for a few seconds, for everybody: one person's question is soon asked by the next.

Only of what everybody who may open the page may see. While one request makes an answer anew, the others are given the
last one; who asks first waits for it, and so does everybody who asks with them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from console.api.services import Services
from pipeline.ports import Clock
from pipeline.store.database import Database

T = TypeVar("T")

MOST = 200
"""Answers kept; those that were asked for least lately go first."""


class _Slot:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
        self.made_at: float | None = None


class Kept:
    """What one process keeps of one database. Safe to share among threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get(self, key: Hashable, seconds: float, make: Callable[[], T]) -> T:
        """The answer kept under this key, made anew where it is older than so many seconds."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > MOST:
                self._slots.popitem(last=False)
        if self._is_fresh(slot, seconds):
            return cast(T, slot.value)
        if not slot.lock.acquire(blocking=slot.made_at is None):
            return cast(T, slot.value)
        try:
            if not self._is_fresh(slot, seconds):
                slot.value = make()
                slot.made_at = self._clock.monotonic()
            return cast(T, slot.value)
        finally:
            slot.lock.release()

    def _is_fresh(self, slot: _Slot, seconds: float) -> bool:
        return slot.made_at is not None and self._clock.monotonic() - slot.made_at < seconds


_all: WeakKeyDictionary[Database, Kept] = WeakKeyDictionary()


def kept(given: Services) -> Kept:
    """What this process keeps of this database."""
    return _all.setdefault(given.database, Kept(given.clock))
