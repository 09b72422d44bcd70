"""The page on service levels: its examples are valid, and it leaves no setting out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from desk.calendar_settings import CalendarSettings, HolidaySettings, calendars_from
from desk.policies import PolicySettings, policy_from
from desk.service_levels import ClockState
from tests.desk.shop import desk_of

PAGE = (Path(__file__).parents[2] / "docs" / "service-levels.md").read_text(encoding="utf-8")


def test_the_examples_are_valid() -> None:
    whole, calendars, promises = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    made = calendars_from(calendars["calendars"])
    for name, values in promises["service_levels"].items():
        assert policy_from(name, values, made).promises
    assert desk_of(**whole["desk"]).rules("service").policy


@pytest.mark.parametrize("model", [CalendarSettings, HolidaySettings, PolicySettings])
def test_every_setting_is_on_the_page(model: type[CalendarSettings | HolidaySettings | PolicySettings]) -> None:
    for setting in model.model_fields:
        assert f"`{setting}`" in PAGE, setting


@pytest.mark.parametrize("state", ClockState)
def test_every_state_is_on_the_page(state: ClockState) -> None:
    assert f"| {state.value} |" in PAGE


@pytest.mark.parametrize("setting", ["waiting_pauses", "snoozing_pauses", "reopened"])
def test_a_default_is_stated_as_it_is(setting: str) -> None:
    default = PolicySettings.model_fields[setting].default
    written = f"[{', '.join(sorted(default))}]" if isinstance(default, frozenset) else default
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{setting}`")]
    assert row.endswith(f"| `{written}` |")
