from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from sqlalchemy import select

from desk.accounts import Accounts, WrongCredentials
from desk.passwords import Passwords, WeakPassword
from desk.secret import issue
from desk.users import INVITATION, AccountError
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.account_tables import users
from pipeline.store.tables import metadata
from tests.desk.staff import ADMIN, PASSWORD, accounts_of, person, signed_in


@pytest.fixture
def accounts(store: Store, clock: ManualClock) -> Accounts:
    return accounts_of(store, clock)


def stored_hash(accounts: Accounts) -> str:
    with accounts._db.read() as transaction:
        return str(transaction.run(select(users.c.password)).scalar_one())


def everything_stored(accounts: Accounts) -> str:
    with accounts._db.read() as transaction:
        return repr([transaction.run(select(table)).all() for table in metadata.tables.values()])


def test_a_new_store_lets_nobody_in(accounts: Accounts) -> None:
    assert accounts.users() == []
    for name, password in (("admin", "admin"), ("harken", ""), ("", "")):
        with pytest.raises(WrongCredentials):
            accounts.sign_in(name, password)


def test_an_account_has_no_password_until_its_owner_sets_one(accounts: Accounts) -> None:
    user, invitation = accounts.add_user("Ana.Lopez", ["lead", "agent"], ADMIN, "ana@example.org")
    assert (user.name, user.roles, user.email, user.has_password) == (
        "ana.lopez",
        ("agent", "lead"),
        "ana@example.org",
        False,
    )
    with pytest.raises(WrongCredentials):
        accounts.sign_in("ana.lopez", "")
    assert accounts.accept(invitation.get_secret_value(), PASSWORD).has_password
    assert accounts.sign_in(" ANA.Lopez ", PASSWORD).user == accounts.user(user.id)


def test_an_invitation_works_once(accounts: Accounts) -> None:
    _, invitation = accounts.add_user("ana", ["agent"], ADMIN)
    accounts.accept(invitation.get_secret_value(), PASSWORD)
    with pytest.raises(AccountError, match="ask for a new one"):
        accounts.accept(invitation.get_secret_value(), "another password")


def test_two_who_accept_at_once_do_not_both_succeed(accounts: Accounts) -> None:
    _, invitation = accounts.add_user("ana", ["agent"], ADMIN)

    def accept(number: int) -> bool:
        try:
            accounts.accept(invitation.get_secret_value(), f"password number {number}")
        except AccountError:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(accept, range(6))) == 1


def test_an_invitation_ends(accounts: Accounts, clock: ManualClock) -> None:
    _, invitation = accounts.add_user("ana", ["agent"], ADMIN)
    clock.advance(INVITATION.total_seconds())
    with pytest.raises(AccountError, match="ask for a new one"):
        accounts.accept(invitation.get_secret_value(), PASSWORD)


def test_a_new_invitation_ends_the_one_before(accounts: Accounts) -> None:
    user, first = accounts.add_user("ana", ["agent"], ADMIN)
    second = accounts.invite(user.id, ADMIN)
    with pytest.raises(AccountError, match="ask for a new one"):
        accounts.accept(first.get_secret_value(), PASSWORD)
    assert accounts.accept(second.get_secret_value(), PASSWORD) == accounts.user(user.id)


def test_a_weak_password_leaves_the_invitation_good(accounts: Accounts) -> None:
    _, invitation = accounts.add_user("ana", ["agent"], ADMIN)
    with pytest.raises(WeakPassword):
        accounts.accept(invitation.get_secret_value(), "short")
    accounts.accept(invitation.get_secret_value(), PASSWORD)


@pytest.mark.parametrize("text", ["", "x", "harken_invite_" + "x" * 43, "harken_token_" + "x" * 43, "\0" * 57])
def test_what_is_no_invitation_is_refused(accounts: Accounts, text: str) -> None:
    with pytest.raises(AccountError, match="not known"):
        accounts.accept(text, PASSWORD)


@pytest.mark.parametrize("name", ["", "a", "-ana", "ana lopez", "\u0430na", "ana\nlopez", "x" * 65, "ana/..", "ana:1"])
def test_a_name_that_could_be_taken_for_another_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="2 to 64 characters"):
        accounts.add_user(name, ["agent"], ADMIN)


def test_a_name_is_taken_once(accounts: Accounts) -> None:
    person(accounts, "ana")
    with pytest.raises(AccountError, match="already"):
        accounts.add_user("ANA", ["admin"], ADMIN)
    assert [user.roles for user in accounts.users()] == [("agent",)]
    assert accounts.sign_in("ana", PASSWORD).user.name == "ana"


def test_an_unknown_role_or_a_bad_address_makes_no_account(accounts: Accounts) -> None:
    with pytest.raises(AccountError, match="there are agent"):
        accounts.add_user("ana", ["boss"], ADMIN)
    with pytest.raises(AccountError, match="e-mail"):
        accounts.add_user("ana", ["agent"], ADMIN, "nowhere")
    assert accounts.users() == []


def test_a_wrong_name_and_a_wrong_password_are_told_the_same(accounts: Accounts) -> None:
    person(accounts)
    said = set()
    for name, password in (("ana", "wrong"), ("nobody", PASSWORD), ("ana", "x" * 10_000), ("\0\ud800", "\0\ud800")):
        with pytest.raises(WrongCredentials) as refused:
            accounts.sign_in(name, password)
        said.add(str(refused.value))
    assert said == {"the name or the password is wrong"}


def test_a_hash_made_with_older_parameters_is_made_anew_at_sign_in(store: Store, clock: ManualClock) -> None:
    accounts = accounts_of(store, clock)
    person(accounts)
    before = stored_hash(accounts)
    signed_in(accounts)
    assert stored_hash(accounts) == before
    stronger = Accounts(store._db, clock, Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)))
    signed_in(stronger)
    assert "$m=16,t=2,p=1$" in stored_hash(accounts)
    signed_in(stronger)


def test_setting_a_password_ends_every_session_and_the_old_password(accounts: Accounts) -> None:
    user = person(accounts)
    session = signed_in(accounts)
    accounts.set_password(user.id, "a quite different one", ADMIN)
    assert accounts.by_session(session) is None
    with pytest.raises(WrongCredentials):
        accounts.sign_in("ana", PASSWORD)
    accounts.sign_in("ana", "a quite different one")


def test_disabling_ends_everything_at_once(accounts: Accounts) -> None:
    user, other = person(accounts), person(accounts, "ben")
    session, others = signed_in(accounts), signed_in(accounts, "ben")
    _, token = accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
    invitation = accounts.invite(user.id, ADMIN).get_secret_value()
    assert accounts.disable(user.id, ADMIN).disabled_at is not None
    assert accounts.by_session(session) is None
    assert accounts.by_token(token.get_secret_value()) is None
    with pytest.raises(WrongCredentials):
        accounts.sign_in("ana", PASSWORD)
    with pytest.raises(AccountError):
        accounts.accept(invitation, PASSWORD)
    with pytest.raises(AccountError, match="disabled"):
        accounts.invite(user.id, ADMIN)
    with pytest.raises(AccountError, match="disabled"):
        accounts.set_password(user.id, "a quite different one", ADMIN)
    with pytest.raises(AccountError, match="disabled"):
        accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
    still_in = accounts.by_session(others)
    assert still_in is not None
    assert still_in.user == other


def test_enabling_lets_in_again_but_brings_no_session_or_token_back(accounts: Accounts) -> None:
    user = person(accounts)
    session = signed_in(accounts)
    _, token = accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
    accounts.disable(user.id, ADMIN)
    accounts.enable(user.id, ADMIN)
    assert accounts.by_session(session) is None
    assert accounts.by_token(token.get_secret_value()) is None
    assert accounts.sign_in("ana", PASSWORD).user == user


def test_disabling_while_a_password_is_checked_lets_nobody_in(store: Store, clock: ManualClock) -> None:
    accounts = accounts_of(store, clock)
    user = person(accounts)

    class Slow(Passwords):
        def verify(self, stored: str | None, password: str) -> bool:
            accounts.disable(user.id, ADMIN)
            return super().verify(stored, password)

    with pytest.raises(WrongCredentials):
        Accounts(store._db, clock, Slow(PasswordHasher.from_parameters(CHEAPEST))).sign_in("ana", PASSWORD)


def test_other_roles_hold_at_once_for_an_open_session(accounts: Accounts) -> None:
    user = person(accounts)
    session = signed_in(accounts)
    accounts.set_roles(user.id, ["draft_only"], ADMIN)
    caller = accounts.by_session(session)
    assert caller is not None
    assert "replies.send" not in caller.may


def test_nobody_is_changed_who_is_not_there(accounts: Accounts) -> None:
    for change in (accounts.disable, accounts.enable, accounts.invite):
        with pytest.raises(AccountError, match="no such user"):
            change("nobody", ADMIN)
    with pytest.raises(AccountError, match="no such user"):
        accounts.set_roles("nobody", ["agent"], ADMIN)
    with pytest.raises(AccountError, match="no such user"):
        accounts.set_password("nobody", PASSWORD, ADMIN)
    assert accounts.entries() == []


def test_people_are_listed_by_name_page_by_page(accounts: Accounts) -> None:
    for name in ("cleo", "ana", "ben"):
        accounts.add_user(name, ["agent"], ADMIN)
    assert [user.name for user in accounts.users(2)] == ["ana", "ben"]
    assert [user.name for user in accounts.users(2, after="ben")] == ["cleo"]
    named = accounts.user_named("Ben")
    assert named is not None
    assert accounts.user(named.id) == named


def test_every_change_is_in_the_audit_log(accounts: Accounts) -> None:
    user = person(accounts)
    token, _ = accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
    session = signed_in(accounts)
    accounts.sign_out(session)
    accounts.sign_out_everywhere(user.id, user.actor)
    accounts.set_roles(user.id, ["lead"], ADMIN)
    accounts.set_password(user.id, "a quite different one", user.actor)
    accounts.invite(user.id, ADMIN)
    accounts.revoke(token.id, ADMIN)
    accounts.disable(user.id, ADMIN)
    accounts.enable(user.id, ADMIN)
    assert [(it.actor == user.actor, it.action) for it in reversed(accounts.entries())] == [
        (False, "user.added"),
        (True, "user.password_set"),
        (False, "token.issued"),
        (True, "user.signed_in"),
        (True, "user.signed_out"),
        (True, "user.signed_out_everywhere"),
        (False, "user.roles_set"),
        (True, "user.password_set"),
        (False, "user.invited"),
        (False, "token.revoked"),
        (False, "user.disabled"),
        (False, "user.enabled"),
    ]
    assert accounts.verify().sound


def test_no_secret_is_stored_shown_or_logged(accounts: Accounts, caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as logged:
        user, invitation = accounts.add_user("ana", ["agent"], ADMIN)
        again = accounts.invite(user.id, ADMIN)
        accounts.accept(again.get_secret_value(), PASSWORD)
        token, secret = accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
        session = accounts.sign_in("ana", PASSWORD)
        said: list[Any] = [user, invitation, again, token, secret, session, accounts.entries(), accounts.tokens()]
        said += [accounts.by_token(secret.get_secret_value()), accounts.by_session(session.secret.get_secret_value())]
        for name, password in (("ana", "my mistyped secret"), ("my mistyped secret", "x")):
            with pytest.raises(WrongCredentials) as refused:
                accounts.sign_in(name, password)
            said += [repr(refused.value), str(refused.value)]
    text = repr(said) + repr(logged) + caplog.text + everything_stored(accounts)
    hidden = [invitation, again, secret, session.secret, session.csrf]
    for one in [*(it.get_secret_value() for it in hidden), PASSWORD, "my mistyped secret"]:
        assert one not in text
    assert [entry["event"] for entry in logged] == ["sign-in refused"] * 2


def test_a_secret_of_one_kind_is_none_of_another(accounts: Accounts) -> None:
    user = person(accounts)
    session = signed_in(accounts)
    _, token = accounts.issue_token(user.id, ["cases.read"], INVITATION, ADMIN)
    assert accounts.by_token(session) is None
    assert accounts.by_session(token.get_secret_value()) is None
    assert accounts.by_session(issue("session").get_secret_value()) is None
    assert accounts.by_token("") is None
    assert accounts.by_session("") is None
