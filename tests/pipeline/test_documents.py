"""Documents over the configuration: what they stand for, how they are checked, and who starts again for them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from desk.documents import KINDS
from pipeline import config
from pipeline.clock import ManualClock, SystemClock
from pipeline.errors import ConfigError
from pipeline.wiring import Parts
from pipeline.wiring.documents import USED_BY, overlaid
from routing.rules import DEFAULT

OFFICE = {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-17:00"]}}


def parts_in(folder: Path, clock: Any, **settings: Any) -> Parts:
    written = {
        "brands": {"acme": {"terms": ["acme"]}},
        "store": {"url": f"sqlite:///{folder}/store.db"},
        "bus": {"type": "embedded", "path": str(folder / "bus.db")},
        "desk": {
            "calendars": {"office": OFFICE},
            "service_levels": {"usual": {"calendar": "office", "first_response": "4h"}},
        },
        "serve": {"port": 0},
        "http": {"port": 0},
        **settings,
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(written), encoding="utf-8")
    return Parts(config.load(path, sections=set()), clock)


@pytest.fixture
def parts(tmp_path: Path, clock: ManualClock) -> Iterator[Parts]:
    made = parts_in(tmp_path, clock)
    made.prepare()
    yield made
    made.close()


def saved(parts: Parts, kind: str, body: str) -> None:
    parts.documents.save(kind, body, "user:1", "x", parts.documents.current(kind).version)


def test_every_kind_begins_with_a_text_that_is_sound(parts: Parts) -> None:
    assert set(parts.documents.kinds) == set(KINDS)
    for kind in KINDS:
        assert parts.documents.check(kind, parts.documents.current(kind).body) == [], kind
    assert "timezone: Europe/Berlin" in parts.documents.current("calendars").body
    assert "mentions_days" in parts.documents.current("retention").body, "one sees what there is to set"


def test_what_was_saved_stands_over_the_configuration_once_the_parts_are_prepared(parts: Parts) -> None:
    assert parts.rules.queues == ("service", "marketing")
    saved(parts, "rules", "version: mine\nqueues: [all]\nrules: [{name: all, when: always, queue: all}]\n")
    saved(parts, "brands", "umbra: {terms: [umbra]}\n")
    saved(parts, "macros", "macros: [{name: hello, texts: {en: hello}}]\n")
    saved(parts, "retention", "mentions_days: 30\n")
    saved(parts, "playbooks", "playbooks: [{name: only}]\n")
    saved(parts, "calendars", "office: {timezone: Europe/Rome, hours: {mon: 22:00-24:00}, holidays: []}\n")
    assert [brand.name for brand in parts.config.brands] == ["acme"], "not before"
    parts.prepare()
    assert parts.rules.version.startswith("mine+")
    assert [brand.name for brand in parts.config.brands] == ["umbra"]
    assert parts.desk.macros.find("hello")
    assert parts.desk.calendars["office"].timezone.key == "Europe/Rome"
    assert set(parts.desk.queues) == {"all"}
    assert parts.config.file.retention.mentions_days == 30
    assert [it.name for it in parts.playbooks.playbooks] == ["only"]
    parts.documents.roll_back("brands", 0, "user:1", "x", 1)
    parts.prepare()
    assert [brand.name for brand in parts.config.brands] == ["acme"]


def test_a_role_is_outdated_by_what_it_uses_alone(parts: Parts) -> None:
    saved(parts, "macros", "macros: []\n")
    assert parts.outdated(["desk"]) == {"macros": 1}
    assert parts.outdated(["collect", "enrich", "route", "deliver", "spikes"]) == {}
    parts.prepare()
    assert parts.outdated(["desk", "serve"]) == {}
    saved(parts, "models", "intent: {model: none}\n")
    assert parts.outdated(["enrich"]) == {"models": 1}
    assert parts.outdated(["collect", "route", "deliver", "spikes", "desk", "serve"]) == {}
    assert set().union(*USED_BY.values()) == set(KINDS) - {"rule_tests"}


def test_a_text_is_checked_with_everything_else_that_is_in_force(parts: Parts) -> None:
    (found,) = parts.documents.check("calendars", "other: {timezone: Europe/Berlin, hours: always}\n")
    assert "there is no calendar 'office'" in found.message
    saved(parts, "service_levels", "")
    assert parts.documents.check("calendars", "other: {timezone: Europe/Berlin, hours: always}\n") == []
    assert parts.documents.check("brands", "acme:\n  terms: [a]\n  handels: [b]\n")[0].line == 3
    assert "did you mean handles?" in parts.documents.check("brands", "acme:\n  handels: [b]\n")[0].remedy
    assert parts.documents.check("retention", "mentions_days: -1\n")[0].line == 1
    assert "mapping" in parts.documents.check("brands", "- acme\n")[0].message
    assert parts.documents.check("brands", "acme: &a {}\nb: *a\n")[0].line == 2, "an alias could be made to explode"


def test_what_is_wrong_already_keeps_nobody_from_changing_something_else(tmp_path: Path, clock: ManualClock) -> None:
    broken: dict[str, Any] = {"queues": {"nowhere": {}}}
    parts = parts_in(tmp_path, clock, desk=broken)
    try:
        parts.prepare()
        with pytest.raises(ConfigError, match="nowhere"):
            parts.desk  # noqa: B018 - making it is what fails
        saved(parts, "macros", "macros: []\n")
        saved(parts, "rules", DEFAULT.read_text(encoding="utf-8").replace("queues: [", "queues: [nowhere, "))
        parts.prepare()
        assert "nowhere" in parts.desk.queues
    finally:
        parts.close()


def test_the_environment_is_not_read_by_documents_and_no_file_of_the_machine_is(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    saved(parts, "brands", "acme: {terms: ['${SECRET}']}\n")
    parts.prepare()
    assert parts.config.brands[0].terms == ("${SECRET}",)
    calendar = "office: {timezone: Europe/Berlin, hours: always, ical: [../secrets.ics]}\n"
    assert "may not be named here" in parts.documents.check("calendars", calendar)[0].message


def test_a_document_that_can_no_longer_be_read_is_named(parts: Parts) -> None:
    with pytest.raises(ConfigError, match="brands"):
        overlaid(parts.configured, {"brands": "acme: {terms: 1}\n"})


def run(folder: Path, *arguments: str, check: int = 0) -> str:
    command = [sys.executable, "-m", "pipeline.cli", "--config", "config.yaml", "documents", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == check, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
def test_documents_are_listed_saved_compared_and_put_back_in_the_terminal(tmp_path: Path) -> None:
    parts_in(tmp_path, SystemClock()).close()
    assert "as configured" in run(tmp_path, "list")
    (tmp_path / "brands.yaml").write_text("acme: {terms: [acme, akme]}\n", encoding="utf-8")
    assert "brands version 1" in run(tmp_path, "save", "brands", "brands.yaml", "--why", "a typo", "--expected", "0")
    run(tmp_path, "save", "brands", "brands.yaml", "--why", "again", "--expected", "0", check=1)
    assert "+acme: {terms: [acme, akme]}" in run(tmp_path, "diff", "brands", "0")
    (tmp_path / "brands.yaml").write_text("acme:\n  trems: [acme]\n", encoding="utf-8")
    refused = run(tmp_path, "save", "brands", "brands.yaml", "--why", "x", "--expected", "1", check=2)
    assert "brands, line 2" in refused
    assert "put back" in run(tmp_path, "rollback", "brands", "0", "--why", "no")
    assert json.loads(run(tmp_path, "list", "brands", "--json"))[0]["version"] == 2
    assert "- acme" in run(tmp_path, "show", "brands")


@pytest.mark.long
def test_processes_take_up_what_was_saved_without_being_told(tmp_path: Path) -> None:
    """`harken run` becomes a fresh process with the same number; `harken serve` answers all the while."""
    clock = SystemClock()
    parts = parts_in(tmp_path, clock, log={"format": "json"})
    parts.prepare()
    command = [sys.executable, "-m", "pipeline.cli", "--config", "config.yaml"]
    with (tmp_path / "route.log").open("wb") as log, (tmp_path / "serve.log").open("wb") as other:
        route = subprocess.Popen([*command, "run", "route"], cwd=tmp_path, stderr=log)
        serve = subprocess.Popen([*command, "serve"], cwd=tmp_path, stderr=other, stdout=subprocess.PIPE, text=True)
    try:
        assert serve.stdout is not None
        address = serve.stdout.readline().split(" at ")[1].split()[0]
        wait_for(clock, lambda: beats(parts) >= {"route", "serve"})
        first = next(it for it in parts.store.workers() if it.role == "route")
        saved(parts, "rules", "version: mine\nqueues: [all]\nrules: [{name: all, when: always, queue: all}]\n")

        def again() -> bool:
            # Each of these is answered, also while the server is exchanged.
            assert httpx2.get(f"{address}/healthz", timeout=30).status_code == 200
            told = (tmp_path / "serve.log").read_text(encoding="utf-8")
            beating = [it for it in parts.store.workers() if it.role == "route"]
            return "starting again" in told and any(it.started_at > first.started_at for it in beating)

        wait_for(clock, again)
        assert route.poll() is None
        assert serve.poll() is None
    finally:
        for process in (route, serve):
            process.terminate()
        statuses = [process.wait(20) for process in (route, serve)]
        serve.stdout and serve.stdout.close()
        parts.close()
    assert statuses == [0, 0]


def beats(parts: Parts) -> set[str]:
    return {it.role for it in parts.store.workers()}


def wait_for(clock: SystemClock, what: Any) -> None:
    for _ in range(600):
        if what():
            return
        clock.wait(0.1)
    raise AssertionError("it never came about")
