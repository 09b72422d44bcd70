"""Customers and figures from outside, on the embedded default."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.pipeline.test_commands import Shell, line


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made.configure(desk={"cases": True, "agent_hour_cost": 30, "crm": {"csv": "crm.csv"}})
    zelda = {"id": "u-1", "handle": "zelda_q", "name": "Zelda Quince"}
    made.run("ingest", made.write("a.jsonl", line("t:1", "acme lost my parcel, awful", author=zelda)), "--source", "t")
    return made


def test_accounts_are_linked_by_who_may(shell: Shell) -> None:
    shell.run("users", "add", "ana", "--role", "agent")
    shell.run("users", "add", "olga", "--role", "operator")
    named = ("t:u-1", "web:zelda", "--evidence", "told us")
    assert "who says so" in shell.run("customer", "link", *named, status=2)
    assert "customers.link" in shell.run("customer", "link", *named, "--as", "olga", status=1)
    assert "web:zelda" in shell.run("customer", "link", *named, "--as", "ana")
    assert shell.json("customer", "web:zelda")["person"]["accounts"] == ["t:u-1", "web:zelda"]
    assert "told us" in shell.run("customer", "show", "t:u-1")
    assert "Reddit" in shell.run("customer", "link", "t:u-1", "reddit:z", "--evidence", "e", "--as", "ana", status=1)
    shell.run("customer", "unlink", "t:u-1", "web:zelda", "--as", "ana")
    assert shell.json("customer", "t:u-1")["person"]["id"] is None


def test_the_table_of_the_crm_is_read(shell: Shell) -> None:
    assert "no such file" in shell.run("customer", "import", status=2)
    shell.write("crm.csv", "account,segment,value\nt:u-1,gold,1250\nnobody,gold,1\n")
    told = shell.run("customer", "import", status=1)
    assert "1 accounts read" in told
    assert "line 3" in told
    assert "segment gold, value 1,250.00" in shell.run("customer", "t:u-1")


def test_figures_are_shown_and_written(shell: Shell) -> None:
    (figure,) = shell.json("figures", "--since", "1d")
    assert (figure["volume"], figure["backlog"]) == (1, 1)
    assert figure["key"] in shell.run("figures", "--by", "queue", "--since", "1d")
    rows = list(csv.DictReader(io.StringIO(shell.run("figures", "--by", "hour", "--since", "2h", "--csv", "-"))))
    assert sum(int(row["volume"]) for row in rows) == 1
    shell.run("figures", "--csv", "out.csv", "--recount")
    assert "there already" in shell.run("figures", "--csv", "out.csv", status=2)
    assert "by" in shell.run("figures", "--by", "mood", status=2)
    assert "at most" in shell.run("figures", "--by", "hour", "--since", "52w", status=1)
