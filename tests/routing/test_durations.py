from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import durations


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("4h", timedelta(hours=4)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
    ],
)
def test_a_duration_is_read_as_written(written: str, span: timedelta) -> None:
    assert durations.parse(written) == span
    assert durations.text(span) == written


@pytest.mark.parametrize(
    "written", ["", "h", "4", "4 h", "4H", "-4h", "1.5h", "30m1h", "4h4h", "9" * 30 + "h", None, 4]
)
def test_anything_else_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        durations.parse(written)


@pytest.mark.parametrize("written", ["0m", "367d", "99999h"])
def test_a_duration_has_bounds(written: str) -> None:
    with pytest.raises(ValueError, match="between one second and 366 days"):
        durations.parse(written)


@settings(deadline=None)
@given(st.integers(1, 366 * 86_400))
def test_text_reads_back_as_the_same_duration(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert durations.parse(durations.text(span)) == span


def test_the_past_and_nothing_have_a_text_too() -> None:
    assert durations.text(timedelta(hours=-2)) == "-2h"
    assert durations.text(timedelta()) == "0s"


def test_a_broken_date_is_due_at_the_end_of_time() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    assert durations.due(end, timedelta(hours=1)) == end
    assert durations.due(end, None) is None
