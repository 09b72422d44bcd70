"""Labelled texts: what a model learns from and is judged by."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from pipeline.errors import ConfigError, Problem


class Example(Struct, frozen=True, kw_only=True):
    """One text with what somebody says of it.

    `sentiment` is None where it is not labelled, and so is `intents`; where only some intents were looked for (a file
    of complaints, a correction of one label), `known` names them, and nothing is said of the others. `brand` is whom
    the labels are about. `style` of our own texts is plain (as people write to a company) or vivid. `weight` is how
    many ordinary examples this one counts for.
    """

    text: str
    sentiment: str | None = None
    intents: frozenset[str] | None = None
    known: frozenset[str] | None = None
    lang: str = "en"
    brand: str = ""
    target: str = ""
    flags: frozenset[str] = frozenset()
    industry: str = ""
    register: str = ""
    style: str = ""
    source: str = ""
    weight: float = 1.0

    def says(self, intent: str) -> bool | None:
        """Whether this intent holds; None where nobody said."""
        if self.intents is None or (self.known is not None and intent not in self.known):
            return None
        return intent in self.intents


Rows = Iterator[tuple[int, dict[str, str]]]
"""The rows of a file by column, each with the line on which it ends."""


def read_csv(path: Path) -> tuple[tuple[str, ...], Rows]:
    """The columns of a CSV file in UTF-8 with a header, and its rows; a field that a short row lacks is empty.

    Raises ConfigError, with the line, where it is no such file; what is wrong further down, when that is read.
    """
    lines = _lines(path)
    _, header = next(lines, (0, []))
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise _wrong(str(path), "is empty", "a CSV file whose first line names its columns")
    if twice := sorted({name for name in columns if name and columns.count(name) > 1}):
        raise _wrong(str(path), f"has two columns {twice[0]!r}", "give each a name of its own")
    padding = [""] * len(columns)
    return columns, ((line, dict(zip(columns, [*row, *padding], strict=False))) for line, row in lines)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                line = reader.line_num
                if row:
                    yield line, row
    except OSError as error:
        raise _wrong(str(path), f"cannot be read: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise _wrong(f"{path}, line {_undecodable(path)}", "is not UTF-8", "save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise _wrong(f"{path}, after line {line}", f"is not CSV: {error}", "is a quotation mark left open?") from None


def _undecodable(path: Path) -> int:
    whole = path.read_bytes()
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError as error:
        return whole.count(b"\n", 0, error.start) + 1
    return 0


def _wrong(place: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place, message, remedy)])


FOLDER = Path(__file__).parent.parent / "corpus"
LICENCE = "Apache-2.0"


def files(folder: Path = FOLDER) -> list[Path]:
    """The files of harken's own corpus, by name."""
    return sorted(folder.glob("*.csv"))


def load(folder: Path = FOLDER) -> list[Example]:
    """harken's own corpus: every row of every file, in order."""
    return [_own(path, row) for path in files(folder) for _, row in read_csv(path)[1]]


def _own(path: Path, row: dict[str, str]) -> Example:
    return Example(
        text=row["text"],
        sentiment=row["sentiment"] or None,
        intents=frozenset(row["intents"].split()),
        lang=row["lang"],
        brand=row["brand"],
        target=row["target"],
        flags=frozenset(row["flags"].split()),
        industry=row["industry"],
        register=row["register"],
        style=row.get("style", ""),
        source=path.stem,
    )
