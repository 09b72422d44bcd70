"""What is remembered of Hacker News: how far it was read and what was passed on, which the cursor holds; and, until the
process ends, whose parent is whose."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import structlog
from msgspec import Struct

from connectors._hackernews_items import Thing

log = structlog.get_logger(__name__)

KNOWN = 500
"""Mentions passed on last, whose changes are followed: /updates names what was changed in the last minutes."""
_THREADS = 50_000

GONE = "gone"
"""The wording of what was taken back."""


class Known(NamedTuple):
    """A mention passed on: its wording, and its thread's story (0: not known)."""

    wording: str
    root: int


class State(Struct, omit_defaults=True):
    """The cursor: the last item read, when that was (seconds since 1970), since when which items are waited for, and
    the mentions whose changes are followed."""

    last: int = 0
    asked: float = 0.0
    late: dict[int, float] = {}
    known: dict[int, Known] = {}

    @property
    def heard(self) -> datetime:
        """When everything was last read."""
        return datetime.fromtimestamp(self.asked, UTC)

    def remember(self, known: Mapping[int, Known]) -> None:
        """Follow the changes of these too, and no longer those of the oldest."""
        for id, mark in known.items():
            self.known.pop(id, None)
            self.known[id] = mark
        for id in list(self.known)[: max(0, len(self.known) - KNOWN)]:
            del self.known[id]

    def cursor(self) -> str:
        """As text."""
        return msgspec.json.encode(self).decode()


def restored(cursor: str | None, via: str) -> State:
    """The state a cursor holds; a new one where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(cursor or "{}", type=State)
    except msgspec.MsgspecError:
        log.warning("the saved cursor cannot be read: starting with the backfill", via=via)
        return State()


class Threads:
    """The parents of the items read, and which of them one of `accounts` (folded) wrote."""

    def __init__(self, accounts: Collection[str]) -> None:
        self._accounts = accounts
        self._parents: OrderedDict[int, int] = OrderedDict()
        self._ours: OrderedDict[int, None] = OrderedDict()

    def note(self, id: int, thing: Thing) -> None:
        """Remember this item."""
        self._parents[id] = thing.parent or 0
        if self.by_us(thing):
            self._ours[id] = None
        for memory in (self._parents, self._ours):
            if len(memory) > _THREADS:
                memory.popitem(last=False)

    def parent(self, id: int) -> int | None:
        """The item's parent, 0 where it begins its thread; None where that is not known."""
        return self._parents.get(id)

    def by_us(self, thing: Thing) -> bool:
        """Whether one of our accounts wrote it."""
        return thing.by.casefold() in self._accounts

    def to_us(self, thing: Thing) -> bool:
        """Whether it answers what one of our accounts wrote."""
        return thing.parent is not None and thing.parent in self._ours
