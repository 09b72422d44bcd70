"""What each source brought against what is usual, what is left of its allowances, and the walk through its stored
mentions that looks for what was deleted or reworded without a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, ColumnElement, func, select

from pipeline.codec import decode
from pipeline.mention import Mention, Routed
from pipeline.ports import Usage
from pipeline.store.columns import NEVER
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.source_tables import rechecks, source_hours, source_usage
from pipeline.store.tables import mentions

_DAY = timedelta(days=1)
USUAL_WEEKS = 4
"""What is usual is the mean over the same hours of the weekdays of so many weeks."""


class Seen(NamedTuple):
    """How much came in the last 24 full hours, and how much usually does in these hours of the week; None in the first
    week, when nothing is known to be usual."""

    day: int
    usual: float | None


class UsedUp(NamedTuple):
    """What a source said of one of its allowances, and when."""

    usage: Usage
    at: datetime


class Round(NamedTuple):
    """How far the mentions of a source were checked again."""

    position: str
    rounds: int
    checked: int
    gone: int
    reworded: int
    at: datetime


class Coverage(Part):
    """The tables `source_hours`, `source_usage` and `rechecks`."""

    def seen(self) -> Mapping[str, Seen]:
        """By source."""
        now = self._clock.now()
        end = now.replace(minute=0, second=0, microsecond=0)
        table = source_hours.c
        with self._db.read() as transaction:
            query = select(table.via, table.hour, table.taken).where(
                table.hour >= end - _DAY * (7 * USUAL_WEEKS + 1), table.hour < end
            )
            rows = transaction.run(query).all()
            first = transaction.run(select(table.via, func.min(table.hour).label("at")).group_by(table.via)).all()
        by_source: dict[str, list[Any]] = {row.via: [] for row in first}
        for row in rows:
            by_source[row.via].append(row)
        return {row.via: _against_usual(by_source[row.via], row.at, end) for row in first}

    def usages(self) -> Mapping[str, Sequence[UsedUp]]:
        """What each source said last of its allowances; one that has started anew since then is at nothing again."""
        now = self._clock.now()
        with self._db.read() as transaction:
            rows = transaction.run(select(source_usage).order_by(source_usage.c.id)).all()
        found: dict[str, list[UsedUp]] = {}
        for row in rows:
            over = row.resets is not None and row.resets <= now
            usage = Usage(row.unit, 0.0 if over else row.used, row.allowed, None if over else row.resets)
            found.setdefault(row.via, []).append(UsedUp(usage, row.at))
        return found

    def rounds(self) -> Mapping[str, Round]:
        """How far the mentions of each source were checked again."""
        with self._db.read() as transaction:
            rows = transaction.run(select(rechecks)).all()
        return {row.via: Round(**{name: getattr(row, name) for name in Round._fields}) for row in rows}

    def said_on(self, source: str, after: str, since: datetime, most: int) -> list[Mention]:
        """Up to `most` mentions of the network `source`, said since then, in the order of their ids from behind
        `after` on (empty: from the first)."""
        low = max(after, f"{source}:")
        query = (
            select(mentions.c.body)
            .where(mentions.c.id > low, mentions.c.id < f"{source};", mentions.c.created_at >= since)
            .order_by(mentions.c.id)
            .limit(most)
        )
        with self._db.read() as transaction:
            return [cast(Routed, decode(bytes(body))).mention for body in transaction.run(query).scalars()]

    def checked(self, via: str, position: str, checked: int, gone: int, reworded: int) -> None:
        """Go on behind `position` the next time; empty: the round is over."""
        row = {
            "via": via,
            "position": position,
            "rounds": 0 if position else 1,
            "checked": checked,
            "gone": gone,
            "reworded": reworded,
            "at": self._clock.now(),
        }
        with self._db.write() as transaction:
            transaction.insert(
                rechecks, [row], "via", ["position", "at"],
                rounds=_ROUNDS, checked=_CHECKED, gone=_GONE, reworded=_REWORDED,
            )  # fmt: skip


def count(transaction: Transaction, via: str, taken: int, now: datetime) -> None:
    """So many items came in."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    row = {"id": f"{hour:%Y-%m-%dT%H} {via}", "via": via, "hour": hour, "taken": taken}
    transaction.insert(source_hours, [row], "id", taken=_TAKEN)


def note_usage(transaction: Transaction, via: str, usage: Sequence[Usage], now: datetime) -> None:
    """What a source said of its allowances."""
    rows: list[dict[str, Any]] = [
        {
            "id": f"{via} {it.unit}",
            "via": via,
            "unit": it.unit,
            "used": it.used,
            "allowed": it.limit,
            "resets": it.resets and min(it.resets, NEVER),
            "at": now,
        }
        for it in {it.unit: it for it in usage}.values()
    ]
    transaction.insert(source_usage, rows, "id", ["used", "allowed", "resets", "at"])


def _against_usual(rows: Sequence[Any], first: datetime, end: datetime) -> Seen:
    day = sum(row.taken for row in rows if row.hour >= end - _DAY)
    weeks = min(USUAL_WEEKS, (end - _DAY - first) // timedelta(days=7))
    if weeks < 1:
        return Seen(day, None)
    before = sum(
        row.taken
        for row in rows
        for week in range(1, weeks + 1)
        if end - _DAY <= row.hour + timedelta(days=7 * week) < end
    )
    return Seen(day, before / weeks)


def _adding(column: Column[int]) -> Callable[[Any], ColumnElement[int]]:
    """That a row's number is added to the one that is there."""
    return lambda new: column + new[column.name]


_TAKEN = _adding(source_hours.c.taken)
_ROUNDS, _CHECKED, _GONE, _REWORDED = (_adding(rechecks.c[it]) for it in ("rounds", "checked", "gone", "reworded"))
