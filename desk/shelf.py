"""Dossiers in and out of the tables, inside a transaction that holds their authors.

Every writer first locks the rows of `case_authors` it is about (in order of name, so that no two wait for each other in
a circle); on SQLite there is one writer anyway. So a dossier is one person's to change from `open_up` until commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, delete, or_, select

from desk import events
from desk.case import Case
from desk.dossier import Dossier, Lease
from desk.events import Event
from desk.events import encode as encode_event
from desk.refusals import NoSuchCase
from pipeline.store.case_tables import case_authors, case_events, case_tags, cases
from pipeline.store.columns import NEVER, fit
from pipeline.store.database import Transaction

_encode_case = msgspec.json.Encoder().encode
read_case = msgspec.json.Decoder(Case).decode
"""The `body` of a row of `cases`."""

_case_columns = [column.name for column in cases.c if column.name != "id"]
_leases = select(case_authors.c.author, case_authors.c.token, case_authors.c.owner, case_authors.c.until)


def lock_authors(transaction: Transaction, authors: Collection[str]) -> dict[str, Lease]:
    """Hold these authors until the end, and make those known who are not; `authors` are as `fit` has them."""
    names = sorted(authors)
    rows = [{"author": name, "token": 0, "owner": None, "until": None} for name in names]
    transaction.insert(case_authors, rows, "author")
    query = _leases.where(transaction.among(case_authors.c.author, names)).order_by(case_authors.c.author)
    return _read_leases(transaction, query.with_for_update())


def lock_case(transaction: Transaction, id: str) -> Lease:
    """Hold the author of this case; raises NoSuchCase."""
    author = select(cases.c.author).where(cases.c.id == id).scalar_subquery()
    query = _leases.where(case_authors.c.author == author).with_for_update()
    for lease in _read_leases(transaction, query).values():
        return lease
    raise NoSuchCase(f"there is no case {id}")


def open_up(
    transaction: Transaction,
    leases: Mapping[str, Lease],
    *,
    closed_since: datetime = NEVER,
    ids: Sequence[str] = (),
) -> dict[str, Dossier]:
    """The dossiers of these authors, who are held: their open cases, those closed since then, and those named."""
    dossiers = {author: Dossier(lease, {}) for author, lease in leases.items()}
    for case in _read_cases(
        transaction, transaction.among(cases.c.author, list(leases)), cases.c.closed_at >= closed_since
    ):
        dossiers[case.author].cases[case.id] = case
    if ids:
        for case in _read_cases(transaction, transaction.among(cases.c.id, ids)):
            dossiers[case.author].cases[case.id] = case
    return dossiers


def dossier_of(transaction: Transaction, id: str) -> Dossier:
    """Hold the author of this case and read their open cases and this one; raises NoSuchCase."""
    lease = lock_case(transaction, id)
    mine = or_(cases.c.closed_at == NEVER, cases.c.id == id)
    found = _read_cases(transaction, cases.c.author == lease.author, mine)
    return Dossier(lease, {case.id: case for case in found})


def save(transaction: Transaction, dossiers: Iterable[Dossier], before: Mapping[str, Lease]) -> None:
    """Write what was recorded: the events, the cases that changed, the leases that are not as they were `before`."""
    news: list[tuple[Case, Event]] = []
    changed: dict[str, Case] = {}
    leases: list[Lease] = []
    for dossier in dossiers:
        news += dossier.news
        changed |= {case.id: case for case, _ in dossier.news}
        if dossier.lease != before[dossier.lease.author]:
            leases.append(dossier.lease)
    if news:
        transaction.insert(case_events, [_event_row(case, event, transaction.number) for case, event in news], "seq")
    transaction.insert(cases, [_case_row(changed[id]) for id in sorted(changed)], "id", update=_case_columns)
    for case, event in news:
        if isinstance(event, events.Tagged):
            _retag(transaction, case.id, event)
    transaction.insert(
        case_authors,
        [{"author": it.author, "token": it.token, "owner": it.owner, "until": it.until} for it in leases],
        "author",
        update=["token", "owner", "until"],
        guard=lambda new: new.token >= case_authors.c.token,
    )


def _read_leases(transaction: Transaction, query: Select[Any]) -> dict[str, Lease]:
    return {row.author: Lease(row.author, row.token, row.owner, row.until) for row in transaction.run(query)}


def _read_cases(transaction: Transaction, *conditions: ColumnElement[bool]) -> list[Case]:
    return [read_case(body) for body in transaction.run(select(cases.c.body).where(*conditions)).scalars()]


def _event_row(case: Case, event: Event, xid: int) -> dict[str, Any]:
    return {
        "xid": xid,
        "case_id": case.id,
        "number": case.version,
        "kind": event.kind,
        "at": event.at,
        "body": encode_event(event),
    }


def _case_row(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "author": case.author,
        "conversation": case.conversation,
        "brand": case.brand,
        "queue": case.queue,
        "routed_queue": case.routed_queue,
        "state": case.state.value,
        "standing": case.standing.value,
        "priority": case.priority.rank,
        "due": case.due or NEVER,
        "since": case.since,
        "language": case.language,
        "topic": case.topic,
        "owner": case.owner,
        "family": case.family,
        "wakes_at": case.wakes_at,
        "closed_at": case.closed_at or NEVER,
        "body": _encode_case(case),
    }


def _retag(transaction: Transaction, id: str, event: events.Tagged) -> None:
    if event.remove:
        gone = transaction.among(case_tags.c.tag, event.remove)
        transaction.run(delete(case_tags).where(case_tags.c.case_id == id, gone))
    if event.add:
        transaction.run(case_tags.insert(), [{"case_id": id, "tag": fit(tag)} for tag in event.add])
