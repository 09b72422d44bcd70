"""Charts as data: drawn by a script in the browser, by a library on the server, and written as a table."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import get_group_symbol
from fastapi import APIRouter, Request, Response

from console.pages.assets import YEAR_SECS
from pipeline.store.records import RecordedGap
from spikes.incident_records import Incident
from spikes.voices import WHOLE, Voices

router = APIRouter(include_in_schema=False)

Words = Callable[[str], str]
"""A text in the reader's language."""

LIBRARY = f"/static/plotly-{version('plotly')}.js"
"""Where the library that draws in the browser is."""


class Reader(NamedTuple):
    """For whom it is drawn."""

    words: Words
    locale: Locale
    zone: ZoneInfo


class Row(NamedTuple):
    """A point as a line of the table: its time, all, and for each line its value and share as they are written."""

    at: str
    all: str
    cells: tuple[tuple[str, str], ...]


class Chart(NamedTuple):
    """One picture. `span` is the whole stretch, `x` its points as far as was counted, both in the reader's clock time;
    a value is None where there is none. `percent`: values are shares.
    `stacked`: the lines together are all there is. `gaps` are stretches without data, with why; `marks` are numbered
    moments."""

    span: tuple[str, str]
    x: tuple[str, ...]
    lines: tuple[tuple[str, tuple[float | None, ...]], ...]
    percent: bool
    stacked: bool
    unit: str
    gaps: tuple[tuple[str, str, str], ...]
    marks: tuple[tuple[str, int], ...]

    def as_data(self) -> dict[str, Any]:
        """As the script reads it."""
        return self._asdict()


def named(voices: Voices, line: str, words: Words) -> str:
    """What a line is called."""
    _ = words  # the name by which the words for translators are found
    fixed = {
        ("tone", "negative"): _("Negative"),
        ("tone", "other"): _("Not negative"),
        ("people", "against"): _("Against"),
        ("people", "for"): _("For"),
        ("people", "other"): _("Neither"),
    }
    return fixed.get((voices.by, line)) or line or _("All others")


def charts(
    voices: Voices, gaps: Sequence[RecordedGap], incidents: Sequence[Incident], reader: Reader
) -> tuple[Chart, Chart]:
    """The volume, and the share of each line."""
    _ = reader.words
    x = tuple(_clock(voices.at[point], reader.zone) for point in voices.told)
    end = voices.at[-1] + timedelta(minutes=voices.minutes)
    span = (_clock(voices.at[0], reader.zone), _clock(end, reader.zone))
    bands = _bands(voices, gaps, reader)
    marks = tuple((_clock(it.extent.onset, reader.zone), number) for number, it in enumerate(incidents, 1))
    names = [named(voices, line.name, _) for line in voices.lines]
    volume = tuple(
        (name, tuple(float(line.values[point]) for point in voices.told))
        for name, line in zip(names, voices.lines, strict=True)
    )
    shares = tuple(
        (name, tuple(_rounded(voices.share(line, point)) for point in voices.told))
        for name, line in zip(names, voices.lines, strict=True)
    )
    unit = _("People") if voices.by == "people" else _("Mentions")
    return (
        Chart(span, x, volume, False, False, unit, bands, marks),
        Chart(span, x, shares, True, voices.by in WHOLE, _("Share"), bands, marks),
    )


def rows(voices: Voices, reader: Reader) -> list[Row]:
    """The same numbers, newest first."""
    _ = reader.words
    wording = "EEE d MMM y" if voices.minutes >= 1440 else "EEE d MMM, HH:mm"
    group = get_group_symbol(reader.locale)
    found = []
    for point in reversed(voices.told):
        at = format_datetime(voices.at[point], wording, reader.zone, reader.locale)
        if not voices.is_whole(point):
            at = _("%(time)s (so far)") % {"time": at}
        cells = tuple(
            (grouped(line.values[point], group), percents(voices.share(line, point))) for line in voices.lines
        )
        found.append(Row(at, grouped(voices.all.values[point], group), cells))
    return found


def grouped(number: int, symbol: str) -> str:
    """A whole number with this between its thousands: many times as fast as asking for each how it is written."""
    return f"{number:,}".replace(",", symbol)


def percents(share: float | None) -> str:
    """A share in whole per cent; empty for None."""
    return "" if share is None else f"{share:.0%}"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")


def _bands(voices: Voices, gaps: Sequence[RecordedGap], reader: Reader) -> tuple[tuple[str, str, str], ...]:
    """What was not heard; stretches of several sources that overlap are one, with all their names."""
    _ = reader.words
    first, last = voices.at[0], voices.at[-1]
    merged: list[tuple[datetime, datetime, set[str]]] = []
    for gap in gaps:
        since, until = max(gap.since, first), gap.until
        if merged and since <= merged[-1][1]:
            before, end, vias = merged[-1]
            merged[-1] = (before, max(end, until), vias | {gap.via})
        else:
            merged.append((since, until, {gap.via}))
    bands = [
        (_clock(since, reader.zone), _clock(until, reader.zone), ", ".join(sorted(vias)))
        for since, until, vias in merged
    ]
    if voices.known_since is not None and first < voices.known_since:
        until = min(voices.known_since, last)
        bands.insert(0, (_clock(first, reader.zone), _clock(until, reader.zone), _("not listened to yet")))
    return tuple(bands)


# --------------------------------------------------------------------- the library


@cache
def _library() -> bytes:
    """The bundle that the package plotly brings."""
    return files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


@cache
def _packed() -> bytes:
    """The same compressed, to a third; that takes half a second, once."""
    return gzip.compress(_library(), 5, mtime=0)


@cache
def placeholders() -> tuple[str, ...]:
    """Ids that the library looks for before it puts a style element into the page, which the pages' policy forbids:
    what it would style is not used, or is in board.css. `plotly.js-style-global` wants the class `no-inline-styles`."""
    found = re.findall(rb'getElementById\("([0-9a-f]{64})"\)', _library())
    return ("plotly.js-style-global", *sorted({it.decode() for it in found}))


@router.get(LIBRARY)
def library(request: Request) -> Response:
    """The library. Its address has its version, so it may be kept for good."""
    headers = {"Cache-Control": f"public, max-age={YEAR_SECS}, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(), media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})
    return Response(_library(), media_type="text/javascript", headers=headers)
