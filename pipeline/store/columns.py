"""Column types that take anything an outside string or time can hold, the same way on both databases.

PostgreSQL refuses a NUL in text and an index entry over 2,704 bytes (a third of a page); neither refuses to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeEngine

_encode = msgspec.json.Encoder().encode

KEY_BYTES = 400
"""A key longer than this is cut and ends in a digest of the whole; three still fit in one index entry."""

NOTE_CHARS = 2000
"""Reasons and errors are cut here."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Sorts after every due time, so that what has none comes last and a page can go on from it."""

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number the database counts up; SQLite only does that for INTEGER."""


def fit(value: str) -> str:
    """The string as a key column holds it; the same string for all but hostile values."""
    if len(value) <= KEY_BYTES and value.isascii() and "\0" not in value:
        return value
    encoded = _plain(value).encode()
    if len(encoded) <= KEY_BYTES:
        return encoded.decode()
    digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return encoded[: KEY_BYTES - 33].decode("utf-8", "ignore") + "~" + digest


def fit_all(values: Sequence[str]) -> list[str]:
    """Each as `fit` has it, many times as fast for all but hostile values."""
    return [it if len(it) <= KEY_BYTES and it.isascii() and "\0" not in it else fit(it) for it in values]


def utc(value: datetime) -> datetime:
    """The time in UTC; a naive one is taken to be in UTC."""
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:  # within a day of year 1 or 9999
        return value.replace(tzinfo=UTC)


def _plain(value: str) -> str:
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


class Converted(TypeDecorator[Any]):
    """A type that converts a whole column at once, so that a bulk write need not ask for each value of each row."""

    def convert(self, values: Sequence[Any], dialect: Dialect) -> list[Any]:
        """To the database; None stays None."""
        raise NotImplementedError

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """To the database, one value."""
        return self.convert((value,), dialect)[0]


class Key(Converted):
    """Text to look up by: bounded by `fit`."""

    impl = Text
    cache_ok = True

    def convert(self, values: Sequence[Any], dialect: Dialect) -> list[Any]:  # noqa: ARG002 - the same on both
        """Each as it fits."""
        return [
            it if it is None or (len(it) <= KEY_BYTES and it.isascii() and "\0" not in it) else fit(it) for it in values
        ]


class Note(Converted):
    """Text to read: cut at NOTE_CHARS."""

    impl = Text
    cache_ok = True

    def convert(self, values: Sequence[Any], dialect: Dialect) -> list[Any]:  # noqa: ARG002 - the same on both
        """Each cut, and without what PostgreSQL refuses."""
        return [None if it is None else _plain(it[:NOTE_CHARS]) for it in values]


class Moment(Converted):
    """An aware time in UTC: `timestamptz` on PostgreSQL; on SQLite fixed-width ISO 8601, which sorts as it reads."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The native type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def convert(self, values: Sequence[Any], dialect: Dialect) -> list[Any]:
        """Each in UTC."""
        if dialect.name == "postgresql":
            return [None if it is None else utc(it) for it in values]
        return [None if it is None else _iso(utc(it)) for it in values]

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the value tells
        """From the database."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def _iso(value: datetime) -> str:
    quoted = _encode(value).decode()  # many times as fast as isoformat; without a fraction where it is zero
    return quoted[1:-1] if len(quoted) == len('"2026-01-05T09:00:00.000000Z"') else quoted[1:20] + ".000000Z"
