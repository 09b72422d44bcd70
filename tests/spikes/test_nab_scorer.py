from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.spikes import candidates, nab, traffic
from benchmarks.spikes.detectors import harken
from spikes.detector import THRESHOLDS

START = datetime(2026, 1, 5, tzinfo=UTC)


def series(*windows: tuple[int, int], length: int = 1000, name: str = "one") -> nab.Series:
    times = [START + number * timedelta(minutes=5) for number in range(length)]
    return nab.Series(name, times, [0.0] * length, list(windows))


def curve(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1


def test_no_detection_is_0_and_a_perfect_one_is_100() -> None:
    two = series((400, 499), (700, 799))
    assert nab.normal(nab.points(two, []), 2) == 0
    assert nab.normal(nab.points(two, [400, 700]), 2) == pytest.approx(100)


def test_an_early_detection_is_worth_more_and_only_the_best_of_a_window_counts() -> None:
    one = series((400, 499))
    middle = curve(-0.5) / curve(-1)
    assert nab.points(one, [450]) == pytest.approx(middle)
    assert nab.points(one, [450, 460, 499]) == pytest.approx(middle)
    assert nab.points(one, [499]) == pytest.approx(curve(-0.01) / curve(-1))


def test_a_false_alarm_costs_more_the_farther_it_is_after_a_window() -> None:
    one = series((400, 499))
    missed = -1.0
    assert nab.points(one, [300]) == pytest.approx(missed - 0.11)
    assert nab.points(one, [500]) == pytest.approx(missed + 0.11 * curve(1 / 99))
    assert nab.points(one, [999]) == pytest.approx(missed - 0.11)
    assert nab.points(one, [510, 520]) == pytest.approx(missed + 0.11 * (curve(11 / 99) + curve(21 / 99)))


def test_probation_is_not_scored() -> None:
    assert series((400, 499)).probation == 150
    assert series((4000, 4099), length=15_000).probation == 750
    assert nab.points(series((400, 499)), [10, 149]) == nab.points(series((400, 499)), [])


def test_the_threshold_chosen_on_the_others_is_applied_to_the_one_left_out() -> None:
    some = [series((400, 499), name=name) for name in ("a", "b", "c")]
    scores = {it.name: [0.0] * 1000 for it in some}
    scores["a"][400] = scores["b"][400] = 0.9
    scores["c"][400] = 0.5
    result = nab.evaluate(some, scores)
    assert result.threshold == 0.5
    assert result.in_sample == pytest.approx(100)
    assert result.leave_one_out == pytest.approx(200 / 3)


def test_the_points_of_all_thresholds_are_those_of_the_detections_above_each() -> None:
    one = series((400, 499), (700, 799))
    scores = [((number * 37) % 101) / 100 if number % 9 == 0 else 0.0 for number in range(1000)]
    result = nab.evaluate([one, series((1, 2), name="two", length=300)], {"one": scores, "two": [0.0] * 300})
    best = max(
        nab.points(one, [at for at, score in enumerate(scores) if score >= level]) for level in {*scores} - {0.0}
    )
    assert result.in_sample == pytest.approx(nab.normal(best - 1, 3))


def test_a_folder_as_the_benchmark_has_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    rows = "\n".join(f"2026-01-05 00:{minute:02}:53,{minute}" for minute in range(0, 60, 5))
    (tmp_path / "some" / "volume.csv").write_text(f"timestamp,value\n{rows}\n")
    windows = {"some/volume.csv": [["2026-01-05 00:10:53.000000", "2026-01-05 00:20:53.000000"]]}
    (tmp_path / "windows.json").write_text(json.dumps(windows))
    (read,) = nab.read(tmp_path)
    assert read.windows == [(2, 4)]
    assert read.values[2] == 10


def test_what_is_below_the_last_peak_of_the_window_is_left_out() -> None:
    assert candidates.as_it_rises([1, 3, 2, 3, 4, 1, 0.5, 0.4, 2], 2) == [1, 3, 0, 0, 4, 0, 0, 0, 2]


@pytest.mark.parametrize(
    "make",
    [candidates.ewma, candidates.robust, lambda: candidates.tail(True), candidates.context, candidates.change_point],
)
def test_each_method_scores_a_burst_above_the_ordinary(make: object) -> None:
    assert callable(make)
    step = make()
    made = traffic.ordinary(500, 3, 1).values
    usual = [step(value) for value in made]
    assert step(400.0) > max(usual[288:])


def test_made_storms_are_found_and_are_the_same_each_time() -> None:
    made = traffic.stormy(500, 25, 5)
    assert made == traffic.stormy(500, 25, 5)
    scores = harken()(made.times(), made.values)
    for onset, span in zip(made.onsets, made.spans, strict=True):
        assert max(scores[onset : onset + span]) >= THRESHOLDS["normal"]
