"""The figures are those that others' code gives, and their intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from enrich._hearing import measures

THREE = ("negative", "neutral", "positive")


@st.composite
def judged(draw: st.DrawFn, labels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = draw(st.integers(2, 60))
    codes = st.lists(st.integers(0, labels - 1), min_size=rows, max_size=rows)
    chances = st.lists(
        st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=rows * labels, max_size=rows * labels
    )
    truth, found = np.array(draw(codes)), np.array(draw(codes))
    return truth, found, np.array(draw(chances)).reshape(rows, labels)


@settings(max_examples=60, deadline=None)
@given(judged())
def test_precision_recall_and_f1_are_those_of_scikit_learn(rows: tuple[np.ndarray, ...]) -> None:
    truth, found, chances = rows
    figures = measures.figures(THREE, truth, found, chances)
    theirs = precision_recall_fscore_support(truth, found, labels=[0, 1, 2], zero_division=0.0)
    for place, label in enumerate(THREE):
        mine = figures.per_class[label]
        assert [mine.precision, mine.recall, mine.f1, mine.n] == pytest.approx([column[place] for column in theirs])
    present = sorted(set(truth))
    assert figures.macro_f1 == pytest.approx(f1_score(truth, found, labels=present, average="macro", zero_division=0.0))
    assert sum(sum(row.values()) for row in figures.confusion.values()) == figures.n == len(truth)
    assert figures.ci95[0] <= figures.ci95[1]


@settings(max_examples=60, deadline=None)
@given(judged(labels=2))
def test_auc_is_that_of_scikit_learn_with_ties_counting_half(rows: tuple[np.ndarray, ...]) -> None:
    truth, found, chances = rows
    mine = measures.figures(("rest", "complaint"), truth, found, chances).auc
    if len(set(truth)) < 2:
        assert mine is None
    else:
        assert mine == pytest.approx(roc_auc_score(truth, chances[:, 1]))


def test_auc_of_three_labels_is_the_mean_of_each_against_the_rest() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 3, 200)
    chances = generator.random((200, 3)) + np.eye(3)[truth] * 0.4
    theirs = roc_auc_score(truth, chances / chances.sum(axis=1, keepdims=True), multi_class="ovr", average="macro")
    chances = chances / chances.sum(axis=1, keepdims=True)
    mine = measures.figures(THREE, truth, chances.argmax(axis=1), chances).auc
    assert mine == pytest.approx(theirs)


def test_calibration_error_is_the_distance_of_confidence_and_truth_over_fifteen_bins() -> None:
    sure = np.full(100, 0.9)
    assert measures.calibration(sure, np.arange(100) < 90) == pytest.approx(0.0)
    assert measures.calibration(sure, np.arange(100) < 40) == pytest.approx(0.5)
    mixed = np.array([0.95] * 50 + [0.05] * 50)
    right = np.array([True] * 50 + [False] * 50)
    assert measures.calibration(mixed, right) == pytest.approx(0.05)
    assert measures.calibration(mixed, ~right) == pytest.approx(0.95), "errors do not cancel across bins"
    assert measures.calibration(np.array([1.0]), np.array([True])) == 0.0


def test_rows_of_which_nothing_is_known_count_for_f1_alone() -> None:
    truth, found = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    chances = np.array([[0.9, 0.1], [0.2, 0.8], [np.nan, np.nan], [0.6, 0.4]])
    some = measures.figures(("rest", "lead"), truth, found, chances)
    rows = [0, 1, 3]
    alone = measures.figures(("rest", "lead"), truth[rows], found[rows], chances[rows])
    assert (some.auc, some.ece) == (alone.auc, alone.ece)
    assert some.macro_f1 < alone.macro_f1
    none = measures.figures(("rest", "lead"), truth, found, np.full((4, 2), np.nan))
    assert (none.auc, none.ece) == (None, None)


def test_an_interval_is_that_of_drawing_rows_again_and_the_same_every_time() -> None:
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 3, 300)
    found = np.where(generator.random(300) < 0.7, truth, generator.integers(0, 3, 300))
    mine = measures.figures(THREE, truth, found, np.eye(3)[found])
    drawn = []
    for _ in range(400):
        rows = generator.integers(0, 300, 300)
        drawn.append(f1_score(truth[rows], found[rows], average="macro"))
    assert mine.ci95 == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)
    assert mine == measures.figures(THREE, truth, found, np.eye(3)[found])


def test_the_paired_difference_is_surer_than_two_intervals_apart() -> None:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 2, 1_000)
    one = np.where(generator.random(1_000) < 0.8, truth, 1 - truth)
    wrong = np.flatnonzero(one != truth)
    other = one.copy()
    other[wrong[:40]] = truth[wrong[:40]]
    broken = np.flatnonzero(one == truth)[:5]
    other[broken] = 1 - truth[broken]
    labels = ("rest", "complaint")
    change = measures.difference(labels, truth, one, other)
    assert (change.better, change.worse) == (40, 5)
    before, after = (measures.figures(labels, truth, it, np.eye(2)[it]) for it in (one, other))
    assert change.macro_f1 == pytest.approx(after.macro_f1 - before.macro_f1)
    assert change.ci95[0] > 0
    assert before.ci95[1] > after.ci95[0], "which the two intervals alone would not have said"
    for label in labels:
        moved = after.per_class[label].f1 - before.per_class[label].f1
        assert change.per_class[label]["f1"] == pytest.approx(moved)


def test_two_models_alike_differ_in_nothing() -> None:
    truth = np.array([0, 1, 1, 0, 1])
    found = np.array([0, 1, 0, 0, 1])
    change = measures.difference(("rest", "lead"), truth, found, found)
    assert (change.macro_f1, change.ci95, change.better, change.worse) == (0.0, (0.0, 0.0), 0, 0)
