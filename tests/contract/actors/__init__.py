"""How a connector that does more than answer joins the contract suite (`tests/contract/test_actor.py`).

Add `tests/contract/actors/<module>.py`, named like `connectors/<module>.py`, with one object `harness` that is a
`Harness`. The suite finds the file by itself; a connector whose `Replier` has `actions` and without one fails the
meta-test. Its harness for answers (tests/contract/repliers/) is there besides, and most of it can be used here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pipeline.mention import Mention
from pipeline.ports import Action, Clock, Settings


class Done(NamedTuple):
    """Something done to the mention, as the platform holds it: the native id that `act` returns of it, and of a message
    its text."""

    id: str
    text: str = ""


@dataclass(frozen=True)
class Stand:
    """A platform standing ready. What fails, fails for the next attempt at that action, and does nothing unless told
    otherwise.

    config       the connector's validated Config with `reply`, pointing at it, patient with a busy machine
    impatient    the same, that waits a fraction of a second for an answer
    unreachable  the same, pointing where nobody listens
    mention      a mention with which each of the connector's actions can be done
    cannot       one of the same network with which none can be done, as is known without asking
    secrets      the values given to secret settings
    done         what was done so with `mention`, oldest first; of what is so or is not (a like), one however often
    refuse       it is refused for good, with these words
    lose         it is done, and the answer to us gets lost
    hang         it is not answered
    fail         it is answered 503
    limit        it is answered that no more is allowed for so many seconds (by the clock of the suite)
    """

    config: Settings
    impatient: Settings
    unreachable: Settings
    mention: Mention
    cannot: Mention
    secrets: Sequence[str]
    done: Callable[[Action], list[Done]]
    refuse: Callable[[Action, str], None]
    lose: Callable[[Action], None]
    hang: Callable[[Action], None]
    fail: Callable[[Action], None]
    limit: Callable[[Action, int], None]


class Harness(Protocol):
    """What a harness file's `harness` offers."""

    def stand(self, clock: Clock) -> AbstractContextManager[Stand]:
        """Stand the platform up, and take it down, threads and sockets included, at the end."""
        ...
