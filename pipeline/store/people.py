"""What is held on one person, told and taken away. A person is `source:author_id`, as in the column `author`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, ColumnElement, Table, delete, func, or_, select, update

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.case_tables import case_authors, case_mentions, cases
from pipeline.store.columns import fit
from pipeline.store.database import REMOVALS, Transaction, beyond
from pipeline.store.holdings import HOLDINGS, tables_of_cases
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

    def cases_of(self, author: str, accounts: Collection[str] = ()) -> list[Found]:
        """Their cases, every row that hangs on one of them, whichever tables hold it, and what else is kept under
        their account or another of the names it goes by (`accounts`; `HOLDINGS` says where)."""
        with self._db.read() as transaction:
            ids = sorted(transaction.run(select(cases.c.id).where(cases.c.author == author)).scalars())
            queries = [(cases, transaction.among(cases.c.id, ids))]
            queries += [(table, transaction.among(table.c.case_id, ids)) for table in tables_of_cases()]
            named = _under(transaction, {author, *accounts})
            queries += [(table, theirs) for table, theirs in named if "case_id" not in table.c]
            return [
                Found(table.name, dict(row._mapping))
                for table, theirs in queries
                for row in transaction.run(select(table).where(theirs).order_by(*table.primary_key))
                if table is not case_authors
            ]

    def answers_to(self, author: str) -> list[str]:
        """The ids of our own answers in their cases, of those that are kept as mentions."""
        query = (
            select(mentions.c.id)
            .join(case_mentions, case_mentions.c.mention == mentions.c.id)
            .join(cases, cases.c.id == case_mentions.c.case_id)
            .where(cases.c.author == author, case_mentions.c.part == "answer", mentions.c.author != author)
        )
        with self._db.read() as transaction:
            return list(transaction.run(query.order_by(mentions.c.id)).scalars())

    def erase_cases(self, author: str, accounts: Collection[str] = ()) -> list[str]:
        """Take their cases away with all that hangs on a case, whichever tables hold it, and every row under their
        account, or another of the names it goes by (`accounts`); returns the cases' ids."""
        with self._db.write() as transaction:
            transaction.run(select(case_authors.c.author).where(case_authors.c.author == author).with_for_update())
            ids = sorted(transaction.run(select(cases.c.id).where(cases.c.author == author)).scalars())
            for table in tables_of_cases():
                transaction.run(delete(table).where(transaction.among(table.c.case_id, ids)))
            for table, named in _under(transaction, {author, *accounts}):
                transaction.run(delete(table).where(named))
        self._db.checkpoint()
        return ids

    def reword(self, change: Callable[[str], str]) -> Counter[str]:
        """Let `change` go over what our people wrote freely, wherever it is a column of its own; returns how many rows
        that changed, by table. What is being sent stays as it is."""
        changed: Counter[str] = Counter()
        for name, held in HOLDINGS.items():
            table = metadata.tables[name]
            for _, row in self.rows(name) if held.words else ():
                news = {it: new for it in held.words if row[it] and (new := change(row[it])) != row[it]}
                if news and row.get("state") not in held.busy:
                    # Whoever has it open is told that it has changed, and what changed meanwhile is seen next time.
                    more = {"version": row["version"] + 1} if "version" in row else {}
                    same = [column == row[column.name] for column in table.primary_key]
                    same += [table.c[it] == row[it] for it in (*news, *more)]
                    with self._db.write() as transaction:
                        done = transaction.run(update(table).where(*same).values(news | more)).rowcount
                    changed[name] += done
        if changed:
            self._db.checkpoint()
        return changed

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


def _under(transaction: Transaction, accounts: Collection[str]) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """The tables whose rows belong to accounts, and which of them are under one of these names; without those that a
    removal reaches."""
    for name, held in HOLDINGS.items():
        if held.accounts and name not in ("mentions", "dead_letters"):
            table = metadata.tables[name]
            yield table, or_(*(transaction.among(table.c[column], sorted(accounts)) for column in held.accounts))


def _holds(column: Column[Any], fragment: str) -> Any:
    return func.lower(column).contains(fragment.lower(), autoescape=True)
