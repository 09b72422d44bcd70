"""The connection: opened when first used, its troubles named, its transactions the same on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Executable,
    LargeBinary,
    Row,
    Table,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, InternalError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.types import TypeEngine

from pipeline.errors import ConfigError, HarkenError, Problem, StoreUnavailable
from pipeline.store.columns import Converted, fit_all

_to_json = msgspec.json.Encoder().encode

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # what is committed survives a power cut: a worker's commit on the bus relies on it
    "foreign_keys=ON",
    "secure_delete=ON",  # what was removed is overwritten
    "temp_store=MEMORY",
    "cache_size=-32768",  # KiB; the indexes' pages, which ids in no order touch all over
    "wal_autocheckpoint=4000",  # pages; fewer writes of the same page
)
"""What every SQLite connection is opened with."""

BUSY_SECONDS = 10
"""How long a statement waits for another's lock before the store counts as unavailable."""

REMOVALS = 0x6861726B
"""Advisory lock: writers of mentions share it, a removal has it alone, so that nothing slips in behind a removal."""

UPGRADE = 0x6861726C
"""Advisory lock: one process migrates."""

Guard = Callable[[Any], ColumnElement[bool]]
"""Given the new row's columns, whether it may replace the one there."""


class Transaction:
    """One transaction in progress, with the statements that the two databases spell differently."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._postgres = connection.dialect.name == "postgresql"

    @property
    def settled_before(self) -> ColumnElement[int] | None:
        """Every transaction with a lower number has ended, for a query to compare with; None on SQLite, where whatever
        can be read is settled."""
        if not self._postgres:
            return None
        return cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)

    def run(self, statement: Executable, rows: Sequence[dict[str, Any]] | None = None) -> CursorResult[Any]:
        """Execute one statement, once or for each of the rows."""
        return self.connection.execute(statement, rows)

    def lock(self, number: int, *, shared: bool = False) -> None:
        """Hold an advisory lock until the end; SQLite has only one writer anyway."""
        if self._postgres:
            kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            self.connection.execute(select(getattr(func, kind)(number)))

    def among(self, key: Column[Any], ids: Sequence[str]) -> ColumnElement[bool]:
        """`key IN (ids)` as one bound parameter, however many there are."""
        wanted = _listed(ids)
        if self._postgres:
            listed = func.json_array_elements_text(cast(bindparam(None, wanted, Text()), JSON))
            return key == func.any(func.array(select(listed).scalar_subquery()))
        return key.in_(select(func.json_each(wanted).table_valued("value").c.value))

    def hold(self, table: Table, key: str, ids: Sequence[str], **fresh: Any) -> Sequence[Row[Any]]:
        """The rows of the table with these keys, held until the end; one that is missing is made, with what is `fresh`
        in it. Whoever holds several gives the keys in the same order as everybody else."""
        if self._postgres:
            return self.connection.execute(_hold(table, key, **fresh), {"keys": _listed(ids)}).all()
        self.insert(table, [{key: id, **fresh} for id in ids], key)
        return self.connection.execute(select(table).where(self.among(table.c[key], ids))).all()

    def insert(
        self,
        table: Table,
        rows: Sequence[dict[str, Any]],
        key: str,
        update: Sequence[str] = (),
        guard: Guard | None = None,
        stamp: str | None = None,
        **values: Callable[[Any], Any],
    ) -> None:
        """Insert the rows in one statement; all have the same columns and distinct values of `key`.

        Where a row with this key is there already it is left alone, or, with `update`, those columns take the new
        values if `guard` agrees. `values` are columns that take an expression of the new row instead. Both are better
        functions of a module than made for the call: then the statement is made once. `stamp` is a column for the
        number of this transaction, which orders what followers read; on SQLite, where writers come one after the other,
        it keeps its default.
        """
        if not rows:
            return
        names = tuple(rows[0])
        ready = _ready(self._postgres, table, names, key, tuple(update), guard, stamp, tuple(values.items()))
        # SQLAlchemy would convert each value of each row by itself, which costs more than the database does.
        storable = [self._storable(table.c[name].type, [row[name] for row in rows]) for name in names]
        if self._postgres:
            document = [dict(zip(names, row, strict=True)) for row in zip(*storable, strict=True)]
            self.connection.execute(ready.statement, {"rows": _to_json(document).decode()})
        else:
            values_of = dict(zip(names, storable, strict=True))
            columns = [values_of.get(name) or [ready.fixed[name]] * len(rows) for name in ready.order]
            self.connection.exec_driver_sql(ready.text, list(zip(*columns, strict=True)))

    def _storable(self, type_: TypeEngine[Any], values: list[Any]) -> list[Any]:
        if isinstance(type_, Converted):
            return type_.convert(values, self.connection.dialect)
        return values


class _Ready(NamedTuple):
    """An insert made ready: for SQLite as its text, the columns of its parameters in order, and those that are the same
    for every row."""

    statement: Any
    text: str = ""
    order: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = {}


@lru_cache(maxsize=256)  # making a statement costs more than running it for a few rows
def _ready(
    postgres: bool,
    table: Table,
    names: tuple[str, ...],
    key: str,
    update: tuple[str, ...],
    guard: Guard | None,
    stamp: str | None,
    values: tuple[tuple[str, Callable[[Any], Any]], ...],
) -> _Ready:
    statement: Any = _insert_from_json(table, names, stamp) if postgres else sqlite.insert(table)
    if update or values:
        changes = {name: statement.excluded[name] for name in update}
        changes |= {name: value(statement.excluded) for name, value in values}
        where = guard(statement.excluded) if guard else None
        statement = statement.on_conflict_do_update(index_elements=[key], set_=changes, where=where)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=[key])
    if postgres:
        return _Ready(statement)
    compiled = statement.compile(dialect=_sqlite, column_keys=names)
    return _Ready(statement, str(compiled), tuple(compiled.positiontup), compiled.params)


_sqlite = pysqlite.dialect()


def _insert_from_json(table: Table, names: tuple[str, ...], stamp: str | None) -> Any:
    # One JSON document: a value at a time, or an array of each column, costs our side several times as much.
    types = [Text() if _is_binary(table.c[name]) else table.c[name].type for name in names]
    fields = [column(name, type_) for name, type_ in zip(names, types, strict=True)]
    new = func.json_to_recordset(cast(bindparam("rows", type_=Text()), JSON)).table_valued(*fields, name="new")
    new = new.render_derived(with_types=True)
    given: list[Any] = [func.decode(new.c[it], "base64") if _is_binary(table.c[it]) else new.c[it] for it in names]
    if stamp:
        names, given = (*names, stamp), [*given, cast(cast(func.pg_current_xact_id(), Text), BigInteger)]
    return postgresql.insert(table).from_select(names, select(*given))


@lru_cache(maxsize=16)
def _hold(table: Table, key: str, **fresh: Any) -> Any:
    wanted = func.json_array_elements_text(cast(bindparam("keys", type_=Text()), JSON))
    given = [literal(value, table.c[name].type) for name, value in fresh.items()]
    statement = postgresql.insert(table).from_select([key, *fresh], select(wanted, *given))
    # An update that changes nothing locks what is there, in the order of the keys, and tells how it stands by then.
    same = {name: table.c[name] for name in fresh}
    return statement.on_conflict_do_update(index_elements=[key], set_=same).returning(*table.c)


def _listed(ids: Sequence[str]) -> str:
    return _to_json(fit_all(ids)).decode()


def _is_binary(of: Column[Any]) -> bool:
    return isinstance(of.type, LargeBinary)


class Database:
    """One database by URL. Building it opens nothing; every trouble of the moment is a StoreUnavailable."""

    def __init__(self, url: str) -> None:
        self._url = _parsed(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        options: dict[str, Any] = (
            {"connect_args": {"timeout": BUSY_SECONDS}} if self.is_sqlite else _postgres_options(self._url)
        )
        try:
            self.engine = create_engine(self._url, hide_parameters=True, **options)
        except ModuleNotFoundError as error:
            raise _problem(f"needs the package {error.name}", "pip install 'harken[postgres]'") from error
        if self.is_sqlite:
            event.listen(self.engine, "connect", _open_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def prepare(self) -> None:
        """Make what must be there before the first connection: a SQLite file's folder."""
        if self.is_sqlite and self._url.database not in (None, "", ":memory:"):
            try:
                Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailable(f"the store's folder cannot be made: {error.strerror}") from error

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block, or leaves no trace."""
        with self._connected() as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one moment, however many statements it runs, and holds up no writer."""
        with self.session() as connection, connection.begin():
            yield Transaction(connection)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection for several such transactions one after the other."""
        with self._connected(reading=True) as connection:
            yield connection

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, in which removed text would linger; a reader in the way only delays it."""
        if self.is_sqlite:
            with _named(), self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None  # noqa: S101 - for the type checker: a checked-out connection has one
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _connected(self, reading: bool = False) -> Iterator[Connection]:
        with _named(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(begin="BEGIN" if reading else "BEGIN IMMEDIATE")
            elif reading:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection


def beyond(columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a row comes after these values in the order of the columns: where the next page begins."""
    return tuple_(*columns) > tuple_(*values, types=[it.type for it in columns])


def beneath(columns: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """The same for what is read the other way round."""
    return tuple_(*columns) < tuple_(*values, types=[it.type for it in columns])


@contextmanager
def _named() -> Iterator[None]:
    """Turn the driver's errors into ours; without the statement, whose text helps nobody who reads the message."""
    try:
        yield
    except PoolTimeout:
        raise StoreUnavailable("the store is busy: no connection became free") from None
    except DBAPIError as error:
        named = _named_error(error)
        if named is None:
            raise
        raise named from None


def _named_error(error: DBAPIError) -> HarkenError | None:
    said = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0][:200]
    state = getattr(error.orig, "sqlstate", None)
    if state == "42P01" or "no such table" in said:
        return _problem("the database has no tables of harken", "let a role upgrade it first (`harken up` does)")
    if "file is not a database" in said:
        return _problem("the file is not a SQLite database", "name another file")
    read_only = isinstance(error, InternalError) and state == "25006"  # a standby after a failover
    if isinstance(error, OperationalError) or error.connection_invalidated or read_only:
        return StoreUnavailable(f"the store does not answer: {said}")
    return None


def _problem(message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem("store.url", message, remedy)])


def _parsed(url: str) -> URL:
    remedy = "sqlite:///var/harken.db or postgresql://user@host/database"
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise _problem("not a database URL", remedy) from None
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _problem(f"{backend} is not supported", remedy)
    if parsed.database in (None, "", ":memory:"):
        raise _problem("a database in memory would not outlive the process", remedy)
    return parsed.set(drivername="sqlite+pysqlite")


def _postgres_options(url: URL) -> dict[str, Any]:
    # A host that vanishes must not hold a worker for the kernel's default of two hours.
    settings = (
        f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout=60s "
        "-c plan_cache_mode=force_custom_plan "  # a plan made while a table was small reads all of it for good
        f"{url.query.get('options', '')}"
    )
    patience = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 15_000}
    given = {name: value for name, value in patience.items() if name not in url.query}
    return {"pool_pre_ping": True, "connect_args": {**given, "options": settings.strip()}}


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
