"""What the search knows of mentions, written in the transaction that stores or takes out the mention itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete

from pipeline.mention import Mention, Routed
from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.search_tables import searchable
from pipeline.store.words import fields_of, handles_of

LEVELS = (12, 17, 22)
"""Stretches of time of 2 to this many seconds (over an hour, a day and a half, seven weeks) are words of PostgreSQL's
index: what was said within one is found without reading what was not."""


QUEUED = "in:queue"
"""The word for what waits, or waited, for a person; no word of a text has a colon."""


def add(transaction: Transaction, routed: Sequence[Routed], now: datetime) -> None:
    """Let these be found, in place of how they were found before; each id once, in the order of the ids."""
    latest, postgres = int(now.timestamp()), on_postgres(transaction)
    rows = [_row(it, latest, postgres) for it in routed]
    transaction.insert(searchable, rows, "mention", update=["author", "at", "words"])


def forget(transaction: Transaction, ids: Sequence[str]) -> None:
    """Let these be found no longer."""
    transaction.run(delete(searchable).where(transaction.among(searchable.c.mention, ids)))


def on_postgres(transaction: Transaction) -> bool:
    """Whether the words are a tsvector of PostgreSQL's, not a line."""
    return transaction.connection.dialect.name == "postgresql"


def stretch(level: int, number: int) -> str:
    """The word for a stretch of time: no word of a text has a colon."""
    return f"{level}:{number}"


def _row(it: Routed, latest: int, postgres: bool) -> dict[str, Any]:
    mention = it.mention
    at = min(int(utc(mention.created_at).timestamp()), latest)
    marks = [*handles_of(mention), *([QUEUED] if it.decision.queue is not None else ())]
    return {
        "mention": mention.id,
        "author": f"{mention.source}:{mention.author.id}",
        "at": at,
        "words": _vector(mention, marks, at) if postgres else _line(mention, marks),
    }


def _vector(mention: Mention, marks: Iterable[str], at: int) -> str:
    """As PostgreSQL reads a tsvector: it keeps 255 places of a word, all below 16,384."""
    places: dict[str, list[str]] = {}
    place = 0
    for words in fields_of(mention):
        for word in words:
            place += 1
            places.setdefault(word, []).append(str(place))
        place += 1  # no phrase goes from one part to the next
    found = [f"'{word}':{','.join(at_places[:255])}" for word, at_places in places.items()]
    found += [f"'{it}'" for it in (*marks, *(stretch(level, at >> level) for level in LEVELS))]
    return " ".join(found)


def _line(mention: Mention, marks: Iterable[str]) -> str:
    """Every part between two spaces, the parts between line feeds."""
    parts = [" ".join(words) for words in fields_of(mention)]
    return "".join(f" {part} \n" for part in [*parts, *marks] if part)
