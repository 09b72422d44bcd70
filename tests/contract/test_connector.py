"""What every connector promises (pipeline/ports.py), run on each of them against a real local source.

A connector joins by a file in tests/contract/connectors/ (see its `__init__`); one that does not fails the meta-test.
Bounds in seconds are several times what is promised, so that a busy machine does not fail a sound connector.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import structlog
import uvicorn

import connectors
import tests.contract.connectors as harnesses
from pipeline.clock import SystemClock
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Mention, Removal
from pipeline.ports import Connector, Context, Page, Rejection, Settings
from tests.contract.connectors import MAX_ITEMS, MAX_PAYLOAD, NAME, Harness, Ready

ADAPTERS: dict[str, Callable[[], Harness]] = {
    found.name: lambda name=found.name: importlib.import_module(f"{harnesses.__name__}.{name}").harness  # type: ignore[misc]  # mypy cannot type a lambda's default
    for found in pkgutil.iter_modules(harnesses.__path__)
}

PATIENCE = 30.0


class NotingClock(SystemClock):
    """Real time, and how long the connector asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return super().wait(seconds)


class Suite:
    """One connector with its source."""

    def __init__(self, name: str, harness: Harness, ready: Ready) -> None:
        self.module = importlib.import_module(f"connectors.{name}")
        self.finite = harness.finite
        self.ready = ready
        self.clock = NotingClock()
        self.connector = self.build()

    def build(self, config: Settings | None = None) -> Connector:
        return cast(Connector, self.module.Connector(config or self.ready.config, Context(NAME, (), self.clock)))

    def run(self, cursor: str | None, enough: Callable[[Sequence[Page]], bool]) -> list[Page]:
        """The pages from `cursor` until they are enough, or the source ends."""
        pages: list[Page] = []
        until = time.monotonic() + PATIENCE
        with closing(cast(Any, self.connector.pages(cursor))) as run:
            for page in run:
                if not pages:
                    self.ready.push(self.connector)
                pages.append(page)
                if enough(pages):
                    break
                assert time.monotonic() < until, f"only {sorted(ids(pages))} in {PATIENCE:g} s"
        return pages

    def everything(self, pages: Sequence[Page]) -> bool:
        return not self.finite and self.ready.expected <= ids(pages) and len(rejections(pages)) >= self.ready.bad


def ids(pages: Sequence[Page]) -> set[str]:
    return {item for page in pages for item in named(page)}


def named(page: Page) -> list[str]:
    return [
        item.id if isinstance(item, Mention) else item.target for item in page.items if not isinstance(item, Rejection)
    ]


def rejections(pages: Sequence[Page]) -> list[Rejection]:
    return [item for page in pages for item in page.items if isinstance(item, Rejection)]


def held() -> tuple[int, int]:
    """Open files and sockets, and threads, of this process."""
    return len(os.listdir("/dev/fd")), threading.active_count()


def settles(check: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(scope="module", autouse=True)
def _first_loop() -> None:
    """libuv, on which uvicorn runs, opens a pipe with the first loop of a process and keeps it: not the test's."""
    if factory := uvicorn.Config("").get_loop_factory():
        factory().close()


@pytest.fixture(params=sorted(ADAPTERS))
def suite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Suite]:
    harness = ADAPTERS[request.param]()
    with harness.ready(tmp_path) as ready:
        yield Suite(request.param, harness, ready)


def test_every_connector_runs_this_suite() -> None:
    modules = {found.name for found in pkgutil.iter_modules(connectors.__path__)}
    assert {name for name in modules if not name.startswith("_")} == set(ADAPTERS)


def test_building_one_opens_nothing(suite: Suite) -> None:
    before = held()
    built = [suite.build() for _ in range(5)]
    assert all(now <= then for now, then in zip(held(), before, strict=True))
    assert built


def test_a_wait_is_stated_for_every_trouble(suite: Suite) -> None:
    assert set(suite.connector.backoff) == set(get_args(Trouble))
    for backoff in suite.connector.backoff.values():
        delays = [backoff.delay(attempt) for attempt in range(1, 20)]
        assert delays == sorted(delays)
        assert delays[0] >= 0
        assert 0 < delays[-1] <= backoff.cap


def test_from_no_cursor_it_yields_everything_as_it_should_be(suite: Suite) -> None:
    started = suite.clock.now()
    pages = suite.run(None, suite.everything)
    assert ids(pages) == suite.ready.expected
    for item in (item for page in pages for item in page.items):
        if isinstance(item, Mention):
            assert item.id.startswith(f"{suite.ready.source}:")
            assert item.source == suite.ready.source
            assert item.native_id
            assert item.text.strip()
            assert item.author.id
            assert (item.via, item.brand) == (NAME, suite.ready.brand)
            assert item.created_at.tzinfo is UTC
            assert item.edited_at is None or item.edited_at.tzinfo is UTC
            assert item.collected_at is None or started <= item.collected_at <= suite.clock.now()
        elif isinstance(item, Removal):
            assert (item.mention is None) != (item.author is None)
            assert item.noticed_at.tzinfo is UTC


def test_a_bad_item_is_kept_with_its_place_and_reason_and_stays_bad(suite: Suite) -> None:
    bad = rejections(suite.run(None, suite.everything))
    assert len(bad) == suite.ready.bad
    for rejection in bad:
        assert rejection.place
        assert rejection.reason
        assert "Traceback" not in rejection.reason
        with pytest.raises(BadItem) as refused:
            suite.connector.parse(rejection.payload)
        assert str(refused.value)


def test_bytes_that_were_never_an_item_are_a_bad_item_too(suite: Suite) -> None:
    for payload in (b"", b"\xff\xfe", b"\0", b"[]", b"{}", b"[" * 50_000, b'{"a":' * 50_000, b'"'):
        with pytest.raises(BadItem):
            suite.connector.parse(payload)


def test_from_any_cursor_on_nothing_is_missed_and_little_repeated(suite: Suite) -> None:
    pages = suite.run(None, suite.everything)
    places = [number for number, page in enumerate(pages) if page.cursor is not None]
    for place in dict.fromkeys([*places[:1], *places[len(places) // 2 : len(places) // 2 + 1], *places[-1:]]):
        before = ids(pages[: place + 1])
        rest = suite.ready.expected - before

        def enough(again: Sequence[Page], rest: frozenset[str] = rest) -> bool:
            return not suite.finite and rest <= ids(again) and not any(page.items for page in again[-2:])

        again = suite.run(pages[place].cursor, enough)
        assert rest <= ids(again)
        assert sum(name in before for page in again for name in named(page)) <= suite.ready.repeats


def test_a_crash_before_the_first_page_was_saved_loses_nothing(suite: Suite) -> None:
    suite.run(None, lambda pages: any(page.items for page in pages))
    assert ids(suite.run(None, suite.everything)) == suite.ready.expected


def test_no_page_and_no_rejection_is_larger_than_agreed(suite: Suite) -> None:
    pages = suite.run(None, suite.everything)
    assert max(len(page.items) for page in pages) <= MAX_ITEMS
    assert all(len(rejection.payload) <= MAX_PAYLOAD for rejection in rejections(pages))


def test_a_source_with_nothing_new_yields_empty_pages_often(suite: Suite) -> None:
    pages = suite.run(None, lambda pages: suite.everything(pages) and not any(page.items for page in pages[-3:]))
    assert suite.finite or not any(page.items for page in pages[-3:])
    assert max(suite.clock.waits, default=0.0) <= 1.0


def test_asked_to_stop_it_returns_soon_and_leaves_nothing_open(suite: Suite) -> None:
    before = held()
    run = suite.connector.pages(None)
    next(run)
    suite.ready.push(suite.connector)
    suite.clock.stop()
    since = time.monotonic()
    for _ in run:
        pass
    assert time.monotonic() - since < 10
    assert settles(lambda: all(now <= then for now, then in zip(held(), before, strict=True))), (before, held())


def test_closed_in_the_middle_it_leaves_nothing_open(suite: Suite) -> None:
    before = held()
    run = suite.connector.pages(None)
    next(run)
    suite.ready.push(suite.connector)
    since = time.monotonic()
    cast(Any, run).close()
    assert time.monotonic() - since < 10
    assert settles(lambda: all(now <= then for now, then in zip(held(), before, strict=True))), (before, held())


def test_no_secret_shows_in_settings_logs_or_errors(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[object] = [repr(suite.ready.config), str(suite.ready.config), repr(suite.connector)]
    with structlog.testing.capture_logs() as lines:
        suite.run(None, suite.everything)
        if suite.ready.failing is not None:
            with pytest.raises((SourceUnavailable, SourceRefused)) as failure:
                for _ in zip(suite.build(suite.ready.failing).pages(None), range(20), strict=False):
                    pass
            error: BaseException | None = failure.value
            while error is not None:
                said += [str(error), repr(error)]
                error = error.__cause__ or error.__context__
    said += [lines, *capfd.readouterr()]
    assert not [secret for secret in suite.ready.secrets for text in said if secret in str(text)]


def test_times_of_mentions_are_not_in_the_future(suite: Suite) -> None:
    limit = suite.clock.now() + timedelta(minutes=5)
    for page in suite.run(None, suite.everything):
        assert all(item.created_at <= limit for item in page.items if isinstance(item, Mention))
