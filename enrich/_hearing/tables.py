"""A file of labelled texts as somebody has it: which column is which, which rows count, how its labels are spelled.

Nothing is left out in silence: what cannot be used is counted by reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

from babel import Locale

from enrich._hearing.corpus import read_csv
from pipeline.errors import ConfigError, Problem

SENTIMENTS = ("negative", "neutral", "positive")

SPELLINGS: Mapping[str, str] = {
    **{label: label for label in SENTIMENTS},
    "neg": "negative",
    "neu": "neutral",
    "neut": "neutral",
    "pos": "positive",
}
"""How sentiment is written, in any case."""

SIGNS: Mapping[str, str] = {"-1": "negative", "0": "neutral", "1": "positive", "+1": "positive"}
"""And in numbers, where -1 occurs: without it, 0 and 1 may as well mean negative and positive."""

_CONDITION = re.compile(r"([^=!^]+)(!\^=|\^=|!=|=)(.*)", re.DOTALL)


class Where(NamedTuple):
    """A condition on a column: its value is (or begins with) `value`, or not."""

    column: str
    operator: str
    value: str

    def holds(self, row: Mapping[str, str]) -> bool:
        """Of this row."""
        found = row[self.column]
        same = found.startswith(self.value) if "^" in self.operator else found == self.value
        return same is not self.operator.startswith("!")


@dataclass(frozen=True)
class Columns:
    """What the columns are called; brand and language where there are such columns."""

    text: str = "text"
    label: str = "label"
    brand: str = ""
    lang: str = ""


class Row(NamedTuple):
    """One row that counts; `label` as it is written, `lang` an ISO code or empty."""

    line: int
    text: str
    label: str
    brand: str
    lang: str


@dataclass(frozen=True)
class Table:
    """The rows that count, and how many do not, by reason."""

    path: Path
    rows: Sequence[Row]
    skipped: Mapping[str, int]

    @property
    def labels(self) -> Counter[str]:
        """How often each label is written, as it is written."""
        return Counter(row.label for row in self.rows)


def conditions(texts: Iterable[str]) -> tuple[Where, ...]:
    """`column=value`, `!=`, `^=` (begins with) and `!^=`. Raises ConfigError for anything else."""
    found = []
    for text in texts:
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise _wrong(f"--where {text}", "is no condition", "column=value, or with !=, ^= (begins with), !^=")
        found.append(Where(match[1].strip(), match[2], match[3]))
    return tuple(found)


def read(path: Path, columns: Columns, wheres: Sequence[Where] = ()) -> Table:
    """The rows of a file on which all conditions hold, that have a text and a label. Raises ConfigError where a column
    is not there, or no row is left."""
    known, lines = read_csv(path)
    options = {
        "--text": columns.text,
        "--label": columns.label,
        "--brand": columns.brand,
        "--lang": columns.lang,
        **{f"--where {it.column}{it.operator}{it.value}": it.column for it in wheres},
    }
    if missing := [(option, name) for option, name in options.items() if name and name not in known]:
        raise ConfigError(
            [Problem(option, f"{path} has no column {name!r}", _near(name, known)) for option, name in missing]
        )
    rows: list[Row] = []
    skipped: Counter[str] = Counter()
    for line, row in lines:
        if not all(where.holds(row) for where in wheres):
            continue
        text, label = row[columns.text].strip(), row[columns.label].strip()
        if not text or not label:
            skipped["no label" if text else "no text"] += 1
            continue
        brand = row[columns.brand].strip() if columns.brand else ""
        lang = language(row[columns.lang], path, line) if columns.lang else ""
        rows.append(Row(line, text, label, brand, lang))
    if not rows:
        why = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
        raise _wrong(
            str(path), "has no row to look at" + (f": {why}" if why else ""), "check --where, --text and --label"
        )
    return Table(path, rows, skipped)


def sentiments(table: Table) -> tuple[Table, list[str]]:
    """The rows whose label is a sentiment, however it is spelled, with it; the others are skipped, by label."""
    spellings = {**SPELLINGS, **SIGNS} if "-1" in table.labels else SPELLINGS
    rows, found, skipped = [], [], Counter(table.skipped)
    for row in table.rows:
        if sentiment := spellings.get(row.label.casefold()):
            rows.append(row)
            found.append(sentiment)
        else:
            skipped[f"label {row.label[:40]!r}"] += 1
    if not rows:
        seen = ", ".join(repr(label[:40]) for label, _ in table.labels.most_common(5))
        raise _wrong(
            f"{table.path}", f"has no label that is a sentiment; there are {seen}", "positive, neutral, negative"
        )
    return Table(table.path, rows, skipped), found


def matching(table: Table, positive: Sequence[str]) -> list[bool]:
    """Of each row, whether its label is one of these, in any case. Raises ConfigError where none of them occurs."""
    wanted = {it.casefold() for it in positive}
    found = [row.label.casefold() in wanted for row in table.rows]
    if not any(found):
        said = ", ".join(repr(label[:40]) for label, _ in table.labels.most_common(8))
        raise _wrong(f"--positive {','.join(positive)}", "is no label of the rows", f"there are {said}")
    return found


def two_classes(path: Path, labels: Iterable[str]) -> None:
    """Raise ConfigError where all rows have one label: there is nothing to tell apart."""
    if len(found := set(labels)) < 2:
        remedy = "rows of at least two labels: check --label, --positive and --where"
        raise _wrong(str(path), f"every row that is left is {next(iter(found))}", remedy)


def language(said: str, path: Path, line: int) -> str:
    """`de`, `de-AT` or `German` as an ISO code. Raises ConfigError for anything else."""
    word = said.strip().casefold()
    if re.fullmatch(r"[a-z]{2,3}([-_].*)?", word) or not word:
        return re.split("[-_]", word)[0]
    if word in _names():
        return _names()[word]
    raise _wrong(f"{path}, line {line}", f"{said[:40]!r} is no language", "a code such as de, or a name such as German")


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): code for code, name in Locale("en").languages.items()}


def _near(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _wrong(place: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place, message, remedy)])
