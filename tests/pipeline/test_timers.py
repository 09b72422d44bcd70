"""The role desk: what it does by itself, started, outlasting a store that is down, and stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import config as configuration
from pipeline.clock import ManualClock, SystemClock
from pipeline.commands.run import _places
from pipeline.config import File
from pipeline.errors import ConfigError, StoreUnavailable
from pipeline.service import Service
from pipeline.timers import Timer, desk_loops
from pipeline.wiring import Parts
from tests.pipeline.test_commands import Shell, line
from tests.store.samples import routed

CARE = {
    "cases": True,
    "calendars": {"office": {"timezone": "Europe/Berlin", "hours": {"mon-fri": "09:00-17:00"}}},
    "service_levels": {"care": {"calendar": "office", "first_response": "30m"}},
    "queues": {"service": {"service_level": "care", "assign": "push"}},
}
FRIDAY = datetime(2026, 1, 2, 15, 45, tzinfo=UTC)


class StoppingClock(ManualClock):
    """Stops at the second wait, so that every loop takes one turn."""

    def wait(self, seconds: float) -> bool:
        if super().wait(seconds) or len(self.waits) > 1:
            self.stop()
        return self.stopping


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"desk": CARE, "http": {"port": 0}}), encoding="utf-8")
    return path


@pytest.fixture
def parts(file: Path) -> Iterator[Parts]:
    made = Parts(configuration.load(file), SystemClock())
    made.store.upgrade()
    yield made
    made.close()


def until(check: Callable[[], bool]) -> None:
    """Wait for something that another thread is about to do."""
    end = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_the_role_puts_a_new_case_under_its_service_level(parts: Parts) -> None:
    parts.store.deliver([routed("test:1", created_at=FRIDAY)], [], also=parts.cases.take_in)
    id = parts.cases.case_of("test:1")
    assert id
    clock = SystemClock()
    service = Service(parts.config, ["desk"], clock)
    service.start()
    try:
        until(lambda: parts.cases.case(id).due is not None)
    finally:
        service.leave()
    assert parts.cases.case(id).due == datetime(2026, 1, 5, 8, 15, tzinfo=UTC)
    assert service.fatal is None


def test_a_step_is_taken_again_while_it_finds_something_and_after_an_outage() -> None:
    clock = StoppingClock()
    found: list[int | Exception] = [2, StoreUnavailable("down"), 1, 0]
    taken: list[int | Exception] = []

    def step() -> int:
        taken.append(it := found.pop(0))
        if isinstance(it, Exception):
            clock.waits.clear()
            raise it
        return it

    Timer("test", 1.0, step).run(clock)
    assert found == []
    assert len(taken) == 4


def test_every_loop_ends_when_the_clock_is_stopped(file: Path) -> None:
    clock = StoppingClock(FRIDAY)
    made = Parts(configuration.load(file), clock)
    made.store.upgrade()
    made.keeper.take_charge()
    names = []
    for loop in desk_loops(made):
        clock.waits.clear()
        clock._stopped = False
        loop.run()
        names.append(loop.name)
    made.close()
    assert {"leases", "clocks", "alarms", "assignment", "gauges"} <= set(names)
    assert len(names) == len(set(names))


def test_a_desk_that_is_configured_wrongly_is_told_before_it_starts(file: Path) -> None:
    desk = {**CARE, "queues": {"servce": {}}}
    file.write_text(json.dumps({"desk": desk, "http": {"port": 0}}), encoding="utf-8")
    clock = SystemClock()
    service = Service(configuration.load(file), ["desk"], clock)
    with pytest.raises(ConfigError, match=r"desk\.queues\.servce"):
        service.start()
    service.leave()


def test_check_tells_of_a_wrong_desk_and_wrong_rules_once_each(file: Path) -> None:
    desk = {**CARE, "service_levels": {"care": {"calendar": "offce", "first_response": "30m"}}}
    file.write_text(json.dumps({"desk": desk, "routing": {"rules": "none.yaml"}}), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        Parts(configuration.load(file), SystemClock()).check()
    assert [problem.path for problem in refused.value.problems] == ["none.yaml"]
    file.write_text(json.dumps({"desk": desk}), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean office"):
        Parts(configuration.load(file), SystemClock()).check()


def test_the_desk_has_its_own_process_where_there_are_cases() -> None:
    with_cases = File.model_validate({"desk": {"cases": True}, "worker": {"processes": {"desk": 2}}})
    assert [role for role, _ in _places(with_cases)].count("desk") == 2
    assert "desk" not in dict(_places(File.model_validate({"desk": {"cases": False}})))


def test_agents_calendars_and_clocks_from_a_terminal(tmp_path: Path) -> None:
    shell = Shell(tmp_path, desk=CARE)
    shell.run("ingest", shell.write("said.jsonl", line("1", "acme lost my parcel, awful")), "--source", "t")
    shell.run("users", "add", "ana", "--role", "agent")
    shell.run("agents", "set", "ana", "--queues", "service", "--languages", "de,en", "--capacity", "5", "--team", "day")
    [ana] = shell.json("agents", "list")
    assert (ana["name"], ana["queues"], ana["languages"], ana["capacity"]) == ("ana", ["service"], ["de", "en"], 5)
    assert (ana["team"], ana["presence"], ana["there"]) == ("day", "away", False)
    assert "no queue 'servce'" in shell.run("agents", "set", "ana", "--queues", "servce", status=1)
    assert "nobody has this name" in shell.run("agents", "set", "bob", status=2)
    shown = shell.run("calendar", "check")
    assert "office (Europe/Berlin)" in shown
    assert "09:00-17:00" in shown
    assert "queue service: promises as care says; cases are pushed" in shown
    assert "did you mean office" in shell.run("calendar", "show", "ofice", status=2)
    case = shell.json("case", "list")[0]["id"]
    [clock] = shell.json("case", "clocks", case)
    assert (clock["clock"], clock["state"], clock["calendar"]) == ("first_response", "breached", "office")
    assert "First response breached: due Mon 2026-01-05 10:30" in shell.run("case", "clocks", case)
    assert "there is no case" in shell.run("case", "clocks", "nowhere", status=1)
