"""A file's rows as raw bytes, one at a time, whatever is wrong with them: nothing is decoded here.

A broken row never takes its neighbours with it. A JSON row is a line. A CSV row may hold line breaks inside quotes
(RFC 4180, section 2.6); where a quote is never closed, only the line that opened it is lost, because a closing quote
must be followed by a comma or the line's end, and is looked for only so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_ROW = 262_144
"""Bytes of the largest row that is read; a larger one is skipped as a whole and reported."""

_REACH = 4 * 1024 * 1024
"""Bytes after which a closing quote is no longer looked for, and of the longest line held in memory."""

# A cell is quoted (doubled quotes inside) or bare (a quote inside is itself, as spreadsheets and csv.reader have it).
# Possessive quantifiers: no input makes these patterns go back.
_CELLS = rb'(?:"(?:[^"]++|"")*+"[^,]*+|[^",][^,]*+|)(?:,(?:"(?:[^"]++|"")*+"[^,]*+|[^",][^,]*+|))*+[\r\n]*'
_WHOLE = re.compile(_CELLS, re.DOTALL)
_CLOSE = re.compile(rb'(?:[^"]++|"")*+"', re.DOTALL)
_REST = re.compile(rb"(?:," + _CELLS + rb"|[\r\n]*)", re.DOTALL)


class Row(NamedTuple):
    """One row: its bytes with the line's end, where it starts, where the next one starts, and what is wrong with it.

    `line` is the physical line it starts on, from 1. Where `fault` is set, `raw` may be only the row's beginning.
    """

    raw: bytes
    line: int
    offset: int
    end: int
    next_line: int
    fault: str | None = None


def json_rows(file: BinaryIO, offset: int = 0, line: int = 1) -> Iterator[Row]:
    """The non-empty lines from `offset` (the start of line number `line`) on."""
    return (row for row in _lines(file, offset, line) if row.raw.strip())


def csv_rows(file: BinaryIO, offset: int = 0, line: int = 1) -> Iterator[Row]:
    """The non-empty rows from `offset` (the start of a row, on line number `line`) on, the header included."""
    while True:
        for row in _lines(file, offset, line):
            if b'"' in row.raw and len(row.raw) == row.end - row.offset and not _WHOLE.fullmatch(row.raw):
                row = _joined(file, row)
                offset, line = row.end, row.next_line
                yield row
                break  # the place in the file has moved: go on from this row's end
            if row.raw.strip():
                yield row
        else:
            return


def _lines(file: BinaryIO, offset: int, line: int) -> Iterator[Row]:
    file.seek(offset)
    while raw := file.readline(_REACH):
        end, whole = offset + len(raw), raw.endswith(b"\n")
        while not whole and (more := file.readline(_REACH)):
            end, whole = end + len(more), more.endswith(b"\n")
        yield Row(raw, line, offset, end, line + 1, _oversize(end - offset))
        offset, line = end, line + 1


def _joined(file: BinaryIO, first: Row) -> Row:
    """The row that begins with the line `first`, whose last quote is open, or that line alone with its fault."""
    parts, end, line = [first.raw], first.end, first.next_line
    file.seek(end)
    while end - first.offset < _REACH and (raw := file.readline(_REACH)):
        parts.append(raw)
        end, line = end + len(raw), line + 1
        close = _CLOSE.match(raw)
        if close is None:
            continue
        if _REST.fullmatch(raw, close.end()):
            return Row(b"".join(parts), first.line, first.offset, end, line, _oversize(end - first.offset))
        if raw[close.end() : close.end() + 1] != b",":
            break  # text right after a closing quote: what looked like one opens another row's cell
    return first._replace(fault="a quote opened on this line is never closed")


def _oversize(size: int) -> str | None:
    return f"the row has {size:,} bytes, over the limit of {MAX_ROW:,}" if size > MAX_ROW else None
