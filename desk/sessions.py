"""Sessions: a person signed in with a browser.

The id is a random secret made at sign-in and never before, so that nobody can plant one. It ends when idle for too
long, at the latest after a working day, when signed out, when the password changes and when the account is disabled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from hmac import new as hmac

from pydantic import SecretStr
from sqlalchemy import delete, or_, select, update

from desk.audit import Event, append
from desk.roles import Action
from desk.secret import digest, issue, looks_issued
from desk.users import User, user_of
from pipeline.store.account_tables import sessions, users
from pipeline.store.database import Transaction
from pipeline.store.part import Part

KIND = "session"
"""The kind of its secret."""

IDLE = timedelta(hours=1)
"""Unused for so long, a session ends."""

ABSOLUTE = timedelta(hours=12)
"""However busy, a session ends then: a long shift."""

SEEN = timedelta(minutes=1)
"""`seen_at` is as exact as this, so that not every request writes."""

MOST = 10
"""Sessions one person may have; a further sign-in ends the one that was idle longest."""


@dataclass(frozen=True)
class SessionCaller:
    """Who calls in a session, and until when it lasts if nothing more comes."""

    user: User
    started_at: datetime
    ends_at: datetime

    @property
    def may(self) -> frozenset[Action]:
        """What the person's roles allow."""
        return self.user.may


def csrf(secret: str) -> SecretStr:
    """The token that a form or a script of our own page sends along with the cookie of this session.

    A keyed hash under the session's secret: it cannot be guessed, belongs to this session alone, changes with it,
    needs no storing, and does not give the secret away (OWASP, Cross-Site Request Forgery Prevention Cheat Sheet).
    """
    return SecretStr(hmac(secret.encode("utf-8", "surrogatepass"), b"harken csrf 1", sha256).hexdigest())


def csrf_matches(secret: str, given: str) -> bool:
    """Whether what was sent along is this session's token; in constant time."""
    return compare_digest(csrf(secret).get_secret_value().encode(), given.encode("utf-8", "surrogatepass"))


class Sessions(Part):
    """The table `sessions`."""

    def by_session(self, secret: str, *, touch: bool = True) -> SessionCaller | None:
        """Whose session this is; None where it is none, has ended, or the account is disabled. Without `touch` asking
        is no use of it, and keeps it from ending no longer."""
        if not looks_issued(KIND, secret):
            return None
        now = self._clock.now()
        key = digest(secret)
        query = select(sessions.c.started_at, sessions.c.seen_at, users).join(users, users.c.id == sessions.c.user_id)
        with self._db.read() as transaction:
            row = transaction.run(query.where(sessions.c.digest == key)).first()
        if row is None or row.disabled_at or now >= _end(row.started_at, row.seen_at):
            return None
        seen = row.seen_at
        if touch and now - seen >= SEEN:
            with self._db.write() as transaction:
                transaction.run(update(sessions).where(sessions.c.digest == key).values(seen_at=now))
            seen = now
        return SessionCaller(user_of(row), row.started_at, _end(row.started_at, seen))

    def sign_out(self, secret: str) -> bool:
        """End this session; False where there is none."""
        key = digest(secret)
        with self._db.write() as transaction:
            id = transaction.run(select(sessions.c.user_id).where(sessions.c.digest == key)).scalar()
            ended = transaction.run(delete(sessions).where(sessions.c.digest == key)).rowcount == 1
            if ended:
                append(transaction, self._clock.now(), [Event(f"user:{id}", "user.signed_out", f"user:{id}")])
        return ended

    def sign_out_everywhere(self, user_id: str, by: str, but: str | None = None) -> int:
        """End every session of a person, `but` the one with this secret; returns how many."""
        with self._db.write() as transaction:
            where = [sessions.c.user_id == user_id]
            if but is not None:
                where.append(sessions.c.digest != digest(but))
            ended = transaction.run(delete(sessions).where(*where)).rowcount
            event = Event(by, "user.signed_out_everywhere", f"user:{user_id}", {"sessions": ended})
            append(transaction, self._clock.now(), [event])
        return ended


def start(transaction: Transaction, user_id: str, now: datetime, previous: str | None = None) -> SecretStr:
    """A new session for someone who has just shown who they are; `previous`, if any, ends, whoever's it was. Takes
    away what has ended besides, so that the table stays as small as the staff."""
    over = [sessions.c.seen_at <= now - IDLE, sessions.c.started_at <= now - ABSOLUTE]
    if previous is not None:
        over.append(sessions.c.digest == digest(previous))
    transaction.run(delete(sessions).where(or_(*over)))
    mine = select(sessions.c.digest).where(sessions.c.user_id == user_id)
    newest = mine.order_by(sessions.c.seen_at.desc(), sessions.c.started_at.desc(), sessions.c.digest)
    surplus = transaction.run(newest.offset(MOST - 1)).scalars().all()
    if surplus:
        transaction.run(delete(sessions).where(transaction.among(sessions.c.digest, surplus)))
    secret = issue(KIND)
    row = {"digest": digest(secret.get_secret_value()), "user_id": user_id, "started_at": now, "seen_at": now}
    transaction.insert(sessions, [row], "digest")
    return secret


def _end(started: datetime, seen: datetime) -> datetime:
    return min(seen + IDLE, started + ABSOLUTE)
