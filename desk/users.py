"""People with an account: who they are, what they may do, and how they get their first password.

Nobody has a password until they set one: an account is made with an invitation, a secret that works once.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Row, delete, select, update

from desk.audit import Event, append
from desk.passwords import Passwords, check
from desk.roles import Action, Role, allowed, parse_roles
from desk.secret import digest, issue, looks_issued
from pipeline.errors import HarkenError
from pipeline.ports import Clock
from pipeline.store.account_tables import api_tokens, invitations, sessions, users
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part

INVITATION = timedelta(days=3)
"""How long an invitation is good."""

NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
"""What one signs in with: no two names that look alike, nothing to escape anywhere."""

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")

INVITED = "invite"
"""The kind of an invitation's secret."""

LINK = timedelta(minutes=15)
"""How long a link is good."""

LINKED = "link"
"""The kind of the secret of a link that signs in once, without a password."""


class AccountError(HarkenError):
    """An account cannot be made, found or changed so; the text says why."""


@dataclass(frozen=True)
class User:
    """A person with an account."""

    id: str
    name: str
    email: str | None
    roles: tuple[Role, ...]
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None

    @property
    def actor(self) -> str:
        """As events and the audit log name them."""
        return f"user:{self.id}"

    @property
    def may(self) -> frozenset[Action]:
        """Everything their roles allow."""
        return allowed(self.roles)


def fold(name: str) -> str:
    """The name as it is compared: without blanks around it, in lower case."""
    return name.strip().casefold()


class Users(Part):
    """The tables `users` and `invitations`."""

    def __init__(self, database: Database, clock: Clock, passwords: Passwords | None = None) -> None:
        super().__init__(database, clock)
        self._passwords = passwords or Passwords()

    def add_user(self, name: str, roles: Iterable[str], by: str, email: str | None = None) -> tuple[User, SecretStr]:
        """Make an account without a password, and its invitation; `by` is the actor. Raises AccountError."""
        name = fold(name)
        if not NAME.fullmatch(name):
            raise AccountError("a name has 2 to 64 characters: letters a to z, digits, and . _ @ + - after the first")
        if email is not None and not EMAIL.fullmatch(email):
            raise AccountError("the address is not an e-mail address")
        row: dict[str, Any] = {
            "id": secrets.token_hex(8),
            "name": name,
            "email": email,
            "roles": _roles(roles),
            "created_at": self._clock.now(),
        }
        with self._db.write() as transaction:
            transaction.insert(users, [row], "name")
            user = _required(transaction, users.c.name == name)
            if user.id != row["id"]:
                raise AccountError(f"there is a user {name} already")
            invitation = self._invite(transaction, user)
            event = Event(by, "user.added", user.actor, {"name": name, "roles": row["roles"]})
            append(transaction, row["created_at"], [event])
        return user, invitation

    def invite(self, id: str, by: str) -> SecretStr:
        """A new invitation, for somebody who lost the first or forgot the password; the one before ends."""
        with self._db.write() as transaction:
            user = _required(transaction, users.c.id == id)
            if user.disabled_at:
                raise AccountError(f"{user.name} is disabled")
            invitation = self._invite(transaction, user)
            append(transaction, self._clock.now(), [Event(by, "user.invited", user.actor)])
        return invitation

    def link(self, id: str, by: str) -> SecretStr:
        """The secret of a link by which they come in once, within LINK; an invitation or a link before it ends."""
        with self._db.write() as transaction:
            user = _required(transaction, users.c.id == id)
            if user.disabled_at:
                raise AccountError(f"{user.name} is disabled")
            secret = self._invite(transaction, user, LINKED, LINK)
            append(transaction, self._clock.now(), [Event(by, "user.link_made", user.actor)])
        return secret

    def accept(self, invitation: str, password: str) -> User:
        """Set the password by an invitation, which is then used up. Raises AccountError where it is not (any more)
        good, WeakPassword (and the invitation stays good) where the password is refused."""
        found = digest(invitation) if looks_issued(INVITED, invitation) else ""
        valid = (invitations.c.digest == found, invitations.c.expires_at > self._clock.now())
        with self._db.read() as transaction:
            id = transaction.run(select(invitations.c.user_id).where(*valid)).scalar()
            user = _found(transaction, users.c.id == id) if id else None
        if user is None:
            raise AccountError("the invitation is not known, was used, or has expired: ask for a new one")
        check(password, user.name, user.email)
        hashed = self._passwords.hash(password)
        with self._db.write() as transaction:
            # Two may accept it at once: one of them deletes it.
            if transaction.run(delete(invitations).where(*valid, invitations.c.user_id == id)).rowcount != 1:
                raise AccountError("the invitation was used meanwhile")
            return self._store(transaction, user.id, hashed, user.actor)

    def set_password(self, id: str, password: str, by: str) -> User:
        """Set the password, end every session and the invitation. API tokens stay. Raises WeakPassword."""
        user = self.user(id)
        if user is None:
            raise AccountError("there is no such user")
        check(password, user.name, user.email)
        hashed = self._passwords.hash(password)
        with self._db.write() as transaction:
            return self._store(transaction, id, hashed, by)

    def user(self, id: str) -> User | None:
        """By id."""
        with self._db.read() as transaction:
            return _found(transaction, users.c.id == id)

    def user_named(self, name: str) -> User | None:
        """By what they sign in with."""
        with self._db.read() as transaction:
            return _found(transaction, users.c.name == fold(name))

    def users(self, limit: int = 100, after: str = "") -> list[User]:
        """By name; `after` is the name of the last one of the page before."""
        query = select(users).where(users.c.name > after).order_by(users.c.name).limit(limit)
        with self._db.read() as transaction:
            return [user_of(row) for row in transaction.run(query).all()]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """What these sign in with, by id; who is not known is left out."""
        with self._db.read() as transaction:
            query = select(users.c.id, users.c.name).where(transaction.among(users.c.id, list(ids)))
            return {row.id: row.name for row in transaction.run(query)}

    def set_roles(self, id: str, roles: Iterable[str], by: str) -> User:
        """Give these roles instead; sessions and tokens may do from now on what these allow."""
        given = _roles(roles)
        with self._db.write() as transaction:
            transaction.run(update(users).where(users.c.id == id).values(roles=given))
            user = _required(transaction, users.c.id == id)
            append(transaction, self._clock.now(), [Event(by, "user.roles_set", user.actor, {"roles": given})])
        return user

    def disable(self, id: str, by: str) -> User:
        """End the account, and with it every session, token and invitation, at once. What they did stays."""
        now = self._clock.now()
        with self._db.write() as transaction:
            transaction.run(
                update(users).where(users.c.id == id, users.c.disabled_at.is_(None)).values(disabled_at=now)
            )
            user = _required(transaction, users.c.id == id)
            ended = transaction.run(delete(sessions).where(sessions.c.user_id == id)).rowcount
            live = (api_tokens.c.user_id == id, api_tokens.c.revoked_at.is_(None))
            revoked = transaction.run(update(api_tokens).where(*live).values(revoked_at=now)).rowcount
            transaction.run(delete(invitations).where(invitations.c.user_id == id))
            facts = {"sessions": ended, "tokens": revoked}
            append(transaction, now, [Event(by, "user.disabled", user.actor, facts)])
        return user

    def enable(self, id: str, by: str) -> User:
        """Let somebody in again, with the password they had; tokens have to be made anew."""
        with self._db.write() as transaction:
            transaction.run(update(users).where(users.c.id == id).values(disabled_at=None))
            user = _required(transaction, users.c.id == id)
            append(transaction, self._clock.now(), [Event(by, "user.enabled", user.actor)])
        return user

    def _invite(
        self, transaction: Transaction, user: User, kind: str = INVITED, good: timedelta = INVITATION
    ) -> SecretStr:
        now = self._clock.now()
        secret = issue(kind)
        transaction.run(delete(invitations).where(invitations.c.user_id == user.id))
        row = {"digest": digest(secret.get_secret_value()), "user_id": user.id, "expires_at": now + good}
        transaction.insert(invitations, [row], "digest")
        return secret

    def _store(self, transaction: Transaction, id: str, hashed: str, by: str) -> User:
        now = self._clock.now()
        live = (users.c.id == id, users.c.disabled_at.is_(None))
        if not transaction.run(update(users).where(*live).values(password=hashed, password_set_at=now)).rowcount:
            raise AccountError("there is no such user, or they are disabled")
        transaction.run(delete(sessions).where(sessions.c.user_id == id))
        transaction.run(delete(invitations).where(invitations.c.user_id == id))
        user = _required(transaction, users.c.id == id)
        append(transaction, now, [Event(by, "user.password_set", user.actor)])
        return user


def user_of(row: Row[Any]) -> User:
    """From a row with the columns of `users`."""
    return User(
        id=row.id,
        name=row.name,
        email=row.email,
        roles=cast(tuple[Role, ...], tuple(row.roles.split())),
        has_password=row.password is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _found(transaction: Transaction, where: ColumnElement[bool]) -> User | None:
    row = transaction.run(select(users).where(where)).first()
    return user_of(row) if row else None


def _required(transaction: Transaction, where: ColumnElement[bool]) -> User:
    user = _found(transaction, where)
    if user is None:
        raise AccountError("there is no such user")
    return user


def _roles(roles: Iterable[str]) -> str:
    try:
        return " ".join(parse_roles(roles))
    except ValueError as error:
        raise AccountError(str(error)) from None
