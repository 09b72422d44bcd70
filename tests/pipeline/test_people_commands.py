"""`harken users`, `tokens` and `audit` from outside: what an administrator types."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from desk.accounts import Accounts, WrongCredentials
from pipeline.cli import app
from pipeline.clock import SystemClock
from pipeline.commands import people
from pipeline.commands.common import stdout
from pipeline.errors import HarkenError
from pipeline.store.database import Database

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist


class Shell:
    """Runs harken in this process and in a directory of its own, and looks into its store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "config.yaml").write_text('{"brands": {"acme": {"terms": ["acme"]}}}', encoding="utf-8")

    def run(self, *arguments: str, status: int = 0, typed: str = "") -> str:
        done = CliRunner().invoke(app, arguments, input=typed)
        if isinstance(done.exception, HarkenError):
            assert status == 2
            return done.output + str(done.exception)
        assert done.exit_code == status, done.output
        return done.output

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self.run(*arguments, "--json", **options))

    @property
    def file(self) -> Path:
        return self.directory / "var" / "harken.db"

    def accounts(self) -> Accounts:
        return Accounts(Database(f"sqlite:///{self.file}"), SystemClock())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARKEN_CONFIG", raising=False)
    # It is for the whole process, and this one is not the command's alone.
    monkeypatch.setattr(people, "configure", lambda _: None)
    monkeypatch.setattr(stdout, "_width", 200)
    return Shell(tmp_path)


def test_an_account_is_made_with_an_invitation_that_is_shown_once(shell: Shell) -> None:
    assert "Nobody has an account" in shell.run("users", "list")
    said = shell.run("users", "add", "Ana", "--role", "lead", "--role", "agent", "--email", "ana@example.org")
    invitation = said.split()[-1]
    listed = shell.run("users", "list")
    assert "agent lead" in listed
    assert "invited" in listed
    assert invitation not in listed
    accounts = shell.accounts()
    accounts.accept(invitation, PASSWORD)
    assert accounts.sign_in("ana", PASSWORD).user.email == "ana@example.org"
    assert [user["state"] for user in shell.json("users", "list")] == ["active"]
    accounts._db.close()


def test_a_password_may_be_piped_in_and_is_never_repeated(shell: Shell) -> None:
    add = ("users", "add", "ana", "--role", "admin", "--password-stdin")
    said = shell.run(*add, typed="anaana-anaana-1\n", status=2)
    assert "more than the name" in said
    assert "anaana-anaana-1" not in said
    assert shell.json("users", "list") == []
    assert PASSWORD not in shell.run(*add, typed=PASSWORD + "\n")
    shell.run("users", "password", "ana", typed="a quite different one\n")
    accounts = shell.accounts()
    with pytest.raises(WrongCredentials):
        accounts.sign_in("ana", PASSWORD)
    session = accounts.sign_in("ana", "a quite different one").secret.get_secret_value()
    shell.run("users", "disable", "ana")
    assert accounts.by_session(session) is None
    assert shell.json("users", "list")[0]["state"] == "disabled"
    shell.run("users", "enable", "ana")
    assert shell.run("users", "roles", "ana", "--role", "operator").strip() == "ana: operator"
    assert shell.json("users", "invite", "ana")["invitation"].startswith("harken_invite_")
    accounts._db.close()


def test_a_token_is_shown_once_and_ends_when_revoked(shell: Shell) -> None:
    shell.run("users", "add", "crm", "--role", "lead")
    add = ("tokens", "add", "crm", "--scope", "cases.read", "--expires", "90d", "--label", "nightly\x1b[31m export")
    secret = shell.run(*add).split()[-1]
    accounts = shell.accounts()
    caller = accounts.by_token(secret)
    assert caller is not None
    assert list(caller.may) == ["cases.read"]
    listed = shell.run("tokens", "list")
    assert caller.token.id in listed
    assert secret not in listed
    assert "\x1b" not in listed
    assert "is revoked" in shell.run("tokens", "revoke", caller.token.id)
    assert accounts.by_token(secret) is None
    assert "no such token in force" in shell.run("tokens", "revoke", caller.token.id, status=2)
    assert shell.json("tokens", "list", "crm")[0]["revoked_at"]
    accounts._db.close()


def test_a_slip_is_named_with_its_remedy(shell: Shell) -> None:
    assert "there are agent" in shell.run("users", "add", "ana", "--role", "boss", status=2)
    assert "2 to 64 characters" in shell.run("users", "add", "a b", "--role", "agent", status=2)
    assert "harken users list" in shell.run("users", "disable", "nobody", status=2)
    shell.run("users", "add", "ana", "--role", "agent")
    assert "already" in shell.run("users", "add", "ana", "--role", "agent", status=2)
    token = ("tokens", "add", "ana", "--scope", "users.manage", "--expires")
    assert "do not allow users.manage" in shell.run(*token, "1d", status=2)
    assert "90d" in shell.run(*token, "soon", status=2)
    assert "not a head" in shell.run("audit", "verify", "--head", "latest", status=2)


def test_the_log_says_who_did_what_and_that_it_was_altered(shell: Shell) -> None:
    shell.run("users", "add", "ana", "--role", "agent")
    shell.run("users", "disable", "ana")
    entries = shell.json("audit", "list")
    assert [entry["action"] for entry in entries] == ["user.disabled", "user.added"]
    assert all(entry["actor"].startswith("system:cli") for entry in entries)
    assert "user.added" in shell.run("audit", "list", "--before", "2")
    said = shell.run("audit", "verify")
    assert "sound" in said
    head = said.split()[-1]
    assert shell.json("audit", "verify", "--head", head)["sound"]
    with sqlite3.connect(shell.file) as connection:
        connection.execute("UPDATE audit SET actor = 'system:nobody' WHERE seq = 1")
    connection.close()
    assert "broken at row 1" in shell.run("audit", "verify", status=1)
    assert shell.json("audit", "verify", status=1)["broken"] == 1


def test_from_a_shell_a_refusal_is_one_line_and_a_status(shell: Shell) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "users", "add", "ana", "--role", "admin", "--password-stdin"]
    done = subprocess.run(command, cwd=shell.directory, input="short\n", capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith("users add: a password has at least 12 characters")
    assert "Traceback" not in done.stderr
