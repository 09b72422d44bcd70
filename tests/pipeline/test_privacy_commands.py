"""Seeing, exporting and erasing a person from outside, on the embedded default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.test_commands import Shell, _running, _until, line

ZELDA = {"id": "u-98761", "handle": "zelda_q", "name": "Zelda Quince"}
THEIRS = (b"u-98761", b"zelda_q", b"zelda quince", b"violet")
SINKS = {"archive": {"type": "jsonl", "path": "var/out/{day}.jsonl"}}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.configure(sinks=SINKS)
    return made


def said() -> str:
    theirs = "".join(
        line(f"t:{number}", f"acme lost my violet parcel {number}, awful", author=ZELDA) for number in range(30)
    )
    broken = line("t:90", "acme lost my violet parcel", author=ZELDA, created_at="last Tuesday")
    return theirs + line("t:50", "acme is fine", author="bob") + broken


def found(shell: Shell, tombstone: bool = True) -> dict[str, list[bytes]]:
    """Every file under var/ with what it still holds of the person."""
    held = {}
    for path in (shell.directory / "var").rglob("*"):
        if path.is_file():
            data = path.read_bytes().lower()
            data = data.replace(b"author:t:u-98761", b"") if tombstone else data
            if words := [word for word in THEIRS if word in data]:
                held[str(path.relative_to(shell.directory))] = words
    return held


def test_erase_leaves_no_trace_and_says_what_it_removed(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.jsonl", said()), "--source", "t")
    assert set(found(shell)) >= {"var/bus.db", "var/harken.db"}
    report = shell.json("erase", "t:u-98761", "--yes")
    assert found(shell) == {}
    assert (report["clean"], report["left"], report["sinks_waiting"]) == (True, {}, {})
    removed = report["removed"]
    assert (removed["table mentions"], removed["table dead_letters"]) == (30, 1)
    assert {count for place, count in removed.items() if place.startswith("topic ")} == {30}
    assert sum(count for place, count in removed.items() if place.endswith(".jsonl")) == 30
    assert report["kept"] == {"table tombstones": 1}
    figures = shell.json("ledger")
    assert (figures["queued"] + figures["filtered"], figures["removed"], figures["balanced"]) == (1, 31, True)
    # What comes again is kept out; what others say is theirs.
    quoted = line("t:60", "@zelda_q acme is fine", author="bob", parent="t:1", conversation="t:1")
    shell.run("ingest", shell.write("again.jsonl", said() + quoted), "--source", "t")
    assert {word for words in found(shell).values() for word in words} == {b"zelda_q"}
    shown = shell.run("erase", "t:u-98761", "--yes", "--also", "zelda_q")
    assert "Said by others, who name them: 1 in table mentions" in shown
    assert "No trace is left" in shown
    assert {word for words in found(shell).values() for word in words} == {b"zelda_q"}


def test_erase_hands_over_to_roles_that_run_already(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.jsonl", said()), "--source", "t")
    with _running(shell, "run", "enrich", "route", "deliver"):
        _until(lambda: all(role["processes"] for role in shell.json("status")["roles"]))
        assert shell.json("erase", "t:u-98761", "--yes")["clean"]
    assert found(shell) == {}


def test_erase_asks_first_and_reports_a_trace_that_is_left(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.jsonl", said()), "--source", "t")
    shell.configure()  # the sink that has the lines is gone from the configuration
    assert "Aborted" in shell.run("erase", "t:u-98761", status=1)
    assert len(shell.json("queue", "list", "service")) == 20
    shown = " ".join(shell.run("erase", "t:u-98761", "--yes", status=1).split())
    assert "sink archive has yet to take 30 removal(s)" in shown
    shell.configure(sinks=SINKS)
    assert shell.json("erase", "t:u-98761", "--yes")["clean"]
    assert found(shell) == {}


def test_a_customer_is_shown_and_exported(shell: Shell) -> None:
    shell.run("ingest", shell.write("mentions.jsonl", said()), "--source", "t")
    shown = shell.run("customer", "t:u-98761")
    for part in ("@zelda_q", "30 mentions", "advocate score", "complaint 30"):
        assert part in shown
    assert shell.json("customer", "t:u-98761")["mentions"] == 30
    out = shell.directory / "held.json"
    assert "30 mentions" in shell.run("export", "t:u-98761", "--out", str(out))
    assert len(json.loads(out.read_text())["mentions"]) == 30
    assert "nothing of theirs" in shell.run("customer", "t:nobody", status=2)
    assert "source:author_id" in shell.run("erase", "zelda_q", "--yes", status=2)
    assert "say --yes" in shell.run("erase", "t:u-98761", "--json", status=2)


def test_what_is_past_its_period_goes_and_does_not_come_back(shell: Shell) -> None:
    file = shell.write("mentions.jsonl", said())
    shell.run("ingest", file, "--source", "t")
    assert "no end" in shell.run("retention")
    shell.configure(sinks=SINKS, desk={"cases": False}, retention={"mentions_days": 1e-9, "dead_letters_days": 1e-9})
    found = shell.json("retention")
    assert (found["through"], found["removed"]["dead_letters"]) == (True, 1)
    before = shell.json("ledger")
    assert before["balanced"]
    again = shell.json("ingest", file, "--source", "t")
    assert (again["new"], again["balanced"]) == (0, True)
