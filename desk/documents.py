"""Documents: rules, macros, calendars and the like as they are edited at the desk, kept version by version.

A kind of which nothing was saved is what the configuration (or a file that it names) says. The newest version is in
force; putting an old one back makes a new version. Nothing is saved that `harken check` would refuse. Saved texts take
nothing from the environment: `${NAME}` in them is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from desk.audit import Event, Fact, append
from desk.places import Finding, findings
from desk.refusals import Conflict, Refusal, Unfit
from pipeline.errors import ConfigError
from pipeline.ports import Clock
from pipeline.store.columns import NOTE_CHARS
from pipeline.store.database import Database, Transaction
from pipeline.store.document_tables import documents
from pipeline.store.part import Part

KINDS = ("rules", "rule_tests", "macros", "calendars", "service_levels", "brands", "playbooks", "retention", "models")
"""Everything that can be edited at the desk."""

MOST_CHARS = 500_000
"""Of one document."""

SAVING = 0x6861726E
"""Advisory lock: one saves at a time, so that versions have no gap and nobody's text is lost. Taken before CHAIN."""

CONFIGURED = "the configuration"
"""What version 0 is called."""


@dataclass(frozen=True)
class Kind:
    """One kind: the text that stands for it while nothing is saved, and what raises ConfigError with every problem of a
    text (and of what would come of it together with everything else that is in force)."""

    given: Callable[[], str]
    check: Callable[[str], None]


@dataclass(frozen=True)
class Version:
    """One version. `body` is None where from then on the configuration was in force again."""

    kind: str
    version: int
    at: datetime
    actor: str
    why: str
    made_from: str
    body: str | None


@dataclass(frozen=True)
class Current:
    """What is in force: `version` 0 is the configuration with nothing saved; `body` is always the text in force."""

    kind: str
    version: int
    body: str
    latest: Version | None


class Unsound(Refusal):
    """The text cannot be used; `findings` says why, place by place."""

    def __init__(self, kind: str, found: Sequence[Finding]) -> None:
        super().__init__(f"the {kind.replace('_', ' ')} cannot be used: " + "; ".join(map(str, found[:3])))
        self.findings = tuple(found)


class Documents(Part):
    """The table `documents`."""

    def __init__(self, database: Database, clock: Clock, kinds: Mapping[str, Kind]) -> None:
        super().__init__(database, clock)
        self.kinds = kinds

    def current(self, kind: str) -> Current:
        """What is in force of this kind."""
        given = self._kind(kind)
        with self._db.read() as transaction:
            latest = _latest(transaction, kind)
        body = latest.body if latest else None
        return Current(kind, latest.version if latest else 0, given.given() if body is None else body, latest)

    def version(self, kind: str, number: int) -> Version | None:
        """One version with its text."""
        self._kind(kind)
        with self._db.read() as transaction:
            row = transaction.run(select(documents).where(documents.c.id == f"{kind}:{number}")).first()
        return _version(row) if row else None

    def versions(self, kind: str, limit: int = 50, before: int | None = None) -> list[Version]:
        """The newest first; `before` is the number of the last one of the page before."""
        self._kind(kind)
        query = select(documents).where(documents.c.kind == kind)
        if before is not None:
            query = query.where(documents.c.version < before)
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(documents.c.version.desc()).limit(limit)).all()
        return [_version(row) for row in rows]

    def check(self, kind: str, body: str) -> list[Finding]:
        """Everything that is wrong with this text, by line; nothing where it could be saved."""
        given = self._kind(kind)
        if len(body) > MOST_CHARS:
            return [
                Finding(None, kind, f"has more than {MOST_CHARS:,} characters", "take out what is no longer needed")
            ]
        try:
            given.check(body)
        except ConfigError as error:
            return findings(body, error)
        return []

    def save(self, kind: str, body: str, actor: str, why: str, expected_version: int, made_from: str = "") -> Version:
        """Put this text in force, and note who did it and why. Raises Unsound where it is wrong, Conflict where
        somebody saved another since `expected_version` was read."""
        body = body.replace("\r\n", "\n")  # as a browser sends lines (HTML, 4.10.22.4)
        if "\0" in body:
            raise Unfit("body", "has a character that no text has")
        if found := self.check(kind, body):
            raise Unsound(kind, found)
        return self._save(kind, body, actor, why, expected_version, made_from or _called(expected_version))

    def roll_back(self, kind: str, version: int, actor: str, why: str, expected_version: int) -> Version:
        """Put the text of an old version in force again, as a new version; 0 is what the configuration says now. It is
        checked as any other: what it goes with may have changed since."""
        body = None
        if version:
            old = self.version(kind, version)
            if old is None:
                raise Unfit("version", f"there is no version {version}")
            body = old.body
        given = self._kind(kind)
        if found := self.check(kind, given.given() if body is None else body):
            raise Unsound(kind, found)
        return self._save(kind, body, actor, why, expected_version, f"{_called(version)}, put back")

    def numbers(self) -> dict[str, int]:
        """The version in force of every kind of which something was saved: cheap, to be asked again and again."""
        query = select(documents.c.kind, func.max(documents.c.version).label("version")).group_by(documents.c.kind)
        with self._db.read() as transaction:
            return {row.kind: row.version for row in transaction.run(query)}

    def in_force(self) -> list[Version]:
        """The newest version of every kind of which something was saved."""
        ids = [f"{kind}:{version}" for kind, version in self.numbers().items()]
        with self._db.read() as transaction:
            rows = transaction.run(select(documents).where(documents.c.id.in_(ids))).all()
        return [_version(row) for row in rows]

    def _kind(self, kind: str) -> Kind:
        if kind not in self.kinds:
            raise Unfit("kind", f"there is no document {kind[:40]!r}; there are {', '.join(self.kinds)}")
        return self.kinds[kind]

    def _save(self, kind: str, body: str | None, actor: str, why: str, expected: int, made_from: str) -> Version:
        why = why.strip()
        if not why:
            raise Unfit("why", "say why in a few words: others will want to know")
        if len(why) > NOTE_CHARS:
            raise Unfit("why", f"is longer than {NOTE_CHARS} characters")
        with self._db.write() as transaction:
            transaction.lock(SAVING)
            latest = _latest(transaction, kind)
            number = latest.version if latest else 0
            if number != expected:
                raise Conflict(
                    f"somebody saved version {number} since you opened {_called(expected)}: "
                    "look at what they changed, and put your change on top of it",
                    holder=latest.actor if latest else None,
                )
            made = Version(kind, number + 1, self._clock.now(), actor, why, made_from, body)
            row = {name: getattr(made, name) for name in ("kind", "version", "at", "actor", "why", "made_from", "body")}
            transaction.run(documents.insert().values(id=f"{kind}:{number + 1}", **row))
            facts: dict[str, Fact] = {"version": number + 1, "made_from": made_from, "why": why}
            append(transaction, made.at, [Event(actor, "document.saved", f"document:{kind}", facts)])
        return made


def _latest(transaction: Transaction, kind: str) -> Version | None:
    query = select(documents).where(documents.c.kind == kind).order_by(documents.c.version.desc()).limit(1)
    row = transaction.run(query).first()
    return _version(row) if row else None


def _version(row: Row[Any]) -> Version:
    return Version(row.kind, row.version, row.at, row.actor, row.why, row.made_from, row.body)


def _called(version: int) -> str:
    return f"version {version}" if version else CONFIGURED
