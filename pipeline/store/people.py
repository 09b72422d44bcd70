"""What is held on one person, told and taken away. A person is `source:author_id`, as in the column `author`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, delete, func, or_, select, update

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.case_tables import case_authors, cases
from pipeline.store.columns import fit
from pipeline.store.database import REMOVALS, beyond
from pipeline.store.letters import columns as letter_columns
from pipeline.store.letters import letter
from pipeline.store.part import Part, Stone, Victim, mark_removed, target
from pipeline.store.records import DeadLetter, Tombstone
from pipeline.store.tables import dead_letters, intake, mentions, metadata, outbox, removed, tombstones

PAGE = 500
"""Rows read at a time."""


class Found(NamedTuple):
    """One row of one table."""

    table: str
    row: Mapping[str, Any]


class People(Part):
    """Questions and removals by person, over all tables."""

    def mentions_of(self, author: str) -> Iterator[Routed]:
        """Everything kept of theirs, oldest first, in pages of a transaction each."""
        order = (mentions.c.created_at, mentions.c.id)
        query = select(*order, mentions.c.body).where(mentions.c.author == author).order_by(*order).limit(PAGE)
        page = query
        while True:
            with self._db.read() as transaction:
                rows = transaction.run(page).all()
            for row in rows:
                yield cast(Routed, decode(bytes(row.body)))
            if len(rows) < PAGE:
                return
            page = query.where(beyond(order, (rows[-1].created_at, rows[-1].id)))

    def letters_of(self, author: str) -> list[DeadLetter]:
        """The dead letters known to be theirs, in whatever state, oldest first."""
        query = select(*letter_columns).where(dead_letters.c.author == author)
        with self._db.read() as transaction:
            rows = transaction.run(query.order_by(dead_letters.c.died_at, dead_letters.c.id)).all()
        return [letter(row) for row in rows]

    def letters_of_nobody(self) -> Iterator[DeadLetter]:
        """The dead letters of which nobody could read an author, by id; those that were read since are left out."""
        query = (
            select(*letter_columns)
            .where(dead_letters.c.author.is_(None), dead_letters.c.state != "revived")
            .order_by(dead_letters.c.id)
            .limit(PAGE)
        )
        last = ""
        while True:
            with self._db.read() as transaction:
                rows = transaction.run(query.where(dead_letters.c.id > last)).all()
            yield from (letter(row) for row in rows)
            if len(rows) < PAGE:
                return
            last = rows[-1].id

    def known_after(self, author: str, moment: datetime) -> list[str]:
        """The ids of theirs that a removal noticed at this moment would not cover: said, by a clock that was wrong or
        an author who lied, later than that."""
        stored = select(mentions.c.id).where(mentions.c.author == author, mentions.c.known_since > moment)
        dead = select(dead_letters.c.intake_id).where(
            dead_letters.c.author == author, dead_letters.c.known_since > moment
        )
        with self._db.read() as transaction:
            found = {id for query in (stored, dead) for id in transaction.run(query).scalars()}
        return sorted(found)

    def tombstone_of(self, author: str) -> Tombstone | None:
        """What keeps this person's late copies out, if anything does."""
        query = select(tombstones).where(tombstones.c.target == target("author", author))
        with self._db.read() as transaction:
            row = transaction.run(query).first()
        return Tombstone(**row._mapping) if row else None

    def rows_about(self, ids: Sequence[str]) -> list[Found]:
        """What `intake`, `outbox` and `removed` hold on these mentions; of a payload only its size."""
        size = func.length(outbox.c.payload).label("payload_bytes")
        rest: list[Any] = [column for column in outbox.c if column.name != "payload"]
        with self._db.read() as transaction:
            return [
                Found(table, dict(row._mapping))
                for table, query in (
                    ("intake", select(intake).where(transaction.among(intake.c.id, ids)).order_by(intake.c.id)),
                    (
                        "outbox",
                        select(*rest, size).where(transaction.among(outbox.c.mention_id, ids)).order_by(outbox.c.seq),
                    ),
                    ("removed", select(removed).where(transaction.among(removed.c.id, ids)).order_by(removed.c.id)),
                )
                for row in transaction.run(query)
            ]

    def rows(self, *tables: str) -> Iterator[Found]:
        """Every row of these tables, or of all, each table as it stood at one moment: a full read, however large."""
        for table in metadata.sorted_tables:
            if tables and table.name not in tables:
                continue
            with self._db.read() as transaction:
                found = transaction.connection.execution_options(yield_per=PAGE).execute(select(table))
                for row in found:
                    yield Found(table.name, dict(row._mapping))

    def stored(self, id: str) -> str | None:
        """Whose the mention with this id is, where it is kept."""
        with self._db.read() as transaction:
            return transaction.run(select(mentions.c.author).where(mentions.c.id == id)).scalar()

    def case_author(self, id: str) -> str | None:
        """Whose a case is, where there is one with this id."""
        with self._db.read() as transaction:
            return transaction.run(select(cases.c.author).where(cases.c.id == id)).scalar()

    def cases_of(self, author: str) -> list[Found]:
        """Their cases, and every row that hangs on one of them, whichever tables hold it."""
        with self._db.read() as transaction:
            ids = sorted(transaction.run(select(cases.c.id).where(cases.c.author == author)).scalars())
            queries = [(cases, cases.c.id)] + [
                (table, table.c.case_id) for table in metadata.sorted_tables if "case_id" in table.c
            ]
            return [
                Found(table.name, dict(row._mapping))
                for table, id in queries
                for row in transaction.run(select(table).where(transaction.among(id, ids)).order_by(*table.primary_key))
            ]

    def erase_cases(self, author: str) -> list[str]:
        """Take their cases away with all that hangs on a case, whichever tables hold it; returns the cases' ids."""
        with self._db.write() as transaction:
            ids = sorted(transaction.run(select(cases.c.id).where(cases.c.author == author)).scalars())
            for table in metadata.tables.values():
                if "case_id" in table.c:
                    transaction.run(delete(table).where(transaction.among(table.c.case_id, ids)))
            for table in (cases, case_authors):
                transaction.run(delete(table).where(table.c.author == author))
        self._db.checkpoint()
        return ids

    def owed(self, source: str, ids: Sequence[str]) -> dict[str, int]:
        """How many deliveries wait, by sink, that are about these mentions or about others of this source that were
        erased before."""
        erased = select(removed.c.id).where(removed.c.source == source, removed.c.reason == "erased")
        with self._db.read() as transaction:
            about = or_(transaction.among(outbox.c.mention_id, ids), outbox.c.mention_id.in_(erased))
            query = (
                select(outbox.c.sink, func.count().label("waiting"))
                .where(outbox.c.state == "pending", about)
                .group_by(outbox.c.sink)
            )
            return {row.sink: row.waiting for row in transaction.run(query)}

    def erase_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Take dead letters away for good, bytes and reason; each counts as removed from then on. Where the mention
        itself is kept, or the letter's own mention is another's, only the letter goes."""
        now = self._clock.now()
        with self._db.write() as transaction:
            transaction.lock(REMOVALS)
            ids = [it.intake_id for it in letters]
            kept = set(transaction.run(select(mentions.c.id).where(transaction.among(mentions.c.id, ids))).scalars())
            victims = [
                Victim(it.intake_id, it.source, "", Stone("erased", now))
                for it in letters
                if fit(it.intake_id) not in kept
            ]
            mark_removed(transaction, victims, now)
            transaction.run(delete(dead_letters).where(transaction.among(dead_letters.c.id, [it.id for it in letters])))
        self._db.checkpoint()

    def removed_with(self, fragment: str) -> list[str]:
        """The ids of removed mentions, purged from the topics, that hold this fragment."""
        with self._db.read() as transaction:
            query = select(removed.c.id).where(removed.c.purged_at.is_not(None), _holds(removed.c.id, fragment))
            return list(transaction.run(query.order_by(removed.c.id)).scalars())

    def stones_with(self, fragment: str) -> list[str]:
        """The ids of mentions under a tombstone of their own that hold this fragment."""
        with self._db.read() as transaction:
            found = transaction.run(select(tombstones.c.target).where(_holds(tombstones.c.target, fragment)))
            return [it.removeprefix("mention:") for it in found.scalars() if it.startswith("mention:")]

    def rename(self, names: Mapping[str, str]) -> int:
        """Give removed mentions other ids (old to new), in one transaction, so that the ledger goes on counting them;
        returns how many. A delivery that still waits keeps the id: its sink needs it."""
        renamed = 0
        with self._db.write() as transaction:
            transaction.lock(REMOVALS)
            for old, new in sorted(names.items()):
                renamed += transaction.run(update(removed).where(removed.c.id == old).values(id=new)).rowcount
                transaction.run(update(intake).where(intake.c.id == old).values(id=new))
                transaction.run(
                    update(outbox)
                    .where(outbox.c.mention_id == old, outbox.c.state != "pending")
                    .values(mention_id=new, payload=b"", last_error="")
                )
        self._db.checkpoint()
        return renamed

    def drop_stones(self, ids: Sequence[str]) -> None:
        """Take away these mentions' own tombstones: their author's keeps them out."""
        with self._db.write() as transaction:
            targets = [target("mention", id) for id in ids]
            transaction.run(delete(tombstones).where(transaction.among(tombstones.c.target, targets)))
        self._db.checkpoint()


def _holds(column: Column[Any], fragment: str) -> Any:
    return func.lower(column).contains(fragment.lower(), autoescape=True)
