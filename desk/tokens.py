"""API tokens: for programs, with a scope and an end.

A token may do what its scopes name as long as its owner's roles allow it: it never outgrows its owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import Row, func, or_, select, update

from desk.audit import Event, append
from desk.roles import Action, parse_scopes
from desk.secret import digest, issue, looks_issued
from desk.users import AccountError, User, user_of
from pipeline.store.account_tables import api_tokens, users
from pipeline.store.part import Part

KIND = "token"
"""The kind of its secret: a token is `harken_token_…`."""

LONGEST = timedelta(days=366)
"""No token is good for longer."""

MOST = 50
"""Tokens in force that one person may have."""

USED = timedelta(minutes=1)
"""`last_used_at` is as exact as this, so that not every request writes."""


@dataclass(frozen=True)
class ApiToken:
    """What is known of a token; its secret is not."""

    id: str
    user_id: str
    label: str
    scopes: tuple[Action, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def live(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True)
class TokenCaller:
    """Who calls by a token, and what that call may do."""

    user: User
    token: ApiToken

    @property
    def may(self) -> frozenset[Action]:
        """What its scopes name and its owner's roles allow."""
        return self.user.may.intersection(self.token.scopes)


class Tokens(Part):
    """The table `api_tokens`."""

    def issue_token(
        self, user_id: str, scopes: Iterable[str], lasting: timedelta, by: str, label: str = ""
    ) -> tuple[ApiToken, SecretStr]:
        """Make a token; its secret is returned this once. Raises AccountError."""
        try:
            named = parse_scopes(scopes)
        except ValueError as error:
            raise AccountError(str(error)) from None
        if not timedelta(0) < lasting <= LONGEST:
            raise AccountError(f"a token lasts at most {LONGEST.days} days")
        now = self._clock.now()
        secret = issue(KIND)
        token = ApiToken(secrets.token_hex(8), user_id, label, named, now, now + lasting, None, None)
        with self._db.write() as transaction:
            owner = select(users).where(users.c.id == user_id, users.c.disabled_at.is_(None)).with_for_update()
            row = transaction.run(owner).first()
            if row is None:
                raise AccountError("there is no such user, or they are disabled")
            if beyond := sorted(set(named) - user_of(row).may):
                raise AccountError(f"the roles of {row.name} do not allow {', '.join(beyond)}")
            in_force = (
                api_tokens.c.user_id == user_id,
                api_tokens.c.revoked_at.is_(None),
                api_tokens.c.expires_at > now,
            )
            if transaction.run(select(func.count()).where(*in_force)).scalar_one() >= MOST:
                raise AccountError(f"{row.name} has {MOST} tokens in force: revoke one first")
            stored = {
                "id": token.id,
                "digest": digest(secret.get_secret_value()),
                "user_id": user_id,
                "label": label,
                "scopes": " ".join(named),
                "created_at": now,
                "expires_at": token.expires_at,
            }
            transaction.insert(api_tokens, [stored], "id")
            facts = {"owner": f"user:{user_id}", "scopes": " ".join(named), "until": token.expires_at.isoformat()}
            append(transaction, now, [Event(by, "token.issued", f"token:{token.id}", facts)])
        return token, secret

    def tokens(self, user_id: str | None = None, limit: int = 100, after: ApiToken | None = None) -> list[ApiToken]:
        """Oldest first, of one person or all; `after` is the last one of the page before."""
        query = select(api_tokens)
        if user_id is not None:
            query = query.where(api_tokens.c.user_id == user_id)
        if after is not None:
            later = (api_tokens.c.created_at == after.created_at) & (api_tokens.c.id > after.id)
            query = query.where(or_(api_tokens.c.created_at > after.created_at, later))
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(api_tokens.c.created_at, api_tokens.c.id).limit(limit)).all()
        return [_token(row) for row in rows]

    def token(self, id: str) -> ApiToken | None:
        """By id."""
        with self._db.read() as transaction:
            row = transaction.run(select(api_tokens).where(api_tokens.c.id == id)).first()
        return _token(row) if row else None

    def revoke(self, id: str, by: str) -> bool:
        """End a token at once; False where there is none, or it was revoked already."""
        now = self._clock.now()
        with self._db.write() as transaction:
            live = (api_tokens.c.id == id, api_tokens.c.revoked_at.is_(None))
            revoked = transaction.run(update(api_tokens).where(*live).values(revoked_at=now)).rowcount == 1
            if revoked:
                append(transaction, now, [Event(by, "token.revoked", f"token:{id}")])
        return revoked

    def by_token(self, secret: str) -> TokenCaller | None:
        """Who this token speaks for; None where it is none, has expired, was revoked, or its owner is disabled."""
        if not looks_issued(KIND, secret):
            return None
        now = self._clock.now()
        with self._db.read() as transaction:
            found = transaction.run(select(api_tokens).where(api_tokens.c.digest == digest(secret))).first()
            owner = transaction.run(select(users).where(users.c.id == found.user_id)).first() if found else None
        if found is None or owner is None or owner.disabled_at:
            return None
        token = _token(found)
        if not token.live(now):
            return None
        if token.last_used_at is None or now - token.last_used_at >= USED:
            with self._db.write() as transaction:
                transaction.run(update(api_tokens).where(api_tokens.c.id == token.id).values(last_used_at=now))
        return TokenCaller(user_of(owner), token)


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        user_id=row.user_id,
        label=row.label,
        scopes=cast(tuple[Action, ...], tuple(row.scopes.split())),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
