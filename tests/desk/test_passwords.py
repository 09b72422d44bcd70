from __future__ import annotations

import unicodedata

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from hypothesis import given
from hypothesis import strategies as st

from desk.passwords import LONGEST, SHORTEST, Passwords, WeakPassword, check
from desk.secret import digest, issue, looks_issued


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(PasswordHasher.from_parameters(CHEAPEST))


def test_the_parameters_are_those_of_rfc_9106_for_little_memory() -> None:
    stored = Passwords().hash("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not Passwords().outdated(stored)


def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    stored = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("correct horse battery")
    assert passwords.outdated(stored)
    assert passwords.outdated("no hash at all")
    assert passwords.verify(stored, "correct horse battery")


@given(st.text(max_size=LONGEST), st.text(max_size=LONGEST))
def test_only_the_password_itself_is_right(passwords: Passwords, password: str, other: str) -> None:
    stored = passwords.hash(password)
    assert passwords.verify(stored, password)
    same = unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", password)
    assert passwords.verify(stored, other) == same


def test_a_letter_composed_otherwise_is_the_same_letter(passwords: Passwords) -> None:
    assert passwords.verify(passwords.hash("z\u00fcrich station"), "zu\u0308rich station")


def test_nobody_has_no_password_not_even_the_one_it_is_compared_with(passwords: Passwords) -> None:
    for password in ("", "x", "nobody has this password, and if one had, verify would still say no"):
        assert not passwords.verify(None, password)
        assert not passwords.verify("", password)


def test_a_stranger_costs_one_check_with_the_parameters_of_today() -> None:
    checked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # Literal[True]
            checked.append(str(hash))
            return super().verify(hash, password)

    passwords = Passwords(Counting.from_parameters(CHEAPEST))
    stored = passwords.hash("correct horse battery")
    passwords.verify(stored, "something else")
    passwords.verify(None, "something else")
    assert [hash.rpartition("$")[0].rpartition("$")[0] for hash in checked] == ["$argon2id$v=19$m=8,t=1,p=1"] * 2


def test_a_password_too_long_to_be_set_is_wrong(passwords: Passwords) -> None:
    assert not passwords.verify(passwords.hash("x" * LONGEST), "x" * LONGEST * 1000)


@pytest.mark.parametrize(
    "password",
    [
        "x" * (SHORTEST - 1),
        "x" * (LONGEST + 1),
        "ana.lopez-123",
        "ANA.LOPEZ 2026",
        "ana.lopezana.lopez",
        "lopez@example.org1",
        "123lopez5678",
        "\uff41na.lopez-1234",  # a full-width letter
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(WeakPassword) as refused:
        check(password, "ana.lopez", "lopez@example.org")
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    "password", ["x" * SHORTEST, "x" * LONGEST, "twelve chars", "ana.lopez likes trains", "пароль длинный"]
)
def test_length_is_all_that_a_password_needs(password: str) -> None:
    check(password, "ana.lopez", "lopez@example.org")


def test_a_short_name_may_occur_in_a_password() -> None:
    check("a banana and a papaya", "an")


def test_a_secret_has_a_prefix_to_find_it_by_and_hides_itself() -> None:
    secret = issue("token")
    shown = secret.get_secret_value()
    assert shown.startswith("harken_token_")
    assert len(shown) == len("harken_token_") + 43
    assert shown not in f"{secret!r} {secret}"
    assert looks_issued("token", shown)
    assert not looks_issued("session", shown)
    assert not looks_issued("token", shown + "x")
    assert not looks_issued("token", "harken_token_" + "ü" * 43)
    assert issue("token").get_secret_value() != shown
    assert digest(shown) != digest(issue("token").get_secret_value())
