"""How a connector that asks what became of mentions joins the contract suite (`tests/contract/test_rechecker.py`).

Add `tests/contract/recheckers/<module>.py`, named like `connectors/<module>.py`, with one object `harness` that is a
`Harness`. The suite finds the file by itself; a connector with a `Rechecker` and without one fails the meta-test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pipeline.mention import Mention
from pipeline.ports import Clock, Settings
from tests.fixtures.stand_in import Asked, StandIn, Told

Spoil = Callable[[Told], Told]
"""From the answer a platform would give to the one it gives."""

GARBAGE = (b"", b"<html><title>Back soon</title></html>", b"{}", b"[]", b"null", b'"x"', b"7")
"""What something between us and a platform may answer with status 200."""


def _itself(mention: Mention) -> Mention:
    """Of a platform of which there is only one."""
    return mention


@dataclass(frozen=True)
class Stand:
    """A platform standing ready.

    config       the connector's validated Config, pointing at it, patient with a busy machine
    impatient    the same, that waits a fraction of a second for an answer
    unreachable  the same, pointing where nobody listens
    fill         makes the platform have so many things (once), and returns them as they are stored, for brand Acme
    strange      mentions of this source that this connector cannot ask about, as is known without asking
    remove       the platform no longer has what was mentioned
    reword       it now says so instead
    spoil        from now on every answer about mentions is this instead; None: as they should be again
    hang         the next request is not answered
    limited      the answer that no more is allowed for so many seconds (by the clock of the suite)
    denied       the answer that our credentials are none; None where there are none
    secrets      the values given to secret settings
    garbage      bytes that are no answer of this platform's
    moved        the mention as it would be stored of the unreachable platform, where that can be told from it
    """

    config: Settings
    impatient: Settings
    unreachable: Settings
    fill: Callable[[int], list[Mention]]
    strange: Sequence[Mention]
    remove: Callable[[Mention], None]
    reword: Callable[[Mention, str], None]
    spoil: Callable[[Spoil | None], None]
    hang: Callable[[], None]
    limited: Callable[[int], Told]
    denied: Told | None
    secrets: Sequence[str]
    garbage: Sequence[bytes] = GARBAGE
    moved: Callable[[Mention], Mention] = _itself


class Harness(Protocol):
    """What a harness file's `harness` offers."""

    def stand(self, clock: Clock) -> AbstractContextManager[Stand]:
        """Stand the platform up, and take it down, threads and sockets included, at the end."""
        ...


def spoiling(server: StandIn) -> Callable[[Spoil | None], None]:
    """`Stand.spoil` of this server: what it answers to requests for tokens stays as it is."""
    answered, spoils = server.handle, list[Spoil]()

    def handle(asked: Asked) -> Told:
        answer = answered(asked)
        return spoils[-1](answer) if spoils and not asked.path.endswith(("token", "/access_token")) else answer

    def spoil(how: Spoil | None) -> None:
        spoils[:] = [] if how is None else [how]

    server.handle = handle  # type: ignore[method-assign]  # of this one server
    return spoil
