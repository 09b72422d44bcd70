"""One connection to the bus file: how it is opened, its tables, and what SQLite's errors mean to a caller.

A failed call drops the connection and the next one opens a new one, so that nothing has to be known about the state a
full disk or an I/O error left it in.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BusUnavailable, ConfigError, HarkenError, Problem, Stop
from pipeline.ports import Clock

OFFSET_BITS = 40
"""A record's row id is `partition id << 40 | offset`: a partition is one range of ids, read and deleted as such."""

LAST = (1 << OFFSET_BITS) - 1
"""The highest offset (1.1e12), and the mask that takes an offset out of a row id."""

_VERSION = 1
_PAGE_BYTES = 8192  # ten records of 700 bytes a page: measured a fifth faster than SQLite's default of 4096
_LOG_PAGES = 2000  # the log is written back at 16 MB; the default of 1000 pages syncs the file twice as often
_ATTEMPTS = 100

_TABLES = """
CREATE TABLE topics (name TEXT PRIMARY KEY, retention INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    number INTEGER NOT NULL,
    start INTEGER NOT NULL DEFAULT 0,
    next INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    hash INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX records_by_hash ON records (id, hash);
CREATE TABLE groups (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    seen INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    topics TEXT NOT NULL,
    PRIMARY KEY (group_name, name)
) WITHOUT ROWID;
CREATE TABLE places (
    group_name TEXT NOT NULL,
    partition INTEGER NOT NULL,
    committed INTEGER,
    owner TEXT,
    PRIMARY KEY (group_name, partition)
) WITHOUT ROWID;
"""
# `records_by_hash` begins with the id on purpose. An index by key alone scatters every batch over all its pages, which
# halved the write rate and got worse with the log; this one is only ever appended to, and a purge reads it from end
# to end: 13 bytes a record instead of the record.


def first_id(partition: int) -> int:
    """The row id of a partition's offset 0."""
    return partition << OFFSET_BITS


def unknown_topic(topic: str) -> ConfigError:
    """The error for a topic that nobody applied."""
    return ConfigError([Problem(f"topic {topic}", "does not exist on the bus", "run `harken topics apply`")])


class BusFile:
    """A connection that opens itself when used; one transaction at a time, threads take turns.

    `durable` syncs every transaction to the disk; without it one may be lost in a power cut, never in a crash of the
    process, and the order of transactions is kept either way (https://www.sqlite.org/pragma.html#pragma_synchronous).
    Raises BusUnavailable for what may pass (locked, full, I/O), Stop for a file that is damaged or not a bus.
    """

    def __init__(self, path: Path, busy_secs: float, clock: Clock, *, durable: bool) -> None:
        self._path = path
        self._busy_secs = busy_secs
        self._clock = clock
        self._synchronous = "FULL" if durable else "NORMAL"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: one state of the file, whatever is written meanwhile."""
        with self._guarded() as db, _transaction(db, "BEGIN"):
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: alone in the file from its first line, all or nothing."""
        with self._guarded() as db, _transaction(db, "BEGIN IMMEDIATE"):
            yield db

    def version(self) -> int:
        """A number that changes whenever another connection, of whatever process, wrote to the file; cheap."""
        with self._guarded() as db:
            return int(db.execute("PRAGMA data_version").fetchone()[0])

    def empty_log(self) -> None:
        """Write the write-ahead log back into the file and cut it to nothing, so that it holds no deleted text."""
        with self._guarded() as db:
            busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise BusUnavailable(f"the log of the bus file {self._path} is being read and cannot be emptied yet")

    def close(self) -> None:
        """Close the connection; a second call does nothing, another use is an error of the caller."""
        with self._lock:
            self._closed = True
            self._drop()

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except sqlite3.Error as error:
                self._drop()
                if (known := self._meaning(error)) is None:
                    raise
                raise known from error

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise RuntimeError("this part of the bus was closed")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BusUnavailable(f"the folder of the bus file {self._path} cannot be made: {error.strerror}") from error
        db = sqlite3.connect(self._path, timeout=self._busy_secs, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            self._use_log(db)
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA secure_delete = ON")
            db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            db.execute(f"PRAGMA journal_size_limit = {_LOG_PAGES * _PAGE_BYTES}")
            self._make_tables(db)
        except BaseException:
            db.close()
            raise
        return db

    def _use_log(self, db: sqlite3.Connection) -> None:
        # Two processes that make the file at once can deadlock here, and SQLite then answers "locked" without waiting.
        for attempt in range(_ATTEMPTS):
            try:
                db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _ATTEMPTS - 1:
                    raise
                self._clock.wait(self._busy_secs / _ATTEMPTS)

    def _make_tables(self, db: sqlite3.Connection) -> None:
        if _version(db) == _VERSION:
            return
        with _transaction(db, "BEGIN IMMEDIATE"):
            if (version := _version(db)) == _VERSION:  # another process was first
                return
            if version or db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                raise ConfigError(
                    [Problem("bus.path", f"{self._path} is not a bus file of this version", "name another file")]
                )
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _meaning(self, error: sqlite3.Error) -> HarkenError | None:
        # The low byte is the primary code (https://www.sqlite.org/rescode.html); Python's own errors carry none.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING:
            return BusUnavailable(f"the bus file {self._path} does not answer: {error}")
        if code in _DAMAGED:
            return Stop(f"the bus file {self._path} is damaged or not a bus file: {error}")
        return None


_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    finally:
        db.rollback()  # does nothing after the commit
