"""Find mentions, and the cases they are in, by what was said and who said it, the newest first.

On PostgreSQL a word that many said would make a list of millions only to sort it: so the newest mentions are looked at
one by one first, then stretches of time that grow, each through the index, until a page is full.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from typing import cast as typed_as

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from desk import pages
from desk.refusals import Unfit
from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.case_tables import case_mentions
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.search_index import LEVELS, QUEUED, on_postgres, stretch
from pipeline.store.search_tables import searchable
from pipeline.store.tables import mentions
from pipeline.store.words import MOST_ASKED, Asked, asked

ONE_BY_ONE = 2000
"""So many of the newest mentions are looked at before the index is asked: a word of every hundredth is found there."""

WINDOWS = ((0, 8), (1, 4), (1, 28), (2, 8), (2, 32))
"""Then the index, in stretches that follow each other: which of LEVELS, and how many. The rest comes last."""

_Place = tuple[int, str]


class Hit(NamedTuple):
    """A mention that was looked for, and the case it is in, if any."""

    routed: Routed
    case: str | None


class Hits(NamedTuple):
    """Some of what was found, the word with which to ask for more (None on the last page), and the words looked for; a
    handle begins with `@`."""

    items: tuple[Hit, ...]
    next: str | None
    words: tuple[str, ...]


class Search(Part):
    """Questions; none changes anything."""

    def mentions(self, typed: str, after: str | None = None, limit: int = 50) -> Hits:
        """The mentions in which every word and phrase stands, and that one of the handles said. `after` is the `next`
        of the page before. Raises Unfit."""
        return self._found(typed, after, limit, by_case=False)

    def cases(self, typed: str, after: str | None = None, limit: int = 50) -> Hits:
        """The cases with such a mention, each once, with the newest of them. Raises Unfit."""
        return self._found(typed, after, limit, by_case=True)

    def _found(self, typed: str, after: str | None, limit: int, by_case: bool) -> Hits:
        wanted = asked(typed)
        if not wanted.words:
            raise Unfit("q", "name at least one word, or a handle with an @ before it")
        if len(wanted.words) > MOST_ASKED:
            raise Unfit("q", f"name at most {MOST_ASKED} words")
        place = None if after is None else typed_as(_Place, pages.place(after, _Place, "this search"))
        limit = pages.bounded(limit)
        with self._db.read() as transaction:
            finder = (_Postgres if on_postgres(transaction) else _Sqlite)(transaction, wanted, by_case)
            rows: list[Any] = []
            for row in finder.rows(place, limit + 1):
                rows.append(row)
                if len(rows) > limit:
                    break
            page = rows[:limit]
            query = (
                select(mentions.c.id, mentions.c.body, case_mentions.c.case_id)
                .join(case_mentions, case_mentions.c.mention == mentions.c.id, isouter=True)
                .where(transaction.among(mentions.c.id, [row.mention for row in page]))
            )
            kept = {row.id: row for row in transaction.run(query)}
        hits = [
            Hit(typed_as(Routed, decode(bytes(kept[row.mention].body))), kept[row.mention].case_id)
            for row in page
            if row.mention in kept
        ]
        more = pages.word((page[-1].at, page[-1].mention)) if len(rows) > limit else None
        return Hits(tuple(hits), more, wanted.words)


class _Finder(ABC):
    """What both have in common: pages of rows in order, of which a search for cases leaves out all but one a case."""

    def __init__(self, transaction: Transaction, wanted: Asked, by_case: bool) -> None:
        self._transaction = transaction
        self._phrases = wanted.phrases
        self._marks = (*wanted.handles, QUEUED) if by_case else wanted.handles
        self._by_case = by_case

    def rows(self, place: _Place | None, limit: int) -> Iterator[Any]:
        """Rows (mention, at, and case_id in a search for cases), the newest first, all after the place."""
        while True:
            found = list(self._newest(place, limit))
            yield from self._first_of_their_case(found) if self._by_case else found
            if len(found) < limit:
                return
            place = (found[-1].at, found[-1].mention)

    @abstractmethod
    def _newest(self, place: _Place | None, limit: int) -> Iterator[Any]:
        """So many of the rows that match, after the place."""

    @abstractmethod
    def _matches(self, words: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether these words have all that is asked for."""

    def _run(self, query: Select[Any], table: FromClause, limit: int) -> Sequence[Any]:
        """The newest of what a query finds in a table of mentions."""
        if self._by_case:
            query = query.add_columns(case_mentions.c.case_id)
            query = query.join(case_mentions, case_mentions.c.mention == table.c.mention)
        return self._transaction.run(query.order_by(table.c.at.desc(), table.c.mention.desc()).limit(limit)).all()

    def _first_of_their_case(self, found: Sequence[Any]) -> Iterator[Any]:
        cases = sorted({row.case_id for row in found})
        query = (
            select(case_mentions.c.case_id, searchable.c.mention)
            .join(searchable, searchable.c.mention == case_mentions.c.mention)
            .where(self._transaction.among(case_mentions.c.case_id, cases), self._matches(searchable.c.words))
            .order_by(searchable.c.at, searchable.c.mention)
        )
        newest = {row.case_id: row.mention for row in self._transaction.run(query)}
        return (row for row in found if newest[row.case_id] == row.mention)


class _Postgres(_Finder):
    def _newest(self, place: _Place | None, limit: int) -> Iterator[Any]:
        # The planner takes the few that a stretch holds for many, and would read the whole table instead.
        self._transaction.run(text("SET LOCAL enable_seqscan = off"))
        place = place or (2**62, "")
        order = (searchable.c.at.desc(), searchable.c.mention.desc())
        near = select(searchable).where(_older(searchable, place)).order_by(*order).limit(ONE_BY_ONE).cte("near")
        found = self._within(near, place, limit)
        yield from found
        last = select(searchable.c.at, searchable.c.mention).where(_older(searchable, place)).order_by(*order)
        edge = self._transaction.run(last.offset(ONE_BY_ONE - 1).limit(1)).first()
        left = limit - len(found)
        if edge is None or not left:
            return
        place = (edge.at, edge.mention)
        for level, number in WINDOWS:
            first = place[0] >> LEVELS[level]
            stretches = [stretch(LEVELS[level], it) for it in range(first, first - number, -1)]
            found = self._within(self._indexed(stretches), place, left)
            yield from found
            left -= len(found)
            if not left:
                return
            place = (first - number + 1 << LEVELS[level], "")
        yield from self._within(self._indexed([]), place, left)

    def _within(self, table: CTE, place: _Place, limit: int) -> Sequence[Any]:
        matching = (_older(table, place), self._matches(table.c.words))
        return self._run(select(table.c.mention, table.c.at).where(*matching), table, limit)

    def _indexed(self, stretches: Sequence[str]) -> CTE:
        """What the index finds, within these stretches of time or in all: apart, so that nothing is read in order."""
        within = " & (" + " | ".join(f"'{it}'" for it in stretches) + ")" if stretches else ""
        found = select(searchable).where(_matching(searchable.c.words, self._asked + within)).cte("found")
        return found.prefix_with("MATERIALIZED")

    def _matches(self, words: ColumnElement[str]) -> ColumnElement[bool]:
        return _matching(words, self._asked)

    @property
    def _asked(self) -> str:
        phrases = ["(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in self._phrases]
        return " & ".join([*phrases, *(f"'{it}'" for it in self._marks)])


class _Sqlite(_Finder):
    def _newest(self, place: _Place | None, limit: int) -> Iterator[Any]:
        query = select(searchable.c.mention, searchable.c.at).where(self._matches(searchable.c.words))
        yield from self._run(query if place is None else query.where(_older(searchable, place)), searchable, limit)

    def _matches(self, words: ColumnElement[str]) -> ColumnElement[bool]:
        phrases = [*(" ".join(it) for it in self._phrases), *self._marks]
        return and_(*(func.instr(words, f" {phrase} ") > 0 for phrase in phrases))


def _older(table: FromClause, place: _Place) -> ColumnElement[bool]:
    return tuple_(table.c.at, table.c.mention) < tuple_(literal(place[0], BigInteger), literal(place[1], Text))


def _matching(words: ColumnElement[str], query: str) -> ColumnElement[bool]:
    return words.op("@@", return_type=Boolean())(cast(literal(query, Text), TSQUERY))
