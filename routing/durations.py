"""Durations as people write them (`15m`, `1h30m`, `2d`) and the times that follow from them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LONGEST = timedelta(days=366)
"""Nothing in the rules lasts longer; a larger number is a slip of the finger."""

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?")


def parse(written: object) -> timedelta:
    """`15m`, `4h`, `2d`, `1h30m` as a timedelta; raises ValueError saying what is wrong with anything else."""
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) and written else None
    if match is None:
        raise ValueError("not a duration")
    span = timedelta(
        seconds=sum(int(count or 0) * unit for count, unit in zip(match.groups(), _SECONDS.values(), strict=True))
    )
    if not timedelta(0) < span <= LONGEST:
        raise ValueError("not between one second and 366 days")
    return span


def text(span: timedelta) -> str:
    """The duration as a rule would write it, whole seconds; `0s` for nothing and a leading `-` for the past."""
    seconds = int(span.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = []
    for letter, unit in _SECONDS.items():
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count}{letter}")
    return sign + ("".join(parts) or "0s")


def due(start: datetime, span: timedelta | None) -> datetime | None:
    """`span` after `start` by the wall clock; the last time there is where a broken date would overflow."""
    if span is None:
        return None
    try:
        return start + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
