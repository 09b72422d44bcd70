from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from desk.accounts import Accounts
from desk.secret import issue
from desk.sessions import ABSOLUTE, IDLE, MOST, SEEN, csrf, csrf_matches
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.account_tables import sessions
from tests.desk.staff import ADMIN, PASSWORD, accounts_of, person, signed_in


@pytest.fixture
def accounts(store: Store, clock: ManualClock) -> Accounts:
    return accounts_of(store, clock)


def open_sessions(accounts: Accounts) -> int:
    with accounts._db.read() as transaction:
        return int(transaction.run(select(func.count()).select_from(sessions)).scalar_one())


def test_a_session_speaks_for_whoever_signed_in(accounts: Accounts, clock: ManualClock) -> None:
    user = person(accounts)
    caller = accounts.by_session(signed_in(accounts))
    assert caller is not None
    assert (caller.user, caller.started_at, caller.ends_at) == (user, clock.now(), clock.now() + IDLE)
    assert caller.may == user.may


def test_an_idle_session_ends(accounts: Accounts, clock: ManualClock) -> None:
    person(accounts)
    session = signed_in(accounts)
    clock.advance(IDLE.total_seconds() - 1)
    assert accounts.by_session(session)
    clock.advance(IDLE.total_seconds() - 1)
    assert accounts.by_session(session)
    clock.advance(IDLE.total_seconds())
    assert accounts.by_session(session) is None


def test_a_busy_session_ends_after_a_long_shift(accounts: Accounts, clock: ManualClock) -> None:
    person(accounts)
    session = signed_in(accounts)
    step = IDLE.total_seconds() / 2
    spent = 0.0
    while (caller := accounts.by_session(session)) and spent < 2 * ABSOLUTE.total_seconds():
        assert caller.ends_at <= caller.started_at + ABSOLUTE
        clock.advance(step)
        spent += step
    assert spent == ABSOLUTE.total_seconds()


def test_reading_in_quick_succession_writes_nothing(accounts: Accounts, clock: ManualClock) -> None:
    person(accounts)
    session = signed_in(accounts)

    def seen() -> object:
        with accounts._db.read() as transaction:
            return transaction.run(select(sessions.c.seen_at)).scalar_one()

    start = clock.now()
    clock.advance(SEEN.total_seconds() - 1)
    accounts.by_session(session)
    assert seen() == start
    clock.advance(1)
    accounts.by_session(session)
    assert seen() == start + SEEN


def test_signing_in_makes_a_new_session_and_ends_the_one_of_the_cookie(accounts: Accounts) -> None:
    person(accounts)
    planted = signed_in(accounts)
    fresh = accounts.sign_in("ana", PASSWORD, previous=planted).secret.get_secret_value()
    assert fresh != planted
    assert accounts.by_session(planted) is None
    assert accounts.by_session(fresh)


def test_a_session_that_was_planted_is_never_taken_up(accounts: Accounts) -> None:
    person(accounts)
    planted = issue("session").get_secret_value()
    fresh = accounts.sign_in("ana", PASSWORD, previous=planted).secret.get_secret_value()
    assert fresh != planted
    assert accounts.by_session(planted) is None


def test_signing_out_ends_this_session_only(accounts: Accounts) -> None:
    person(accounts)
    one, other = signed_in(accounts), signed_in(accounts)
    assert accounts.sign_out(one)
    assert not accounts.sign_out(one)
    assert accounts.by_session(one) is None
    assert accounts.by_session(other)


def test_signing_out_everywhere_may_spare_this_session(accounts: Accounts) -> None:
    user = person(accounts)
    person(accounts, "ben")
    one, other, ben = signed_in(accounts), signed_in(accounts), signed_in(accounts, "ben")
    assert accounts.sign_out_everywhere(user.id, user.actor, but=one) == 1
    assert accounts.by_session(one)
    assert accounts.by_session(other) is None
    assert accounts.sign_out_everywhere(user.id, ADMIN) == 1
    assert accounts.by_session(one) is None
    assert accounts.by_session(ben)


def test_one_person_has_a_bounded_number_of_sessions(accounts: Accounts, clock: ManualClock) -> None:
    person(accounts)
    made = []
    for _ in range(MOST + 2):
        made.append(signed_in(accounts))
        clock.advance(1)
    assert [accounts.by_session(session) is not None for session in made] == [False] * 2 + [True] * MOST


def test_what_has_ended_is_taken_away_at_the_next_sign_in(accounts: Accounts, clock: ManualClock) -> None:
    person(accounts)
    person(accounts, "ben")
    for _ in range(3):
        signed_in(accounts)
    clock.advance(IDLE.total_seconds())
    signed_in(accounts, "ben")
    assert open_sessions(accounts) == 1


def test_a_csrf_token_belongs_to_its_session(accounts: Accounts) -> None:
    person(accounts)
    session = accounts.sign_in("ana", PASSWORD)
    secret, token = session.secret.get_secret_value(), session.csrf.get_secret_value()
    assert csrf_matches(secret, token)
    assert not csrf_matches(signed_in(accounts), token)
    assert secret not in token


@given(st.text())
def test_nothing_else_passes_for_a_csrf_token(guess: str) -> None:
    secret = issue("session").get_secret_value()
    assert not csrf_matches(secret, guess)
    assert csrf(secret).get_secret_value() not in repr(csrf(secret))


def test_the_limits_make_sense_together() -> None:
    assert timedelta(0) < SEEN < IDLE < ABSOLUTE
