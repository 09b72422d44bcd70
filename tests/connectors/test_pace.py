"""A budget of requests: counted in every window, believed where the platform speaks."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._pace import LONGEST_WAIT_SECS, Pace, Window
from pipeline.clock import ManualClock
from pipeline.errors import SourceUnavailable
from pipeline.ports import Usage

MINUTE = Window(20, 60, "requests a minute")
DAY = Window(2_880, 86_400, "requests a day")


@given(steps=st.lists(st.floats(min_value=0, max_value=40), min_size=1, max_size=80))
def test_no_window_ever_holds_more_than_is_allowed(steps: list[float]) -> None:
    clock = ManualClock()
    pace = Pace(clock, Window(3, 10, "few"), Window(7, 60, "more"))
    made: list[float] = []
    for step in steps:
        clock.advance(step)
        clock.advance(pace.ready_in())
        pace.claim("the platform")
        made.append(clock.monotonic())
    for most, seconds in ((3, 10.0), (7, 60.0)):
        for first, over in zip(made, made[most:], strict=False):
            assert over - first >= seconds - 1e-6
    assert all(after >= before for before, after in pairwise(made))


def test_the_wait_ends_when_the_oldest_request_leaves_its_window() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE, DAY)
    for _ in range(20):
        assert pace.ready_in() == 0
        pace.spent()
        clock.advance(1)
    assert pace.ready_in() == pytest.approx(40)
    with pytest.raises(SourceUnavailable, match="Acme takes no more") as failure:
        pace.claim("Acme")
    assert failure.value.trouble == "rate_limited"
    assert failure.value.retry_after == pytest.approx(40)
    clock.advance(40)
    assert pace.ready_in() == 0


def test_the_longer_window_holds_when_the_shorter_has_room() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE, DAY)
    for _ in range(2_880):
        clock.advance(pace.ready_in())
        pace.spent()
    clock.advance(60)
    assert pace.ready_in() == pytest.approx(86_400 - clock.monotonic())


def test_a_reserve_is_left_to_others_but_never_more_than_a_quarter() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE)
    pace.spent(15)
    assert pace.ready_in() == 0
    assert pace.ready_in(reserve=5) == 60
    assert pace.ready_in(reserve=500) == 60
    pace = Pace(clock, MINUTE)
    pace.spent(14)
    assert pace.ready_in(reserve=500) == 0


def test_what_the_platform_says_is_left_is_believed_until_its_reset() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE)
    pace.told(2, 30, limit=10)
    assert pace.usage == (Usage("requests a minute", 8, 10, clock.now() + timedelta(seconds=30)),)
    pace.spent(2)
    assert pace.ready_in() == 30
    clock.advance(30)
    assert pace.ready_in() == 0
    assert pace.usage == (Usage("requests a minute", 2, 20, clock.now() + timedelta(seconds=30)),)


@pytest.mark.parametrize("reset", ["30", "epoch"])
def test_headers_are_read_whether_the_reset_is_a_time_or_a_wait(reset: str) -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE)
    at = str(int(clock.now().timestamp()) + 30) if reset == "epoch" else reset
    assert pace.heard({"x-ratelimit-remaining": "0", "x-ratelimit-limit": "60", "x-ratelimit-reset": at}) is None
    assert pace.ready_in() == pytest.approx(30)


def test_a_pause_that_was_asked_for_is_kept() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE)
    assert pace.heard({"retry-after": "90"}) == 90
    assert pace.ready_in() == 90
    pace.closed(5)
    assert pace.ready_in() == 90
    clock.advance(90)
    assert pace.ready_in() == 0


@pytest.mark.parametrize("value", ["", "nan", "inf", "-5", "many", "1e300", "٣"])
def test_nonsense_in_a_header_changes_nothing(value: str) -> None:
    pace = Pace(ManualClock(), MINUTE)
    assert pace.heard({"x-ratelimit-remaining": "0", "x-ratelimit-reset": value, "retry-after": value}) is None
    assert pace.ready_in() == 0


def test_nobody_makes_us_wait_longer_than_a_day() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE)
    pace.told(0, 1e12)
    pace.closed(1e12)
    assert pace.ready_in() == LONGEST_WAIT_SECS


def test_use_is_told_for_every_window() -> None:
    clock = ManualClock()
    pace = Pace(clock, MINUTE, DAY)
    assert [usage.resets for usage in pace.usage] == [None, None]
    pace.spent(3)
    assert pace.usage == (
        Usage("requests a minute", 3, 20, clock.now() + timedelta(seconds=60)),
        Usage("requests a day", 3, 2_880, clock.now() + timedelta(days=1)),
    )
    with pytest.raises(ValueError, match="told apart"):
        Pace(clock, MINUTE, Window(1, 1, "requests a minute"))


def test_a_wait_that_was_waited_out_is_over_whatever_rounding_leaves_of_it() -> None:
    clock = ManualClock()
    clock.advance(0.374)
    pace = Pace(clock, Window(1, 10, "few"))
    pace.claim("the platform")
    clock.advance(0.323)
    clock.advance(pace.ready_in())
    assert pace.ready_in() == 0
