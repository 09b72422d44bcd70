"""The examples of service_levels.yaml, which a care manager can read and extend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from desk import events
from desk._durations import parse, text
from desk.calendar import Calendar
from desk.calendar_settings import calendars_from
from desk.events import Event
from desk.policies import policy_from
from desk.service_levels import Clock, clocks
from pipeline.mention import Priority
from tests.desk.times import when

TABLE = yaml.safe_load((Path(__file__).parent / "service_levels.yaml").read_text(encoding="utf-8"))
CALENDARS = calendars_from(TABLE["calendars"])
POLICIES = {name: policy_from(name, values, CALENDARS) for name, values in TABLE["policies"].items()}
OFFICE = CALENDARS["office"]


@pytest.mark.parametrize("row", TABLE["promises"], ids=lambda row: row["says"])
def test_open_time_is_due_when_the_table_says(row: dict[str, str]) -> None:
    calendar = CALENDARS[row["calendar"]]
    start, span = when(row["from"], calendar), parse(row["open_time"])
    assert calendar.local(calendar.add(start, span)) == row["due"]
    assert calendar.between(start, when(row["due"], calendar)) == span


@pytest.mark.parametrize("row", TABLE["cases"], ids=lambda row: row["says"])
def test_clocks_stand_as_the_table_says(row: dict[str, Any]) -> None:
    history = list(told(row["happens"]))
    for written, expected in row["stands"].items():
        now = when(written, OFFICE)
        seen: dict[str, str] = {}
        for clock in clocks(POLICIES[row["policy"]], [event for event in history if event.at <= now], now):
            seen[clock.name] = seen[f"{clock.name} {clock.number}"] = shown(clock)
        assert {name: seen.get(name) for name in expected} == expected, written


def told(lines: list[str]) -> list[Event]:
    history: list[Event] = []
    answered = False
    for line in lines:
        time, _, what = line.partition(", ")
        at = when(time, OFFICE)
        about: dict[str, Any] = {"at": at, "actor": "user:ana"}
        said: dict[str, Any] = about | {"mention": "test:1", "created_at": at, "priority": Priority.NORMAL}
        if what == "customer writes" and not history:
            history.append(events.Opened(queue="care", author="test:ana", conversation="test:1", **said))
        elif what == "customer writes":
            history.append(events.CustomerReplied(**said) if answered else events.MentionAdded(**said))
        elif what.startswith("we answer"):
            history.append(events.ReplySent(native_id="1", awaiting=what.endswith("ask"), **about))
        elif what.startswith("snoozed until "):
            history.append(events.Snoozed(until=when(what.removeprefix("snoozed until "), OFFICE), **about))
        elif what.startswith("priority "):
            history.append(events.PriorityChanged(priority=Priority(what.split()[1]), **about))
        else:
            history.append(PLAIN[what](about))
        answered = answered or "answer" in what
    return history


PLAIN: dict[str, Callable[[dict[str, Any]], Event]] = {
    "answered there": lambda about: events.AnsweredNatively(**about),
    "woken": lambda about: events.Woken(**about),
    "resolved": lambda about: events.Resolved(**about),
    "reopened": lambda about: events.Reopened(reason="again", **about),
    "withdrawn": lambda about: events.Withdrawn(reason="deleted", **about),
}


def shown(clock: Clock) -> str:
    calendar: Calendar = clock.calendar
    due = f"due {calendar.local(clock.due)}" if clock.due else "not due"
    late = clock.state == "breached"
    assert late is (clock.due is not None and clock.remaining.total_seconds() < 0)
    return f"{clock.state.value}, {due}, {text(clock.remaining)} {'late' if late else 'left'}"
