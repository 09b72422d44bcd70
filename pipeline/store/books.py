"""The counts behind the ledger. Each column is counted in the table that holds it, so that they can disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from pipeline.store.columns import Key
from pipeline.store.part import Part
from pipeline.store.tables import dead_letters, intake, mentions, removed

SAMPLE = 10
"""How many ids are named of what should not be."""

_marked = Table("harken_marked", MetaData(), Column("id", Key), prefixes=["TEMPORARY"])


class Count(NamedTuple):
    """How many ids of a source stand in one column; `reason` only where filtered."""

    source: str
    column: str
    reason: str | None
    ids: int


class Tally(NamedTuple):
    """One moment's counts, and examples of what should not be: ids lost on the way (`missing`), with an outcome
    though never taken in (`orphans`), both removed and kept (`twice`)."""

    counts: Sequence[Count]
    missing: Sequence[str]
    orphans: Sequence[str]
    twice: Sequence[str]


class Books:
    """Open for one reading of the ledger, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mark(self) -> int:
        """Remember which ids are in flight now; returns how many."""
        with self._connection.begin():
            _marked.create(self._connection, checkfirst=False)
            self._connection.execute(
                insert(_marked).from_select(["id"], select(intake.c.id).where(_in_flight(intake.c.id)))
            )
            return self._connection.execute(select(func.count()).select_from(_marked)).scalar_one()

    def tally(self, lost: bool) -> Tally:
        """Count everything in one moment. `lost` says that what was marked and is in flight still will never arrive:
        it is counted as `missing` then, and not as in flight."""
        with self._connection.begin():
            counts = [Count(*row) for query in _counts() for row in self._connection.execute(query).all()]
            missing: list[str] = []
            if lost:
                lost_ids = select(_marked.c.id).where(_in_flight(_marked.c.id))
                where_lost = intake.c.id.in_(lost_ids)
                query = select(intake.c.source, func.count()).where(where_lost).group_by(intake.c.source)
                for source, ids in self._connection.execute(query).all():
                    counts += [Count(source, "missing", None, ids), Count(source, "in_flight", None, -ids)]
                missing = self._sample(lost_ids)
            twice = self._sample(select(removed.c.id).join(mentions, mentions.c.id == removed.c.id))
            columns = sum(it.ids for it in counts if it.column != "taken_in")
            taken_in = sum(it.ids for it in counts if it.column == "taken_in")
            orphans = self._orphans() if columns != taken_in else []
        return Tally(counts, missing, orphans, twice)

    def release(self) -> int:
        """Let what was marked and is in flight still be taken in again: its content counts as unknown from now on."""
        lost = intake.c.id.in_(select(_marked.c.id).where(_in_flight(_marked.c.id)))
        with self._connection.begin():
            return self._connection.execute(update(intake).where(lost).values(digest="")).rowcount

    def _orphans(self) -> list[str]:
        found: list[str] = []
        for id in (mentions.c.id, removed.c.id, dead_letters.c.intake_id):
            query = select(id).where(~exists().where(intake.c.id == id))
            if id.table is dead_letters:
                query = query.where(dead_letters.c.state.in_(("dead", "discarded")))
            found += self._sample(query)
        return found[:SAMPLE]

    def _sample(self, query: Select[Any]) -> list[str]:
        return list(self._connection.execute(query.limit(SAMPLE)).scalars())


class Ledgers(Part):
    """What `pipeline.ledger` reads."""

    @contextmanager
    def books(self) -> Iterator[Books]:
        """Open the books; nothing is locked, and nothing stays when they are closed."""
        with self._db.session() as connection:
            try:
                yield Books(connection)
            finally:
                with connection.begin():
                    _marked.drop(connection, checkfirst=True)


def _in_flight(id: Column[Any]) -> ColumnElement[bool]:
    """Taken in, and nothing has become of it yet."""
    given_up = and_(dead_letters.c.intake_id == id, dead_letters.c.state.in_(("dead", "discarded")))
    return and_(
        ~exists().where(mentions.c.id == id),
        ~exists().where(removed.c.id == id),
        ~exists().where(given_up),
    )


def _counts() -> list[Select[Any]]:
    """(source, column, reason, ids), one query a column. A dead letter counts where the mention has neither an outcome
    nor a removal, and one that waits for a person outweighs one that was discarded."""
    nothing = null()
    other = dead_letters.alias("other")
    source = func.coalesce(intake.c.source, dead_letters.c.source)
    letters = func.count(dead_letters.c.intake_id.distinct())
    given_up = (
        select(source, literal("dead"), nothing, letters)
        .select_from(dead_letters.outerjoin(intake, intake.c.id == dead_letters.c.intake_id))
        .where(
            ~exists().where(mentions.c.id == dead_letters.c.intake_id),
            ~exists().where(removed.c.id == dead_letters.c.intake_id),
        )
        .group_by(source)
    )
    waits_too = exists().where(other.c.intake_id == dead_letters.c.intake_id, other.c.state == "dead")
    return [
        select(intake.c.source, literal("taken_in"), nothing, func.count()).group_by(intake.c.source),
        select(mentions.c.source, mentions.c.outcome, mentions.c.filtered, func.count()).group_by(
            mentions.c.outcome, mentions.c.source, mentions.c.filtered
        ),
        select(removed.c.source, literal("removed"), nothing, func.count()).group_by(removed.c.source),
        given_up.where(dead_letters.c.state == "dead"),
        given_up.with_only_columns(source, literal("filtered"), literal("discarded"), letters).where(
            dead_letters.c.state == "discarded", ~waits_too
        ),
        select(intake.c.source, literal("in_flight"), nothing, func.count())
        .where(_in_flight(intake.c.id))
        .group_by(intake.c.source),
    ]
