"""Whether a window is out of the ordinary, what it looks like, and how much it matters. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from spikes.counting import time_of
from spikes.detection import Kind, Severity
from spikes.detector import FIRST_BUCKETS, Detector, DetectorState, Sensitivity, Tuning, share_below
from spikes.recent import Window
from spikes.shelf import STEP

WINDOWS = (5, 15, 60)
"""Minutes of the windows that are looked at."""

LEVELS: Mapping[Sensitivity, float] = MappingProxyType({"low": 0.85, "normal": 0.60, "high": 0.60})
"""The score from which a window fires: chosen on made firestorms and ordinary weeks (benchmarks/spikes/evaluate.py);
lower than a single series' THRESHOLDS, since a window must also be of enough people, and negative."""

FEWEST: Mapping[Sensitivity, int] = MappingProxyType({"low": 12, "normal": 8, "high": 5})
"""Distinct authors below which nothing is out of the ordinary, whatever is usual."""

CLUSTERED = 0.1
"""How much errors of neighbouring buckets have in common: the error of a window grows faster than by chance alone."""

USUAL_AT_MOST = 0.3
"""A share of negative authors above this counts as this: where people always complain, more of them still matter."""

LIFT = 1.4
"""The negative share must be so many times the usual one, with DEVIATIONS to spare: a campaign that brings everybody
brings those who complain too."""

DEVIATIONS = 3.0

FEW = 3
"""So many negative authors or fewer are single accounts, however much they say: at least LOUD mentions in an hour."""

LOUD = 12

MOST = 0.6
"""The share of the negative mentions that makes a repost storm."""

HALF = 0.5
"""The share by suspicious accounts that makes a flood of bots; where most texts are copies, COPIED of them do."""

COPIED = 0.25

MAJOR_AUTHORS, CRITICAL_AUTHORS = 40, 200
MAJOR_REACH, CRITICAL_REACH = 100_000, 2_000_000
GROWING = 3.0
"""Times as many negative authors in the last 5 minutes as in 5 minutes before: one step more severe."""

_PRIOR_PEAK = Tuning().prior_peak
_FLOOR = Tuning().floor


class Judgement(NamedTuple):
    """How unusual the most unusual window is, in [0, 1); its length in minutes; what was expected of it; and how often
    a week chance alone would bring as much."""

    score: float
    minutes: int
    expected: float
    rare_per_week: float


def judged(state: DetectorState, end: int, counts: Sequence[int]) -> Judgement:
    """Judge the windows of WINDOWS minutes that end then, by their counts.

    A window is as high as its count is above what is expected, in standard deviations of the detector's errors over
    so many buckets; that is compared with the series' usual daily peak, as the detector does with a bucket."""
    expected = Detector(timedelta(minutes=STEP), state).look(time_of(end - STEP), counts[0]).expected
    if state.seen < FIRST_BUCKETS:
        return Judgement(0.0, WINDOWS[0], expected, 7.0)
    usual = state.peaks.usual or _PRIOR_PEAK
    best, minutes, of = -math.inf, WINDOWS[0], expected
    for count, width in zip(counts, WINDOWS, strict=True):
        buckets = width // STEP
        spread = buckets * state.variance * (1 + CLUSTERED * (buckets - 1)) + _FLOOR
        height = (count - buckets * expected) / math.sqrt(spread)
        if height > best:
            best, minutes, of = height, width, buckets * expected
    score = share_below(best / usual)
    return Judgement(score, minutes, of, 7 * (1 - score))


def stands_out(side: int, authors: int, usual: float) -> bool:
    """Are so many of a side among so many authors more than what the usual share explains?"""
    explained = min(usual, USUAL_AT_MOST) * authors
    return side - DEVIATIONS * math.sqrt(explained) > LIFT * explained


def kind_of(window: Window) -> Kind:
    """What trouble of this make-up looks like."""
    if window.negative_authors <= FEW:
        return Kind.SINGLE_AUTHOR
    suspicious = window.suspicious / window.negative
    if suspicious >= HALF or (window.copies >= MOST * window.negative and suspicious >= COPIED):
        return Kind.BOT_FLOOD
    if window.negative_reposts >= MOST * window.negative:
        return Kind.REPOST_STORM
    return Kind.FIRESTORM


def severity_of(kind: Kind, window: Window, voices: int, growth: float) -> Severity:
    """How much it matters, by how many speak, how many can see it, and how fast it grows."""
    if kind is Kind.SINGLE_AUTHOR:
        return Severity.MAJOR if window.reach >= CRITICAL_REACH else Severity.MINOR
    if kind is Kind.PRAISE:
        return Severity.MINOR
    rank = (voices >= MAJOR_AUTHORS or window.reach >= MAJOR_REACH) + (
        voices >= CRITICAL_AUTHORS or window.reach >= CRITICAL_REACH
    )
    if growth >= GROWING and voices >= MAJOR_AUTHORS // 2:
        rank += 1
    return (Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)[min(rank, 2)]


def fires(score: float, voices: int, sensitivity: Sensitivity) -> bool:
    """Is this a detection?"""
    return score >= LEVELS[sensitivity] and voices >= FEWEST[sensitivity]
