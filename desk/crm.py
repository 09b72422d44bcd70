"""What a CRM says of customers: segment and value, and which accounts it holds to be one person's.

A reading of the table is written beside the one before, some rows in each transaction, and counts once it is whole:
`crm.load` says which reading a row is of, `crm_loads` which are done. A person is named by `crm.account`, by their id
(`source:author_id`) or by a handle (`source:@handle`); `forget` takes one out. Who was erased is not read in again
under their id; a CRM that names them by a handle has to forget them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import structlog
from sqlalchemy import Column, ColumnElement, delete, func, insert, select, tuple_, update

from desk import crm_links, handles
from desk.audit import Event, append
from desk.crm_table import PAGE, Broken, CrmTable, Row, check, read
from desk.links import resolved
from pipeline.errors import ConfigError, HarkenError, Problem, SourceUnavailable
from pipeline.ports import Clock
from pipeline.store.columns import fit
from pipeline.store.database import REMOVALS, Database, Transaction
from pipeline.store.fact_tables import crm, crm_loads
from pipeline.store.fact_tables import handles as handle_table
from pipeline.store.part import Part, target
from pipeline.store.tables import tombstones

log = structlog.get_logger(__name__)

ACTOR = "system:crm"

MOST_ROWS = 2_000_000
"""A table with more rows is refused: whoever has so many customers has a query that chooses among them."""

NAMED = 100
"""So many broken rows are named; all are counted."""


@dataclass(frozen=True)
class Known:
    """What the CRM says of an account; `segment` is empty and `value` None where it does not say."""

    segment: str
    value: float | None


@dataclass(frozen=True)
class Refreshed:
    """What came of a reading: rows taken, rows that are broken, the first of these in words with their lines; links
    made and ended on the CRM's word."""

    rows: int
    broken: int
    problems: tuple[str, ...]
    linked: int
    unlinked: int


class Crm(Part):
    """The table of the CRM, as it was read last."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        table: CrmTable | None = None,
        every: timedelta = timedelta(hours=1),
        path: str = "desk.crm",
    ) -> None:
        """`path` is where the table is configured. Raises ConfigError where it names neither a file nor a query, or
        both."""
        super().__init__(database, clock)
        if table is not None:
            check(table, path)
        self._table, self._every, self._path = table, every, path
        self._tried_at: datetime | None = None

    def lookup(self, account: str) -> Known | None:
        """What is known of this account, by its id or else by a handle it shows."""
        with self._db.read() as transaction:
            return known(transaction, [resolved(transaction, account)])

    def due(self) -> bool:
        """Whether there is a table, and `every` has passed since it was read, or tried, last. For a timer."""
        if self._table is None:
            return False
        with self._db.read() as transaction:
            last = transaction.run(
                select(func.max(crm_loads.c.done_at)).where(crm_loads.c.done_at.is_not(None))
            ).scalar()
        times = [at for at in (last, self._tried_at) if at is not None]
        return not times or self._clock.now() - max(times) >= self._every

    def step(self) -> bool:
        """Read it when it is due; what goes wrong is logged, and tried again after `every`. Whether there is more to do
        at once: there never is. For a timer."""
        if self.due():
            try:
                self.refresh()
            except (ConfigError, SourceUnavailable) as error:
                log.error("the CRM's table could not be read: what was read before stays", reason=str(error))
        return False

    def refresh(self) -> Refreshed:
        """Read the table, and let it take the place of what was read before, at once and as a whole. Rows that are
        broken are left out and named. Raises ConfigError where it cannot be read or not one row can be used,
        SourceUnavailable where its database is down: then what was read before stays."""
        if self._table is None:
            raise ConfigError([Problem(self._path, "no table is configured", "give it csv, or url and query")])
        self._tried_at = self._clock.now()
        with self._db.write() as transaction:
            begun = {"begun_at": self._tried_at, "rows": 0, "broken": 0}
            load = int(transaction.run(insert(crm_loads).returning(crm_loads.c.load), [begun]).scalar_one())
        problems: list[str] = []
        try:
            rows, broken = self._read(load, problems)
            if broken and not rows:
                raise ConfigError([Problem(self._path, "not one row can be used", it) for it in problems[:5]])
        except HarkenError:
            self._drop(lambda column: column == load)
            raise
        with self._db.write() as transaction:
            done = {"done_at": self._clock.now(), "rows": rows, "broken": broken}
            transaction.run(update(crm_loads).where(crm_loads.c.load == load).values(done))
            append(transaction, self._clock.now(), [Event(ACTOR, "crm.read", "crm", {"rows": rows, "broken": broken})])
        with self._db.read() as transaction:
            current = current_load(transaction)
        self._drop(lambda column: column < current)
        linked, unlinked, odd = crm_links.bring_up(self._db, self._clock, ACTOR, current)
        problems += odd
        log.info("read the CRM's table", rows=rows, broken=broken, linked=linked, unlinked=unlinked)
        return Refreshed(rows, broken, tuple(problems[:NAMED]), linked, unlinked)

    def _read(self, load: int, problems: list[str]) -> tuple[int, int]:
        assert self._table is not None  # noqa: S101 - for the type checker: `refresh` has looked
        rows = broken = 0
        given = read(self._table, self._path)
        while page := list(islice(given, PAGE)):
            good = [it for it in page if isinstance(it, Row)]
            bad = [str(it) for it in page if isinstance(it, Broken)]
            if rows + len(good) > MOST_ROWS:
                remedy = "choose the customers that matter"
                raise ConfigError([Problem(self._path, f"the table has more than {MOST_ROWS:,} rows", remedy)])
            taken, twice = self._take(load, good)
            bad += [str(Broken(it.line, f"{it.account[:60]!r} has a row already")) for it in twice]
            rows, broken = rows + taken, broken + len(bad)
            problems += bad[: max(0, NAMED - len(problems))]
        return rows, broken

    def _take(self, load: int, page: Sequence[Row]) -> tuple[int, list[Row]]:
        """Write these beside the reading before; returns how many, and who has a row already: the first one counts."""
        if not page:
            return 0, []
        first: dict[str, Row] = {}
        twice = [it for it in page if first.setdefault(it.account, it) is not it]
        with self._db.write() as transaction:
            transaction.lock(REMOVALS, shared=True)
            mine = crm.c.load == load, transaction.among(crm.c.account, list(first))
            present = set(transaction.run(select(crm.c.account).where(*mine)).scalars())
            twice += [first[account] for account in sorted(present)]
            erased = _erased(transaction, list(first))
            rows = [
                {"load": load, "account": it.account, "segment": it.segment, "value": it.value, "person": it.person}
                for it in first.values()
                if it.account not in present and it.account not in erased
            ]
            if rows:
                transaction.run(insert(crm), rows)
        return len(rows), twice

    def _drop(self, which: Callable[[Column[Any]], ColumnElement[bool]]) -> None:
        """Take the rows of these readings away, some in each transaction."""
        some = select(crm.c.load, crm.c.account).where(which(crm.c.load)).limit(5 * PAGE)
        more = True
        while more:
            with self._db.write() as transaction:
                gone = transaction.run(delete(crm).where(tuple_(crm.c.load, crm.c.account).in_(some)))
                more = gone.rowcount > 0
        with self._db.write() as transaction:
            transaction.run(delete(crm_loads).where(which(crm_loads.c.load)))


def known(transaction: Transaction, authors: Sequence[str]) -> Known | None:
    """What the CRM says of the first of these authors (`source:author_id`) that it knows."""
    shown = handles.handles_of(transaction, authors)
    names = [name for author in authors for name in (author, *shown.get(author, ()))]
    load = current_load(transaction)
    query = select(crm).where(crm.c.load == load, transaction.among(crm.c.account, names))
    rows = {row.account: row for row in transaction.run(query)}
    return next((Known(rows[fit(it)].segment, rows[fit(it)].value) for it in names if fit(it) in rows), None)


def current_load(transaction: Transaction) -> int:
    """The reading that counts; 0 where there was none."""
    query = select(func.max(crm_loads.c.load)).where(crm_loads.c.done_at.is_not(None))
    return int(transaction.run(query).scalar() or 0)


def forget(transaction: Transaction, author: str) -> None:
    """Take what a CRM says of this author (`source:author_id`) out of every reading, and the handles they showed."""
    names = [fit(author), *handles.handles_of(transaction, [author]).get(fit(author), ())]
    transaction.run(delete(crm).where(transaction.among(crm.c.account, names)))
    transaction.run(delete(handle_table).where(handle_table.c.author == fit(author)))


def _erased(transaction: Transaction, accounts: Sequence[str]) -> set[str]:
    stones = {target("author", account): account for account in accounts}
    gone = select(tombstones.c.target).where(
        transaction.among(tombstones.c.target, list(stones)), tombstones.c.reason == "erased"
    )
    return {stones[it] for it in transaction.run(gone).scalars()}
