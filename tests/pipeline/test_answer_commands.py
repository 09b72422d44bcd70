"""Answers from a terminal: written, looked over, approved, sent; and everything about a case on one screen."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from desk.handling import By
from desk.labels import Labels
from pipeline.clock import SystemClock
from pipeline.store.database import Database
from tests.pipeline.test_commands import Shell, line

HOOK = "0123456789abcdef"
PUSHED = {"type": "webhook", "port": 0, "secret": "${HOOK}"}
ANSWERED = PUSHED | {"reply": {"url": "http://127.0.0.1:9/", "secret": "${HOOK}"}}
MACROS = """
macros:
  - name: late
    title: Something is late
    intents: [complaint]
    texts: {en: "Hello {customer.first_name}, I'm sorry. We look into {case.reference}."}
"""
ODD = "[bold]acme[/bold] lost my parcel, awful :heart: \x1b[31m \u202egnirts \u0645\u0631\u062d\u0628\u0627 \U0001f686 "


def settings(source: dict[str, Any]) -> dict[str, Any]:
    desk = {
        "cases": True,
        "macros": "macros.yaml",
        "queues": {"service": {"service_level": "care"}},
        "calendars": {"always": {"timezone": "UTC", "hours": "always"}},
        "service_levels": {"care": {"calendar": "always", "first_response": "30m"}},
    }
    return {"desk": desk, "sources": {"t": source}}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two customers' mentions and four accounts, to be copied."""
    made = Shell(tmp_path_factory.mktemp("prepared"), desk={"cases": True})
    said = [
        line("1", ODD + "word " * 2000, author="kim", url="https://t.example/" + "1" * 90),
        line("2", "acme charged me twice, i want a refund", author="lee"),
    ]
    made.run("ingest", made.write("said.jsonl", "".join(said)), "--source", "t")
    for name, role in (("ana", "agent"), ("ben", "agent"), ("lea", "lead"), ("dan", "draft_only")):
        made.run("users", "add", name, "--role", role)
    return made.directory


@pytest.fixture
def shell(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("HOOK", HOOK)
    shutil.copytree(prepared, tmp_path / "own")
    made = Shell(tmp_path / "own", **settings(ANSWERED))
    made.write("macros.yaml", MACROS)
    return made


def case_of(shell: Shell, author: str) -> str:
    (found,) = [str(it["id"]) for it in shell.json("case", "list") if it["author"] == f"t:{author}"]
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


def test_an_answer_is_looked_over_before_it_goes_out(shell: Shell) -> None:
    case = case_of(shell, "lee")
    told = flat(shell.run("case", "reply", case, "As we already said, write to a.person@gmail.com", "--as", "ana"))
    for part in ("defensive", "no_apology", "personal_data", "47 characters", "Not sent yet: harken draft send"):
        assert part in told
    sent = shell.json("case", "reply", case, "I'm sorry. Which card was it?", "--send", "--awaiting", "--as", "ana")
    assert (sent["draft"]["state"], sent["draft"]["writer_name"]) == ("queued", "ana")
    assert len(shell.json("case", "show", case)["case"]["pending"]) == 1
    assert "on its way" in shell.run("case", "reply", case, "And sorry again.", "--send", "--as", "ana", status=1)


def test_a_gap_in_a_macro_is_named_and_its_draft_is_kept(shell: Shell) -> None:
    case = case_of(shell, "lee")
    assert "late Something is late (en; complaint" in flat(shell.run("macros", "--case", case, "--as", "ana"))
    refused = flat(shell.run("case", "reply", case, "--macro", "late", "--send", "--as", "ana", status=1))
    assert "not sent: text: {customer.first_name} is not filled in" in refused
    (draft,) = shell.json("draft", "list", "--case", case)
    assert f"kept as draft {draft['id']}" in refused
    shell.run("draft", "edit", draft["id"], "Hello Lee, I'm sorry.", "--as", "ana")
    assert shell.json("draft", "send", draft["id"], "--as", "ana")["draft"]["state"] == "queued"
    assert shell.json("draft", "discard", draft["id"], "--as", "ana")["draft"]["state"] == "discarded"


def test_who_may_not_send_asks_somebody_else(shell: Shell) -> None:
    case = case_of(shell, "lee")
    draft = shell.json("case", "reply", case, "I'm sorry, we look into it.", "--submit", "--as", "dan")["draft"]["id"]
    assert "drafts.approve" in shell.run("draft", "approve", draft, "--as", "ana", status=1)
    shell.run("draft", "reject", draft, "--why", "say by when", "--as", "lea")
    assert "say by when" in shell.run("draft", "show", draft)
    shell.run("draft", "edit", draft, "I'm sorry, you hear from us by noon.", "--as", "dan")
    assert "must approve it first" in shell.run("draft", "send", draft, "--as", "dan", status=1)
    shell.run("draft", "submit", draft, "--as", "dan")
    approved = shell.json("draft", "approve", draft, "--as", "lea")["draft"]
    assert (approved["state"], approved["approver_name"]) == ("approved", "lea")
    assert shell.json("draft", "send", draft, "--as", "dan")["draft"]["state"] == "queued"
    assert "draft.approved" in [it["action"] for it in shell.json("audit", "list")]


def test_what_cannot_be_answered_from_here_is_answered_on_the_platform(shell: Shell) -> None:
    shell.configure(**settings(PUSHED))
    case = case_of(shell, "kim")
    refused = shell.run("case", "reply", case, "I'm sorry.", "--send", "--as", "ana", status=1)
    assert "https://t.example/" + "1" * 90 in refused
    assert f"harken case answered {case}" in refused
    assert shell.json("case", "answered", case, "--as", "ana")["case"]["state"] == "replied"


@pytest.mark.parametrize("width", ["60", "80"])
def test_a_case_fits_the_screen_and_nothing_in_it_reaches_the_terminal(
    shell: Shell, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(shell, "kim")
    monkeypatch.setattr(Shell, "environment", shell.environment | {"COLUMNS": width})
    for told in (shell.run("case", "show", case), shell.run("case", "list")):
        assert not {"\x1b", "\u202e"} & set(told)
        assert max(len(row) for row in told.splitlines() if "https://" not in row) <= int(width)
    told = shell.run("case", "show", case)
    for part in ("[bold]acme[/bold]", ":heart:", "more characters: --full", "First response breached", "30m of open"):
        assert part in told
    assert "more characters" not in shell.run("case", "show", case, "--full")


def test_colleagues_are_asked_called_and_given_work(shell: Shell) -> None:
    case = case_of(shell, "lee")
    shell.run("case", "tag", case, "vip", "late", "--as", "ana")
    assert shell.json("case", "tag", case, "--remove", "late", "--as", "ana")["case"]["tags"] == ["vip"]
    shell.run("case", "ask", case, "is this yours?", "--user", "lea", "--as", "ana")
    shell.run("case", "escalate", case, "--why", "a journalist", "--as", "ana")
    shell.run("case", "watch", case, "--as", "lea")
    shell.run("case", "priority", case, "urgent", "--as", "ana")
    shell.run("case", "snooze", case, "4h", "--as", "ana")
    shell.run("case", "wake", case, "--as", "ana")
    assert "cases.assign" in shell.run("case", "assign", case, "ben", "--as", "ana", status=1)
    shell.run("case", "release", case, "--as", "ana")
    shell.run("case", "assign", case, "ben", "--as", "lea")
    assert [it["id"] for it in shell.json("case", "list", "--mine", "--as", "ben")] == [case]
    told = flat(shell.run("case", "show", case, "--as", "ben"))
    for part in (
        "urgent, claimed in service, yours",
        "escalated; tags vip; watched by lea",
        "asked, ana: is this yours?",
    ):
        assert part in told


def test_corrections_are_counted_and_leave_as_a_file_that_computes_nothing(shell: Shell) -> None:
    case = case_of(shell, "lee")
    shell.run("case", "transfer", case, "marketing", "--why", "=1+1", "--routed-wrong", "--as", "ana")
    told = {"routed_queue": "service", "right_queue": "marketing", "cases": 1}
    assert shell.json("corrections", "confusion") == [told]
    assert "service 1 · 0%" in flat(shell.run("corrections", "confusion"))
    assert "corrections.export" in shell.run("corrections", "export", "--out", "-", "--as", "ana", status=1)
    (row,) = csv.DictReader(io.StringIO(shell.run("corrections", "export", "--out", "-", "--as", "lea")))
    assert (row["label"], row["found"], row["right"], row["reason"]) == ("queue", "service", "marketing", "'=1+1")
    assert row["text"] == "acme charged me twice, i want a refund"
    plain = json.loads(shell.run("corrections", "export", "--out", "-", "--json", "--as", "lea"))
    assert plain["reason"] == "=1+1"
    database = Database(f"sqlite:///{shell.directory}/var/harken.db")
    Labels(database, SystemClock()).correct(case, By("user:x"), plain["mention"], "lead", "yes")
    database.close()
    first, then = csv.DictReader(io.StringIO(shell.run("corrections", "export", "--out", "-", "--as", "lea")))
    assert (first["label"], then["label"], then["found"], then["right"]) == ("queue", "lead", "no", "yes")
    assert then["text"] == first["text"]
    assert "corrections.exported" in [it["action"] for it in shell.json("audit", "list")]
