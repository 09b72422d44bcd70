"""Times as sources write them, to aware datetimes in UTC: generous in the formats, strict inside each.

A time without a zone is UTC. A format in which day and month could be confused (`10/11/2017`) is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FORMATS = (
    "ISO 8601, seconds or milliseconds since 1970, RFC 2822 (Tue, 31 Oct 2017 23:36:20 +0000) "
    "or Tue Oct 31 23:36:20 +0000 2017"
)
"""What `parse_time` reads, for messages."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d|\d{8}(?=T))(?:[T ](\d\d:?\d\d(?::?\d\d(?:[.,]\d{1,9})?)?))?\s?(Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"(\d{9,11}|\d{12,13}|\d{15,16})(\.\d{1,9})?", re.ASCII)
# X API v1.1 `created_at`, also what C's asctime gives with a zone: `Tue Oct 31 23:36:20 +0000 2017`.
_STAMP = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d:\d\d:\d\d) ([+-]\d{4}) (\d{4})", re.ASCII)
_MAIL = re.compile(
    r"(?:[A-Za-z]{3},? +)?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d(?::\d\d)?(?: (?:[+-]\d{4}|[A-Z]{1,4}))?", re.ASCII
)


def parse_time(value: str | int | float) -> datetime:
    """The time in UTC; raises ValueError, worded for a person, where `value` is not one between 1970 and 2100."""
    text = value.strip() if isinstance(value, str) else str(value)
    try:
        moment = _read(text)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        shown = text if len(text) <= 60 else text[:60] + "…"
        raise ValueError(f"{shown!r} is not a time that can be read ({FORMATS})")
    return in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC, of which a time without a zone is taken to be; raises ValueError outside 1970 to 2100,
    where no mention can have been made."""
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        moment = _LATEST
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError(f"a time outside 1970 to 2100: {moment.isoformat()}")
    return moment


def _read(text: str) -> datetime | None:
    if text[:1].isalpha():
        if match := _STAMP.fullmatch(text):
            month, day, clock, zone, year = match.groups()
            return datetime.fromisoformat(f"{year}-{_MONTHS.index(month) // 4 + 1:02}-{day}T{clock}{zone}")
    elif match := _ISO.fullmatch(text):
        day, clock, zone = match.groups()
        if clock is None:
            return datetime.fromisoformat(day) if zone is None else None
        return datetime.fromisoformat(f"{day}T{clock}{'' if zone is None else zone.replace('UTC', 'Z')}")
    elif match := _NUMBER.fullmatch(text):
        digits = match[1]
        # 9 to 11 digits are seconds from 1973 on, 12 or 13 milliseconds, 15 or 16 microseconds.
        scale = 1 if len(digits) <= 11 else 1_000 if len(digits) <= 13 else 1_000_000
        return _EARLIEST + timedelta(seconds=float(text) / scale)
    return parsedate_to_datetime(text) if _MAIL.fullmatch(text) else None
