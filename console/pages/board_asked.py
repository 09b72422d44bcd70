"""Which part of what was said the board shows: the brand, the stretch of time, and what lines are told apart by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from desk.refusals import Unfit
from spikes.voices import LONGEST, By

RANGES = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
"""The stretches that end now."""

USUAL = "7d"

SHORTEST = timedelta(minutes=30)
"""Nothing is to be seen in less."""

ALL = ""
"""As a brand: all of them."""

_Short = Annotated[str, Field(max_length=400)]


class BoardQuery(BaseModel):
    """What stands in the address. `since` and `until` (local time, `2026-11-22` or `2026-11-22T08:30`) count instead of
    `range` where one is given."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    brand: _Short = ALL
    by: _Short = "tone"
    range: _Short = ""
    since: _Short = ""
    until: _Short = ""
    after: _Short | None = None


class Asked(NamedTuple):
    """The same, checked. `range` is empty where the stretch is not one of RANGES."""

    brand: str
    by: By
    range: str
    since: datetime
    until: datetime
    zone: ZoneInfo

    @property
    def length(self) -> timedelta:
        """How long the stretch is."""
        return self.until - self.since

    @property
    def place(self) -> dict[str, Any]:
        """What an address says for this stretch and brand."""
        if self.range:
            return {"brand": self.brand, "range": self.range}
        return {"brand": self.brand, "since": local(self.since, self.zone), "until": local(self.until, self.zone)}

    @property
    def query(self) -> dict[str, Any]:
        """What an address says for all of it."""
        return self.place | {"by": self.by}

    def at(self, since: datetime, until: datetime) -> dict[str, Any]:
        """What an address says for another stretch of the same."""
        return self._replace(range="", since=since, until=until).query

    def moves(self, now: datetime) -> dict[str, dict[str, Any] | None]:
        """Where one can go from here: `closer`, `wider`, `earlier`, `later`; None where there is nothing."""
        quarter, half = self.length / 4, self.length / 2
        closer = self.at(self.since + quarter, self.until - quarter) if half >= SHORTEST else None
        wide = min(self.length * 2, LONGEST)
        end = min(now, self.until + (wide - self.length) / 2)
        wider = self.at(end - wide, end) if wide > self.length else None
        later = self.at(self.since + half, min(now, self.until + half)) if self.until < now - self.length / 50 else None
        return {
            "closer": closer,
            "wider": wider,
            "earlier": self.at(self.since - half, self.until - half),
            "later": later,
        }


def asked(query: BoardQuery, now: datetime, zone: ZoneInfo) -> Asked:
    """What was asked for. Raises Unfit, naming since, until, range or by."""
    by = next((it for it in get_args(By) if it == query.by), None)
    if by is None:
        raise Unfit("by", f"is one of {', '.join(get_args(By))}")
    if query.since or query.until:
        until = parsed("until", query.until, zone) if query.until else now
        until = min(until, now)
        since = parsed("since", query.since, zone) if query.since else until - RANGES[USUAL]
        if since >= until:
            raise Unfit("since", "is not before the end, or lies ahead: choose an earlier day")
        if until - since > LONGEST:
            raise Unfit("since", f"is more than {LONGEST.days:,} days before the end: choose a later day")
        since = min(since, until - SHORTEST)
        return Asked(query.brand, by, "", since, until, zone)
    chosen = query.range or USUAL
    if chosen not in RANGES:
        raise Unfit("range", f"is one of {', '.join(RANGES)}; or give since and until")
    return Asked(query.brand, by, chosen, now - RANGES[chosen], now, zone)


def parsed(name: str, text: str, zone: ZoneInfo) -> datetime:
    """A local date, or date and time, in UTC. Raises Unfit."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit(name, "is not a date such as 2026-11-22 or 2026-11-22T08:30") from None


def local(at: datetime, zone: ZoneInfo) -> str:
    """As the field of a form has it: local time to the minute."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")
