"""Every event of every case, in the order in which they were committed: to follow, and to resume.

A number that the database counts up is not that order: a transaction that took number 5 may commit after the one that
took 6, and who has read up to 6 would never see it. So an event's place is its transaction's number, then its own, and
only what no running transaction can come before is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Row, Select, select, update

from desk.case_records import Happening
from desk.events import decode
from desk.refusals import Unfit
from pipeline.store.case_tables import case_events, followers
from pipeline.store.case_tables import cases as cases_table
from pipeline.store.database import Transaction, beyond
from pipeline.store.part import Part

_order = (case_events.c.xid, case_events.c.seq)


class Place(NamedTuple):
    """A place in the order of all events; as text `17-4`, which is an event's id on the stream."""

    xid: int
    seq: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.seq}"


START = Place(0, 0)


def place(text: str) -> Place:
    """The place written so; raises Unfit."""
    found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})", text)
    if not found:
        raise Unfit("Last-Event-ID", "is not the id of an event")
    return Place(int(found[1]), int(found[2]))


class Feed(Part):
    """The events of all cases, in order."""

    def end(self) -> Place:
        """The place of the newest event."""
        query = select(*_order).order_by(*(column.desc() for column in _order)).limit(1)
        with self._db.read() as transaction:
            row = transaction.run(settled(transaction, query, case_events.c.xid)).first()
        return Place(row.xid, row.seq) if row else START

    def after(self, place: Place, limit: int = 500) -> list[tuple[Place, Happening]]:
        """The events beyond this place, oldest first."""
        with self._db.read() as transaction:
            rows = _beyond(transaction, place, limit)
        return [
            (Place(row.xid, row.seq), Happening(row.seq, row.case_id, row.number, decode(row.body))) for row in rows
        ]

    def queues(self, cases: Collection[str]) -> dict[str, str]:
        """The queue that each of these cases is in now; one that is no more is left out."""
        if not cases:
            return {}
        with self._db.read() as transaction:
            query = select(cases_table.c.id, cases_table.c.queue)
            rows = transaction.run(query.where(transaction.among(cases_table.c.id, sorted(cases)))).all()
        return {row.id: row.queue for row in rows}

    def follow(self, name: str, handle: Callable[[Transaction, Sequence[str]], None], limit: int = 1000) -> int:
        """Hand the cases of the next events to `handle`, each once, in a transaction that also notes how far `name`
        has come: whatever `handle` writes there is written once. A new follower begins with the first event ever. One
        process at a time follows under one name; the others are told 0. Returns how many events there were."""
        with self._db.write() as transaction:
            transaction.insert(followers, [{"name": name, "xid": 0, "seq": 0}], "name")
            mine = select(followers).where(followers.c.name == name).with_for_update(skip_locked=True)
            row = transaction.run(mine).first()
            if row is None:
                return 0
            rows = _beyond(transaction, Place(row.xid, row.seq), limit)
            if rows:
                handle(transaction, list(dict.fromkeys(it.case_id for it in rows)))
                last = {"xid": rows[-1].xid, "seq": rows[-1].seq}
                transaction.run(update(followers).where(followers.c.name == name).values(last))
        return len(rows)

    def waiting_since(self) -> dict[str, datetime | None]:
        """For everybody who follows: when the oldest event happened that they have not dealt with; None where they are
        up to date."""
        with self._db.read() as transaction:
            rows = transaction.run(select(followers)).all()
            oldest = {row.name: _beyond(transaction, Place(row.xid, row.seq), 1) for row in rows}
        return {name: decode(found[0].body).at if found else None for name, found in oldest.items()}


def _beyond(transaction: Transaction, place: Place, limit: int) -> Sequence[Row[tuple[int, int, str, int, bytes]]]:
    columns = (*_order, case_events.c.case_id, case_events.c.number, case_events.c.body)
    query = select(*columns).where(beyond(_order, place)).order_by(*_order).limit(limit)
    return transaction.run(settled(transaction, query, case_events.c.xid)).all()


def settled(transaction: Transaction, query: Select[Any], xid: Column[Any]) -> Select[Any]:
    """Only the rows of transactions that no running one can come before; `xid` is the column of their numbers."""
    edge = transaction.settled_before
    return query if edge is None else query.where(xid < edge)
