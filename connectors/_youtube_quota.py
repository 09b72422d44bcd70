"""What a project may ask of YouTube in a day, spent evenly over it.

From developers.google.com/youtube/v3 (quota and compliance, quota costs): 10,000 units a day, reset at midnight
Pacific time; a list costs 1 and a write 50; `search.list` has a bucket of its own, 100 calls a day. A day of Pacific
time has 23 or 25 hours where its clocks are changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.ports import Usage

PACIFIC = ZoneInfo("America/Los_Angeles")


def day_of(now: datetime) -> str:
    """The day of the quota, as `2026-01-05`."""
    return now.astimezone(PACIFIC).date().isoformat()


def resets(now: datetime) -> datetime:
    """When the next day of the quota begins, in UTC."""
    tomorrow = now.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), PACIFIC).astimezone(UTC)


class Allowance:
    """So many `unit` a day, of which `limit` may be spent here, evenly: credit grows with what is left over the rest
    of the day, up to `at_once` after a quiet time."""

    def __init__(self, unit: str, limit: int, at_once: int) -> None:
        self.unit = unit
        self.limit = limit
        self._most = float(at_once)
        self.day = ""
        self.used = 0
        self._credit = self._most
        self._at: datetime | None = None

    def restore(self, day: str, used: int) -> None:
        """Go on from what a cursor saved, but never below what was counted here."""
        if day > self.day:
            self.day, self.used = day, used
        elif day == self.day:
            self.used = max(self.used, used)

    def spend(self, number: int, now: datetime) -> None:
        """So many were used."""
        self._turn(now)
        self.used += number
        self._credit -= number

    def exhaust(self, now: datetime) -> None:
        """The platform says that nothing is left today."""
        self._turn(now)
        self.used = max(self.used, self.limit)

    def wait(self, now: datetime) -> float:
        """Seconds until the next may be spent."""
        self._turn(now)
        left = (resets(now) - now).total_seconds()
        if self.used >= self.limit:
            return left
        return max(0.0, (1 - self._credit) * left / (self.limit - self.used))

    def usage(self, now: datetime, whole: int) -> Usage:
        """What is used of all that the project has in a day."""
        self._turn(now)
        return Usage(self.unit, self.used, whole, resets(now))

    def _turn(self, now: datetime) -> None:
        if (day := day_of(now)) > self.day:
            self.day, self.used = day, 0
        if self._at is not None and now > self._at:
            left = (resets(now) - now).total_seconds() + (now - self._at).total_seconds()
            grown = max(0, self.limit - self.used) * (now - self._at).total_seconds() / left
            self._credit = min(self._most, self._credit + grown)
        self._at = now
