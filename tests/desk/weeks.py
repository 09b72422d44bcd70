"""Calendars and moments for hypothesis: odd hours, odd zones, around the days on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from desk.calendar import Calendar, Holiday, Hours

# Half-hour changes (Lord Howe), changes at midnight (Beirut), none at all.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "UTC")
AROUND = (datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2026, 4, 5), datetime(2026, 12, 31))


@st.composite
def hours(draw: st.DrawFn) -> tuple[Hours, ...]:
    """Up to three stretches of a day, apart, on the quarter of an hour."""
    edges = draw(st.lists(st.integers(0, 96), min_size=0, max_size=6, unique=True).map(sorted))
    return tuple(Hours(a * 900, b * 900) for a, b in zip(edges[::2], edges[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """A calendar that is open at some time of the week, with days off near the moments of `moments`."""
    week = draw(st.tuples(*[hours()] * 7).filter(any))
    days = st.sampled_from([date(at.year, at.month, at.day) + timedelta(days=n) for at in AROUND for n in (-1, 0, 1)])
    off = draw(st.dictionaries(days, hours().map(lambda left: Holiday("off", left)), max_size=4))
    return Calendar("drawn", ZoneInfo(draw(st.sampled_from(ZONES))), week, off, {(1, 1): Holiday("New Year")})


moments = st.builds(
    lambda around, seconds: around.replace(tzinfo=UTC) + timedelta(seconds=seconds),
    st.sampled_from(AROUND),
    st.integers(-3 * 86_400, 3 * 86_400),
)
spans = st.integers(0, 60 * 3600).map(lambda seconds: timedelta(seconds=seconds))
