"""Calendars as people write them, and what they are told when one is wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desk.calendar import Hours
from desk.calendar_settings import calendar_from, calendars_from, holidays_from_ical
from pipeline.errors import ConfigError

OFFICE: dict[str, Any] = {"timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}}


def problems(values: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        calendar_from("care", values)
    return [str(problem) for problem in caught.value.problems]


def test_days_ranges_split_shifts_and_single_stretches_are_read() -> None:
    calendar = calendar_from(
        "care", {"timezone": "UTC", "hours": {"mon-wed": ["13:30-17:00", "9:00-12:30"], "Sat": "10:00 - 14:00"}}
    )
    split = (Hours(32_400, 45_000), Hours(48_600, 61_200))
    assert calendar.week == (split, split, split, (), (), (Hours(36_000, 50_400),), ())


def test_always_is_every_hour_of_the_week() -> None:
    calendar = calendar_from("always", {"timezone": "UTC", "hours": "always"})
    assert calendar.week == ((Hours(0, 86_400),),) * 7


def test_holidays_are_dates_as_text_or_as_yaml_makes_them_and_may_come_every_year() -> None:
    calendar = calendar_from(
        "care",
        OFFICE
        | {
            "holidays": [
                {"date": date(2026, 4, 3), "name": "Good Friday"},
                {"date": "12-24", "name": "Christmas Eve", "hours": ["09:00-12:00"]},
                {"date": "2027-12-24", "name": "Move", "hours": []},
            ]
        },
    )
    assert calendar.holiday(date(2026, 4, 3)) == ("Good Friday", ())
    assert calendar.holiday(date(2031, 12, 24)) == ("Christmas Eve", (Hours(32_400, 43_200),))
    assert calendar.holiday(date(2027, 12, 24)) == ("Move", ())
    assert calendar.holiday(date(2026, 4, 7)) is None


def test_every_problem_is_told_with_its_place_and_a_remedy() -> None:
    written = {
        "timezone": "Europe/Berln",
        "hours": {"mon-fri": ["9-17", "22:00-06:00", "18:00-24:30"]},
        "holidays": [{"date": "2026-02-30", "nam": "x"}],
        "holliday": [],
    }
    assert problems(written) == [
        "calendars.care.timezone: there is no such time zone (did you mean Europe/Berlin?)",
        "calendars.care.hours.mon-fri[0]: not a stretch of hours (for example 09:00-12:30)",
        "calendars.care.hours.mon-fri[1]: ends before it starts "
        "(hours past midnight are written as 22:00-24:00, and 00:00-06:00 on the next day)",
        "calendars.care.hours.mon-fri[2]: a day ends at 24:00 (for example 18:00-24:00)",
        "calendars.care.holidays[0].date: not a date (for example 2026-12-25, or 12-25 for every year)",
        "calendars.care.holidays[0].name: is missing (write it down)",
        "calendars.care.holidays[0].nam: there is no such setting (did you mean name?)",
        "calendars.care.holliday: there is no such setting (did you mean holidays?)",
    ]


def test_what_contradicts_itself_is_told_too() -> None:
    written = {
        "timezone": "UTC",
        "hours": {"mon-fri": ["09:00-12:00", "11:00-13:00"], "tue": "09:00-10:00", "wed-tue": [], "monday": []},
        "holidays": [{"date": "2026-12-25", "name": "one"}, {"date": "2026-12-25", "name": "two"}],
        "ical": ["/etc/passwd"],
    }
    assert problems(written) == [
        "calendars.care.hours.mon-fri: 09:00-12:00 and 11:00-13:00 overlap (write them as one stretch)",
        "calendars.care.hours.wed-tue: the range runs backwards (the week begins with mon; name the days one by one)",
        "calendars.care.hours.monday: 'monday' is not a day "
        "(mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri)",
        "calendars.care.holidays[1]: 'one' is on that day already (keep one)",
        "calendars.care.ical[0]: a file cannot be named here (import its days as holidays)",
    ]
    assert problems({"timezone": "UTC", "hours": {"mon-fri": "09:00-17:00", "fri": "09:00-12:00"}}) == [
        "calendars.care.hours.fri: fri has hours already (give each day its hours once)"
    ]


@pytest.mark.parametrize("hours", [{}, {"mon": []}])
def test_a_calendar_without_open_hours_is_refused(hours: object) -> None:
    assert problems({"timezone": "UTC", "hours": hours}) == [
        "calendars.care.hours: has no open hours at all (for example mon-fri: [09:00-17:00])"
    ]


@pytest.mark.parametrize(
    "values", [None, [], "always", 7, {"timezone": 7, "hours": 7}, {"timezone": "../x", "hours": 1}]
)
def test_what_is_no_calendar_is_told_and_not_a_crash(values: object) -> None:
    assert all(problem.startswith("calendars.care") for problem in problems(values))


def test_the_problems_of_all_calendars_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        calendars_from({"one": {"hours": "always"}, "two": OFFICE | {"timezone": "Mars"}})
    assert [problem.path for problem in caught.value.problems] == ["calendars.one.timezone", "calendars.two.timezone"]
    with pytest.raises(ConfigError, match="not a mapping"):
        calendars_from(["office"])


# ------------------------------------------------------------------------------------- files of holidays

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n"


def document(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"{HEAD}{body}END:VCALENDAR\r\n".replace("\r\n ", "\r\n").encode()


def days(*events: str, until: str = "2030") -> list[tuple[object, object, object]]:
    calendar = calendar_from("care", OFFICE)
    found = holidays_from_ical(document(*events), calendar)
    return [(day["date"], day["name"], day["hours"]) for day in found if str(day["date"]) < until]


def test_an_event_of_several_days_closes_them_and_its_end_is_not_one_of_them() -> None:
    event = "UID:1\r\nSUMMARY:Christmas\\, all of it\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227"
    assert days(event) == [(f"2026-12-{day}", "Christmas, all of it", []) for day in (24, 25, 26)]


def test_an_event_without_an_end_is_one_day_and_a_cancelled_one_is_none() -> None:
    event = "UID:1\r\nSUMMARY:Off\r\nDTSTART;VALUE=DATE:20260501"
    assert days(event, event.replace("0501", "0502") + "\r\nSTATUS:CANCELLED") == [("2026-05-01", "Off", [])]


def test_an_event_that_is_marked_free_closes_all_the_same() -> None:
    assert days("UID:1\r\nSUMMARY:Off\r\nTRANSP:TRANSPARENT\r\nDTSTART;VALUE=DATE:20260501") == [
        ("2026-05-01", "Off", [])
    ]


def test_an_event_at_a_time_takes_that_part_of_the_day_by_the_clock_of_the_team() -> None:
    meeting = "UID:1\r\nSUMMARY:Meeting\r\nDTSTART;TZID=America/New_York:20260707T060000\r\nDURATION:PT2H"
    party = "UID:2\r\nSUMMARY:Party\r\nDTSTART:20260707T140000Z\r\nDTEND:20260707T220000Z"
    assert days(meeting, party) == [("2026-07-07", "Meeting, Party", ["09:00-12:00", "14:00-16:00"])]


def test_events_repeat_with_exceptions_additions_and_changes() -> None:
    series = (
        "UID:1\r\nSUMMARY:Yearly\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY;UNTIL=20290501T000000Z\r\n"
        "EXDATE;VALUE=DATE:20270501\r\nRDATE;VALUE=DATE:20270503"
    )
    moved = "UID:1\r\nSUMMARY:Moved\r\nRECURRENCE-ID;VALUE=DATE:20280501\r\nDTSTART;VALUE=DATE:20280502"
    assert days(series, moved) == [
        ("2026-05-01", "Yearly", []),
        ("2027-05-03", "Yearly", []),
        ("2028-05-02", "Moved", []),
        ("2029-05-01", "Yearly", []),
    ]


def test_a_weekday_rule_with_a_count_ends_by_itself() -> None:
    thanksgiving = "UID:1\r\nSUMMARY:T\r\nDTSTART;VALUE=DATE:20261126\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3"
    assert [day for day, _, _ in days(thanksgiving, until="2099")] == ["2026-11-26", "2027-11-25", "2028-11-23"]


def test_a_repeated_time_keeps_to_the_wall_through_daylight_saving() -> None:
    weekly = (
        "UID:1\r\nSUMMARY:Training\r\nDTSTART;TZID=Europe/Berlin:20260326T090000\r\n"
        "DTEND;TZID=Europe/Berlin:20260326T100000\r\nRRULE:FREQ=WEEKLY;COUNT=2"
    )
    assert days(weekly) == [
        ("2026-03-26", "Training", ["10:00-17:00"]),
        ("2026-04-02", "Training", ["10:00-17:00"]),
    ]


def test_a_rule_without_an_end_reaches_to_the_end_of_the_century() -> None:
    found = days("UID:1\r\nSUMMARY:M\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY", until="3000")
    assert (len(found), found[-1][0]) == (74, "2099-05-01")


def test_a_name_is_one_short_line() -> None:
    [(_, name, _)] = days("UID:1\r\nSUMMARY:a\\nb\tc" + "x" * 200 + "\r\nDTSTART;VALUE=DATE:20260501")
    assert str(name).startswith("a b c")
    assert len(str(name)) == 80


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no event"),
        (b"hello", "not an iCalendar file"),
        (b"\xff\xfe\x00", "not an iCalendar file"),
        (b"x" * 4_000_001, "longer than"),
        (document(), "holds no event"),
        (document("UID:1\r\nSUMMARY:Odd\r\nDTSTART:sometime"), "the event 'Odd' cannot be read"),
        (document("UID:1\r\nSUMMARY:Odd"), "the event 'Odd' cannot be read"),
        (
            document("UID:1\r\nSUMMARY:O\r\nDTSTART:20260501T090000Z\r\nRRULE:FREQ=HOURLY"),
            "repeats several times a day",
        ),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=NEVER"), "cannot be read"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=DAILY;COUNT=-3"), "cannot be read"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:20260501\r\nEXDATE;VALUE=DA,E:20260501"), "an iCal"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:20260501\r\nEXDATE:123456"), "cannot be read"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;TZID=Europe/:20260501T090000"), "an iCal"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:18000101\r\nRRULE:FREQ=DAILY"), "close more than"),
        (document("UID:1\r\nSUMMARY:O\r\nDTSTART;VALUE=DATE:18000101\r\nDTEND;VALUE=DATE:99990101"), "longer than"),
    ],
)
def test_a_file_that_is_no_calendar_of_holidays_is_told_and_not_a_crash(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        holidays_from_ical(data, calendar_from("care", OFFICE))


def test_a_file_is_read_from_the_folder_of_the_settings_and_written_holidays_win(tmp_path: Path) -> None:
    (tmp_path / "days.ics").write_bytes(
        document(
            "UID:1\r\nSUMMARY:Labour Day\r\nDTSTART;VALUE=DATE:20260501",
            "UID:2\r\nSUMMARY:Bridge\r\nDTSTART;VALUE=DATE:20260504",
        )
    )
    written = OFFICE | {
        "ical": ["days.ics"],
        "holidays": [{"date": "2026-05-04", "name": "We work", "hours": "09:00-17:00"}],
    }
    calendar = calendar_from("care", written, folder=tmp_path)
    due = calendar.add(datetime(2026, 4, 30, 14, 30, tzinfo=UTC), timedelta(hours=1))
    assert calendar.local(due) == "Mon 2026-05-04 09:30"
    assert calendar.holiday(date(2026, 5, 1)) == ("Labour Day", ())


def test_a_file_that_cannot_be_read_is_a_problem_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "bad.ics").write_bytes(b"hello")
    with pytest.raises(ConfigError) as caught:
        calendar_from("care", OFFICE | {"ical": ["none.ics", "bad.ics"]}, folder=tmp_path)
    first, second = map(str, caught.value.problems)
    assert first == "calendars.care.ical[0]: none.ics cannot be read: No such file or directory (check the path)"
    assert second.startswith("calendars.care.ical[1]: bad.ics: not an iCalendar file")
