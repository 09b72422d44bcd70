"""A period of time, whole or cut into the hours or days of a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from desk.refusals import Unfit

LONGEST = timedelta(days=3660)
"""The longest period; whoever asks for more has mistyped a year."""

MOST = 1000
"""The most hours or days at a time: forty days of hours, two years and a half of days."""


@dataclass(frozen=True)
class Period:
    """From `since` until just before `until`; `label` is the local start of its hour or day, empty for a whole one."""

    label: str
    since: datetime
    until: datetime


def whole(since: datetime, until: datetime) -> Period:
    """The period, checked. Raises Unfit."""
    for name, moment in (("since", since), ("until", until)):
        if moment.tzinfo is None:
            raise Unfit(name, "has no time zone")
    if since >= until:
        raise Unfit("since", "is not before `until`")
    if until - since > LONGEST:
        raise Unfit("since", f"is more than {LONGEST.days:,} days before `until`")
    return Period("", since.astimezone(UTC), until.astimezone(UTC))


def cut(since: datetime, until: datetime, by: Literal["hour", "day"], timezone: str = "UTC") -> list[Period]:
    """The period in hours or days as the clocks of the time zone (IANA name) show them; the first and the last may be
    cut short. An hour that a clock shows twice is two. Raises Unfit."""
    period = whole(since, until)
    zone = _zone(timezone)
    length = timedelta(hours=1) if by == "hour" else timedelta(days=1)
    if period.until - period.since > length * (MOST - 2):
        raise Unfit("by", f"at most {MOST - 2} {by}s at a time: ask for a shorter period")
    made: list[Period] = []
    at = period.since
    while at < period.until:
        following = min(_next(at, by, zone), period.until)
        made.append(Period(_label(at, by, zone), at, following))
        at = following
    return made


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unfit("timezone", "is not the name of a time zone such as Europe/Berlin") from None


def _next(at: datetime, by: Literal["hour", "day"], zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    if by == "hour":
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return at + timedelta(hours=1) - past
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), zone)
    return midnight.astimezone(UTC)


def _label(at: datetime, by: Literal["hour", "day"], zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    if by == "day":
        return f"{local:%Y-%m-%d}"
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
