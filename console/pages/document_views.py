"""Documents as a person reads them: macros and playbooks by what they say, the others as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from desk import macros
from desk.macros import Macro, Macros
from pipeline.errors import ConfigError
from spikes import playbooks
from spikes.playbooks import Playbooks

EXAMPLES: Mapping[str, str | None] = {
    "customer.first_name": "Ana",
    "customer.name": "Ana Silva",
    "customer.handle": "ana",
    "case.reference": "K7QF2M",
    "mention.url": "https://example.org/post/1",
    "agent.first_name": "Ben",
    "agent.name": "Ben Ito",
    "brand.name": "Larkline",
    "incident.reference": "I3XW9T",
}
"""What stands for a variable where a text is shown without a customer."""

_DEEPEST = 6
_LONGEST = 2000
"""Characters of one cell: what is longer is read in the text itself."""


@dataclass(frozen=True)
class Table:
    """What has the same keys, one a row; a mapping of plain values has one column without a head."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Preview:
    """A text in one language, as it reads with example values in it, and the names that have none."""

    language: str
    text: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Readable:
    """What to show: one of these; none of them where the text could not be read in this way."""

    macros: Macros | None = None
    playbooks: Playbooks | None = None
    table: Table | None = None
    previews: Mapping[str, list[Preview]] = field(default_factory=dict)


def readable(kind: str, body: str) -> Readable:
    """This document for reading."""
    try:
        if kind == "macros":
            found = macros.read(body, kind)
            return Readable(macros=found, previews={it.name: _previews(it, found.values) for it in found.macros})
        if kind == "playbooks":
            plays = playbooks.read(body, kind)
            return Readable(playbooks=plays, previews={it.name: _previews(it, plays.values) for it in plays.statements})
    except ConfigError:
        return Readable()
    return Readable(table=_table(body))


def _previews(macro: Macro, values: Mapping[str, str]) -> list[Preview]:
    filled = ((language, macros.fill(macro, language, {**EXAMPLES, **values})) for language in macro.texts)
    return [Preview(language, it.text, it.missing) for language, it in filled]


def _table(body: str) -> Table | None:
    try:
        tree: Any = yaml.load(body, yaml.BaseLoader)  # noqa: S506 (builds nothing but strings, lists and mappings)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if tree is None or not isinstance(tree, dict):
        return Table([], []) if tree is None else None
    rows = {str(name): value if isinstance(value, dict) else {"": value} for name, value in tree.items()}
    columns = list(dict.fromkeys(str(key) for row in rows.values() for key in row))
    return Table(columns, [(name, [_cell(row.get(column, "")) for column in columns]) for name, row in rows.items()])


def _cell(value: Any) -> str:
    return _written(value, 0)[:_LONGEST]


def _written(value: Any, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, dict):
        return ("\n" if depth == 0 else "; ").join(f"{key}: {_written(it, depth + 1)}" for key, it in value.items())
    if isinstance(value, list):
        parts = [_written(it, depth + 1) for it in value]
        return ("\n" if depth == 0 and any(isinstance(it, dict | list) for it in value) else ", ").join(parts)
    return str(value)
