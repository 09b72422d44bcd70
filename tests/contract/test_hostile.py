"""Every connector behind a hostile server (`hostile.py`): whatever its platform does, only what a connector may raise
leaves it, everything arrives once the trouble is over, and no secret shows.

The time is moved by the suite: by the length of every wait, and further and further while nothing comes.
"""

from __future__ import annotations

import importlib
import logging
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from prometheus_client import generate_latest

from pipeline.clock import SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.ports import Connector, Context, Gap, Page
from tests.contract.connectors import NAME, Fronted, Ready, direct
from tests.contract.faults import FAULTS, RETRY_AFTER, Asked, Fault, Told
from tests.contract.hostile import Hostile
from tests.contract.jumping import JumpingClock
from tests.contract.test_connector import ADAPTERS, ids

pytestmark = pytest.mark.long

WAIVED: Mapping[str, str] = {
    "email": "IMAP is not HTTP: the server of its own tests, tests/fixtures/imap.py, has the faults of mail servers",
    "kafka": "its protocol is not HTTP, and every broker names the addresses of all; tests/faults kills brokers",
    "replay": "reads a file: there is no server for another one to stand in front of",
}
"""Connectors that no hostile server is put in front of, and why."""

FOR_GOOD: Mapping[tuple[str, str], str] = {
    ("rss", "410"): "a feed that says it is gone is not asked again (RFC 9110, section 15.5.11)",
}
"""Faults after which a source does not come back by itself, and why."""

STEP_SECS = 5.0
LONGEST_STEP_SECS = 640.0
IDLE_PAGES = 20
FAULTY_PAGES = 6
"""Pages without items after which a fault is over."""
PATIENCE = 30.0
MEMORY = 32 * 1024 * 1024

UNAVAILABLE: Mapping[str, frozenset[Trouble]] = {
    "refused": frozenset({"network"}),
    "reset": frozenset({"network"}),
    "silence": frozenset({"network", "silent"}),
    "429": frozenset({"rate_limited"}),
    "429 with a delay": frozenset({"rate_limited"}),
    "500": frozenset({"http"}),
}
"""What each of these is to be told as; nothing else will do."""

TELLING = {*UNAVAILABLE, "401", "403", "404", "410", "redirects"}
"""Faults under which nothing works, so that a connector must say so."""


def having(what: str) -> list[str]:
    """The connectors in whose harness this stands. It is not imported: one that is broken fails its own tests."""
    files = Path(__file__).with_name("connectors").glob("[a-z]*.py")
    return sorted(path.stem for path in files if what in path.read_text(encoding="utf-8"))


CONNECTORS = having("front: Front")
PUSHED = [name for name in CONNECTORS if name in having("push=")]


class Listening:
    """One connector behind the hostile server, restarted as the supervisor would."""

    def __init__(self, name: str, ready: Ready, hostile: Hostile, clock: JumpingClock | SystemClock) -> None:
        self.name = name
        self.ready = ready
        self.hostile = hostile
        self.clock = clock
        self.module = importlib.import_module(f"connectors.{name}")
        self.connector = self.build()
        self.cursor: str | None = None
        self.pages: list[Page] = []
        self.troubles: list[SourceUnavailable | SourceRefused] = []

    def build(self) -> Connector:
        return cast(Connector, self.module.Connector(self.ready.config, Context(NAME, (), self.clock)))

    @property
    def all_there(self) -> bool:
        return self.ready.expected <= ids(self.pages)

    @property
    def gaps(self) -> list[Gap]:
        return [gap for page in self.pages for gap in page.gaps]

    def listen(self, enough: Callable[[], bool], attempts: int = 2, idle_pages: int = FAULTY_PAGES) -> None:
        """Until it is enough, it only idles, or it failed so often."""
        for attempt in range(1, attempts + 1):
            try:
                self._run(enough, idle_pages)
                return
            except (SourceUnavailable, SourceRefused) as trouble:
                self.troubles.append(trouble)
                if isinstance(trouble, SourceUnavailable):
                    wait = trouble.retry_after
                    delay = self.connector.backoff[trouble.trouble].delay(attempt) if wait is None else wait
                    self._pass(delay)

    def _run(self, enough: Callable[[], bool], idle_pages: int) -> None:
        idle, until, pushed = 0, time.monotonic() + PATIENCE, False
        with closing(cast(Any, self.connector.pages(self.cursor))) as run:
            for page in run:
                if not pushed:
                    self.ready.push(self.connector)
                    pushed = True
                self.pages.append(page)
                self.cursor = self.cursor if page.cursor is None else page.cursor
                idle = 0 if page.items else idle + 1
                if enough() or idle > idle_pages:
                    return
                if not page.items:
                    self._pass(min(STEP_SECS * 2**idle, LONGEST_STEP_SECS))
                assert time.monotonic() < until, f"only {sorted(ids(self.pages))} in {PATIENCE:g} s"

    def _pass(self, seconds: float) -> None:
        if isinstance(self.clock, JumpingClock):
            self.clock.advance(seconds)
        self.ready.time(self.clock.now())

    def recover(self) -> None:
        """The trouble is over, and the process starts anew."""
        self.hostile.fault = Fault()
        self.connector = self.build()
        until = time.monotonic() + PATIENCE
        while not self.all_there:
            assert time.monotonic() < until, sorted(self.ready.expected - ids(self.pages))
            self.listen(lambda: self.all_there, 4, IDLE_PAGES)


@contextmanager
def listening(name: str, folder: Path) -> Iterator[Listening]:
    harness = cast(Fronted, ADAPTERS[name]())
    with ExitStack() as stack:
        hostile = stack.enter_context(Hostile().running())
        ready = stack.enter_context(harness.ready(folder, hostile.front))
        hostile.pushed = ready.pushed
        # Senders are in real time, and sign it.
        clock = SystemClock() if ready.pushed else JumpingClock()
        ready.time(clock.now())
        yield Listening(name, ready, hostile, clock)


@pytest.fixture(params=CONNECTORS)
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    with listening(request.param, tmp_path) as one:
        assert one.ready.pushed == (request.param in PUSHED)
        yield one


def some(names: list[str]) -> pytest.MarkDecorator:
    """Only these connectors."""
    return pytest.mark.parametrize("behind", names, indirect=True)


def causes(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_a_hostile_server_is_put_in_front_of_every_connector() -> None:
    assert set(ADAPTERS) <= {*CONNECTORS, *WAIVED}, "its harness takes no `front` and no waiver says why"
    assert not set(CONNECTORS) & set(WAIVED)
    assert all(WAIVED.values())
    assert {name for name, _ in FOR_GOOD} <= set(CONNECTORS)
    assert direct("http://127.0.0.1:1") == "http://127.0.0.1:1"


def test_with_nothing_in_its_way_it_yields_what_it_should(behind: Listening) -> None:
    behind.recover()
    assert behind.hostile.asked
    assert ids(behind.pages) == behind.ready.expected


@pytest.mark.parametrize("fault", FAULTS)
def test_under_a_fault_it_holds_its_promises_and_then_recovers(
    behind: Listening, fault: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as lines:
        behind.hostile.fault = FAULTS[fault]()
        behind.listen(lambda: behind.all_there and not behind.hostile.fault.spoils)
        assert ids(behind.pages) <= behind.ready.expected
        if (behind.name, fault) not in FOR_GOOD:
            behind.recover()
            assert ids(behind.pages) == behind.ready.expected
    if fault in TELLING and not behind.ready.alone and not behind.ready.pushed:
        assert behind.troubles
    for trouble in behind.troubles:
        if isinstance(trouble, SourceUnavailable) and not behind.ready.alone:
            assert trouble.trouble in UNAVAILABLE.get(fault, (trouble.trouble,)), trouble
            if fault == "429 with a delay":
                assert trouble.retry_after == pytest.approx(RETRY_AFTER, abs=1)
        else:
            assert fault not in UNAVAILABLE, trouble
    said = [str(lines), *capfd.readouterr(), caplog.text, generate_latest().decode(), repr(behind.connector)]
    said += [text for trouble in behind.troubles for text in causes(trouble)]
    said += [str(gap) for gap in behind.gaps]
    assert not [secret for secret in behind.ready.secrets for text in said if secret in str(text)]


def test_an_item_of_50_mb_is_not_held(behind: Listening) -> None:
    behind.hostile.fault = FAULTS["huge"]()
    tracemalloc.start()
    try:
        behind.listen(lambda: False, attempts=1)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "cursor", ["", "{}", "null", "[]", "7", '"7"', "not one of ours", '{"seq": -1}', "\0", "9" * 5_000]
)
def test_a_cursor_that_is_not_its_own_is_refused_or_begins_anew(behind: Listening, cursor: str) -> None:
    behind.cursor = cursor
    behind.listen(lambda: behind.all_there, attempts=1)
    assert behind.all_there or behind.troubles


class Window:
    """So many requests a minute on the connector's clock, and 429 with the rest of the minute for those above."""

    def __init__(self, allowed: int, clock: JumpingClock) -> None:
        self._allowed = allowed
        self._clock = clock
        self.asked: dict[int, int] = {}

    def __call__(self, asked: Asked) -> Told | None:
        minute, second = divmod(self._clock.monotonic(), 60)
        self.asked[int(minute)] = self.asked.get(int(minute), 0) + 1
        if self.asked[int(minute)] <= self._allowed:
            return None
        return Told(429, headers={"Retry-After": str(int(60 - second) or 1), "Content-Type": "application/json"})


@some([name for name in CONNECTORS if name not in PUSHED])
@pytest.mark.parametrize("allowed", [1, 3])
def test_a_rate_limit_to_the_second_is_kept_and_all_arrives(behind: Listening, allowed: int) -> None:
    assert isinstance(behind.clock, JumpingClock)
    window = Window(max(allowed, behind.ready.at_least), behind.clock)
    behind.hostile.before = window
    behind.recover()
    over = {minute: count - window._allowed for minute, count in window.asked.items() if count > window._allowed}
    assert all(count <= behind.ready.at_once for count in over.values()), over


@some(having("forget="))
def test_a_cursor_too_old_is_a_gap_and_listening_goes_on(behind: Listening) -> None:
    ready = behind.ready
    assert ready.forget is not None
    assert ready.add is not None
    behind.recover()
    ready.forget()
    behind.pages.clear()
    behind.connector = behind.build()
    new = ready.add(behind.clock.now())
    behind.listen(lambda: new in ids(behind.pages))
    assert new in ids(behind.pages)
    assert behind.gaps
    assert not any(gap.repaired for gap in behind.gaps)


@some(PUSHED)
def test_a_flood_of_senders_is_taken_in_whole(behind: Listening) -> None:
    push = behind.ready.push

    def flood(connector: Connector) -> None:
        for _ in range(12):
            push(connector)

    behind.ready = replace(behind.ready, push=flood)
    behind.recover()
    assert ids(behind.pages) == behind.ready.expected
