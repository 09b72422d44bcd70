"""Looking through the newest mentions for something that no index knows, within bounds.

Of the newest `looked_at` mentions of a time those are returned that are of a brand, wait or waited for a person, and
have these bytes in their record: `"name":"lead"` is in the record of every mention with that intent. Whoever reads them
decodes and checks them. The database does the looking, so that only what is found travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, func, literal, select, tuple_

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.database import Transaction
from pipeline.store.tables import mentions

Place = tuple[datetime, str]
"""The time and id of a mention, from which an older page goes on."""


class Found(NamedTuple):
    """What was found, newest first, and from where to go on; None where nothing older is left in the time."""

    mentions: list[Routed]
    next: Place | None


def newest(
    transaction: Transaction,
    since: datetime,
    until: datetime,
    *,
    brands: Sequence[str] | None = None,
    holding: bytes = b"",
    queued: bool = False,
    after: Place | None = None,
    most: int = 100,
    looked_at: int = 20_000,
) -> Found:
    """The newest `most` of the mentions that were said from `since` until before `until`, looking at `looked_at`."""
    columns = (mentions.c.created_at, mentions.c.id, mentions.c.brand, mentions.c.outcome, mentions.c.body)
    order = (mentions.c.created_at.desc(), mentions.c.id.desc())
    asked: list[ColumnElement[bool]] = [mentions.c.created_at >= since, mentions.c.created_at < until]
    if after is not None:
        types: list[Any] = [mentions.c.created_at.type, mentions.c.id.type]
        asked.append(tuple_(mentions.c.created_at, mentions.c.id) < tuple_(*after, types=types))
    some = select(*columns).where(*asked).order_by(*order).limit(looked_at).subquery()
    query = select(some.c.created_at, some.c.id, some.c.body)
    if brands is not None:
        query = query.where(some.c.brand.in_(list(brands)))
    if queued:
        query = query.where(some.c.outcome == "queued")
    if holding:
        query = query.where(_holds(transaction, some.c.body, holding))
    query = query.order_by(some.c.created_at.desc(), some.c.id.desc()).limit(most)
    rows = transaction.run(query).all()
    if len(rows) == most:
        place: Place | None = (rows[-1].created_at, rows[-1].id)
    else:
        last = select(mentions.c.created_at, mentions.c.id).where(*asked).order_by(*order)
        row = transaction.run(last.offset(looked_at - 1).limit(1)).first()
        place = (row.created_at, row.id) if row is not None else None
    return Found([cast(Routed, decode(bytes(row.body))) for row in rows], place)


def _holds(transaction: Transaction, body: Any, part: bytes) -> ColumnElement[bool]:
    if transaction.connection.dialect.name == "postgresql":
        return func.position(literal(part).op("IN")(body)) > 0
    return func.instr(body, part) > 0
