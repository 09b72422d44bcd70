"""Replay: a JSONL or CSV file of mentions, at its original pace or as fast as it goes. The file is never changed.

The cursor is a place in the file with a fingerprint of what was read before it: a restart goes on with the next row,
rows appended later are read by the next run, and a file with other content is read from its start.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal

import msgspec
import structlog
from msgspec.structs import replace
from pydantic import Field

from connectors._mapping import MAX_PAYLOAD, FieldMap, Mapper, SourceName, Thread
from connectors._table import Reading
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Clock, Context, Page, Rejection, Settings

log = structlog.get_logger(__name__)

_PAGE_BYTES = 4 * 1024 * 1024
_PAGE_SECONDS = 0.5


class Config(Settings):
    """Which file, what its columns are called, and how fast it goes.

    path        the file
    format      csv or jsonl; left out, the file's ending decides (.csv is csv, anything else jsonl)
    source      the front of every id; left out, the file's name without its ending
    map         our field -> the file's column; left out, the file uses our field names (or, in JSONL, wire shapes)
    brand       given to every mention
    speed       original pace times this; 0 or `max` is as fast as it goes
    anchor      `now` moves all times by one amount so that the newest is now; `none` leaves them
    page_size   mentions handed over at once
    rating_max  the best rating in the file (5 for stars): ratings are divided by it
    """

    path: Path
    format: Literal["csv", "jsonl"] | None = None
    source: SourceName | None = None
    map: FieldMap = {}
    brand: str | None = None
    speed: float | Literal["max"] = "max"
    anchor: Literal["none", "now"] = "none"
    page_size: int = Field(default=500, ge=1, le=1000)
    rating_max: float = Field(default=1.0, gt=0)


class _Place(msgspec.Struct, frozen=True):
    """The cursor: where the next row starts, a fingerprint of what lies before, and by how much times are moved."""

    offset: int = 0
    line: int = 1
    seen: str = ""
    shift: float | None = None


class Connector:
    """Reads the file from the cursor to its end, then returns."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # A file has no protocol: these only space out the attempts on a disk or a mount that fails.
        "network": Backoff(first=1, factor=2, cap=60),
        "http": Backoff(first=1, factor=2, cap=60),
        "rate_limited": Backoff(first=1, factor=2, cap=60),
        "silent": Backoff(first=1, factor=2, cap=60),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._via = context.name
        self._table = (config.format or config.path.suffix.lower().lstrip(".")) == "csv"
        self._source = config.source or "-".join(config.path.stem.replace(":", " ").split()) or "replay"

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Pages of `page_size`, smaller where the pace or the size of the rows asks for it. Raises SourceRefused when
        the file cannot be opened or lacks a mapped column."""
        path = self._config.path
        try:
            with path.open("rb") as file:
                changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield from self._run(self._reading(file, changed), self._resumed(cursor))
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise SourceRefused(f"cannot read {path}: {error.strerror}") from error
        except OSError as error:
            raise SourceUnavailable(f"reading {path} failed: {error.strerror or error}") from error

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read a rejected row again; a CSV row's payload begins with the file's header, so the file is not needed.
        Times are not moved (`anchor`) and threads not looked up."""
        if len(payload) >= MAX_PAYLOAD:
            raise BadItem(f"the row was cut at {MAX_PAYLOAD:,} bytes when it was rejected; correct it in the file")
        now = self._clock.now()
        try:
            reading = self._reading(io.BytesIO(payload), now)
        except SourceRefused as error:
            raise BadItem(str(error)) from error
        rows = list(reading.rows())
        if len(rows) != 1:
            raise BadItem(f"{len(rows)} rows where one was expected")
        return [reading.item(rows[0], now)]

    def _reading(self, file: io.BufferedReader | io.BytesIO, changed: datetime) -> Reading:
        def mapper(columns: Mapping[str, str], thread: Thread | None) -> Mapper:
            config = self._config
            return Mapper(
                self._source,
                columns,
                via=self._via,
                brand=config.brand,
                rating_max=config.rating_max,
                when=changed,
                thread=thread,
            )

        return Reading(file, self._config.path.name, self._table, self._config.map, mapper)

    def _run(self, reading: Reading, place: _Place) -> Iterator[Page]:
        shift = place.shift
        if self._config.anchor == "now" and shift is None:
            newest: datetime | None = None
            for found in self._newest(reading):
                newest = found
                yield Page()
                if self._clock.stopping:
                    return
            shift = (self._clock.now() - newest).total_seconds() if newest else None
        moved = timedelta(seconds=shift or 0)
        pace = _Pace(self._config.speed, self._clock)
        page = _Filling(self._config.page_size, self._clock)
        start, end = place.offset, place
        for row in reading.rows(place.offset, place.line):
            item = reading.read(row, page.began)
            if row.offset >= start:
                item = _moved(item, moved)
                while (wait := pace.wait(item)) > 0:
                    yield self._page(page, end)
                    if self._clock.wait(min(wait, 1.0)):
                        return
                page.items.append(item)
                page.size += len(row.raw)
                end = _Place(row.end, row.next_line, shift=shift)
            if page.full:
                yield self._page(page, end)
                if self._clock.stopping:
                    return
        yield self._page(page, end)

    def _newest(self, reading: Reading) -> Iterator[datetime | None]:
        """The newest time so far, twice a second, and at last of the whole file."""
        newest, since, now = None, self._clock.monotonic(), self._clock.now()
        for row in reading.rows():
            item = reading.read(row, now)
            if isinstance(item, Mention) and (newest is None or item.created_at > newest):
                newest = item.created_at
            if self._clock.monotonic() - since >= _PAGE_SECONDS:
                since = self._clock.monotonic()
                yield newest
        if reading.threads:
            reading.threads.forget()
        yield newest

    def _page(self, page: _Filling, end: _Place) -> Page:
        items = page.turn()
        if not items:
            return Page()
        seen = _fingerprint(self._config.path, end.offset)
        return Page(items, cursor=msgspec.json.encode(msgspec.structs.replace(end, seen=seen)).decode())

    def _resumed(self, cursor: str | None) -> _Place:
        if cursor is None:
            return _Place()
        try:
            place = msgspec.json.decode(cursor, type=_Place)
        except msgspec.MsgspecError:
            place = _Place(offset=-1)
        if place.offset < 0 or place.seen != _fingerprint(self._config.path, place.offset):
            log.warning("the file is not the one the cursor was saved for: reading it from the start", via=self._via)
            return _Place()
        return place


class _Filling:
    """The page being filled: full by number, by bytes, or by time since it was begun."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self.items: list[Item | Rejection] = []
        self.turn()

    @property
    def full(self) -> bool:
        return (
            len(self.items) >= self._limit
            or self.size >= _PAGE_BYTES
            or self._clock.monotonic() - self._since >= _PAGE_SECONDS
        )

    def turn(self) -> tuple[Item | Rejection, ...]:
        """What was filled; the next page begins now."""
        items = tuple(self.items)
        self.items.clear()
        self.size, self._since, self.began = 0, self._clock.monotonic(), self._clock.now()
        return items


class _Pace:
    """When a mention is due: as long after the first as it was then, divided by the speed. Rows that are not in the
    order of their times follow the row before them at once."""

    def __init__(self, speed: float | Literal["max"], clock: Clock) -> None:
        self._speed = 0.0 if speed == "max" else speed
        self._clock = clock
        self._first: datetime | None = None
        self._start = 0.0

    def wait(self, item: Item | Rejection) -> float:
        """Seconds until the item is due; 0 or less: now."""
        if not self._speed or isinstance(item, Rejection):
            return 0.0
        moment = item.created_at if isinstance(item, Mention) else item.noticed_at
        if self._first is None:
            self._first, self._start = moment, self._clock.monotonic()
        due = (moment - self._first).total_seconds() / self._speed
        return due - (self._clock.monotonic() - self._start)


def _moved(item: Item | Rejection, by: timedelta) -> Item | Rejection:
    if not by or isinstance(item, Rejection):
        return item
    if isinstance(item, Mention):
        edited = item.edited_at + by if item.edited_at else None
        return replace(item, created_at=item.created_at + by, edited_at=edited)
    return replace(item, noticed_at=item.noticed_at + by)


def _fingerprint(path: Path, offset: int) -> str:
    """What stands at the file's start and just before `offset`."""
    with path.open("rb") as file:
        head = file.read(min(offset, 4096))
        file.seek(max(0, offset - 64))
        return hashlib.sha256(head + file.read(min(offset, 64))).hexdigest()[:16]
