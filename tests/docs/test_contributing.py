"""The connector that CONTRIBUTING.md adds is real: it is taken out of the page and run against the local source that
the page's own harness stands up."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import dropwhile, takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import connectors
import tests.contract.connectors
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Context, Page, Rejection
from tests.contract import test_connector, test_hostile

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(r'^```python title="([\w/]+\.py)"\n(.*?)^```$', re.M | re.S)
CONNECTOR, HARNESS = "connectors.jsonfeed", "tests.contract.connectors.jsonfeed"


PROMISES = [
    function
    for name, function in vars(test_connector).items()
    if name.startswith("test_") and list(inspect.signature(function).parameters) == ["suite"]
]


@pytest.fixture(scope="module")
def blocks() -> dict[str, str]:
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture
def harness(blocks: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page's harness, with its files in place as if they had been added to the rooms."""
    for name, code in blocks.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
    rooms: tuple[tuple[ModuleType, str], ...] = (
        (connectors, "connectors"),
        (tests.contract.connectors, "tests/contract/connectors"),
    )
    for room, folder in rooms:
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path / folder)])
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(HARNESS).harness
    finally:
        for name in (CONNECTOR, HARNESS):
            module = sys.modules.pop(name, None)
            if module:
                room_name, _, attribute = name.rpartition(".")
                vars(sys.modules[room_name]).pop(attribute, None)


def built(config: Any, clock: Any) -> Any:
    name = tests.contract.connectors.NAME
    return sys.modules[CONNECTOR].Connector(config, Context(name, (), clock))


def pages_until_idle(connector: Any, cursor: str | None) -> list[Page]:
    """The pages of the first request: from its answer up to the first page that waits for the next."""
    with closing(connector.pages(cursor)) as generator:
        answered = dropwhile(lambda page: not page.heard, generator)
        return list(takewhile(lambda page: page.heard, answered))


def test_the_walk_through_is_under_100_lines_with_both_files_in_it(blocks: dict[str, str]) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    first = lines.index("## Add a connector in one file and one test")
    length = next(number for number, line in enumerate(lines[first + 1 :], 1) if line.startswith("## "))
    assert length < 100
    assert set(blocks) == {"connectors/jsonfeed.py", "tests/contract/connectors/jsonfeed.py"}
    assert sum(code.count("\n") for code in blocks.values()) < length


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_every_promise_of_the_contract_suite(harness: Any, tmp_path: Path, promise: Any) -> None:
    with harness.ready(tmp_path) as ready:
        promise(test_connector.Suite("jsonfeed", harness, ready))


@pytest.mark.parametrize("fault", ["reset", "half", "429 with a delay", "huge", "gzip cut off", "unknown"])
def test_it_recovers_behind_the_hostile_server(
    harness: Any,
    tmp_path: Path,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(test_connector.ADAPTERS, "jsonfeed", lambda: harness)
    with test_hostile.listening("jsonfeed", tmp_path) as behind:
        test_hostile.test_under_a_fault_it_holds_its_promises_and_then_recovers(behind, fault, capfd, caplog)


def test_it_yields_what_its_harness_promises(harness: Any, tmp_path: Path, clock: ManualClock) -> None:
    with harness.ready(tmp_path) as ready:
        connector = built(ready.config, clock)
        items = [item for page in pages_until_idle(connector, None) for item in page.items]
        mentions = [item for item in items if isinstance(item, Mention)]
        rejections = [item for item in items if isinstance(item, Rejection)]
        assert {mention.id for mention in mentions} == ready.expected
        assert all(mention.source == ready.source for mention in mentions)
        assert all(mention.created_at.utcoffset() is not None for mention in mentions)
        assert len(rejections) == ready.bad
        assert [rejection.place for rejection in rejections] == ["item 3", "item 4"]


def test_it_goes_on_from_its_cursor(harness: Any, tmp_path: Path, clock: ManualClock) -> None:
    with harness.ready(tmp_path) as ready:
        cursor = pages_until_idle(built(ready.config, clock), None)[-1].cursor
        assert cursor is not None
        again = [item for page in pages_until_idle(built(ready.config, clock), cursor) for item in page.items]
        assert len(again) <= ready.repeats


def test_it_stops_when_asked_and_asks_again_in_time(harness: Any, tmp_path: Path, clock: ManualClock) -> None:
    with harness.ready(tmp_path) as ready:
        connector = built(ready.config.model_copy(update={"poll_secs": 2.0}), clock)
        generator = connector.pages(None)
        assert next(page for page in generator if page.heard).items
        assert next(page for page in generator if page.heard).items == []
        assert sum(clock.waits) == pytest.approx(2.0)
        assert max(clock.waits) <= 1.0
        clock.stop()
        assert list(generator) == []


def test_a_feed_that_is_gone_is_refused(harness: Any, tmp_path: Path, clock: ManualClock) -> None:
    with harness.ready(tmp_path) as ready, pytest.raises(SourceRefused, match="404"):
        pages_until_idle(built(ready.failing, clock), None)


def test_a_site_that_is_down_is_unavailable(harness: Any, tmp_path: Path, clock: ManualClock) -> None:
    with harness.ready(tmp_path) as ready:
        pass
    with pytest.raises(SourceUnavailable, match="no answer"):
        pages_until_idle(built(ready.config, clock), None)


def test_no_thread_stays_behind(harness: Any, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with harness.ready(tmp_path) as ready:
        pages_until_idle(built(ready.config, SystemClock()), None)
    assert set(threading.enumerate()) <= before
