"""What every way of listening to X shares: cursor, meter, what was passed on lately, and the stop at the cap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from connectors._x_intake import Batch, Intake
from connectors._x_meter import Counts, Meter, Prices
from connectors._x_posts import Reader
from connectors._x_repair import Hole
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.ports import Context, Gap, Page, Usage


class _Cursor(Struct, omit_defaults=True):
    """When X was last heard, the stream's holes not yet settled, each search's newest post, and the meter."""

    heard: datetime | None = None
    holes: list[Hole] = []
    since: dict[str, str] = {}
    month: str = ""
    posts: int = 0
    answers: int = 0
    other_usd: float = 0.0


class Session:
    """`heard`, `holes` and `since` are the cursor's, `saved` is the cursor of the last durable page."""

    def __init__(self, prices: Prices, cap_usd: float | None, writes: bool, context: Context) -> None:
        self.clock = context.clock
        self.reader = Reader(context.name, context.brands)
        self.meter = Meter(prices.post, cap_usd)
        self.intake = Intake(self.reader, self.meter, context.clock, prices, writes)
        self.heard: datetime | None = None
        self.holes: list[Hole] = []
        self.since: dict[str, str] = {}
        self.saved: str | None = None

    def resume(self, cursor: str | None) -> None:
        """Go on from a saved cursor; raises SourceRefused for one that is not X's."""
        saved = _load(cursor)
        if cursor != self.saved:  # not where this object left off: what it handed over since may be gone
            self.intake.clear()
        self.heard, self.holes, self.since = saved.heard, saved.holes, saved.since
        self.meter.restore(Counts(saved.month, saved.posts, saved.answers, saved.other_usd))
        self.meter.turn(self.clock.now())

    @property
    def cursor(self) -> str:
        """Where to go on once all until now is durable."""
        counts = self.meter.counts
        cursor = _Cursor(
            self.heard, self.holes, self.since, counts.month, counts.posts, counts.answers, counts.other_usd
        )
        return msgspec.json.encode(cursor).decode()

    def paged(self, batch: Batch, usage: Sequence[Usage] = ()) -> Iterator[Page]:
        """The batch as a page; when control comes back it is durable."""
        if batch.heard is not None:
            self.heard = batch.heard
        changed = batch.heard is not None or batch.items or batch.gaps or batch.billed
        cursor = self.cursor if changed else None
        spent = self.meter.usage(self.clock.now()) if batch.billed else []
        heard = batch.heard is not None
        yield Page(batch.items, cursor=cursor, gaps=batch.gaps, heard=heard, usage=[*spent, *usage])
        self.saved = cursor or self.saved
        self.intake.remember(batch)

    def stop_at_cap(self, gaps: Sequence[Gap] = ()) -> Iterator[Page]:
        """Say what will not be heard this month, and stop until the next. The gap runs to the month's end; where the
        cap is raised earlier, listening simply goes on earlier."""
        now = self.clock.now()
        until = self.meter.resets(now)
        reason = self.cap_reached
        if self.heard is None or self.heard < until:
            gap = Gap(min(self.heard or now, now), until, reason)
            self.heard, self.since = until, {}
            yield Page(gaps=[*gaps, gap], cursor=self.cursor, heard=False)
        raise SourceUnavailable(reason, trouble="rate_limited", retry_after=(until - now).total_seconds())

    @property
    def cap_reached(self) -> str:
        """That it is, in words."""
        return f"the monthly cap of {self.meter.cap} USD is reached"


def _load(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.MsgspecError as error:
        raise SourceRefused(f"the saved cursor is not one of X's; remove it to start from now: {error}") from error
