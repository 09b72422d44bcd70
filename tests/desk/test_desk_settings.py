"""The desk's configuration: made ready, or every problem at once with its place and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from desk.desk import Desk, QueueRules
from desk.eligibility import Account
from pipeline.config import DeskSettings
from pipeline.errors import ConfigError
from pipeline.mention import Priority
from tests.desk.shop import OFFICE, desk_of

CARE = {"calendar": "office", "first_response": "30m"}
MACROS = "macros:\n  - {name: sorry, texts: {en: 'Sorry, {customer.first_name}'}}\n"


def problems(**settings: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigError) as refused:
        desk_of(**settings)
    return [(it.path, it.message, it.remedy) for it in refused.value.problems]


def test_an_empty_configuration_is_a_desk_that_promises_nothing() -> None:
    desk = desk_of()
    assert desk.rules("service") == QueueRules(policy=None, assign="pull", approval="draft_only")
    assert (desk.pushed, desk.vias, desk.calendars) == ((), {}, {})
    assert (desk.away, desk.term, desk.hour_cost) == (timedelta(seconds=120), timedelta(seconds=300), 0)
    assert Desk().rules("anything") == QueueRules()


def test_everything_is_made_ready(tmp_path: Path) -> None:
    (tmp_path / "macros.yaml").write_text(MACROS, encoding="utf-8")
    (tmp_path / "free.ics").write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART;VALUE=DATE:20260105\r\nSUMMARY:Inventory\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        encoding="utf-8",
    )
    settings = DeskSettings.model_validate(
        {
            "calendars": {"office": {**OFFICE, "ical": ["free.ics"]}},
            "service_levels": {"care": CARE},
            "queues": {"service": {"service_level": "care", "assign": "push", "approval": "always"}},
            "macros": tmp_path / "macros.yaml",
            "away_secs": 60,
            "lease_secs": 90,
            "agent_hour_cost": 30.5,
        }
    )
    vias = {"main": Account("x", "1"), "shop": None}
    desk = Desk.from_settings(settings, ["service", "press"], vias, folder=tmp_path)
    rules = desk.rules("service")
    assert rules.policy
    assert rules.policy.promises["first_response", Priority.LOW].calendar is desk.calendars["office"]
    assert (rules.assign, rules.approval) == ("push", "always")
    assert desk.rules("press") == desk.rules("one that is gone") == QueueRules()
    assert [holiday.name for holiday in desk.calendars["office"].holidays.values()] == ["Inventory"]
    assert desk.macros.find("sorry")
    assert desk.pushed == ("service",)
    assert (desk.away, desk.term, desk.hour_cost) == (timedelta(seconds=60), timedelta(seconds=90), 30.5)
    assert desk.vias == vias


def test_every_problem_is_told_at_once_with_its_place_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "macros.yaml").write_text("macros: [{name: a, texts: {en: '{nobody}'}}]", encoding="utf-8")
    found = problems(
        calendars={"office": OFFICE, "shop": {"timezone": "Europe/Berln", "hours": {"fry": "09:00-12:00"}}},
        service_levels={"care": CARE, "sales": {"calendar": "offices", "first_respons": "30m"}},
        queues={"servce": {}, "press": {"service_level": "cares"}},
        macros=tmp_path / "macros.yaml",
    )
    told = {path.replace(str(tmp_path), ""): (message, remedy) for path, message, remedy in found}
    assert told["desk.queues.servce"] == ("there is no such queue", "did you mean service?")
    assert told["desk.queues.press.service_level"] == ("there is no service level 'cares'", "did you mean care?")
    assert told["desk.calendars.shop.timezone"] == ("there is no such time zone", "did you mean Europe/Berlin?")
    assert told["desk.service_levels.sales.first_respons"] == (
        "there is no such setting",
        "did you mean first_response?",
    )
    assert "there is no variable {nobody}" in told["/macros.yaml.macros[0].texts.en"][0]
    assert len(found) == 5


def test_a_promise_on_a_calendar_that_is_wrong_itself_is_not_wrong_twice() -> None:
    found = problems(calendars={"office": {"timezone": "Moon"}}, service_levels={"care": CARE})
    assert {path for path, _, _ in found} == {"desk.calendars.office.timezone", "desk.calendars.office.hours"}


def test_a_calendar_that_is_not_there_is_named() -> None:
    assert problems(service_levels={"care": CARE}) == [
        ("desk.service_levels.care.calendar", "there is no calendar 'office'", "known here: none")
    ]


def test_a_promise_that_its_calendar_never_comes_to_is_refused() -> None:
    days = [{"date": f"{month:02}-{day:02}", "name": "closed"} for month in range(1, 13) for day in range(1, 32)]
    days = [day for day in days if day["date"][:2] != "12" and day["date"] not in ("02-30", "02-31")]
    days = [day for day in days if day["date"] not in ("04-31", "06-31", "09-31", "11-31")]
    short = {"timezone": "UTC", "hours": {"mon": "09:00-09:01"}, "holidays": days}
    found = problems(calendars={"office": short}, service_levels={"care": {**CARE, "first_response": "16h"}})
    assert [path for path, _, _ in found] == ["desk.service_levels.care.first_response"]
    assert "does not have 16h of open time" in found[0][1]
