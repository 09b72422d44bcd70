"""The desk from a terminal: take a case, work it, hand it over; a colleague is told who has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipeline.test_commands import Shell, line

PASSWORD = "a long enough phrase for tests\n"  # noqa: S105 - it guards nothing


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with three mentions ingested and three accounts, to be copied."""
    made = Shell(tmp_path_factory.mktemp("prepared"), desk={"cases": True})
    said = [
        line("1", "acme lost my parcel and nobody answers", author="kim"),
        line("2", "acme: still no reply, awful", author="kim", parent="1", conversation="1"),
        line("3", "acme charged me twice, i want a refund", author="lee"),
    ]
    made.run("ingest", made.write("said.jsonl", "".join(said)), "--source", "t")
    for name, role in (("ana", "agent"), ("ben", "agent"), ("ops", "operator")):
        made.run("users", "add", name, "--role", role, "--password-stdin", typed=PASSWORD)
    return made.directory


@pytest.fixture
def shell(prepared: Path, tmp_path: Path) -> Shell:
    shutil.copytree(prepared, tmp_path / "own")
    return Shell(tmp_path / "own", desk={"cases": True})


def test_a_case_is_taken_worked_and_closed(shell: Shell) -> None:
    taken = shell.json("queue", "next", "service", "--as", "ana")
    case = taken["case"]["id"]
    assert {one["mention"] for one in taken["said"]} <= {"t:1", "t:2", "t:3"}
    other = shell.json("queue", "next", "service", "--as", "ben")
    assert other["case"]["id"] != case
    assert "Nothing waits" in shell.run("queue", "next", "service", "--as", "ben")
    refused = shell.run("case", "claim", case, "--as", "ben", status=1)
    assert "ana has this customer" in refused
    assert "takeover" in refused
    shell.run("case", "note", case, "rang the depot", "--as", "ana")
    assert "resolved" in shell.run("case", "resolve", case, "--as", "ana", "--why", "found it")
    told = shell.run("case", "show", case)
    for part in ("resolved in service", "claimed, ana", "noted, ana: rang the depot", "resolved, ana: found it"):
        assert part in told


def test_the_mentions_of_one_author_in_one_conversation_are_one_case(shell: Shell) -> None:
    cases = {case["author"]: case.get("mentions", 1) for case in shell.json("case", "list", "--queue", "service")}
    assert cases == {"t:kim": 2, "t:lee": 1}


def test_a_case_that_was_routed_wrong_is_handed_over(shell: Shell) -> None:
    case = shell.json("queue", "next", "service", "--as", "ana")["case"]["id"]
    shell.run("case", "transfer", case, "marketing", "--why", "a lead", "--routed-wrong", "--as", "ana")
    assert [one["id"] for one in shell.json("case", "list", "--queue", "marketing")] == [case]
    assert "there is no such queue" in shell.run(
        "case", "transfer", case, "sales", "--why", "x", "--as", "ana", status=2
    )


def test_a_take_over_and_a_rest_stand_in_the_log(shell: Shell) -> None:
    case = shell.json("queue", "next", "service", "--as", "ana")["case"]["id"]
    shell.run("case", "takeover", case, "--why", "ana went home", "--as", "ben")
    shell.run("case", "release", case, "--as", "ana", status=1)
    assert "snoozed" in shell.run("case", "snooze", case, "4h", "--as", "ben")
    assert "taken over, ben: ana went home" in " ".join(shell.run("case", "show", case).split())


def test_where_cases_are_switched_off_it_says_so(shell: Shell) -> None:
    shell.configure(desk={"cases": False})
    assert "desk.cases" in shell.run("queue", "next", "service", "--as", "ana", status=2)


def test_only_an_account_with_the_permission_works(shell: Shell) -> None:
    assert "who works" in shell.run("queue", "next", "service", status=2)
    assert "no active account" in shell.run("queue", "next", "service", "--as", "nobody", status=2)
    assert "cases.work" in shell.run("queue", "next", "service", "--as", "ops", status=1)
    shell.run("users", "disable", "ana")
    assert "no active account" in shell.run("queue", "next", "service", "--as", "ana", status=2)


def test_a_post_that_is_taken_back_withdraws_its_case(shell: Shell) -> None:
    from tests.pipeline.test_commands import removal

    (case,) = [one["id"] for one in shell.json("case", "list", "--queue", "service") if one["author"].endswith("lee")]
    shell.run("ingest", shell.write("gone.jsonl", removal("t:3")), "--source", "t")
    assert shell.json("case", "show", case)["case"]["state"] == "withdrawn"
