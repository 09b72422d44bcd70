"""Tables as CSV files that a spreadsheet program may open without harm."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from csv import writer as csv_writer

from fastapi import Response

from desk.figures import cell


def as_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table with its header line; a cell that would be taken for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv_writer(out)
    writer.writerow([cell(it) for it in header])
    writer.writerows([cell(it) for it in row] for row in rows)
    return out.getvalue()


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The same as an answer that a browser saves under this name."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:100]
    headers = {"Content-Disposition": f'attachment; filename="{safe}"'}
    # With a byte order mark: without one the best-known spreadsheet program takes UTF-8 for something else.
    return Response("\ufeff" + as_csv(header, rows), media_type="text/csv; charset=utf-8", headers=headers)
