"""People to test with; their passwords are hashed cheaply."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from desk.accounts import Accounts
from desk.passwords import Passwords
from desk.users import User
from pipeline.clock import ManualClock
from pipeline.store import Store

ADMIN = "system:test"
PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist


def accounts_of(store: Store, clock: ManualClock) -> Accounts:
    return Accounts(store._db, clock, Passwords(PasswordHasher.from_parameters(CHEAPEST)))


def person(accounts: Accounts, name: str = "ana", *roles: str) -> User:
    _, invitation = accounts.add_user(name, roles or ("agent",), ADMIN)
    return accounts.accept(invitation.get_secret_value(), PASSWORD)


def signed_in(accounts: Accounts, name: str = "ana") -> str:
    return accounts.sign_in(name, PASSWORD).secret.get_secret_value()
