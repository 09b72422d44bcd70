from __future__ import annotations

from datetime import timedelta

import pytest

from desk.accounts import Accounts
from desk.tokens import LONGEST, MOST, USED, ApiToken
from desk.users import AccountError
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.desk.staff import ADMIN, accounts_of, person

DAY = timedelta(days=1)


@pytest.fixture
def accounts(store: Store, clock: ManualClock) -> Accounts:
    return accounts_of(store, clock)


def test_a_token_may_what_its_scopes_name(accounts: Accounts) -> None:
    user = person(accounts, "crm", "lead")
    token, secret = accounts.issue_token(user.id, ["figures.read", "cases.read"], DAY, ADMIN, "the nightly export")
    caller = accounts.by_token(secret.get_secret_value())
    assert caller is not None
    assert caller.user == user
    assert sorted(caller.may) == ["cases.read", "figures.read"]
    assert (token.label, token.scopes) == ("the nightly export", ("cases.read", "figures.read"))


def test_a_token_never_outgrows_its_owner(accounts: Accounts) -> None:
    user = person(accounts, "crm", "lead")
    _, secret = accounts.issue_token(user.id, ["figures.read", "cases.read"], DAY, ADMIN)
    accounts.set_roles(user.id, ["agent"], ADMIN)
    caller = accounts.by_token(secret.get_secret_value())
    assert caller is not None
    assert list(caller.may) == ["cases.read"]
    with pytest.raises(AccountError, match=r"do not allow figures\.read"):
        accounts.issue_token(user.id, ["figures.read"], DAY, ADMIN)


def test_a_token_ends(accounts: Accounts, clock: ManualClock) -> None:
    user = person(accounts)
    token, secret = accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)
    clock.advance(DAY.total_seconds() - 1)
    assert accounts.by_token(secret.get_secret_value())
    clock.advance(1)
    assert accounts.by_token(secret.get_secret_value()) is None
    assert not token.live(clock.now())


def test_a_revoked_token_ends_at_once(accounts: Accounts) -> None:
    user = person(accounts)
    token, secret = accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)
    assert accounts.revoke(token.id, ADMIN)
    assert accounts.by_token(secret.get_secret_value()) is None
    assert not accounts.revoke(token.id, ADMIN)
    assert not accounts.revoke("nothing", ADMIN)


def test_the_last_use_is_kept_to_the_minute(accounts: Accounts, clock: ManualClock) -> None:
    user = person(accounts)
    _, secret = accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)
    assert accounts.tokens()[0].last_used_at is None
    first = clock.now()
    accounts.by_token(secret.get_secret_value())
    clock.advance(USED.total_seconds() - 1)
    accounts.by_token(secret.get_secret_value())
    assert accounts.tokens()[0].last_used_at == first
    clock.advance(1)
    accounts.by_token(secret.get_secret_value())
    assert accounts.tokens()[0].last_used_at == first + USED


@pytest.mark.parametrize("lasting", [timedelta(0), -DAY, LONGEST + timedelta(seconds=1)])
def test_a_token_lasts_some_time_and_not_for_ever(accounts: Accounts, lasting: timedelta) -> None:
    user = person(accounts)
    with pytest.raises(AccountError, match="at most 366 days"):
        accounts.issue_token(user.id, ["cases.read"], lasting, ADMIN)


def test_a_token_needs_a_known_scope_and_an_owner(accounts: Accounts) -> None:
    user = person(accounts)
    with pytest.raises(AccountError, match="there are cases"):
        accounts.issue_token(user.id, ["everything"], DAY, ADMIN)
    with pytest.raises(AccountError, match="at least one scope"):
        accounts.issue_token(user.id, [], DAY, ADMIN)
    with pytest.raises(AccountError, match="no such user"):
        accounts.issue_token("nobody", ["cases.read"], DAY, ADMIN)
    assert accounts.tokens() == []


def test_one_person_has_a_bounded_number_of_tokens(accounts: Accounts, clock: ManualClock) -> None:
    user = person(accounts)
    for _ in range(MOST):
        accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)
    with pytest.raises(AccountError, match="revoke one first"):
        accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)
    clock.advance(DAY.total_seconds())
    accounts.issue_token(user.id, ["cases.read"], DAY, ADMIN)


def test_tokens_are_listed_by_owner_page_by_page(accounts: Accounts, clock: ManualClock) -> None:
    ana, ben = person(accounts, "ana"), person(accounts, "ben")
    made = []
    for number in range(4):
        made.append(accounts.issue_token(ana.id if number else ben.id, ["cases.read"], DAY, ADMIN)[0])
        clock.advance(number % 2)
    listed: list[ApiToken] = []
    while page := accounts.tokens(limit=3, after=listed[-1] if listed else None):
        listed += page
    assert {token.id for token in listed} == {token.id for token in made}
    assert len(listed) == 4
    assert listed == accounts.tokens()
    assert accounts.tokens(ben.id) == made[:1]
