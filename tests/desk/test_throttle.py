from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from desk.accounts import TooManyAttempts, WrongCredentials
from desk.throttle import FORGET, FREE, LONGEST, Charge, _network, charge, wait
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.account_tables import throttles
from tests.desk.staff import PASSWORD, accounts_of, person


def attempt(store: Store, now: datetime, name: str = "ana", address: str | None = None) -> Charge | timedelta:
    with store._db.write() as transaction:
        return charge(transaction, now, name, address)


def test_the_wait_doubles_after_the_free_attempts() -> None:
    assert [wait(failures, 5).total_seconds() for failures in range(9)] == [0, 0, 0, 0, 0, 1, 2, 4, 8]
    assert wait(10**6, 5) == LONGEST


@given(st.integers(0, 2000), st.integers(0, 50))
def test_more_failures_never_wait_less(failures: int, free: int) -> None:
    assert timedelta(0) <= wait(failures, free) <= wait(failures + 1, free) <= LONGEST


def test_after_the_free_attempts_one_has_to_wait(store: Store, clock: ManualClock) -> None:
    for _ in range(FREE["account"]):
        assert isinstance(attempt(store, clock.now()), Charge)
    assert attempt(store, clock.now()) == timedelta(seconds=1)
    assert attempt(store, clock.now()) == timedelta(seconds=1), "waiting is not made longer by asking"
    clock.advance(1)
    assert isinstance(attempt(store, clock.now()), Charge)
    assert attempt(store, clock.now()) == timedelta(seconds=2)


def test_waits_survive_a_restart(store_url: str, clock: ManualClock) -> None:
    for _ in range(FREE["account"] + 1):
        store = Store(store_url, clock)
        store.upgrade()
        last = attempt(store, clock.now())
        store.close()
    assert last == timedelta(seconds=1)


def test_failures_are_forgotten_after_a_day_of_peace(store: Store, clock: ManualClock) -> None:
    for _ in range(FREE["account"]):
        attempt(store, clock.now())
    clock.advance(FORGET.total_seconds())
    for _ in range(FREE["account"]):
        assert isinstance(attempt(store, clock.now()), Charge)


def test_attempts_at_once_get_no_further_than_in_a_row(store: Store, clock: ManualClock) -> None:
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: attempt(store, clock.now()), range(20)))
    assert sum(isinstance(it, Charge) for it in done) == FREE["account"]


def test_one_address_may_not_go_through_all_names(store: Store, clock: ManualClock) -> None:
    done = [attempt(store, clock.now(), f"name{number}", "192.0.2.7") for number in range(FREE["address"] + 1)]
    assert [isinstance(it, Charge) for it in done] == [True] * FREE["address"] + [False]
    assert isinstance(attempt(store, clock.now(), "ana", "192.0.2.8"), Charge)


def test_an_address_is_its_network() -> None:
    assert _network("2001:db8:1:2::1") == _network("2001:db8:1:2:ffff::9%eth0") != _network("2001:db8:1:3::1")
    assert _network("::ffff:192.0.2.7") == _network("192.0.2.7") != _network("192.0.2.8")
    assert _network("") == _network("not an address") == "unknown"


def test_the_table_is_bounded_and_holds_nothing_that_was_typed(store: Store, clock: ManualClock) -> None:
    names = [f"my secret password {number}" for number in range(50)]
    for number, name in enumerate(names):
        attempt(store, clock.now(), name, f"192.0.2.{number}")
    with store._db.read() as transaction:
        rows = transaction.run(select(throttles)).all()
        assert transaction.run(select(func.count()).select_from(throttles)).scalar_one() <= 100
    for row in rows:
        kind, _, number = row.bucket.partition(":")
        assert kind in ("account", "address")
        assert 0 <= int(number) < 65_536


def test_a_right_password_gives_the_attempt_back(store: Store, clock: ManualClock) -> None:
    accounts = accounts_of(store, clock)
    person(accounts)
    for _ in range(3 * FREE["address"]):
        accounts.sign_in("ana", PASSWORD, "192.0.2.7")
    for _ in range(FREE["account"]):
        with pytest.raises(WrongCredentials):
            accounts.sign_in("ana", "a wrong password", "192.0.2.7")
    with pytest.raises(TooManyAttempts) as refused:
        accounts.sign_in("ana", PASSWORD, "192.0.2.7")
    assert refused.value.retry_after == 1
    clock.advance(1)
    accounts.sign_in("ana", PASSWORD, "192.0.2.7")
    with pytest.raises(WrongCredentials):
        accounts.sign_in("ana", "a wrong password", "192.0.2.7")
    accounts.sign_in("ana", PASSWORD, "192.0.2.7")


def test_knowing_one_password_does_not_free_an_address(store: Store, clock: ManualClock) -> None:
    accounts = accounts_of(store, clock)
    person(accounts)
    refused = 0
    for number in range(2 * FREE["address"]):
        try:
            accounts.sign_in(f"name{number}", "a wrong password", "192.0.2.7")
        except WrongCredentials:
            accounts.sign_in("ana", PASSWORD, "192.0.2.7") if number < FREE["address"] - 1 else None
        except TooManyAttempts:
            refused += 1
    assert refused == FREE["address"]


def test_a_name_that_is_not_there_waits_like_one_that_is(store: Store, clock: ManualClock) -> None:
    accounts = accounts_of(store, clock)
    person(accounts)

    def answers(name: str) -> list[str]:
        said = []
        for _ in range(FREE["account"] + 3):
            with pytest.raises((WrongCredentials, TooManyAttempts)) as refused:
                accounts.sign_in(name, "a wrong password")
            said.append(str(refused.value))
        return said

    assert answers("ana") == answers("nobody")
