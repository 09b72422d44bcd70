"""Cases with a past of their own, written straight into the tables, and drawn for hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from desk import events
from desk.case import Case, fold
from desk.events import Event, encode
from desk.shelf import read_case
from pipeline.mention import Priority
from pipeline.store import Store
from pipeline.store.answer_tables import drafts
from pipeline.store.case_tables import case_events, cases
from pipeline.store.columns import NEVER

START = datetime(2026, 3, 27, 8, 0, tzinfo=UTC)
"""Two days before the clocks of Europe go forward."""

MINUTE = timedelta(minutes=1)
QUEUES = ("service", "marketing")
PEOPLE = ("user:ana", "user:ben")


def opened(at: datetime = START, said: datetime | None = None, **changes: Any) -> events.Opened:
    fields: dict[str, Any] = {
        "actor": "system:intake",
        "queue": "service",
        "author": "test:zelda",
        "conversation": "test:1",
        "priority": Priority.NORMAL,
        "mention": "test:1",
        "created_at": said or at,
    }
    return events.Opened(at=at, **(fields | changes))


def put(store: Store, pasts: Mapping[str, Sequence[Event]]) -> None:
    """Write these cases, their events one case after the other."""
    rows = [
        {"xid": 0, "case_id": id, "number": number, "kind": event.kind, "at": event.at, "body": encode(event)}
        for id, past in pasts.items()
        for number, event in enumerate(past, start=1)
    ]
    with store._db.write() as transaction:
        if rows:
            transaction.run(case_events.insert(), rows)
            transaction.run(cases.insert(), [_row(fold(id, past)) for id, past in pasts.items()])


def put_draft(store: Store, id: str, macro: str | None = None, **changes: Any) -> None:
    """A draft of which nothing matters but what is given."""
    values: dict[str, Any] = {column.name: None for column in drafts.c if column.nullable}
    for column in drafts.c:
        if not column.nullable:
            values[column.name] = {"Moment": START, "Integer": 0, "BigInteger": 0, "Boolean": False}.get(
                type(column.type).__name__, ""
            )
    with store._db.write() as transaction:
        transaction.run(drafts.insert(), [values | {"id": id, "macro": macro} | changes])


def _row(case: Case) -> dict[str, Any]:
    from desk.shelf import _case_row

    row = _case_row(case)
    assert read_case(row["body"]) == case
    assert row["closed_at"] != NEVER or case.open
    return row


@st.composite
def pasts(draw: st.DrawFn) -> list[list[Event]]:
    """Up to eight cases over some days: claimed, answered, resolved and reopened in any order that can be."""
    return [draw(_past(number)) for number in range(draw(st.integers(0, 8)))]


@st.composite
def _past(draw: st.DrawFn, number: int) -> list[Event]:
    at = START + draw(st.integers(0, 4 * 24 * 60)) * MINUTE
    queue, source = draw(st.sampled_from(QUEUES)), draw(st.sampled_from(("x", "test")))
    brand = draw(st.sampled_from((None, "acme")))
    said = at - draw(st.integers(-5, 90)) * MINUTE
    author = f"{source}:author{number}"
    past: list[Event] = [opened(at, said, queue=queue, author=author, brand=brand, mention=f"{source}:{number}")]
    for step in range(draw(st.integers(0, 9))):
        at += draw(st.integers(0, 600)) * MINUTE
        past += _step(draw(st.sampled_from(STEPS)), fold("c", past), at, draw(st.sampled_from(PEOPLE)), step, number)
    return past


STEPS = ("claim", "release", "expire", "answer", "macro", "native", "resolve", "withdraw", "reopen", "breach", "move")


def _step(step: str, case: Case, at: datetime, user: str, number: int, one: int) -> list[Event]:
    """What happens, where it can."""
    key = f"{one}-{number}"
    if step == "breach":
        return [events.Breached(at=at, actor="system:clock", alarm=f"{key}:breach", due=at - MINUTE)]
    if step == "reopen":
        return [] if case.open else [events.Reopened(at=at, actor=user, reason="again")]
    if not case.open:
        return []
    match step:
        case "claim":
            return [events.Claimed(at=at, actor=user, owner=user, token=number + 1, until=at + 60 * MINUTE)]
        case "release":
            return [events.Released(at=at, actor=user, token=number)] if case.owner else []
        case "expire":
            return [events.LeaseExpired(at=at, actor="system:clock", token=number)] if case.owner else []
        case "answer" | "macro":
            draft = f"{step}:{key}"
            return [
                events.ReplyQueued(at=at, actor=user, draft=draft, key=key),
                events.ReplySent(at=at + MINUTE, actor="system:sender", native_id=key, key=key),
            ]
        case "native":
            return [events.AnsweredNatively(at=at, actor="system:intake")]
        case "resolve":
            return [events.Resolved(at=at, actor=user)]
        case "withdraw":
            return [events.Withdrawn(at=at, actor="system:intake", reason="taken back")]
        case _:
            other = QUEUES[case.queue == QUEUES[0]]
            return [events.Transferred(at=at, actor=user, queue=other, reason="theirs")]
