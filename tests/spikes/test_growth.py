from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikes.growth import FEWEST, growth

FIVE = timedelta(minutes=5)


def test_what_doubles_in_every_bucket_doubles_in_five_minutes() -> None:
    found = growth([10, 20, 40, 80, 160], FIVE)
    assert found.course == "growing"
    assert found.doubling is not None
    assert found.doubling.middle == pytest.approx(5, rel=0.1)
    assert found.doubling.low < 5 < found.doubling.high


def test_the_width_of_a_bucket_does_not_change_the_doubling_time() -> None:
    slow = growth([10, 20, 40, 80, 160], timedelta(minutes=10)).doubling
    assert slow is not None
    assert slow.middle == pytest.approx(10, rel=0.15)


@pytest.mark.parametrize(
    ("counts", "course"),
    [
        ([100, 100, 98, 103, 99], "steady"),
        ([160, 120, 80, 50, 30, 22], "fading"),
        ([5, 5, 5, 400, 420, 10, 2, 1], "over"),
        ([5, 80, 300, 310, 290, 305, 300, 295, 300, 298, 303, 300, 301, 299], "steady"),
        ([0, 0, 0], "unknown"),
        ([7, 9], "unknown"),
        ([], "unknown"),
    ],
)
def test_it_says_how_it_goes_on(counts: list[float], course: str) -> None:
    assert growth(counts, FIVE).course == course


def test_what_no_longer_grows_has_no_doubling_time() -> None:
    assert growth([100, 100, 98, 103, 99], FIVE).doubling is None
    fading = growth([160, 120, 80, 50, 30, 22], FIVE)
    assert fading.doubling is None
    assert fading.halving is not None
    assert fading.halving.middle == pytest.approx(8.5, rel=0.2)


def test_three_counts_are_enough_for_a_wide_answer() -> None:
    few, many = growth([1, 3, 9], FIVE), growth([100, 300, 900], FIVE)
    assert few.next_hour is not None
    assert many.next_hour is not None
    assert few.next_hour.high / few.next_hour.low > many.next_hour.high / many.next_hour.low


def test_a_bucket_that_has_just_begun_is_not_a_decline() -> None:
    whole, over = growth([50, 50, 50, 50], FIVE).next_hour, growth([50, 50, 50, 10], FIVE).next_hour
    begun = growth([50, 50, 50, 10], FIVE, share=0.2).next_hour
    assert whole is not None
    assert over is not None
    assert begun is not None
    assert begun.middle == pytest.approx(whole.middle, rel=0.25)
    assert over.middle < 0.5 * whole.middle


def test_the_same_counts_give_the_same_forecast() -> None:
    assert growth([3, 5, 9, 12], FIVE) == growth([3, 5, 9, 12], FIVE)


def test_nine_in_ten_hours_are_within_the_interval() -> None:
    """Of storms that go on as the model has it: a slope that wears off, an end that comes sooner or later."""
    draw = np.random.default_rng(7)
    inside = 0
    for _ in range(100):
        slope, level = draw.uniform(-0.04, 0.06), draw.uniform(3, 100)
        times = np.arange(int(draw.integers(4, 13))) * 5.0
        counts = draw.poisson(level * np.exp(slope * (times - times[-1])))
        decay = math.log(2) / 5
        ahead = level / 5 * np.exp(slope * (1 - np.exp(-decay * (np.arange(0.5, 60) + 2.5))) / decay)
        came = draw.poisson(ahead.sum() * math.exp(draw.normal(-0.4, 0.8)))
        expected = growth([float(it) for it in counts], FIVE).next_hour
        inside += expected is not None and expected.low <= came <= expected.high
    assert 82 <= inside <= 99


@settings(max_examples=60)
@given(st.lists(st.integers(0, 10**6), max_size=30), st.floats(0, 1))
def test_any_counts_have_an_answer(counts: list[int], share: float) -> None:
    found = growth([float(it) for it in counts], FIVE, share)
    if len(counts) < FEWEST:
        assert found.course == "unknown"
    for span in (found.doubling, found.halving, found.next_hour):
        if span is not None:
            assert 0 <= span.low <= span.high
            assert not math.isnan(span.middle)
