"""How long is waited before another attempt: every connector against what its platform documents, and the supervisor
on a clock that is moved by hand against the same numbers.

In `DELAYS` each trouble has the first four delays and the longest one, in seconds. `SOURCES` says who documents them;
where nobody does they are ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import pytest

from pipeline.clock import ManualClock
from pipeline.collect import Intake, Supervisor
from pipeline.errors import SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Connector, Page, Producer
from pipeline.store import Store
from pipeline.worker import Output
from tests.contract.test_connector import ADAPTERS
from tests.fixtures.postgres import store_in


class Delays(NamedTuple):
    """The first four, and the longest."""

    first: Sequence[float]
    longest: float


X_NETWORK = Delays([0, 0.25, 0.5, 0.75], 16)
X_HTTP = Delays([5, 10, 20, 40], 320)
LISTENER = Delays([0.5, 1, 2, 4], 30)
POLITE = {
    "network": Delays([5, 10, 20, 40], 300),
    "http": Delays([15, 30, 60, 120], 600),
    "silent": Delays([15, 30, 60, 120], 300),
    "rate_limited": Delays([60, 120, 240, 480], 3_600),
}
"""Ours for what is asked again and again."""

DELAYS: Mapping[str, Mapping[str, Delays]] = {
    "appstore": POLITE,
    "bluesky": {
        "network": Delays([0, 1, 2, 3], 30),
        "silent": Delays([0, 1, 2, 3], 30),
        "http": X_HTTP,
        "rate_limited": Delays([60, 120, 240, 480], 900),
    },
    "discourse": POLITE,
    "email": POLITE | {"network": Delays([2, 4, 8, 16], 300), "silent": Delays([5, 10, 20, 40], 300)},
    "feedback": dict.fromkeys(("network", "http", "rate_limited", "silent"), LISTENER),
    "googleplay": POLITE,
    "hackernews": POLITE,
    "kafka": dict.fromkeys(("network", "http", "silent"), LISTENER) | {"rate_limited": Delays([1, 2, 4, 8], 30)},
    "mastodon": {
        "network": Delays([1, 2, 4, 8], 60),
        "silent": Delays([1, 2, 4, 8], 60),
        "http": X_HTTP,
        "rate_limited": Delays([60, 120, 240, 300], 300),
    },
    "meta": dict.fromkeys(("network", "http", "rate_limited", "silent"), LISTENER),
    "reddit": POLITE | {"rate_limited": Delays([60, 120, 240, 480], 600)},
    "replay": dict.fromkeys(("network", "http", "rate_limited", "silent"), Delays([1, 2, 4, 8], 60)),
    "rss": {
        "network": Delays([30, 60, 120, 240], 3_600),
        "silent": Delays([60, 120, 240, 480], 3_600),
        "http": Delays([60, 120, 240, 480], 21_600),
        "rate_limited": Delays([300, 600, 1_200, 2_400], 21_600),
    },
    "trustpilot": {
        "network": Delays([10, 20, 40, 80], 600),
        "silent": Delays([60, 120, 240, 480], 600),
        "http": Delays([300, 600, 900, 900], 900),
        "rate_limited": Delays([300, 600, 1_200, 2_400], 3_600),
    },
    "webhook": dict.fromkeys(("network", "http", "rate_limited", "silent"), LISTENER),
    "x": {
        "network": X_NETWORK,
        "silent": X_NETWORK,
        "http": X_HTTP,
        "rate_limited": Delays([60, 120, 240, 480], 900),
    },
    "youtube": POLITE,
}

SOURCES: Mapping[str, str] = {
    "x": "docs.x.com/x-api/posts/filtered-stream, handling disconnections: TCP errors at once, then 250 ms more each"
    " time to 16 s; HTTP errors 5 s doubling to 320 s; 429 one minute doubling (no end named: its windows are 15 min)",
    "kafka": "the client library's reconnect.backoff.max.ms, 30 s",
    "mastodon": "none, but a window of requests of 5 minutes (docs.joinmastodon.org/api/rate-limits)",
    "reddit": "none, but a window of requests of 10 minutes (support.reddithelp.com, Reddit Data API Wiki)",
}
"""Who documents them; of the others nobody does."""

CASES = [(name, trouble) for name in sorted(ADAPTERS) for trouble in get_args(Trouble)]


def backoff_of(name: str) -> Mapping[Trouble, Backoff]:
    return cast(Mapping[Trouble, Backoff], importlib.import_module(f"connectors.{name}").Connector.backoff)


def test_every_connector_has_its_delays_stated_here() -> None:
    assert set(ADAPTERS) <= set(DELAYS)
    assert all(set(delays) == set(get_args(Trouble)) for delays in DELAYS.values())
    assert set(SOURCES) <= set(DELAYS)


@pytest.mark.parametrize(("name", "trouble"), CASES)
def test_a_connector_states_the_documented_delays(name: str, trouble: Trouble) -> None:
    backoff, wanted = backoff_of(name)[trouble], DELAYS[name][trouble]
    assert [backoff.delay(attempt) for attempt in (1, 2, 3, 4)] == pytest.approx(wanted.first)
    delays = [backoff.delay(attempt) for attempt in range(1, 100)]
    assert delays == sorted(delays)
    assert delays[-1] == pytest.approx(wanted.longest)


class Failing:
    """Fails in one way, so many times, and remembers when it was asked."""

    def __init__(self, backoff: Mapping[Trouble, Backoff], clock: ManualClock, *failures: SourceUnavailable) -> None:
        self.backoff = backoff
        self.asked: list[float] = []
        self._clock = clock
        self._failures = iter(failures)

    def pages(self, cursor: str | None) -> Iterator[Page]:
        self.asked.append(self._clock.monotonic())
        for failure in self._failures:
            yield Page(heard=str(failure) == "after a sign of life")
            raise failure

    def parse(self, payload: bytes) -> Sequence[Item]:
        return ()

    @property
    def waited(self) -> list[float]:
        return [then - before for before, then in zip(self.asked, self.asked[1:], strict=False)]


class Supervised:
    """The real supervisor over a real store, on a clock moved by hand."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self._store = store
        self.clock = clock

    def run(self, name: str, *failures: SourceUnavailable) -> list[float]:
        """The seconds waited before each attempt after a failure."""
        connector = Failing(backoff_of(name), self.clock, *failures)
        output = Output(cast(Producer, None), "raw")  # nothing is ever published
        intake = Intake(name, output, self._store, (), self.clock)
        Supervisor(cast(Connector, connector), intake, self._store, self.clock).run()
        return connector.waited


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: Any) -> Iterator[Supervised]:
    clock = ManualClock()
    folder: Path = tmp_path_factory.mktemp("backoff")
    store = store_in(folder, clock)
    yield Supervised(store, clock)
    store.close()


@pytest.mark.parametrize(("name", "trouble"), CASES)
def test_the_supervisor_waits_the_documented_delays(supervised: Supervised, name: str, trouble: Trouble) -> None:
    wanted = DELAYS[name][trouble]
    waited = supervised.run(name, *(SourceUnavailable("down", trouble=trouble) for _ in range(80)))
    # Never less than documented, and a little more, so that not everybody comes back at once.
    for delay, least in zip([*waited[:4], waited[-1]], [*wanted.first, wanted.longest], strict=True):
        assert least - 1e-6 <= delay <= least * 1.1 + 1e-6


def test_the_delay_a_platform_names_is_waited_to_the_second(supervised: Supervised) -> None:
    told = SourceUnavailable("slower", trouble="rate_limited", retry_after=77)
    assert supervised.run("x", told, told) == pytest.approx([77, 77])


def test_a_sign_of_life_starts_the_delays_anew(supervised: Supervised) -> None:
    down, up = (SourceUnavailable(text, trouble="http") for text in ("down", "after a sign of life"))
    waited = supervised.run("x", down, down, down, up, down)
    for delay, least in zip(waited, [5, 10, 20, 5, 10], strict=True):
        assert least - 1e-6 <= delay <= 1.1 * least + 1e-6
