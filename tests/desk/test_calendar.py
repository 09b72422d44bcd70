"""What a calendar promises, whatever its hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from desk.calendar import Calendar, Holiday, Hours, NoOpenHours
from desk.calendar_settings import calendar_from
from tests.desk.weeks import calendars, moments, spans

NINE_TO_FIVE = (Hours(9 * 3600, 17 * 3600),)
OFFICE = Calendar("office", ZoneInfo("Europe/Berlin"), (NINE_TO_FIVE,) * 5 + ((),) * 2)
OFFICE_CLOSED = Holiday("closed")
ALWAYS = Calendar("always", ZoneInfo("UTC"), ((Hours(0, 86_400),),) * 7)
FRIDAY = datetime(2026, 1, 2, 15, 45, tzinfo=UTC)


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, spans)
def test_between_undoes_add(calendar: Calendar, start: datetime, span: timedelta) -> None:
    assert calendar.between(start, calendar.add(start, span)) == span


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, moments)
def test_add_comes_to_the_first_moment_with_so_much_open_time(
    calendar: Calendar, one: datetime, other: datetime
) -> None:
    start, end = sorted((one, other))
    due = calendar.add(start, calendar.between(start, end))
    assert start <= due <= end
    assert calendar.between(due, end) == timedelta(0)
    assert due == start or calendar.is_open(due - timedelta(microseconds=1))


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, moments, spans, spans)
def test_later_or_longer_is_never_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, short: timedelta, more: timedelta
) -> None:
    first, second = sorted((one, other))
    assert first <= calendar.add(first, short) <= calendar.add(second, short) <= calendar.add(second, short + more)
    assert calendar.add(calendar.add(first, short), more) == calendar.add(first, short + more) or not more


@settings(max_examples=60, deadline=None)
@given(calendars(), moments, moments, moments)
def test_open_time_adds_up(calendar: Calendar, one: datetime, other: datetime, third: datetime) -> None:
    start, middle, end = sorted((one, other, third))
    whole = calendar.between(start, end)
    assert calendar.between(start, middle) + calendar.between(middle, end) == whole <= end - start
    pieces = list(calendar.open_stretches(start, end))
    assert sum((piece.end - piece.start for piece in pieces), timedelta(0)) == whole
    assert all(start <= piece.start < piece.end <= end for piece in pieces)


def test_no_time_holds_no_open_stretch() -> None:
    always = calendar_from("always", {"timezone": "UTC", "hours": "always"})
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert list(always.open_stretches(noon, noon)) == []


@settings(max_examples=40, deadline=None)
@given(calendars(), moments)
def test_open_is_what_the_clock_on_the_wall_says(calendar: Calendar, start: datetime) -> None:
    quarter = timedelta(minutes=15)
    start -= timedelta(minutes=start.minute % 15, seconds=start.second)
    open_quarters = 0
    for number in range(2 * 96):
        wall = (start + number * quarter).astimezone(calendar.timezone)
        since_midnight = (wall.hour * 60 + wall.minute) * 60
        holiday = calendar.holiday(wall.date())
        today = holiday.hours if holiday else calendar.week[wall.weekday()]
        open_quarters += any(hours.start <= since_midnight < hours.end for hours in today)
    assert calendar.between(start, start + 2 * 96 * quarter) == open_quarters * quarter


def test_a_day_that_a_country_skipped_was_not_worked() -> None:
    samoa = Calendar("samoa", ZoneInfo("Pacific/Apia"), (NINE_TO_FIVE,) * 7)
    thursday = datetime(2011, 12, 29, 12, tzinfo=samoa.timezone)
    assert samoa.local(samoa.add(thursday, timedelta(hours=6))) == "Sat 2011-12-31 10:00"


def test_nothing_lies_between_a_moment_and_an_earlier_one() -> None:
    assert OFFICE.between(FRIDAY, FRIDAY - timedelta(days=7)) == timedelta(0)


def test_no_time_at_all_is_due_at_once_even_while_closed() -> None:
    saturday = datetime(2026, 1, 3, 12, tzinfo=UTC)
    assert OFFICE.add(saturday, timedelta(0)) == saturday


def test_a_negative_span_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        OFFICE.add(FRIDAY, timedelta(seconds=-1))


def test_years_are_counted_whole() -> None:
    start, end = datetime(2020, 2, 29, tzinfo=UTC), datetime(2031, 7, 1, tzinfo=UTC)
    assert ALWAYS.between(start, end) == end - start
    assert ALWAYS.add(start, end - start) == end


def test_a_calendar_that_never_opens_says_so_and_names_itself() -> None:
    shut = Calendar("shut", ZoneInfo("UTC"), ((),) * 7)
    with pytest.raises(NoOpenHours, match="'shut' does not have 30m of open time after Fri 2026-01-02 15:45"):
        shut.add(FRIDAY, timedelta(minutes=30))
    assert shut.between(FRIDAY, FRIDAY + timedelta(days=365)) == timedelta(0)


def test_a_date_beyond_all_reason_is_closed_time_and_not_a_crash() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert OFFICE.add(first, timedelta(hours=1)) == datetime(1970, 1, 1, 9, tzinfo=UTC)
    assert OFFICE.between(first, datetime(1970, 1, 1, 9, tzinfo=UTC)) == timedelta(hours=1)
    assert OFFICE.between(datetime(2199, 12, 31, tzinfo=UTC), last) == timedelta(hours=8)
    with pytest.raises(NoOpenHours):
        OFFICE.add(last, timedelta(hours=1))


def test_stretches_are_those_of_a_day_and_joined_where_they_touch() -> None:
    split = Calendar("split", ZoneInfo("UTC"), ((Hours(0, 3600), Hours(3600, 7200), Hours(82_800, 86_400)),) * 7)
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    hours = [
        (stretch.start.hour, stretch.end.hour) for stretch in split.open_stretches(monday, monday + timedelta(days=1))
    ]
    assert hours == [(0, 2), (23, 0)]


def test_equal_data_makes_equal_calendars_whatever_they_were_asked() -> None:
    other = Calendar("office", ZoneInfo("Europe/Berlin"), OFFICE.week)
    other.add(FRIDAY, timedelta(hours=1))
    assert other == OFFICE
    assert other != Calendar("office", ZoneInfo("Europe/Berlin"), OFFICE.week, {date(2026, 1, 5): OFFICE_CLOSED})


def test_a_time_is_shown_as_on_the_wall() -> None:
    assert OFFICE.local(FRIDAY) == "Fri 2026-01-02 16:45"
    assert OFFICE.local(FRIDAY + timedelta(seconds=5)) == "Fri 2026-01-02 16:45:05"
    assert OFFICE.local(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "Sun 2026-10-25 02:30 +0200"
    assert OFFICE.local(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "Sun 2026-10-25 02:30 +0100"
