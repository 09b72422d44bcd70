"""What people ask about cases. Every list is bounded; a page goes on where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, cast

import msgspec
from msgspec.structs import replace
from sqlalchemy import Column, ColumnElement, Select, exists, func, select

from desk import pages
from desk.case import Case, Standing, fold
from desk.case_records import CaseFilter, CasePage, Confusion, Correction, Family, Happening, Load, Order, Said
from desk.events import decode as decode_event
from desk.refusals import NoSuchCase, Unfit
from desk.shelf import read_case
from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.case_tables import case_events, case_mentions, case_tags, cases, corrections
from pipeline.store.columns import NEVER
from pipeline.store.database import Transaction, beyond
from pipeline.store.part import Part
from pipeline.store.tables import mentions

_urgency = (cases.c.standing, cases.c.priority, cases.c.due, cases.c.since, cases.c.id)
_age = (cases.c.since, cases.c.id)
_Rank = Annotated[int, msgspec.Meta(ge=0, le=9)]  # a word from outside may hold any number
_places = {"urgency": tuple[_Rank, _Rank, datetime, datetime, str], "newest": pages.NEWEST}
_places["oldest"] = _places["newest"]


class CaseQueries(Part):
    """Questions; none changes anything."""

    def case(self, id: str) -> Case:
        """The case as it stands; raises NoSuchCase."""
        with self._db.read() as transaction:
            return case_in(transaction, id)

    def rebuild(self, id: str) -> Case:
        """The case as its events say, from the first: the same as `case`, save that `due` is what the rules say, where
        its queue has a service level. Raises NoSuchCase."""
        query = select(case_events.c.body).where(case_events.c.case_id == id).order_by(case_events.c.number)
        with self._db.read() as transaction:
            history = [decode_event(body) for body in transaction.run(query).scalars()]
        if not history:
            raise NoSuchCase(f"there is no case {id}")
        return fold(id, history)

    def case_of(self, mention: str) -> str | None:
        """The id of the case that a mention, or our answer, belongs to."""
        query = select(case_mentions.c.case_id).where(case_mentions.c.mention == mention)
        with self._db.read() as transaction:
            return cast("str | None", transaction.run(query).scalar())

    def said(self, id: str, limit: int = 100) -> list[Said]:
        """What was said in a case, and our answers, oldest first."""
        query = (
            select(case_mentions.c.mention, case_mentions.c.part, case_mentions.c.said_at, mentions.c.body)
            .join(mentions, mentions.c.id == case_mentions.c.mention, isouter=True)
            .where(case_mentions.c.case_id == id)
            .order_by(case_mentions.c.said_at, case_mentions.c.mention)
            .limit(pages.bounded(limit))
        )
        with self._db.read() as transaction:
            return [Said(row.mention, row.part, row.said_at, _routed(row.body)) for row in transaction.run(query)]

    def thread(self, id: str, limit: int = 50) -> list[Routed]:
        """What others said in the conversations of a case, as far as it is kept: the newest of it, oldest first."""
        in_case = select(case_mentions.c.mention).where(case_mentions.c.case_id == id)
        ours = select(mentions.c.conversation).where(mentions.c.id.in_(in_case)).distinct()
        query = (
            select(mentions.c.body)
            .where(mentions.c.conversation.in_(ours), mentions.c.id.not_in(in_case))
            .order_by(mentions.c.created_at.desc(), mentions.c.id.desc())
            .limit(pages.bounded(limit))
        )
        with self._db.read() as transaction:
            bodies = transaction.run(query).scalars().all()
        return [cast(Routed, decode(bytes(body))) for body in reversed(bodies)]

    def history(self, id: str, after: int = 0, limit: int = 100) -> list[Happening]:
        """What happened to a case, oldest first, after event number `after`."""
        query = select(case_events.c.seq, case_events.c.case_id, case_events.c.number, case_events.c.body)
        query = query.where(case_events.c.case_id == id, case_events.c.number > after)
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(case_events.c.number).limit(pages.bounded(limit)))
            return [Happening(row.seq, row.case_id, row.number, decode_event(row.body)) for row in rows]

    def cases(
        self,
        wanted: CaseFilter | None = None,
        order: Order = "newest",
        after: str | None = None,
        limit: int = 100,
    ) -> CasePage:
        """A page of cases; `after` is the `next` of the page before. The order by urgency wants a queue or an owner,
        within which it is meant. Raises Unfit."""
        wanted = wanted or CaseFilter()
        if order == "urgency" and wanted.queue is None and wanted.owner is None:
            raise Unfit("order", "by urgency only within one queue or of one owner")
        limit = pages.bounded(limit)
        columns: Sequence[Column[Any]] = _urgency if order == "urgency" else _age
        query = select(cases.c.body, cases.c.due.label("answer_by"), *columns).where(*_conditions(wanted))
        if after is not None:
            place = pages.place(after, _places[order], "a page in this order")
            query = (
                query.where(pages.older(cases.c.since, cases.c.id, place))
                if order == "newest"
                else query.where(beyond(columns, place))
            )
        sorting = [column.desc() for column in columns] if order == "newest" else columns
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(*sorting).limit(limit + 1)).all()
        page = rows[:limit]
        more = pages.word(tuple(page[-1])[2:]) if len(rows) > limit else None
        return CasePage(tuple(_due(row.body, row.answer_by) for row in page), more)

    def family(self, id: str, after: str | None = None, limit: int = 100) -> Family:
        """The wave that a case leads, or follows a lead of: resolved copies too; a case alone is one without copies.
        Pages as in `cases`. Raises NoSuchCase, Unfit."""
        case = lead = self.case(id)
        if case.lead:
            with suppress(NoSuchCase):  # erased: the next takes its place soon
                lead = self.case(case.lead)
        with self._db.read() as transaction:
            copies = transaction.run(select(func.count()).select_from(cases).where(*_following(lead.id))).scalar_one()
        return Family(lead, copies, self.cases(CaseFilter(lead=lead.id), "oldest", after, limit))

    def loads(self) -> list[Load]:
        """Every queue in which a case is open, by name."""
        loads: list[Load] = []
        with self._db.read() as transaction:
            queue = transaction.run(select(func.min(cases.c.queue))).scalar()
            while queue is not None:  # from queue to queue, so that what is closed is never read
                if rows := transaction.run(_open_in(queue)).all():
                    loads.append(_load(queue, rows))
                queue = transaction.run(select(func.min(cases.c.queue)).where(cases.c.queue > queue)).scalar()
        return loads

    # ------------------------------------------------------------------- corrections

    def confusion(self, since: datetime, until: datetime) -> list[Confusion]:
        """Of the cases resolved or found to be in the wrong queue in that time: where the rules sent them and where
        they belonged, by name. What was resolved where the rules sent it counts as right."""
        wrong = (
            select(corrections.c.routed_queue, corrections.c.right_queue, func.count().label("counted"))
            .where(corrections.c.at >= since, corrections.c.at < until)
            .group_by(corrections.c.routed_queue, corrections.c.right_queue)
        )
        right = (
            select(cases.c.routed_queue, cases.c.routed_queue.label("right_queue"), func.count().label("counted"))
            .where(cases.c.standing == Standing.CLOSED.value, cases.c.state == "resolved")
            .where(cases.c.closed_at >= since, cases.c.closed_at < until)
            .where(cases.c.lead.is_(None))  # of the copies that were worked through another, nobody looked
            .where(~exists().where(corrections.c.case_id == cases.c.id))
            .group_by(cases.c.routed_queue)
        )
        with self._db.read() as transaction:
            rows = [*transaction.run(wrong).all(), *transaction.run(right).all()]
        return sorted(Confusion(row.routed_queue, row.right_queue, row.counted) for row in rows)

    def corrections(self, since: datetime, until: datetime, batch: int = 500) -> Iterator[Correction]:
        """What people said was routed wrong in that time, oldest first, to learn from; read a batch at a time. What
        was taken back since then is not among it."""
        order = (corrections.c.at, corrections.c.case_id)
        query = select(corrections).where(corrections.c.at >= since, corrections.c.at < until)
        query = query.where(corrections.c.mention.is_not(None)).order_by(*order).limit(batch)
        page = query
        while True:
            with self._db.read() as transaction:
                rows = transaction.run(page).all()
            for row in rows:
                yield Correction(
                    case=row.case_id,
                    at=row.at,
                    actor=row.actor,
                    routed_queue=row.routed_queue,
                    right_queue=row.right_queue,
                    rule=row.rule,
                    rules_version=row.rules_version,
                    reason=row.reason,
                    routed=_routed(row.body),
                )
            if len(rows) < batch:
                return
            page = query.where(beyond(order, (rows[-1].at, rows[-1].case_id)))


def case_in(transaction: Transaction, id: str) -> Case:
    """The case as it stands in this transaction; raises NoSuchCase."""
    row = transaction.run(select(cases.c.body, cases.c.due).where(cases.c.id == id)).first()
    if row is None:
        raise NoSuchCase(f"there is no case {id}")
    return _due(row.body, row.due)


def _due(body: bytes, due: datetime) -> Case:
    """The case, due by the service level of its queue where that has one: which follows from the time too, not from
    its events alone."""
    case, due_or_none = read_case(body), None if due == NEVER else due
    return case if case.due == due_or_none else replace(case, due=due_or_none)


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    equal = {
        cases.c.queue: wanted.queue,
        cases.c.owner: wanted.owner,
        cases.c.author: wanted.author,
        cases.c.brand: wanted.brand,
        cases.c.family: wanted.family,
        cases.c.priority: None if wanted.priority is None else wanted.priority.rank,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value is not None]
    if wanted.lead is not None:
        conditions += _following(wanted.lead)
    if wanted.states:
        conditions.append(cases.c.state.in_([state.value for state in wanted.states]))
    if wanted.open is not None:
        closed = cases.c.standing == Standing.CLOSED.value
        conditions.append(cases.c.standing < Standing.CLOSED.value if wanted.open else closed)
    if wanted.due_before is not None:
        conditions.append(cases.c.due < wanted.due_before)
    if wanted.tag is not None:
        conditions.append(exists().where(case_tags.c.case_id == cases.c.id, case_tags.c.tag == wanted.tag))
    return conditions


def _following(lead: str) -> list[ColumnElement[bool]]:
    return [cases.c.lead == lead, cases.c.standing.in_([it.value for it in Standing])]  # as their index begins


def _open_in(queue: str) -> Select[Any]:
    counted, first = func.count().label("counted"), func.min(cases.c.due).label("first")
    return (
        select(cases.c.standing, cases.c.priority, counted, first)
        .where(cases.c.queue == queue, cases.c.standing < Standing.CLOSED.value)
        .group_by(cases.c.standing, cases.c.priority)
    )


def _load(queue: str, rows: Sequence[Any]) -> Load:
    by = {standing: sum(row.counted for row in rows if row.standing == standing.value) for standing in Standing}
    ready = [row for row in rows if row.standing == Standing.READY.value]
    ranks = tuple(sum(row.counted for row in ready if row.priority == rank) for rank in range(4))
    first = min((row.first for row in ready), default=NEVER)
    return Load(
        queue=queue,
        ready=by[Standing.READY],
        held=by[Standing.HELD],
        resting=by[Standing.RESTING],
        ready_by_rank=cast("tuple[int, int, int, int]", ranks),
        first_due=None if first == NEVER else first,
    )


def _routed(body: bytes | None) -> Routed | None:
    return cast(Routed, decode(bytes(body))) if body else None
