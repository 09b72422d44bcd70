"""`harken users`, `tokens` and `audit` from outside: what an administrator types."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from desk.accounts import Accounts, WrongCredentials
from pipeline.clock import SystemClock
from pipeline.store.database import Database
from tests.pipeline.test_commands import Shell

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist


class Office(Shell):
    """A shell on a wide terminal, with a look into its store."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"COLUMNS": "200"}

    @property
    def file(self) -> Path:
        return self.directory / "var" / "harken.db"

    def accounts(self) -> Accounts:
        return Accounts(Database(f"sqlite:///{self.file}"), SystemClock())


@pytest.fixture
def shell(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_account_is_made_with_an_invitation_that_is_shown_once(shell: Office) -> None:
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


def test_a_password_may_be_piped_in_and_is_never_repeated(shell: Office) -> None:
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


def test_a_token_is_shown_once_and_ends_when_revoked(shell: Office) -> None:
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


def test_a_slip_is_named_with_its_remedy(shell: Office) -> None:
    assert "there are agent" in shell.run("users", "add", "ana", "--role", "boss", status=2)
    assert "2 to 64 characters" in shell.run("users", "add", "a b", "--role", "agent", status=2)
    assert "harken users list" in shell.run("users", "disable", "nobody", status=2)
    shell.run("users", "add", "ana", "--role", "agent")
    assert "already" in shell.run("users", "add", "ana", "--role", "agent", status=2)
    token = ("tokens", "add", "ana", "--scope", "users.manage", "--expires")
    assert "do not allow users.manage" in shell.run(*token, "1d", status=2)
    assert "90d" in shell.run(*token, "soon", status=2)
    assert "not a head" in shell.run("audit", "verify", "--head", "latest", status=2)


def test_the_log_says_who_did_what_and_that_it_was_altered(shell: Office) -> None:
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


def test_from_a_process_a_refusal_is_one_line_and_a_status(shell: Office) -> None:
    add = ("users", "add", "ana", "--role", "admin", "--password-stdin")
    said = shell.process(*add, status=2, typed="short\n").splitlines()
    assert said[-1].endswith("users add: a password has at least 12 characters")
    assert len(said) == 2
