"""Accounts that a CRM holds to be one person's, as links: its word is evidence, and only its own links follow it.

Rows that share a `person` are linked to the first of them by name. What the CRM no longer says is taken back; what a
person linked stays, and what a person took back is not brought again. Reddit accounts are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sqlalchemy import delete, select, tuple_

from desk.audit import append
from desk.handles import handles_of, is_handle
from desk.links import LINKS, MOST, linked, part, prohibited, tie, unlinked
from desk.refusals import Unfit
from pipeline.ports import Clock
from pipeline.store.database import Database, Transaction, beyond
from pipeline.store.fact_tables import crm, handles, links

EVIDENCE = "CRM"

PAGE = 500
"""Rows looked at in one transaction."""


def bring_up(database: Database, clock: Clock, actor: str, load: int) -> tuple[int, int, list[str]]:
    """Make links say what this reading says; returns how many were made and ended, and what is odd, in words."""
    ended = _end(database, clock, actor, load)
    made, odd = 0, []
    for person, accounts in _people(database, load):
        if len(accounts) > MOST:
            odd.append(f"person {person[:60]!r} has {len(accounts)} accounts: more than {MOST} are not one person")
            continue
        try:
            made += _join(database, clock, actor, accounts)
        except Unfit as error:
            odd.append(f"person {person[:60]!r}: {error}")
    return made, ended, odd


def _people(database: Database, load: int) -> Iterator[tuple[str, list[str]]]:
    """Every person of the CRM with the accounts that are known by id, where there is more than one; of one with too
    many accounts just too many."""
    for person, rows in groupby(_rows(database, load), key=lambda it: it[0]):
        accounts = sorted({account for _, account in rows if account})
        if len(accounts) > 1:
            yield person, accounts


def _rows(database: Database, load: int) -> Iterator[tuple[str, str]]:
    """Person and account, by person; empty for an account that is not known or may not be linked."""
    order = (crm.c.person, crm.c.account)
    query = select(crm.c.person, crm.c.account, handles.c.author)
    query = query.join(handles, handles.c.handle == crm.c.account, isouter=True)
    query = query.where(crm.c.load == load, crm.c.person.is_not(None)).order_by(*order).limit(PAGE)
    page = query
    while True:
        with database.read() as transaction:
            found = transaction.run(page).all()
        for row in found:
            account = row.author or ("" if is_handle(row.account) else row.account)
            yield row.person, "" if prohibited(account) else account
        if len(found) < PAGE:
            return
        page = query.where(beyond(order, (found[-1].person, found[-1].account)))


def _join(database: Database, clock: Clock, actor: str, accounts: Sequence[str]) -> int:
    """Link them all to the first; returns how many links are new. What anybody has said of a pair stands."""
    pairs = [(accounts[0], other) for other in accounts[1:]]
    here = tuple_(links.c.account, links.c.other).in_(pairs)
    with database.read() as transaction:
        if len(transaction.run(select(links.c.account).where(here)).all()) == len(pairs):
            return 0
    with database.write() as transaction:
        transaction.lock(LINKS)
        there = {(row.account, row.other) for row in transaction.run(select(links).where(here))}
        new = [pair for pair in pairs if pair not in there]
        now = clock.now()
        for pair in new:
            tie(transaction, pair, EVIDENCE, actor, now)
        append(transaction, now, [linked(actor, pair, EVIDENCE) for pair in new])
    return len(new)


def _end(database: Database, clock: Clock, actor: str, load: int) -> int:
    """Take back the links of which this reading says nothing any more."""
    order = (links.c.account, links.c.other)
    query = select(*order).where(links.c.actor == actor, links.c.ended_at.is_(None)).order_by(*order).limit(PAGE)
    page, ended = query, 0
    while True:
        with database.write() as transaction:
            transaction.lock(LINKS)
            found = [(row.account, row.other) for row in transaction.run(page)]
            people = _people_of(transaction, load, sorted({account for pair in found for account in pair}))
            gone = [pair for pair in found if not people.get(pair[0], set()) & people.get(pair[1], set())]
            for pair in gone:
                transaction.run(delete(links).where(links.c.account == pair[0], links.c.other == pair[1]))
            part(transaction, {account for pair in gone for account in pair})
            append(transaction, clock.now(), [unlinked(actor, pair) for pair in gone])
        ended += len(gone)
        if len(found) < PAGE:
            return ended
        page = query.where(beyond(order, found[-1]))


def _people_of(transaction: Transaction, load: int, accounts: Sequence[str]) -> dict[str, set[str]]:
    """Whose these accounts are, says the CRM, by their ids or their handles."""
    shown = handles_of(transaction, accounts)
    names = {name: account for account in accounts for name in (account, *shown.get(account, ()))}
    query = select(crm.c.account, crm.c.person).where(
        crm.c.load == load, crm.c.person.is_not(None), transaction.among(crm.c.account, list(names))
    )
    found: dict[str, set[str]] = {}
    for row in transaction.run(query):
        found.setdefault(names[row.account], set()).add(row.person)
    return found
