"""The audit log: who saw and did what, in a chain of hashes, so that it cannot be altered quietly.

Each row's digest covers the row and the digest before it. A changed, inserted or missing row breaks the chain from
there on. Whoever can write to the database could still compute the whole chain anew, or cut off its end: against
that, note the head that `verify` returns somewhere else and hand it in the next time.

What a row is about, and its facts, enter the digest through a seal, SHA-256 of a random salt and them. So they can be
taken out when a customer is erased, and the chain still holds; with the salt gone, nobody can guess them from the seal.
Taking them out is itself a row that says of how many: where more are gone than such rows say, that is found.

Rows past their period go from the start of the log, and a row at its end says up to which one, with that one's digest:
the chain goes on from there. What was cut off without such a row is found missing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import takewhile
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, select, update

from pipeline.store.account_tables import audit
from pipeline.store.columns import fit, utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part

CHAIN = 0x6861726D
"""Advisory lock: one appends at a time. Take no other lock after it: append last in a transaction."""

START = sha256(b"harken audit 1").hexdigest()
"""What the first row takes for the digest before it."""

REDACTED = "audit.redacted"
"""The action of the row that says how many rows were redacted."""

PRUNED = "audit.pruned"
"""The action of the row that says up to which row the log was taken away: `through`, its `digest`, and how many rows
`redacted` until there and how many such rows `said` so."""

FACT_CHARS = 200
"""A fact longer than this is cut: it is a name, a number or a reason, never the text of a message."""

PAGE = 1000
"""Rows read at a time."""

Fact = str | int | bool | None


@dataclass(frozen=True)
class Entry:
    """One row. `about` and `facts` are None once redacted."""

    seq: int
    at: datetime
    actor: str
    action: str
    about: str | None
    facts: Mapping[str, Fact] | None


@dataclass(frozen=True)
class Head:
    """A row and its digest: whatever stands at and before it cannot change without this changing."""

    seq: int
    digest: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """From `SEQ:DIGEST`; raises ValueError for anything else."""
        seq, _, digest = text.partition(":")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 19 and len(digest) == 64):
            raise ValueError("a head looks like 12:" + "0" * 8 + "…, as `harken audit verify` prints it")
        return cls(int(seq), digest.lower())


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: `broken` is the first row that is wrong and `why`; both are empty when all is well.

    `head` is the last row that is right, the one to note; `rows` counts the right ones, `redacted` those among them.
    """

    head: Head
    rows: int
    redacted: int
    broken: int | None = None
    why: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None


@dataclass(frozen=True)
class Event:
    """Something to note: `actor` is `user:ID` or `system:WHAT`, `action` a dotted verb in the past (`case.claimed`)."""

    actor: str
    action: str
    about: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def append(transaction: Transaction, at: datetime, events: Sequence[Event]) -> None:
    """Note these as part of the transaction that did them; they stand, or vanish, together. Append last in it: until
    it ends nobody else can."""
    if not events:
        return
    transaction.lock(CHAIN)
    last = transaction.run(select(audit.c.seq, audit.c.digest).order_by(audit.c.seq.desc()).limit(1)).first()
    before, digest = (last.seq, last.digest) if last else (0, START)
    moment = utc(at).isoformat(timespec="microseconds")
    rows = []
    for seq, event in enumerate(events, before + 1):
        about, facts, salt = fit(event.about), _json(event.facts), secrets.token_hex(16)
        actor, action, seal = fit(event.actor), fit(event.action), _seal(salt, about, facts)
        digest = _digest(digest, seq, moment, actor, action, seal)
        rows.append(
            {
                "seq": seq,
                "at": moment,
                "actor": actor,
                "action": action,
                "about": about,
                "facts": facts,
                "salt": salt,
                "seal": seal,
                "digest": digest,
            }
        )
    transaction.run(audit.insert(), rows)


class Audit(Part):
    """The table `audit`. Rows are added and redacted, and go when they are old; none is changed."""

    def note(self, *events: Event) -> None:
        """Note what happened outside any other transaction: that somebody looked, for example."""
        with self._db.write() as transaction:
            append(transaction, self._clock.now(), events)

    def entries(
        self, limit: int = 100, before: int | None = None, actor: str | None = None, about: str | None = None
    ) -> list[Entry]:
        """The newest first; `before` is the `seq` of the last one of the page before."""
        query = select(audit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        if actor is not None:
            query = query.where(audit.c.actor == actor)
        if about is not None:
            query = query.where(audit.c.about == about)
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(audit.c.seq.desc()).limit(limit)).all()
        return [_entry(row) for row in rows]

    def redact(self, about: Sequence[str], actor: str, why: str) -> int:
        """Take out what these rows are about and their facts, and note that; returns how many rows it was. That
        somebody did something then, and which kind of thing, stays."""
        with self._db.write() as transaction:
            transaction.lock(CHAIN)
            count = transaction.run(
                update(audit)
                .where(transaction.among(audit.c.about, about), audit.c.action != REDACTED)
                .values(about=None, facts=None, salt=None)
            ).rowcount
            if count:
                append(transaction, self._clock.now(), [Event(actor, REDACTED, "audit", {"rows": count, "why": why})])
        return count

    def prune(self, before: datetime, limit: int = 1000) -> int:
        """Take away the oldest rows that are from before then, so many at a time, and note that; returns how many."""
        query = select(audit).order_by(audit.c.seq).limit(limit)
        with self._db.write() as transaction:
            transaction.lock(CHAIN)
            moment = utc(before).isoformat(timespec="microseconds")
            gone = list(takewhile(lambda row: row.at < moment, transaction.run(query)))
            if gone:
                start = _start(transaction, gone[0].seq)
                transaction.run(delete(audit).where(audit.c.seq <= gone[-1].seq))
                append(transaction, self._clock.now(), [_pruned(start, gone)])
        return len(gone)

    def verify(self, head: Head | None = None) -> Verdict:
        """Read the log from the start and name the first row that is wrong.

        `head` is one that was noted before: the log must still hold it.
        """
        with self._db.read() as transaction:
            first = transaction.run(select(func.min(audit.c.seq))).scalar()
            return _verify(lambda after: _page(transaction, after), head, _start(transaction, first))


def _page(transaction: Transaction, after: int) -> Sequence[Row[Any]]:
    return transaction.run(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(PAGE)).all()


class _Start(NamedTuple):
    """Where the log begins: the last row that was taken away, and the sums until there."""

    head: Head
    redacted: int = 0
    said: int = 0


_WHOLE = _Start(Head(0, START))


def _start(transaction: Transaction, first: int | None) -> _Start:
    """Where a log begins whose first row is this one, as the log itself says; its very start where it does not."""
    query = select(audit.c.facts).where(audit.c.action == PRUNED, audit.c.facts.is_not(None))
    for facts in transaction.run(query.order_by(audit.c.seq.desc())).scalars() if first else ():
        with suppress(ValueError, TypeError, KeyError):  # written by hand: the row is found wrong where it stands
            told = json.loads(facts)
            if told["through"] == (first or 0) - 1:
                return _Start(Head(told["through"], told["digest"]), int(told["redacted"]), int(told["said"]))
    return _WHOLE


def _pruned(start: _Start, gone: Sequence[Row[Any]]) -> Event:
    facts = {
        "through": gone[-1].seq,
        "digest": gone[-1].digest,
        "redacted": start.redacted + sum(row.salt is None for row in gone),
        "said": start.said + sum(_says(row) for row in gone),
    }
    return Event("system:retention", PRUNED, "audit", facts)


def _says(row: Row[Any]) -> int:
    """Of how many redacted rows this one tells."""
    return int(json.loads(row.facts).get("rows", 0)) if row.action == REDACTED and row.facts else 0


def _verify(page: Callable[[int], Sequence[Row[Any]]], head: Head | None, start: _Start = _WHOLE) -> Verdict:
    last, redacted, said = start
    if head and (head.seq < last.seq or (head.seq == last.seq and head.digest != last.digest)):
        why = f"it is past its period, as everything up to row {last.seq}: it cannot be compared with the noted head"
        return Verdict(last, 0, 0, head.seq, why)
    rows = gone = 0
    for row in _rows(page):
        why = _wrong(row, last)
        if not why and head and row.seq == head.seq and row.digest != head.digest:
            why = "its digest is not the one that was noted: the log was written anew"
        if why:
            return Verdict(last, rows, gone, last.seq + 1, why)
        last = Head(row.seq, row.digest)
        rows += 1
        gone += row.salt is None
        said += _says(row)
    if head and head.seq > last.seq:
        why = f"it is missing, and so is everything up to the noted head {head.seq}"
        return Verdict(last, rows, gone, last.seq + 1, why)
    redacted += gone
    if redacted != said:
        first = next((row.seq for row in _rows(page) if row.salt is None), last.seq)
        why = f"{redacted} rows are redacted, but the log says so of {said} only (this is the first redacted one)"
        return Verdict(last, rows, gone, first, why)
    return Verdict(last, rows, gone)


def _rows(page: Callable[[int], Sequence[Row[Any]]]) -> Iterator[Row[Any]]:
    after = -(2**63)  # a row below the first would be one too many: it must be seen
    while rows := page(after):
        yield from rows
        after = rows[-1].seq


def _wrong(row: Row[Any], last: Head) -> str:
    if row.seq > last.seq + 1:
        return "it is missing"
    if row.seq < last.seq + 1:
        return f"row {row.seq} stands before the first"
    if _digest(last.digest, row.seq, row.at, row.actor, row.action, row.seal) != row.digest:
        return "it was changed, or another stands in its place"
    gone = (row.about is None, row.facts is None, row.salt is None)
    if any(gone):
        if not all(gone):
            return "it is redacted in part"
        if row.action == REDACTED:
            return "it says how much was redacted, and was redacted itself"
        return ""
    return "" if _seal(row.salt, row.about, row.facts) == row.seal else "what it is about, or its facts, were changed"


def _digest(before: str, seq: int, at: str, actor: str, action: str, seal: str) -> str:
    return _hash(before, seq, at, actor, action, seal)


def _seal(salt: str, about: str, facts: str) -> str:
    return _hash(salt, about, facts)


def _hash(*parts: str | int) -> str:
    # SQLite keeps any type in any column: what was put there by hand is to be found wrong, not to end in an error.
    return sha256(json.dumps(parts, default=repr).encode()).hexdigest()


def _json(facts: Mapping[str, Fact]) -> str:
    # ASCII, whose escapes carry what a text column of PostgreSQL would refuse.
    short = {key: value[:FACT_CHARS] if isinstance(value, str) else value for key, value in sorted(facts.items())}
    return json.dumps(short, separators=(",", ":"))


def _entry(row: Row[Any]) -> Entry:
    facts = None if row.facts is None else json.loads(row.facts)
    return Entry(row.seq, datetime.fromisoformat(row.at), row.actor, row.action, row.about, facts)
