"""Who is there, and what they can do: what decides to whom work is given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Row, or_, select, update

from desk.audit import Event, append
from desk.desk import Desk
from desk.refusals import Unfit
from pipeline.mention import Moment
from pipeline.ports import Clock
from pipeline.store.account_tables import users
from pipeline.store.columns import NOTE_CHARS
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from pipeline.store.work_tables import agents

Presence = Literal["available", "away"]
"""Available: may be given work. Away: keeps what they have, and is given nothing."""

MOST_CAPACITY = 1000
NAMES = 100
"""The most customers somebody has at a time, and the most queues, languages or topics of one person."""

NAME_CHARS = 60

SEEN_SECS = 10
"""`seen` writes no more often than this, however often it is called."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """A person set up for work. Empty `queues`, `languages` (ISO 639-1) or `topics` mean all of them; `capacity` is how
    many customers they have at a time when they are given work. `seen_at` is their last sign of life."""

    user: str
    team: str = ""
    queues: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    capacity: int = 3
    presence: Presence = "away"
    seen_at: Moment | None = None


class Agents(Part):
    """The table `agents`. Users are actors: `user:ID`. Somebody who is not set up may take cases from every queue, and
    is never given one. Raises Unfit for a value that cannot be used; StoreUnavailable as the store does."""

    def __init__(self, database: Database, clock: Clock, desk: Desk) -> None:
        super().__init__(database, clock)
        self._desk = desk

    def get(self, user: str) -> Agent | None:
        """How this user is set up; None where they are not."""
        with self._db.read() as transaction:
            return _found(transaction, user)

    def all(self) -> list[Agent]:
        """Everybody who is set up, by user."""
        with self._db.read() as transaction:
            return [agent_of(row) for row in transaction.run(select(agents).order_by(agents.c.user))]

    def there(self, agent: Agent) -> bool:
        """Whether they say that they are available and were seen lately."""
        return agent.presence == "available" and bool(
            agent.seen_at and self._clock.now() - agent.seen_at <= self._desk.away
        )

    def set(
        self,
        user: str,
        by: str,
        *,
        team: str | None = None,
        queues: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
        topics: Sequence[str] | None = None,
        capacity: int | None = None,
    ) -> Agent:
        """Set up a user, or change how they are; what is None stays. `by` is the actor, for the audit log."""
        changes: dict[str, Any] = {
            name: value
            for name, value in {
                "team": team,
                "queues": _names("queues", queues),
                "languages": _names("languages", languages),
                "topics": _names("topics", topics),
                "capacity": capacity,
            }.items()
            if value is not None
        }
        self._check(changes)
        with self._db.write() as transaction:
            if transaction.run(select(users.c.id).where(users.c.id == user.removeprefix("user:"))).first() is None:
                raise Unfit("user", "there is no such user")
            agent = replace(_found(transaction, user) or Agent(user=user), **changes)
            row = _row(agent)
            transaction.insert(agents, [row], "user", update=[name for name in row if name in changes])
            facts = {name: value if isinstance(value, int) else _shown(value) for name, value in changes.items()}
            append(transaction, self._clock.now(), [Event(by, "agent.set", user, facts)])
        return agent

    def present(self, user: str, presence: Presence) -> Agent:
        """Say whether one may be given work. Counts as a sign of life."""
        if presence not in get_args(Presence):
            raise Unfit("presence", f"is one of {', '.join(get_args(Presence))}")
        with self._db.write() as transaction:
            transaction.run(
                update(agents).where(agents.c.user == user).values(presence=presence, seen_at=self._clock.now())
            )
            agent = _found(transaction, user)
        if agent is None:
            raise Unfit("user", "is not set up to be given work")
        return agent

    def seen(self, user: str) -> None:
        """Note a sign of life. Cheap: for every request of somebody who works."""
        now = self._clock.now()
        stale = or_(agents.c.seen_at.is_(None), agents.c.seen_at < now - timedelta(seconds=SEEN_SECS))
        due: tuple[ColumnElement[bool], ...] = (agents.c.user == user, stale)
        with self._db.read() as transaction:
            if transaction.run(select(agents.c.user).where(*due)).first() is None:
                return
        with self._db.write() as transaction:
            transaction.run(update(agents).where(*due).values(seen_at=now))

    def _check(self, changes: dict[str, Any]) -> None:
        if unknown := [name for name in changes.get("queues", ()) if name not in self._desk.queues]:
            raise Unfit("queues", f"there is no queue {unknown[0]!r}; there are {', '.join(self._desk.queues)}")
        if odd := [name for name in changes.get("languages", ()) if not _LANGUAGE.fullmatch(name)]:
            raise Unfit("languages", f"{odd[0]!r} is not a language; write two small letters, such as en")
        if not 0 <= changes.get("capacity", 1) <= MOST_CAPACITY:
            raise Unfit("capacity", f"is 0 to {MOST_CAPACITY}")
        team = changes.get("team", "")
        if len(team) > NAME_CHARS or not team.isprintable():
            raise Unfit("team", f"has at most {NAME_CHARS} characters, on one line")


def agent_of(row: Row[Any]) -> Agent:
    """From a row with the columns of `agents`."""
    return Agent(
        user=row.user,
        team=row.team,
        queues=_read(row.queues),
        languages=_read(row.languages),
        topics=_read(row.topics),
        capacity=row.capacity,
        presence=cast(Presence, row.presence),
        seen_at=row.seen_at,
    )


def _found(transaction: Transaction, user: str) -> Agent | None:
    row = transaction.run(select(agents).where(agents.c.user == user)).first()
    return agent_of(row) if row else None


def _row(agent: Agent) -> dict[str, Any]:
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, tuple) else value
        for name, value in msgspec.structs.asdict(agent).items()
    }


def _read(written: str) -> tuple[str, ...]:
    return msgspec.json.decode(written, type=tuple[str, ...])


def _names(field: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    cleaned = tuple(dict.fromkeys(name.strip() for name in names))
    if len(cleaned) > NAMES or not all(0 < len(name) <= NAME_CHARS and name.isprintable() for name in cleaned):
        raise Unfit(field, f"at most {NAMES} names of 1 to {NAME_CHARS} characters")
    if len(msgspec.json.encode(cleaned)) > NOTE_CHARS:
        raise Unfit(field, "these are too many names")
    return cleaned


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
