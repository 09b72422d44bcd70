"""What every clock promises: the system's and the one that is moved by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC

import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.ports import Clock

ADAPTERS: dict[str, Callable[[], SystemClock | ManualClock]] = {"SystemClock": SystemClock, "ManualClock": ManualClock}


@pytest.fixture(params=sorted(ADAPTERS))
def clock(request: pytest.FixtureRequest) -> SystemClock | ManualClock:
    return ADAPTERS[request.param]()


def test_its_time_is_aware_and_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC


def test_neither_of_its_times_goes_back(clock: Clock) -> None:
    before, elapsed = clock.now(), clock.monotonic()
    clock.wait(0.01)
    assert clock.now() > before
    assert clock.monotonic() > elapsed


def test_a_wait_lasts_as_long_as_it_was_asked_to(clock: Clock) -> None:
    elapsed = clock.monotonic()
    assert not clock.wait(0.05)
    assert clock.monotonic() - elapsed >= 0.049


def test_stopping_it_ends_every_wait_at_once(clock: SystemClock | ManualClock) -> None:
    assert not clock.stopping
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(clock.wait(0.0 if isinstance(clock, ManualClock) else 60)))
    clock.stop()
    waiting.start()
    waiting.join(5)
    assert ended == [True]
    assert clock.stopping
