"""A file's rows as items: the header, the decoding of one row, and the threads that replies in a table form."""

from __future__ import annotations

import csv
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import BinaryIO

from connectors._mapping import FIELDS, MAX_PAYLOAD, Mapper, Thread, nearest
from connectors._records import Row, csv_rows, json_rows
from pipeline.errors import BadItem, SourceRefused
from pipeline.mention import Item
from pipeline.ports import Rejection

_BOM = b"\xef\xbb\xbf"
_REMEMBERED = 100_000


class Reading:
    """One open file. Raises SourceRefused when its header cannot be used.

    `mapper` is called once, with the columns that will be read and, where rows name a parent only, what finds a thread.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        table: bool,
        columns: Mapping[str, str],
        mapper: Callable[[Mapping[str, str], Thread | None], Mapper],
    ) -> None:
        self._file, self._name, self._table = file, name, table
        self._start = (len(_BOM) if file.read(len(_BOM)) == _BOM else 0, 1)
        self._header: list[str] = []
        self._payload = b""
        if table:
            columns = self._read_header(columns)
        self._cells = [(field, self._header.index(column)) for field, column in columns.items()] if table else []
        # A row of a table knows its parent, not where its thread began: that is in the rows before it.
        self.threads = _Threads() if "parent" in columns and "conversation" not in columns else None
        self._mapper = mapper(columns, self.threads.of if self.threads else None)

    def rows(self, offset: int = 0, line: int = 1) -> Iterator[Row]:
        """The rows from `offset` on, the header not among them. With threads, always from the first row: the caller
        passes over those before `offset`, so that they are remembered."""
        start = (offset, line) if offset > self._start[0] and not self.threads else self._start
        return (csv_rows if self._table else json_rows)(self._file, *start)

    def read(self, row: Row, now: datetime) -> Item | Rejection:
        """The row's item, or why there is none; `now` becomes its `collected_at`."""
        try:
            return self.item(row, now)
        except BadItem as error:
            return Rejection((self._payload + row.raw)[:MAX_PAYLOAD], f"line {row.line}", str(error))

    def item(self, row: Row, now: datetime) -> Item:
        """The row's item; raises BadItem."""
        if row.fault:
            raise BadItem(row.fault)
        if b"\0" in row.raw:
            raise BadItem("holds a NUL byte")
        if not self._table:
            _text(row.raw)
            return self._mapper.item(row.raw, now)
        cells = _split(_text(row.raw))
        if len(cells) != len(self._header):
            raise BadItem(f"has {len(cells)} cells where the header has {len(self._header)}")
        return self._mapper.mention({field: cells[index] for field, index in self._cells if cells[index]}, now)

    def _read_header(self, columns: Mapping[str, str]) -> Mapping[str, str]:
        row = next(csv_rows(self._file, *self._start), None)
        if row is None:
            raise SourceRefused(f"{self._name} is empty: a CSV file begins with a row of column names")
        try:
            if row.fault or b"\0" in row.raw:
                raise BadItem(row.fault or "holds a NUL byte (save the file as UTF-8)")
            self._header = _split(_text(row.raw))
        except BadItem as error:
            raise SourceRefused(f"the header of {self._name} cannot be read: {error}") from error
        columns = columns or {field: field for field in FIELDS if field in self._header}
        wanted = {"id": "id", "text": "text"} | dict(columns)
        for field, column in wanted.items():
            if self._header.count(column) != 1:
                problem = f"has {'two columns' if column in self._header else 'no column'} {column!r} for {field}"
                names = ", ".join(self._header[:50])
                raise SourceRefused(f"{self._name} {problem}{nearest(column, self._header)}; its columns are {names}")
        self._start = (row.end, row.next_line)
        self._payload = row.raw
        return columns


class _Threads:
    """Which conversation each mention of a file belongs to, whichever of its mentions came first.

    Remembers the last 100,000 ids; an older thread goes on under its parent's id.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, mention: str, parent: str | None) -> str:
        """The conversation of `mention`; empty where it starts one."""
        known = self._known
        conversation = known.get(mention)
        if parent is None:
            return conversation or ""
        conversation = conversation or known.get(parent) or parent
        known[mention] = conversation
        known.setdefault(parent, conversation)
        while len(known) > _REMEMBERED:
            known.popitem(last=False)
        return conversation

    def forget(self) -> None:
        """Start over."""
        self._known.clear()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadItem(f"not valid UTF-8: byte 0x{raw[error.start]:02x} at position {error.start}") from error


def _split(row: str) -> list[str]:
    if '"' not in row and "\r" not in row[:-2]:
        return row.rstrip("\r\n").split(",")
    try:
        return next(csv.reader((row,)))
    except csv.Error as error:
        raise BadItem(f"not readable as CSV: {error}") from error
