"""Accounts, whole: people, their passwords, sessions and API tokens, and the audit log of it all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

import structlog
from pydantic import SecretStr
from sqlalchemy import delete, func, select, update

from desk.audit import Audit, Event, append
from desk.secret import digest, looks_issued
from desk.sessions import Sessions, csrf, start
from desk.throttle import Charge, charge, take_back
from desk.tokens import Tokens
from desk.users import LINKED, AccountError, User, Users, fold, user_of
from pipeline.errors import HarkenError
from pipeline.store.account_tables import invitations, users

log = structlog.get_logger(__name__)


class WrongCredentials(HarkenError):
    """The name or the password is wrong, or the account is disabled; which one is nobody's business."""

    def __init__(self) -> None:
        super().__init__("the name or the password is wrong")


class TooManyAttempts(HarkenError):
    """Too many wrong passwords of late, for this account or from this address; `retry_after` is in whole seconds."""

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        super().__init__(f"too many attempts: try again in {self.retry_after} s")


@dataclass(frozen=True)
class SignedIn:
    """A new session: its secret is for the cookie, `csrf` for the page."""

    user: User
    secret: SecretStr
    csrf: SecretStr


class Accounts(Users, Tokens, Sessions, Audit):
    """Everything about who somebody is and what they may do, on SQLite or PostgreSQL.

    Every method is one transaction, but those that hash a password, which do so between two. What changes an account
    is in the audit log, in the transaction that changed it. Safe to share among threads. Times are the clock's.
    """

    def sign_in(self, name: str, password: str, address: str | None = None, previous: str | None = None) -> SignedIn:
        """A new session for whoever knows the password; `previous`, the session of the cookie that came, ends.

        Raises WrongCredentials, in the same time whether or not there is such an account, or TooManyAttempts without
        looking at the password. A hash made with older parameters is made anew.
        """
        name = fold(name)
        charged, id, stored = self._attempt(name, address)
        if isinstance(charged, timedelta):
            log.info("sign-in refused: too many attempts", user=id)
            raise TooManyAttempts(charged)
        self._passwords.warm()
        right = self._passwords.verify(stored, password)
        renewed = self._passwords.hash(password) if right and stored and self._passwords.outdated(stored) else stored
        signed_in = self._admit(charged, id, stored, renewed, previous) if right and id else None
        if signed_in is None:
            log.info("sign-in refused", user=id)
            raise WrongCredentials
        return signed_in

    def sign_in_vouched(self, email: str, via: str, previous: str | None = None) -> SignedIn | None:
        """A new session for the one account with this e-mail address, for which somebody else vouched just now (`via`
        names them in the audit log); None where no account has it, several do, or theirs is disabled. Upper and lower
        case are the same."""
        now = self._clock.now()
        theirs = select(users).where(func.lower(users.c.email) == func.lower(email)).limit(2)
        with self._db.write() as transaction:
            rows = transaction.run(theirs).all()
            if len(rows) != 1 or rows[0].disabled_at is not None:
                return None
            user = user_of(rows[0])
            secret = start(transaction, user.id, now, previous)
            append(transaction, now, [Event(user.actor, "user.signed_in", user.actor, {"via": via})])
        return SignedIn(user, secret, csrf(secret.get_secret_value()))

    def sign_in_by_link(self, secret: str, previous: str | None = None) -> SignedIn:
        """A new session for whoever has a link that `link` made, which is used up then. Raises AccountError where it
        is not (any more) good."""
        now = self._clock.now()
        found = digest(secret) if looks_issued(LINKED, secret) else ""
        good = (invitations.c.digest == found, invitations.c.expires_at > now)
        with self._db.write() as transaction:
            id = transaction.run(select(invitations.c.user_id).where(*good)).scalar()
            # Two may open it at once: one of them deletes it.
            if id is None or transaction.run(delete(invitations).where(*good)).rowcount != 1:
                raise AccountError("the link is not known, was used, or has expired: ask for a new one")
            user = user_of(transaction.run(select(users).where(users.c.id == id)).one())
            session = start(transaction, user.id, now, previous)
            append(transaction, now, [Event(user.actor, "user.signed_in", user.actor, {"via": "link"})])
        return SignedIn(user, session, csrf(session.get_secret_value()))

    def _attempt(self, name: str, address: str | None) -> tuple[Charge | timedelta, str | None, str | None]:
        with self._db.write() as transaction:
            charged = charge(transaction, self._clock.now(), name, address)
            row = transaction.run(select(users.c.id, users.c.password).where(users.c.name == name)).first()
        return charged, row and row.id, row and row.password

    def _admit(
        self, charged: Charge, id: str, stored: str | None, renewed: str | None, previous: str | None
    ) -> SignedIn | None:
        now: datetime = self._clock.now()
        with self._db.write() as transaction:
            # The account may have been disabled, or its password changed, while we were hashing.
            live = (users.c.id == id, users.c.password == stored, users.c.disabled_at.is_(None))
            if transaction.run(update(users).where(*live).values(password=renewed)).rowcount != 1:
                return None
            user = user_of(transaction.run(select(users).where(users.c.id == id)).one())
            take_back(transaction, now, charged)
            secret = start(transaction, id, now, previous)
            append(transaction, now, [Event(user.actor, "user.signed_in", user.actor)])
        return SignedIn(user, secret, csrf(secret.get_secret_value()))
