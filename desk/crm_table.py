"""The table of a CRM, as it is given to us: a CSV file, or a query on a database that is only read.

Its columns, in any order and with others beside them, are `account` (`source:author_id` or `source:@handle`),
`segment`, `value` (a number) and `person` (the CRM's own number of whom the account belongs to). Only `account` must be
there. Nothing of the table is trusted: what cannot be used is named with its line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL, Connection, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, ResourceClosedError
from sqlalchemy.pool import NullPool

from desk.handles import normal
from pipeline.errors import ConfigError, Problem, SourceUnavailable

COLUMNS = ("account", "segment", "value", "person")

TEXT_CHARS = 200
"""How long a segment or a person's number may be."""

QUERY_SECS = 300
"""How long the database may take over the query."""

PAGE = 1000
"""Rows read at a time."""


@dataclass(frozen=True)
class CrmTable:
    """Where the table is: a CSV file, or a query on the database at `url`."""

    csv: Path | None = None
    url: SecretStr | None = None
    query: str | None = None


@dataclass(frozen=True)
class Row:
    """One account, as `desk.handles.normal` has it."""

    line: int
    account: str
    segment: str
    value: float | None
    person: str | None


@dataclass(frozen=True)
class Broken:
    """A row that cannot be used: which, and why."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


def check(table: CrmTable, path: str) -> None:
    """Raise ConfigError, with places below `path`, where this names no table that can be read."""
    if (table.csv is None) is (table.url is None):
        raise ConfigError([Problem(path, "names no table, or two", "give it csv, or url and query")])
    if table.url is None:
        if table.query is not None:
            raise ConfigError([Problem(f"{path}.query", "has no database", "give it url as well, or leave it out")])
        return
    if not (table.query or "").strip():
        raise ConfigError([Problem(f"{path}.query", "is missing", "select account, segment, value from …")])
    _url(table.url, path)


def read(table: CrmTable, path: str) -> Iterator[Row | Broken]:
    """Its rows in order, each as it is or as what is wrong with it. Raises ConfigError where it cannot be read at all,
    SourceUnavailable where its database is down."""
    if table.csv is not None:
        yield from _from_csv(table.csv)
    elif table.url is not None:
        yield from _from_sql(table.url, table.query or "", path)


def row(number: int, given: Mapping[str, Any]) -> Row | Broken:
    """One row from its cells by column."""
    cells = {name: str(cell).strip() for name, cell in given.items() if cell is not None}
    account, written = cells.get("account", ""), cells.get("value", "")
    source, _, rest = account.partition(":")
    if not source or not rest.strip("@ "):
        return Broken(number, f"account {account[:60]!r} is not source:author_id or source:@handle")
    for name in ("segment", "person"):
        if len(cells.get(name, "")) > TEXT_CHARS:
            return Broken(number, f"{name} is longer than {TEXT_CHARS} characters")
    try:
        value = float(written) if written else None
    except ValueError:
        value = math.nan
    if value is not None and not math.isfinite(value):
        return Broken(number, f"value {written[:60]!r} is not a number such as 1250.50")
    return Row(number, normal(account), cells.get("segment", ""), value, cells.get("person") or None)


# ----------------------------------------------------------------------------- CSV


def _from_csv(path: Path) -> Iterator[Row | Broken]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            try:
                header = [name.strip().casefold() for name in next(reader, [])]
                _check_columns(header, str(path))
                for cells in reader:
                    if len(cells) == len(header):
                        yield row(reader.line_num, dict(zip(header, cells, strict=True)))
                    elif cells:
                        yield Broken(reader.line_num, f"has {len(cells)} cells, the header {len(header)}")
            except UnicodeDecodeError:
                problem = Problem(f"{path}:{reader.line_num + 1}", "is not UTF-8", "export it as UTF-8")
                raise ConfigError([problem]) from None
            except csv.Error as error:
                raise ConfigError([Problem(f"{path}:{reader.line_num}", f"is not CSV: {error}")]) from None
    except FileNotFoundError:
        raise ConfigError([Problem(str(path), "there is no such file", "name another in desk.crm.csv")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None


def _check_columns(header: Sequence[str], place: str) -> None:
    if "account" not in header:
        remedy = f"name them in the first line: {','.join(COLUMNS)}"
        raise ConfigError([Problem(place, "has no column `account`, in columns parted by commas", remedy)])
    if twice := sorted({name for name in header if name in COLUMNS and header.count(name) > 1}):
        raise ConfigError([Problem(place, f"has the column `{twice[0]}` twice", "leave one out")])


# ----------------------------------------------------------------------------- SQL


def _url(secret: SecretStr, path: str) -> URL:
    remedy = "postgresql://user@host/database or sqlite:///crm.db"
    try:
        url = make_url(secret.get_secret_value())
        kind = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ConfigError([Problem(f"{path}.url", "is not a database URL", remedy)]) from None
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or not url.database or url.database == ":memory:":
        raise ConfigError([Problem(f"{path}.url", "is no database that harken can read from", remedy)])
    return url


def _from_sql(secret: SecretStr, query: str, path: str) -> Iterator[Row | Broken]:
    with _connected(_url(secret, path), path) as connection:
        try:
            found = connection.execution_options(stream_results=True, yield_per=PAGE).execute(text(query))
            names = [*map(str.casefold, found.keys())]
        except ResourceClosedError:
            raise ConfigError([Problem(f"{path}.query", "returns no rows", "it must be a SELECT")]) from None
        _check_columns(names, f"{path}.query")
        for number, cells in enumerate(found, start=1):
            yield row(number, dict(zip(names, cells, strict=True)))


@contextmanager
def _connected(url: URL, path: str) -> Iterator[Connection]:
    """A connection that cannot write, closed at the end; what was begun on it is rolled back."""
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and not Path(str(url.database)).is_file():
        raise ConfigError([Problem(f"{path}.url", "there is no such file", "name another")])
    limits = f"-c default_transaction_read_only=on -c statement_timeout={QUERY_SECS}s"
    options: dict[str, Any] = {"timeout": 10} if sqlite else {"options": limits, "connect_timeout": 10}
    engine = create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=options)
    if sqlite:
        event.listen(engine, "connect", _only_read)
    try:
        with engine.connect() as connection:
            yield connection
    except OperationalError as error:
        if sqlite and "readonly" in str(error.orig):
            raise ConfigError([Problem(f"{path}.query", "writes", "it must be a SELECT")]) from None
        if sqlite and "no such" in str(error.orig):
            raise ConfigError([Problem(f"{path}.query", _words(error))]) from None
        raise SourceUnavailable(f"the database of the CRM does not answer: {_words(error)}") from None
    except DBAPIError as error:
        raise ConfigError([Problem(f"{path}.query", _words(error), "it must be a SELECT that may be run")]) from None
    finally:
        engine.dispose()


def _only_read(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only = ON").close()


def _words(error: DBAPIError) -> str:
    return (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0][:200]
