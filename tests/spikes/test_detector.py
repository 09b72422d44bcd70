from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikes.detector import FIRST_BUCKETS, STEPS, THRESHOLDS, Detector, DetectorState, Verdict

WIDTH = timedelta(minutes=5)
START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = 288

counts = st.lists(
    st.one_of(st.integers(0, 5), st.integers(0, 2_000), st.just(0), st.floats(0, 1e9, allow_nan=False)),
    min_size=1,
    max_size=120,
)
gaps = st.lists(st.sampled_from([1, 1, 1, 1, 2, 50, 3_000]), min_size=120, max_size=120)


def poisson(mean: float, buckets: int, seed: int = 7) -> list[float]:
    return [float(count) for count in np.random.default_rng(seed).poisson(mean, buckets)]


def nights(mean: float, buckets: int, seed: int = 7) -> list[float]:
    hours = np.arange(buckets) / 12 % 24
    level = mean * np.where((hours >= 8) & (hours < 20), 1.8, 0.2)
    return [float(count) for count in np.random.default_rng(seed).poisson(level)]


def fed(values: list[float], width: timedelta = WIDTH) -> tuple[Detector, list[Verdict]]:
    detector = Detector(width)
    return detector, [detector.step(START + number * width, value) for number, value in enumerate(values)]


def after(values: list[float], width: timedelta = WIDTH) -> datetime:
    return START + len(values) * width


@given(counts, gaps, st.integers(1, 119))
@settings(max_examples=25, deadline=None)
def test_scoring_a_prefix_gives_the_same_scores_and_so_does_going_on_from_a_saved_state(
    values: list[float], steps: list[int], cut: int
) -> None:
    times = [START + int(number) * WIDTH for number in np.cumsum(steps)]
    whole = Detector(WIDTH)
    expected = [whole.step(at, value) for at, value in zip(times, values, strict=False)]
    first = Detector(WIDTH)
    got = [first.step(at, value) for at, value in zip(times, values[:cut], strict=False)]
    assert got == expected[:cut]
    for saved in (msgspec.json, msgspec.msgpack):
        state = saved.decode(saved.encode(first.state), type=DetectorState)
        second = Detector(WIDTH, state)
        rest = [second.step(at, value) for at, value in zip(times[cut:], values[cut:], strict=False)]
        assert got + rest == expected
        assert second.state == whole.state


@given(counts, gaps)
@settings(max_examples=25, deadline=None)
def test_every_verdict_is_within_its_bounds(values: list[float], steps: list[int]) -> None:
    detector = Detector(WIDTH)
    for at, value in zip(np.cumsum(steps), values, strict=False):
        verdict = detector.step(START + int(at) * WIDTH, value)
        assert 0 <= verdict.score <= 1
        assert 0 <= verdict.level <= 1
        assert 0 <= verdict.rare_per_week <= 7
        assert verdict.score * STEPS == pytest.approx(round(verdict.score * STEPS))
        assert math.isfinite(verdict.expected)
        assert verdict.ratio > 0


@given(counts, st.floats(0, 1e6), st.floats(0, 1e6))
@settings(max_examples=25, deadline=None)
def test_more_is_never_less_unusual(values: list[float], one: float, other: float) -> None:
    detector, _ = fed(values)
    low, high = sorted((one, other))
    at = after(values)
    assert detector.look(at, low).level <= detector.look(at, high).level
    assert detector.look(at, low).score <= detector.look(at, high).score


def test_looking_teaches_nothing() -> None:
    values = poisson(4, 600)
    detector, _ = fed(values)
    before = msgspec.json.encode(detector.state)
    detector.look(after(values), 500)
    detector.look(after(values), 0, share=0.2)
    assert msgspec.json.encode(detector.state) == before


def test_an_open_bucket_is_expected_to_hold_its_share() -> None:
    values = poisson(40, 3 * DAY)
    detector, _ = fed(values)
    whole, fifth = detector.look(after(values), 60), detector.look(after(values), 60, share=0.2)
    assert fifth.expected == pytest.approx(whole.expected / 5)
    assert fifth.level > whole.level


def test_a_day_old_brand_is_not_alarmed_by_its_own_noise() -> None:
    for seed in range(5):
        _, verdicts = fed(poisson(3, DAY, seed))
        assert max(verdict.score for verdict in verdicts) < THRESHOLDS["high"]


def test_an_absurd_burst_from_a_brand_seen_for_two_hours_counts() -> None:
    values = poisson(2, 24)
    detector, _ = fed(values)
    assert detector.look(after(values), 60).score >= THRESHOLDS["normal"]
    assert detector.look(after(values), 6).score < THRESHOLDS["normal"]


def test_nothing_is_said_before_anything_is_known() -> None:
    _, verdicts = fed([0.0] * (FIRST_BUCKETS - 1) + [1000.0])
    assert {verdict.score for verdict in verdicts} == {0.0}


@pytest.mark.parametrize("daily", [5, 50, 500, 5_000, 50_000])
def test_a_burst_is_found_whatever_the_size_of_the_brand(daily: int) -> None:
    values = poisson(daily / DAY, 21 * DAY)
    detector, verdicts = fed(values)
    weeks = 2
    alerts = sum(verdict.score >= THRESHOLDS["normal"] for verdict in verdicts[7 * DAY :])
    assert alerts <= weeks
    burst = max(15.0, 4 * daily / DAY)
    assert detector.look(after(values), burst).score >= THRESHOLDS["normal"]
    assert detector.look(after(values), daily / DAY).level < 0.2


def test_a_burst_is_reported_as_it_rises_and_not_for_every_bucket_of_its_fall() -> None:
    values = poisson(5, 7 * DAY)
    detector, _ = fed(values)
    verdicts = [detector.step(after(values) + number * WIDTH, 300 - 20.0 * number) for number in range(10)]
    assert verdicts[0].score >= THRESHOLDS["normal"]
    assert [verdict.score for verdict in verdicts[1:]] == [0.0] * 9
    assert verdicts[1].level > 0.5


def test_a_series_that_bursts_every_day_must_burst_higher_to_count() -> None:
    calm = poisson(5, 21 * DAY)
    wild = [value + (60 if number % DAY == 150 else 0) for number, value in enumerate(calm)]
    assert fed(calm)[0].look(after(calm), 65).level > fed(wild)[0].look(after(wild), 65).level


def test_nights_are_expected_once_two_weeks_were_seen() -> None:
    values = nights(20, 28 * DAY)
    detector, _ = fed(values)
    night, noon = after(values) + timedelta(hours=3), after(values) + timedelta(hours=12)
    assert detector.look(night, 0).expected < 0.5 * detector.look(noon, 0).expected
    young, _ = fed(values[: 7 * DAY])
    same = after(values[: 7 * DAY])
    assert young.look(same + timedelta(hours=3), 0).expected == young.look(same + timedelta(hours=12), 0).expected


def test_a_series_that_stops_is_silent_soon_and_one_that_sleeps_is_not() -> None:
    values = nights(20, 28 * DAY)
    detector, verdicts = fed(values)
    assert not any(verdict.silent for verdict in verdicts)
    assert not detector.look(after(values) + timedelta(hours=3), 1).silent
    start = after(values)
    silent = [detector.step(start + number * WIDTH, 0.0).silent for number in range(2 * DAY)]
    assert True in silent
    assert silent.index(True) < DAY


def test_little_is_not_silence_before_a_day_of_it() -> None:
    values = poisson(20, 3 * DAY)
    detector, _ = fed(values)
    silent = [detector.step(after(values) + number * WIDTH, 0.0).silent for number in range(2 * DAY)]
    assert silent.index(True) >= DAY - 1


def test_a_gap_in_listening_is_no_silence_and_no_burst() -> None:
    values = poisson(20, 28 * DAY)
    detector, _ = fed(values)
    state = msgspec.json.encode(detector.state.quiet)
    for number in range(3):
        verdict = detector.step(after(values) + timedelta(days=2) + number * WIDTH, 20.0)
        assert not verdict.silent
        assert verdict.score < THRESHOLDS["high"]
    assert msgspec.json.decode(state)["level"] == pytest.approx(detector.state.quiet.level, rel=0.05)


def test_a_burst_after_an_outage_that_looked_like_silence_is_judged_by_what_was_before() -> None:
    values = poisson(20, 28 * DAY)
    detector, _ = fed(values)
    before = detector.look(after(values), 0).expected
    for number in range(6 * 12):
        detector.step(after(values) + number * WIDTH, 0.0)
    assert detector.look(after(values) + timedelta(hours=6), 0).expected > 0.9 * before


@pytest.mark.parametrize("width", [timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)])
def test_buckets_may_be_of_any_width_up_to_a_day(width: timedelta) -> None:
    values = poisson(10, 200)
    detector, _ = fed(values, width)
    assert detector.look(after(values, width), 300).score >= THRESHOLDS["normal"]


def test_the_state_stays_small() -> None:
    detector, _ = fed(poisson(3, 40 * DAY))
    assert len(msgspec.msgpack.encode(detector.state)) < 8_000
    falling = [float(value) for value in range(5_000, 0, -1)]
    detector, _ = fed(falling)
    assert len(msgspec.msgpack.encode(detector.state)) < 16_000


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_what_is_no_count_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="a count is a number from 0 on"):
        Detector(WIDTH).step(START, value)


def test_time_does_not_go_back() -> None:
    detector, _ = fed([1.0, 2.0])
    with pytest.raises(ValueError, match="is not after the last one"):
        detector.step(START + WIDTH, 1.0)


@pytest.mark.parametrize("width", [timedelta(0), timedelta(days=2)])
def test_a_width_that_makes_no_sense_is_refused(width: timedelta) -> None:
    with pytest.raises(ValueError, match="at most a day"):
        Detector(width)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_that_makes_no_sense_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Detector(WIDTH).look(START, 1.0, share)


def test_the_lower_the_sensitivity_the_rarer_the_alert() -> None:
    assert THRESHOLDS["low"] > THRESHOLDS["normal"] > THRESHOLDS["high"]
    assert 7 * (1 - THRESHOLDS["low"]) < 1
