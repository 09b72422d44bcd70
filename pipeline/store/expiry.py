"""What is past its period goes, a bounded piece at a time, and the ledger goes on summing: what a mention or a dead
letter leaves behind is a row of `removed` with the reason `expired`, so that its copies are turned away as well.

Each function looks at no more than `limit` rows beyond `place` inside the caller's transaction, so that none lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, or_, select, update

from pipeline.store import search_index
from pipeline.store.case_tables import case_mentions, cases, corrections
from pipeline.store.columns import NEVER
from pipeline.store.database import REMOVALS, Transaction, beyond
from pipeline.store.outbox import withdraw
from pipeline.store.part import Stone, Victim, mark_removed
from pipeline.store.tables import dead_letters, intake, mentions, outbox, removed


class Step(NamedTuple):
    """How many rows went, and the place from which the next step goes on; None when it came to the end."""

    gone: int
    place: Any


Expire = Callable[[Transaction, Any, datetime, datetime, int], Step]
"""(transaction, place or None, before, now, limit) to what was done."""


def expire_mentions(transaction: Transaction, place: Any, before: datetime, now: datetime, limit: int) -> Step:
    """Mentions that were said and stored before then; those of an open case stay until it is closed."""
    transaction.lock(REMOVALS)
    order = (mentions.c.created_at, mentions.c.id)
    in_open_case = (
        exists()
        .where(case_mentions.c.mention == mentions.c.id, case_mentions.c.case_id == cases.c.id)
        .where(cases.c.closed_at == NEVER)
    )
    query = select(*order, mentions.c.stored_at, in_open_case.label("open")).where(mentions.c.created_at < before)
    rows = _page(transaction, query, order, place, limit)
    gone = take_out(transaction, [row.id for row in rows if row.stored_at < before and not row.open], now)
    return Step(gone, (rows[-1].created_at, rows[-1].id) if len(rows) == limit else None)


def take_out(transaction: Transaction, ids: Sequence[str], now: datetime) -> int:
    """Take these mentions out, as past their period; sinks that got them are told. Whoever calls holds REMOVALS. The
    topics are left to their own retention."""
    if not ids:
        return 0
    query = select(mentions.c.id, mentions.c.source).where(transaction.among(mentions.c.id, ids))
    stone = Stone("expired", now)
    victims = [Victim(row.id, row.source, "", stone) for row in transaction.run(query.order_by(mentions.c.id))]
    withdraw(transaction, victims, now)
    transaction.run(delete(mentions).where(transaction.among(mentions.c.id, ids)))
    search_index.forget(transaction, ids)
    _count_as_expired(transaction, victims, now)
    theirs = transaction.among(corrections.c.mention, ids)
    transaction.run(update(corrections).where(theirs).values(body=b"", mention=None))
    return len(victims)


def expire_letters(transaction: Transaction, place: Any, before: datetime, now: datetime, limit: int) -> Step:
    """Dead letters that died before then. One that is on its way again stays until something has become of it; of a
    revived one only its id is left, by which its like is known."""
    transaction.lock(REMOVALS)
    letters = dead_letters.c
    order = (letters.died_at, letters.id)
    arrived = or_(exists().where(mentions.c.id == letters.intake_id), exists().where(removed.c.id == letters.intake_id))
    columns = (*order, letters.intake_id, letters.source, letters.state, letters.reason, arrived.label("arrived"))
    rows = _page(transaction, select(*columns).where(letters.died_at < before), order, place, limit)
    revived = [row.id for row in rows if row.state == "revived" and row.reason]
    over = [row for row in rows if row.state != "revived" and (row.arrived or row.state != "retried")]
    stone = Stone("expired", now)
    # Where the mention itself is kept, or was removed, it counts already.
    left = {row.intake_id: Victim(row.intake_id, row.source, "", stone) for row in over if not row.arrived}
    _count_as_expired(transaction, [left[id] for id in sorted(left)], now)
    transaction.run(delete(dead_letters).where(transaction.among(letters.id, [row.id for row in over])))
    transaction.run(
        update(dead_letters).where(transaction.among(letters.id, revived)).values(reason="", note="", place="")
    )
    return Step(len(over) + len(revived), (rows[-1].died_at, rows[-1].id) if len(rows) == limit else None)


def expire_ids(transaction: Transaction, place: Any, before: datetime, _now: datetime, limit: int) -> Step:
    """The ids of what was removed before then, with the rows by which the ledger counted them as taken in."""
    transaction.lock(REMOVALS)
    owed = exists().where(outbox.c.mention_id == removed.c.id, outbox.c.state == "pending")
    columns = (removed.c.id, removed.c.removed_at, removed.c.purged_at, owed.label("owed"))
    rows = _page(transaction, select(*columns), (removed.c.id,), place, limit)
    over = [row.id for row in rows if row.removed_at < before and row.purged_at is not None and not row.owed]
    for table, id in ((removed, removed.c.id), (intake, intake.c.id), (outbox, outbox.c.mention_id)):
        transaction.run(delete(table).where(transaction.among(id, over)))
    return Step(len(over), (rows[-1].id,) if len(rows) == limit else None)


def _page(transaction: Transaction, query: Any, order: Sequence[Any], place: Any, limit: int) -> Sequence[Any]:
    if place is not None:
        query = query.where(beyond(order, place))
    return transaction.run(query.order_by(*order).limit(limit)).all()


def _count_as_expired(transaction: Transaction, victims: Sequence[Victim], now: datetime) -> None:
    mark_removed(transaction, victims, now)
    ids = transaction.among(removed.c.id, [victim.id for victim in victims])
    transaction.run(update(removed).where(ids).values(purged_at=now, conversation=""))
