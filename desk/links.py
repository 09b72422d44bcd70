"""Accounts on several networks that are one person, because somebody says so and why. Nothing is guessed.

Reddit's terms prohibit matching its handles to people elsewhere: a Reddit account is never linked, by nobody. What was
said and taken back stays in the audit log. A person is kept in `persons` and `links`, by `source:author_id`;
`links.evidence` is free text about them. `forget` takes one out.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, select, update

from desk import handles
from desk.audit import Event, append
from desk.refusals import Unfit
from pipeline.store.columns import fit
from pipeline.store.database import Transaction
from pipeline.store.fact_tables import links, persons
from pipeline.store.part import Part

LINKS = 0x68617270
"""Advisory lock: one links or unlinks at a time, so that who belongs to whom is never half merged."""

MOST = 50
"""How many accounts one person may have: more are not one person."""

EVIDENCE_CHARS = 1000
"""How long the evidence may be."""


@dataclass(frozen=True)
class Link:
    """`account` and `other` (`source:author_id`) are one person, says `actor` on this evidence."""

    account: str
    other: str
    evidence: str
    actor: str
    at: datetime


@dataclass(frozen=True)
class Person:
    """`id` is random, None for an account that is linked to no other; `accounts` are sorted, and the links between
    them say why."""

    id: str | None
    accounts: tuple[str, ...]
    links: tuple[Link, ...] = ()


class Links(Part):
    """Links between accounts."""

    def link(self, account: str, other: str, evidence: str, by: str) -> Person:
        """Say that two accounts are one person: everybody linked to either is, from then on. `by` is the actor
        (`user:ID`); an account may be named by a handle that is known (`source:@handle`). The same again gives new
        evidence. Raises Unfit: no evidence, a Reddit account, no such account, too many for one person."""
        if not evidence.strip() or len(evidence) > EVIDENCE_CHARS:
            raise Unfit("evidence", f"say how you know, in 1 to {EVIDENCE_CHARS:,} characters")
        with self._db.write() as transaction:
            transaction.lock(LINKS)
            pair = _pair(named(transaction, "account", account), named(transaction, "other", other))
            now = self._clock.now()
            tie(transaction, pair, evidence.strip(), by, now)
            append(transaction, now, [linked(by, pair, evidence.strip())])
        return self.person_of(account)

    def unlink(self, account: str, other: str, by: str) -> Person:
        """Take a link back; returns whom `account` belongs to then. A CRM does not bring it again. Raises Unfit where
        the two are not linked, or only through a third."""
        with self._db.write() as transaction:
            transaction.lock(LINKS)
            pair = _pair(named(transaction, "account", account), named(transaction, "other", other))
            now = self._clock.now()
            ended = (
                update(links)
                .where(links.c.account == pair[0], links.c.other == pair[1], links.c.ended_at.is_(None))
                .values(ended_by=by, ended_at=now, evidence="")
            )
            if not transaction.run(ended).rowcount:
                near = sorted({it.other if it.account in pair else it.account for it in _between(transaction, pair)})
                through = f"; the links there are: {', '.join(near)}" if near else ""
                raise Unfit("other", f"no link joins these two{through}")
            part(transaction, pair)
            append(transaction, now, [unlinked(by, pair)])
        return self.person_of(account)

    def person_of(self, account: str) -> Person:
        """All accounts of whoever this one (`source:author_id`, or a handle that is known) belongs to."""
        with self._db.read() as transaction:
            return person_of(transaction, account)


def person_of(transaction: Transaction, account: str) -> Person:
    """As `Links.person_of`."""
    id = resolved(transaction, account)
    person = transaction.run(select(persons.c.person).where(persons.c.account == id)).scalar()
    if person is None:
        return Person(None, (id,))
    accounts = _accounts(transaction, [person])
    return Person(person, tuple(accounts), tuple(_between(transaction, accounts)))


def resolved(transaction: Transaction, account: str) -> str:
    """The account by its id, where it is named by a handle that is known; else as it is."""
    key = handles.normal(account)
    return handles.authors_of(transaction, [key]).get(key, key) if handles.is_handle(account) else key


def named(transaction: Transaction, field: str, account: str) -> str:
    """An account to link, by its id; raises Unfit."""
    source, _, rest = account.partition(":")
    if not source or not rest.strip("@ "):
        raise Unfit(field, "is source:author_id, as in x:8611593")
    if prohibited(account):
        raise Unfit(field, "Reddit's terms prohibit matching its accounts to people elsewhere")
    id = resolved(transaction, account)
    if handles.is_handle(account) and id == handles.normal(account):
        raise Unfit(field, "nobody with this handle has a case: name them source:author_id")
    return id


def prohibited(account: str) -> bool:
    """Whether this is an account on Reddit."""
    return "reddit" in account.partition(":")[0].casefold()


def linked(actor: str, pair: tuple[str, str], evidence: str) -> Event:
    """What the audit log says of a link: about the pair, so that erasing one of them touches nothing else."""
    return Event(actor, "customer.linked", _both(pair), {"evidence": evidence})


def unlinked(actor: str, pair: tuple[str, str]) -> Event:
    """What the audit log says of a link that was taken back."""
    return Event(actor, "customer.unlinked", _both(pair))


def tie(transaction: Transaction, pair: tuple[str, str], evidence: str, actor: str, now: datetime) -> None:
    """Write a link and make the two persons one; under the lock. Raises Unfit where that is too many."""
    account, other = pair
    query = select(persons).where(transaction.among(persons.c.account, pair))
    present = {row.account: row.person for row in transaction.run(query)}
    together = {*pair, *_accounts(transaction, sorted(set(present.values())))}
    if len(together) > MOST:
        raise Unfit("other", f"a person has at most {MOST} accounts")
    person = present.get(account) or present.get(other) or secrets.token_hex(8)
    _assign(transaction, together, person)
    there = links.c.account == account, links.c.other == other
    row = {"evidence": evidence, "actor": actor, "at": now, "ended_by": None, "ended_at": None}
    if not transaction.run(update(links).where(*there).values(row)).rowcount:
        transaction.run(links.insert(), [{"account": account, "other": other, **row}])


def part(transaction: Transaction, accounts: Collection[str]) -> None:
    """Work out anew who belongs to whom among those whom these accounts belonged with; under the lock."""
    mine = select(persons.c.person).where(transaction.among(persons.c.account, sorted(accounts)))
    everybody = _accounts(transaction, sorted(set(transaction.run(mine).scalars())))
    known = {
        row.account: row.person
        for row in transaction.run(select(persons).where(transaction.among(persons.c.account, everybody)))
    }
    neighbours: dict[str, set[str]] = defaultdict(set)
    for it in _between(transaction, everybody):
        neighbours[it.account].add(it.other)
        neighbours[it.other].add(it.account)
    taken: set[str] = set()
    left = set(everybody)
    while left:
        group, edge = set(), [min(left)]
        while edge:
            one = edge.pop()
            if one not in group:
                group.add(one)
                edge += neighbours[one] & left
        left -= group
        if len(group) == 1:
            transaction.run(delete(persons).where(transaction.among(persons.c.account, sorted(group))))
            continue
        person = known[min(group)]
        if person in taken:
            person = secrets.token_hex(8)
        taken.add(person)
        _assign(transaction, group, person)


def forget(transaction: Transaction, author: str) -> None:
    """Take an account out of every link and person, for an erasure; what only it held together comes apart."""
    transaction.lock(LINKS)
    account = fit(author)
    around = {*_accounts(transaction, list(_person_ids(transaction, account)))} - {account}
    transaction.run(delete(links).where(or_(links.c.account == account, links.c.other == account)))
    transaction.run(delete(persons).where(persons.c.account == account))
    part(transaction, around)


def _person_ids(transaction: Transaction, account: str) -> Sequence[str]:
    return transaction.run(select(persons.c.person).where(persons.c.account == account)).scalars().all()


def _pair(account: str, other: str) -> tuple[str, str]:
    if account == other:
        raise Unfit("other", "is the same account")
    return (account, other) if account < other else (other, account)


def _both(pair: tuple[str, str]) -> str:
    return f"link:{pair[0]} {pair[1]}"


def _accounts(transaction: Transaction, people: Sequence[str]) -> list[str]:
    query = select(persons.c.account).where(transaction.among(persons.c.person, people))
    return sorted(transaction.run(query).scalars())


def _assign(transaction: Transaction, accounts: Collection[str], person: str) -> None:
    rows: list[dict[str, Any]] = [{"account": account, "person": person} for account in sorted(accounts)]
    transaction.insert(persons, rows, "account", update=["person"])


def _between(transaction: Transaction, accounts: Sequence[str]) -> list[Link]:
    """The links that hold, of these accounts."""
    mine = or_(transaction.among(links.c.account, accounts), transaction.among(links.c.other, accounts))
    query = select(links).where(mine, links.c.ended_at.is_(None)).order_by(links.c.account, links.c.other)
    return [Link(row.account, row.other, row.evidence, row.actor, row.at) for row in transaction.run(query)]
