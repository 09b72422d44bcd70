"""Durations as people write them (`30m`, `1h30m`), for settings and for explanations."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator

from desk._validated import wrong

LONGEST = timedelta(hours=2_000)
"""About a year of working days; a larger number is a slip of the finger."""

_WRITTEN = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?")


def parse(written: object) -> timedelta:
    """`30m`, `4h`, `1h30m` as a timedelta.

    There is no `d`: a day of open hours is eight hours to one reader and twenty-four to the next.
    """
    if isinstance(written, timedelta):
        return written
    match = _WRITTEN.fullmatch(written) if isinstance(written, str) and written else None
    if match is None:
        if isinstance(written, str) and re.search(r"\dd", written):
            raise wrong("days mean nothing in open hours", "write hours, for example 16h for two days of eight hours")
        raise wrong("not a duration", "for example 30m, 4h or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < span <= LONGEST:
        raise wrong("not between one second and 2000 hours", "for example 30m, 4h or 1h30m")
    return span


def text(span: timedelta) -> str:
    """The duration as settings write it, to the second; `0s` for nothing."""
    minutes, seconds = divmod(int(abs(span).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    written = "".join(f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if count)
    return written or "0s"


Duration = Annotated[timedelta, PlainValidator(parse)]
"""A setting that holds a span of open time."""
