"""Firestorms from a terminal: found on the way in, shown on one screen, worked on by name, looked back at."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.commands.spike_chart import axis, chart, columns
from tests.pipeline.test_commands import Shell, line

pytestmark = pytest.mark.long


PASSWORD = "a long enough phrase for tests\n"  # noqa: S105 - it guards nothing
NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(minutes=40)
TEXTS = ("acme left her in the rain, disgusting", "shame on acme, horrible people", "acme is a cruel disgrace, awful")


def said() -> str:
    """Three quiet hours, then sixty angry people within ten minutes."""
    rows = [
        line(f"q{minute}", "acme opens at nine", author=f"q{minute}", created_at=stamp(BEGAN, -minute))
        for minute in range(180, 4, -4)
    ]
    rows += [
        line(f"s{number}", TEXTS[number % 3], author=f"s{number}", created_at=stamp(BEGAN, number / 6))
        for number in range(60)
    ]
    return "".join(rows)


def stamp(moment: datetime, minutes: float) -> str:
    return (moment + timedelta(minutes=minutes)).isoformat()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory with the day ingested and three accounts, to be copied; and what ingest said."""
    made = Shell(tmp_path_factory.mktemp("storm"))
    told = made.run("ingest", made.write("said.jsonl", said()), "--source", "t")
    for name, role in (("mara", "marketer"), ("lea", "lead"), ("ana", "agent")):
        made.run("users", "add", name, "--role", role, "--password-stdin", typed=PASSWORD)
    return made.directory, told


@pytest.fixture
def shell(prepared: tuple[Path, str], tmp_path: Path) -> Shell:
    shutil.copytree(prepared[0], tmp_path / "own")
    return Shell(tmp_path / "own")


@pytest.fixture
def id(shell: Shell) -> str:
    (incident,) = shell.json("spikes", "list")
    found: str = incident["id"]
    return found


def test_ingest_says_which_firestorm_it_found(prepared: tuple[Path, str], shell: Shell, id: str) -> None:
    told = " ".join(prepared[1].split())
    assert "firestorm around acme" in told
    assert "60 posts by 60 people" in told
    assert f"harken spikes show {id}" in told
    again = shell.json("ingest", str(shell.directory / "said.jsonl"), "--source", "t")
    assert (again["new"], again["incidents"]) == (0, [])


def test_an_incident_is_shown_on_80_columns(shell: Shell, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shell, "environment", shell.environment | {"COLUMNS": "80"})
    told = shell.run("spikes", "show", id[:6])
    assert max(map(len, told.splitlines())) <= 80
    for part in ("60 people have complained", "How it went", "█", "onset", "What to do", f"harken spikes ack {id[:8]}"):
        assert part in told
    assert "acme" in shell.run("spikes", "list")
    assert len(shell.json("spikes", "cases", id, "--limit", "9")) == 9


def test_its_cases_follow_one(shell: Shell, id: str) -> None:
    first, *_ = [case["id"] for case in shell.json("spikes", "cases", id, "--limit", "100") if case["lead"] is None]
    told = shell.run("spikes", "follow", id, first, "--why", "one answer", "--as", "mara")
    assert f"now follow {first}" in told
    assert "follow case" in " ".join(shell.run("spikes", "show", id).split())
    assert "none of the incident" in shell.run("spikes", "follow", id, "none", "--why", "x", "--as", "mara", status=1)


def test_one_approved_answer_goes_to_all_of_them(shell: Shell, id: str) -> None:
    first, *_ = [case["id"] for case in shell.json("spikes", "cases", id, "--limit", "100") if case["lead"] is None]
    shell.run("spikes", "follow", id, first, "--why", "one answer", "--as", "mara")
    draft = shell.json("case", "reply", first, "We are sorry.", "--as", "mara")["draft"]["id"]
    answering = ("spikes", "answer", id, "--draft", draft, "--as", "mara")
    assert "only what was approved" in shell.run(*answering, status=1)
    shell.run("draft", "submit", draft, "--as", "mara")
    shell.run("draft", "approve", draft, "--as", "lea")
    assert "statement out" in shell.run(*answering)
    assert "0 sent, 0 on their way" in " ".join(shell.run("spikes", "show", id).split())
    assert "give one of them" in shell.run("spikes", "answer", id, "--as", "mara", status=2)
    shell.run("spikes", "answer", id, "--stop", "--why", "wait", "--as", "mara")
    assert "answers stopped, mara: wait" in " ".join(shell.run("spikes", "show", id).split())


def test_one_person_sees_to_it_and_the_next_is_told_who(shell: Shell, id: str) -> None:
    assert "mara sees to it" in shell.run("spikes", "ack", id, "--as", "mara")
    refused = shell.run("spikes", "ack", id, "--as", "lea", status=1)
    assert "mara has acknowledged it" in refused
    assert "user:" not in refused


def test_who_may_only_read_changes_nothing(shell: Shell, id: str) -> None:
    assert "incidents.work" in shell.run("spikes", "ack", id, "--as", "ana", status=1)
    assert "who works" in shell.run("spikes", "note", id, "hello", status=2)
    assert shell.json("spikes", "show", id)["incident"]["state"] == "open"


def test_an_incident_is_worked_on_closed_and_looked_back_at(shell: Shell, id: str) -> None:
    for name, *more in (
        ("note", "rang the station"),
        ("statement", "We are sorry.", "--url", "https://acme.example/news"),
        ("calm",),
        ("close", "--why", "it is quiet"),
    ):
        shell.run("spikes", name, id, *more, "--as", "mara")
    assert "No incident" in shell.run("spikes", "list")
    assert [it["state"] for it in shell.json("spikes", "list", "--all")] == ["closed"]
    review = shell.run("spikes", "review", id)
    for part in ("60 posts by 60 people", "the statement", "We said: We are sorry."):
        assert part in review
    shown = shell.run("spikes", "show", id)
    for part in ("noted, mara: rang the station", "closed, mara: it is quiet", "harken spikes reopen"):
        assert part in shown
    assert "reopened" in shell.run("spikes", "reopen", id, "--as", "lea", "--why", "it is back")


def test_control_characters_and_markup_in_a_note_do_nothing(shell: Shell, id: str) -> None:
    shell.run("spikes", "note", id, "[red]a\x1b[2Jb\u202e", "--as", "mara")
    told = shell.run("spikes", "show", id)
    assert "[red]a" in told
    assert "\x1b[2J" not in told
    assert "\u202e" not in told


def test_what_there_is_not_is_said(shell: Shell) -> None:
    assert "there is no incident" in shell.run("spikes", "show", "none", status=1)
    assert "is no state" in shell.run("spikes", "list", "--state", "opne", status=2)


def test_the_stored_days_are_judged_again_with_another_sensitivity(shell: Shell, id: str) -> None:
    same = shell.json("spikes", "backtest", "--since", "7d")
    assert same["mentions"] == 104
    assert [(it["which"], it["brand"], it["id"]) for it in same["incidents"]] == [("both", "acme", id)]
    assert 0 <= same["incidents"][0]["late_minutes"] <= 10
    told = shell.run("spikes", "backtest", "--since", "7d", "--sensitivity", "high", "--brand", "acme")
    assert "normal (in force): 1 alert" in told
    assert "With high 0 would be new and 0 gone." in told
    assert "no alert" in shell.run("spikes", "backtest", "--since", "7d", "--brand", "other")
    assert len(shell.json("spikes", "list")) == 1, "looking back changes nothing"


def test_a_backtest_is_of_a_file_or_of_what_is_stored(shell: Shell) -> None:
    assert "--since" in shell.run("spikes", "backtest", status=2)
    both = shell.run("spikes", "backtest", "counts.csv", "--since", "7d", status=2)
    assert "stands in place of" in both
    assert "span of time" in shell.run("spikes", "backtest", "--since", "soon", status=2)


def test_playbooks_are_checked(shell: Shell) -> None:
    assert "firestorm" in shell.run("spikes", "playbooks", "check")
    wrong = shell.write("books.yaml", json.dumps({"playbooks": [{"name": "a", "statements": ["none"]}]}))
    said = shell.run("spikes", "playbooks", "check", wrong, status=2).replace("\n", "")  # a long path is folded
    assert "books.yaml.playbooks[0].statements" in said


def test_a_chart_shows_what_is_not_nothing_and_where_its_columns_stand() -> None:
    assert columns([0, 1, 64], height=2) == ["  █", " ▁█"]
    assert columns([], height=2) == ["", ""]
    assert columns([0, 0], height=1) == [""]
    assert list(chart("x", [3, 3], height=1)) == ["  x, 3 at most", "     3 ██"]
    times = [BEGAN.replace(hour=8, minute=0) + timedelta(minutes=5 * number) for number in range(20)]
    labels, mark = axis(times, times[6])
    assert (labels.index("08:00"), mark.index("▲")) == (7, 13)
