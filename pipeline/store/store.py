"""The store, whole: open it here."""

from __future__ import annotations

from sqlalchemy import select

from pipeline.ports import Clock
from pipeline.store import migrate
from pipeline.store.arrivals import Arrivals
from pipeline.store.books import Ledgers
from pipeline.store.coverage import Coverage
from pipeline.store.database import Database
from pipeline.store.deliveries import Deliveries
from pipeline.store.letters import Letters
from pipeline.store.outbox import Outbox
from pipeline.store.people import People
from pipeline.store.queries import Queries


class Store(Arrivals, Coverage, Deliveries, Letters, Outbox, Queries, People, Ledgers):
    """Everything that is kept, on SQLite or PostgreSQL: the same promises, one test-suite on both.

    Building it opens nothing. Every method is one transaction: it has happened when the method returns, and has left
    no trace when it raises. StoreUnavailable says that the database does not answer, is locked or full, and that the
    same call may succeed later; ConfigError that this is not a database we can use. Safe to share among threads.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(Database(url), clock)

    def upgrade(self) -> None:
        """Create the tables, or bring them to this version. Several processes may do so at once; a database that is
        newer than this version is refused with ConfigError."""
        migrate.upgrade(self._db)

    def ping(self) -> None:
        """Return when the database answers, else raise StoreUnavailable."""
        with self._db.read() as transaction:
            transaction.run(select(1))

    def close(self) -> None:
        """Close every connection."""
        self._db.close()
