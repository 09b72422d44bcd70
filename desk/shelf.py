"""Dossiers in and out of the tables, inside a transaction that holds their authors.

Every writer first locks the rows of `case_authors` it is about (in order of name, so that no two wait for each other in
a circle); on SQLite there is one writer anyway. So a dossier is one person's to change from `open_up` until commit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import ColumnElement, delete, func, or_, select

from desk import events
from desk.case import Case
from desk.dossier import Dossier, Lease
from desk.draft_endings import settle_drafts
from desk.events import Event
from desk.events import encode as encode_event
from desk.refusals import NoSuchCase
from pipeline.store.case_tables import case_authors, case_events, case_tags, cases
from pipeline.store.columns import NEVER, fit
from pipeline.store.database import Transaction

_encode_case = msgspec.json.Encoder().encode
read_case = msgspec.json.Decoder(Case).decode
"""The `body` of a row of `cases`."""

_case_columns = [column.name for column in cases.c if column.name not in ("id", "due", "promised")]
_leases = select(case_authors.c.author, case_authors.c.token, case_authors.c.owner, case_authors.c.until)


def lock_authors(transaction: Transaction, authors: Collection[str]) -> dict[str, Lease]:
    """Hold these authors until the end, and make those known who are not; `authors` are as `fit` has them."""
    rows = transaction.hold(case_authors, "author", sorted(authors), token=0)
    return {row.author: Lease(row.author, row.token, row.owner, row.until) for row in rows}


def lock_case(transaction: Transaction, id: str) -> Lease:
    """Hold the author of this case; raises NoSuchCase."""
    author = select(cases.c.author).where(cases.c.id == id).scalar_subquery()
    row = transaction.run(_leases.where(case_authors.c.author == author).with_for_update()).first()
    if row is None:
        raise NoSuchCase(f"there is no case {id}")
    return Lease(row.author, row.token, row.owner, row.until)


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
    """Write what was recorded: the events, the cases that changed, the leases that are not as they were `before`; and
    what follows from it for drafts."""
    dossiers = list(dossiers)
    settle_drafts(transaction, dossiers)
    news: list[tuple[Case, Event]] = []
    changed: dict[str, Case] = {}
    leases: list[Lease] = []
    for dossier in dossiers:
        news += dossier.news
        changed |= {case.id: case for case, _ in dossier.news}
        if dossier.lease != before[dossier.lease.author]:
            leases.append(dossier.lease)
    transaction.insert(case_events, [_event_row(case, event) for case, event in news], "seq", stamp="xid")
    rows = [_case_row(changed[id]) for id in sorted(changed)]
    transaction.insert(cases, rows, "id", update=_case_columns, due=_promised_or_due)
    for case, event in news:
        if isinstance(event, events.Tagged):
            _retag(transaction, case.id, event)
    transaction.insert(
        case_authors,
        [{"author": it.author, "token": it.token, "owner": it.owner, "until": it.until} for it in leases],
        "author",
        update=["token", "owner", "until"],
        guard=_not_older,
    )


def _not_older(new: Any) -> ColumnElement[bool]:
    return cast("ColumnElement[bool]", new.token >= case_authors.c.token)


def _promised_or_due(new: Any) -> ColumnElement[datetime]:
    """What a service level says of a case's next answer stands above what its rules said; the keeper of the clocks
    writes it."""
    return func.coalesce(cases.c.promised, new.due)


def _read_cases(transaction: Transaction, *conditions: ColumnElement[bool]) -> list[Case]:
    return [read_case(body) for body in transaction.run(select(cases.c.body).where(*conditions)).scalars()]


def _event_row(case: Case, event: Event) -> dict[str, Any]:
    return {
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
        "lead": case.lead,
        "wakes_at": case.wakes_at,
        "closed_at": case.closed_at or NEVER,
        "returned_by": case.returned_by,
        "body": _encode_case(case),
    }


def _retag(transaction: Transaction, id: str, event: events.Tagged) -> None:
    if event.remove:
        gone = transaction.among(case_tags.c.tag, event.remove)
        transaction.run(delete(case_tags).where(case_tags.c.case_id == id, gone))
    if event.add:
        transaction.run(case_tags.insert(), [{"case_id": id, "tag": fit(tag)} for tag in event.add])
