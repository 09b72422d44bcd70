"""How a connector joins the contract suite (`tests/contract/test_connector.py`).

Add `tests/contract/connectors/<module>.py`, named like `connectors/<module>.py`, with one object `harness` that is a
`Harness`. The suite finds the file by itself; a connector without one fails the meta-test.

A harness stands up a real local source (a file, a server on port 0) whose whole content is known, and says so in a
`Ready`. The suite builds `Connector(ready.config, Context(NAME, brands, clock))` itself, runs `pages` several times,
from None and from saved cursors, on a clock that runs in real time, and closes it. So `ready` must serve any number
of runs, one after the other, each from the cursor it is given. Keep it small: about ten good items and two bad ones,
of several pages where the connector can page (page_size 3), so that a resume has a middle to start from.

Behind a hostile server
-----------------------
`test_hostile.py` and `test_day.py` put a hostile proxy (`tests/contract/hostile.py`) between the connector and what the
harness stands up. A harness joins by one parameter and one line:

    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with MyPlatform().running() as platform:
            url = front(platform.url)      # from here on `url`, never `platform.url`, in configs and expected ids

`front` takes the platform's base (`http://127.0.0.1:port` or `ws://127.0.0.1:port`, no path) and returns one of the
same scheme that leads there, through the proxy; the same base twice gives the same address. Call it once for each
server of a platform that has several. The proxy understands HTTP/1.1 (bodies of a length, chunked, until the end),
lines and server-sent events in such bodies, and WebSocket. Everything the platform itself says about where it is
(a streaming address, a next page's link) must be `url` as well, or the connector goes around the proxy. A connector
that is sent to calls `front(f"http://127.0.0.1:{connector.port}")` in its `push`, whose senders then send again until
they are answered.

Under the proxy everything runs on a clock that stands still until it is moved, and jumps at every wait. So waits of the
connector's own must be `clock.wait` (never a wait in real time of seconds), and the time-outs of the config, which
are real, small (2 seconds at most). What the suite then asks of every connector is in `test_hostile.py`.

`Ready.add` and `Ready.time` let a harness take part in the 24 hours of `test_day.py`, `Ready.pushes` in those of
`test_day_of_senders.py`. A harness without the parameter `front` needs a waiver with its reason in `test_hostile.py`
(`WAIVED`), and one without either day a day of its own (`ELSEWHERE` in `test_day.py`). Which tests
a connector meets is read off its harness's text (`front: Front`, `push=`, `forget=`): write them so. Its delays between
attempts go into the table of `test_backoff.py`, with who documents them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from pipeline.ports import Connector, Settings

NAME = "suite"
"""The configured name every connector runs under: what `via` must be."""

MAX_ITEMS = 1_000
"""No page holds more items than this."""

MAX_PAYLOAD = 65_536
"""No rejection keeps more bytes than this."""


Front = Callable[[str], str]
"""From a platform's base address to the one under which the connector is to find it."""


def direct(base: str) -> str:
    """Nothing stands in front of the platform."""
    return base


def _nothing(connector: Connector) -> None:
    """A source that is asked needs no push."""


def _timeless(moment: datetime) -> None:
    """A platform that has no clock of its own."""


@dataclass(frozen=True)
class Push:
    """One good item that is pushed: the id its mention will have, and what `httpx2.Client.request` takes to send it, by
    the listener's base address and the time of the attempt."""

    id: str
    request: Callable[[str, datetime], dict[str, Any]]


@dataclass(frozen=True)
class Pushes:
    """How a platform pushes: the next item, said at this moment; and the seconds after which it sends again what was
    not taken at so many attempts, None where it then gives up."""

    next: Callable[[datetime], Push]
    again: Callable[[int], float | None]


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
    add       makes the platform have one more good item, said at this moment (UTC; never before the one of the last
              call), and returns the id its mention will have; called from any thread, also while nobody listens
    pushes    in the place of `add`, how a source that sends does it through the day of `test_day_of_senders.py`
    time      puts the platform's own clock to this moment, where it has one (search windows, ages)
    forget    makes the platform forget all it has until now, as after its retention, so that a cursor of before is too
              old; None where its cursors do not age
    at_once   how many requests the connector may have under way at once: so many may go over a limit it did not know
    at_least  how many requests it needs, one after the other, to get anywhere (a token, rules, the first page)
    alone     the connector's parts (feeds, servers) fail alone: their trouble is waited out inside and does not leave
              `pages`, though nothing else is to be had from them
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
    add: Callable[[datetime], str] | None = None
    pushes: Pushes | None = None
    time: Callable[[datetime], None] = _timeless
    forget: Callable[[], None] | None = None
    at_once: int = 1
    at_least: int = 1
    alone: bool = False

    @property
    def pushed(self) -> bool:
        """Whether the source sends, instead of being asked."""
        return self.push is not _nothing


class Harness(Protocol):
    """What a harness file's `harness` offers. `finite`: `pages` returns at the end of the source."""

    finite: bool

    def ready(self, folder: Path) -> AbstractContextManager[Ready]:
        """Stand the source up (files go under `folder`), and take it down, threads and sockets included, at the end."""
        ...


class Fronted(Harness, Protocol):
    """A harness whose platform can have something put in front of it."""

    def ready(self, folder: Path, front: Front = direct) -> AbstractContextManager[Ready]:
        """As above, the connector's way to the platform leading through `front`."""
        ...
