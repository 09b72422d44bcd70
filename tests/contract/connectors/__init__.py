"""How a connector joins the contract suite (`tests/contract/test_connector.py`).

Add `tests/contract/connectors/<module>.py`, named like `connectors/<module>.py`, with one object `harness` that is a
`Harness`. The suite finds the file by itself; a connector without one fails the meta-test.

A harness stands up a real local source (a file, a server on port 0) whose whole content is known, and says so in a
`Ready`. The suite builds `Connector(ready.config, Context(NAME, brands, clock))` itself, runs `pages` several times,
from None and from saved cursors, on a clock that runs in real time, and closes it. So `ready` must serve any number
of runs, one after the other, each from the cursor it is given. Keep it small: about ten good items and two bad ones,
of several pages where the connector can page (page_size 3), so that a resume has a middle to start from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.ports import Connector, Settings

NAME = "suite"
"""The configured name every connector runs under: what `via` must be."""

MAX_ITEMS = 1_000
"""No page holds more items than this."""

MAX_PAYLOAD = 65_536
"""No rejection keeps more bytes than this."""


def _nothing(connector: Connector) -> None:
    """A source that is asked needs no push."""


@dataclass(frozen=True)
class Ready:
    """A source standing ready.

    config    the connector's validated Config, pointing at it (with its own timeouts small, so that stopping is quick)
    source    every Mention.id starts with this and a colon
    expected  what a run from None must yield in all, at least once: Mention.id, and Removal.target of removals
    bad       how many Rejections a run from None yields for items that cannot be read
    brand     what Mention.brand must be
    secrets   values (as given to Secret settings) that may never show in a repr, a log line or an error
    repeats   how many items at most a resumed run may yield that were on pages before its cursor (an inclusive
              cursor with a lookback; len(expected) where a push source sends everything again)
    push      called with the connector right after the first page of every run was pulled; a push source starts
              sending here (in a thread of its own, joined when `ready` ends), a source that is asked does nothing
    failing   a Config with the same secrets under which a run ends with SourceUnavailable or SourceRefused within a
              few pages; None where the connector survives whatever its source does
    """

    config: Settings
    source: str
    expected: frozenset[str]
    bad: int
    brand: str | None = None
    secrets: tuple[str, ...] = ()
    repeats: int = 0
    push: Callable[[Connector], None] = _nothing
    failing: Settings | None = None


class Harness(Protocol):
    """What a harness file's `harness` offers. `finite`: `pages` returns at the end of the source."""

    finite: bool

    def ready(self, folder: Path) -> AbstractContextManager[Ready]:
        """Stand the source up (files go under `folder`), and take it down, threads and sockets included, at the end."""
        ...
