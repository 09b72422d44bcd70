"""How a connector that answers joins the contract suite (`tests/contract/test_replier.py`).

Add `tests/contract/repliers/<module>.py`, named like `connectors/<module>.py`, with one object `harness` that is a
`Harness`. The suite finds the file by itself; a connector with a `Replier` and without one fails the meta-test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pipeline.mention import Mention
from pipeline.ports import Clock, Settings

NAME = "suite"
"""The configured name every replier runs under."""

PATIENCE = 20.0
IMPATIENCE = 0.3
"""Seconds to wait for an answer."""

NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""


class Given(NamedTuple):
    """A reply as the platform holds it; `pictures` are their descriptions."""

    id: str
    text: str
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stand:
    """A platform standing ready.

    config       the connector's validated Config with `reply`, pointing at it, patient with a busy machine, and allowed
                 to fetch pictures from this machine
    impatient    the same, that waits a fraction of a second for an answer
    unreachable  the same, pointing where nobody listens
    mention      a mention that may be answered
    cannot       one that this account can never answer
    secrets      the values given to secret settings
    replies      what was posted in answer to `mention`, oldest first
    refuse       the next post is refused for good, with these words
    lose         the next post is taken, and the answer to us gets lost
    hang         the next post is neither taken nor answered
    fail         the next post is answered 503
    limit        the next post is answered that no more is allowed for so many seconds (by the clock of the suite)
    """

    config: Settings
    impatient: Settings
    unreachable: Settings
    mention: Mention
    cannot: Mention
    secrets: Sequence[str]
    replies: Callable[[], list[Given]]
    refuse: Callable[[str], None]
    lose: Callable[[], None]
    hang: Callable[[], None]
    fail: Callable[[], None]
    limit: Callable[[int], None]


class Harness(Protocol):
    """What a harness file's `harness` offers."""

    def stand(self, clock: Clock) -> AbstractContextManager[Stand]:
        """Stand the platform up, and take it down, threads and sockets included, at the end."""
        ...
