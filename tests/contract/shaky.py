"""A store that is away at times, and before which a process may die: with its page on the bus and not yet saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import StoreUnavailable
from pipeline.ports import Gap, Usage
from pipeline.store import DeadLetter, Store, Taken
from tests.contract.jumping import JumpingClock

if TYPE_CHECKING:
    from tests.contract.test_day import Plan


HOW = ("now", "before", "between", "after")
"""When a process is killed: at once, or at its next items: before they are on the bus, between the bus and the store,
or when they are saved and whoever sent them has not heard of it."""


class Killed(BaseException):
    """The process is gone, wherever it was; nothing may handle it."""


class Shaky(Store):
    """`away`: it does not answer. Where `plan` is to be killed `between`, that is done instead of saving a page's
    items, and `orphans` counts how often each was on the bus by then: so often more it may come."""

    plan: Plan | None = None
    away = False

    def __init__(self, url: str, clock: JumpingClock) -> None:
        super().__init__(url, clock)
        self.orphans: Counter[tuple[str, str]] = Counter()
        self.outages = 0

    def cursor(self, via: str) -> str | None:
        self._answer()
        return super().cursor(via)

    def known(self, pairs: Sequence[tuple[str, str]]) -> set[str]:
        self._answer()
        return super().known(pairs)

    def take_in(
        self,
        via: str,
        cursor: str | None,
        taken: Sequence[Taken],
        dead: Sequence[DeadLetter] = (),
        gaps: Sequence[Gap] = (),
        heard: bool = True,
        usage: Sequence[Usage] = (),
    ) -> None:
        self._answer()
        if taken and self.plan is not None and self.plan.killing == "between":
            self.plan.killing = None
            self.orphans.update((one.id, one.digest) for one in taken)
            raise Killed
        super().take_in(via, cursor, taken, dead, gaps, heard, usage)

    def _answer(self) -> None:
        if self.away:
            self.outages += 1
            raise StoreUnavailable("the store is away")
