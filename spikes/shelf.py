"""Rows of `spike_mentions` and `spike_buckets`, to and from what they mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, select

from pipeline.store.database import Transaction
from pipeline.store.spike_tables import spike_buckets, spike_mentions
from spikes.buckets import COUNTS, tallied
from spikes.counting import Said
from spikes.recent import Brand

STEP = 5
"""Minutes of the buckets that detectors know."""

_said = [column for column in spike_mentions.c if column.name != "seq"]


def row_of(it: Said, seq: int) -> dict[str, Any]:
    """A mention's row."""
    return {
        "id": it.id,
        "brand": it.brand,
        "seq": seq,
        "minute": it.minute,
        "author": it.author,
        "tone": it.tone,
        "repost": it.repost,
        "reach": it.reach,
        "suspicious": it.suspicious,
        "copy": it.copy,
        "facets": "\n".join(it.facets),
    }


def loaded(transaction: Transaction, brand: str, *conditions: ColumnElement[bool]) -> list[Said]:
    """A brand's mentions that meet the conditions, in no order that matters."""
    query = select(*_said).where(spike_mentions.c.brand == brand, *conditions)
    return [_read(row) for row in transaction.run(query)]


def _read(row: Any) -> Said:
    values = dict(row._mapping)
    values["facets"] = tuple(values["facets"].split("\n")) if values["facets"] else ()
    return Said(**values)


def series_of(brand: str, facet: str) -> str:
    """The name of a series in its column."""
    return f"{brand}\n{facet}"


def digest(*parts: object) -> str:
    """A short id for what these say together."""
    text = "\n".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=15).hexdigest()


def recent_buckets(brand: str, recent: Brand, since: int, until: int) -> list[dict[str, Any]]:
    """Rows of the buckets of STEP minutes from `since` to before `until`, from memory; none for an empty one."""
    rows: list[dict[str, Any]] = []
    if since == until:
        return rows
    for facet, series in recent.series.items():
        for at in sorted({minute - minute % STEP for minute in series.minutes if since <= minute < until}):
            window = series.window(at + STEP, STEP)
            rows.append(_row(brand, facet, STEP, at, {name: getattr(window, name) for name in COUNTS}))
    return rows


def late_buckets(transaction: Transaction, brand: str, starts: Collection[int]) -> list[dict[str, Any]]:
    """Rows of these buckets of STEP minutes as their mentions have them now."""
    rows = []
    for at in sorted(starts):
        rows += exact_buckets(transaction, brand, at, at + STEP, STEP)
    return rows


def exact_buckets(transaction: Transaction, brand: str, since: int, until: int, width: int) -> list[dict[str, Any]]:
    """Rows of the buckets of this width from `since` to before `until`, from the mentions."""
    minute = spike_mentions.c.minute
    found = tallied(loaded(transaction, brand, minute >= since, minute < until), width)
    return [_row(brand, facet, width, at, tally.counts()) for (facet, at), tally in found.items()]


def put_buckets(transaction: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Write buckets, in place of what they held before."""
    latest = {row["id"]: row for row in rows}
    transaction.insert(spike_buckets, list(latest.values()), "id", update=COUNTS)


def _row(brand: str, facet: str, width: int, at: int, counts: dict[str, int]) -> dict[str, Any]:
    series = series_of(brand, facet)
    return {"id": digest(series, width, at), "series": series, "width": width, "at": at, **counts}


def history(
    transaction: Transaction, series: Iterable[str], since: int, columns: Sequence[str]
) -> dict[str, dict[int, tuple[int, ...]]]:
    """Counts of the closed buckets of these series that begin from `since` on, by series and beginning."""
    wanted = list(series)
    counts = [spike_buckets.c[name] for name in dict.fromkeys(columns)]
    query = select(spike_buckets.c.series, spike_buckets.c.at, *counts)
    query = query.where(transaction.among(spike_buckets.c.series, wanted), spike_buckets.c.width == STEP)
    found: dict[str, dict[int, tuple[int, ...]]] = {}
    for row in transaction.run(query.where(spike_buckets.c.at >= since)) if wanted else ():
        found.setdefault(row.series, {})[row.at] = tuple(getattr(row, name) for name in columns)
    return found
