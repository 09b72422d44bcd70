"""Holes in the stream, filled by recent search as far as it goes.

Recent search (docs.x.com/x-api/posts/search): the last 7 days, `end_time` at least 10 seconds ago, 450 requests in 15
minutes, 100 posts a page. Its matching differs a little from the stream's, and a post edited since comes back only in
its last wording; the gap's note says so. `backfill_minutes` and the stream's own recovery are for enterprise only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from connectors._x_api import Api, InvalidRequest
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.ports import Clock, Gap

NOTE = "filled by recent search, whose matching differs slightly from the stream's"
_SPACING_SECS = 2.0
"""450 requests in 15 minutes."""
_SETTLING = timedelta(seconds=15)
_OVERLAP = timedelta(seconds=4)
"""Searched beyond a hole's end, as far as X allows by then: its clock need not be ours, and the end is left out."""
REACH = timedelta(days=7) - timedelta(minutes=1)
"""How far back X can be asked, less what a request takes."""
_SLACK = timedelta(hours=1)
"""A hole that is too old is cut so much later than need be, for the time its own repair takes."""
TOO_OLD = "older than the 7 days that recent search covers"
_ATTEMPTS = 5
_RETRY_SECS = 60.0


class Hole(Struct):
    """A stretch in which the stream was not heard."""

    since: datetime
    until: datetime
    reason: str


class Repair:
    """Works off `holes` one request at a time, so that live reading goes on in between.

    A hole stays in `holes`, and so in the cursor, until it is answered by a Gap; cut short, its search starts again.
    """

    def __init__(self, api: Api, queries: Sequence[str], lookback: timedelta, clock: Clock, holes: list[Hole]) -> None:
        self._api = api
        self._queries = queries
        self._lookback = lookback
        self._clock = clock
        self.holes = holes
        self._query = 0
        self._token: str | None = None
        self._failures = 0
        self._not_before = 0.0

    @property
    def due(self) -> bool:
        """Whether there is a request to make now."""
        return (
            bool(self.holes)
            and self._clock.monotonic() >= self._not_before
            and self._clock.now() >= self.holes[0].until + _SETTLING
        )

    def step(self) -> tuple[dict[str, Any], list[Gap]]:
        """One request: its answer (empty where it failed for now) and the gaps settled by it."""
        hole = self.holes[0]
        reach = self._clock.now() - REACH
        if hole.until <= reach + _SLACK:
            return {}, [self._settle(TOO_OLD)]
        if hole.since < reach:
            cut = reach + _SLACK
            self.holes[0] = Hole(cut, hole.until, hole.reason)
            return {}, [Gap(hole.since, cut, hole.reason, note=TOO_OLD)]
        self._not_before = self._clock.monotonic() + _SPACING_SECS
        start = max(hole.since - self._lookback, reach)
        try:
            answer = self._api.search(
                self._queries[self._query], start=start, end=hole.until + _OVERLAP, token=self._token
            )
        except SourceUnavailable as error:
            return {}, self._failed(error)
        except (InvalidRequest, SourceRefused) as error:
            return {}, [self._settle(str(error))]
        self._failures = 0
        meta = answer.get("meta")
        self._token = meta.get("next_token") if isinstance(meta, dict) else None
        if self._token is None:
            self._query += 1
        return answer, [self._settle(None)] if self._query >= len(self._queries) else []

    def give_up(self, why: str) -> list[Gap]:
        """Settle all holes as they are."""
        return [self._settle(why) for _ in range(len(self.holes))]

    def _failed(self, error: SourceUnavailable) -> list[Gap]:
        self._failures += error.trouble != "rate_limited"
        self._not_before = self._clock.monotonic() + (error.retry_after or _RETRY_SECS)
        return [self._settle(str(error))] if self._failures >= _ATTEMPTS else []

    def _settle(self, why_not: str | None) -> Gap:
        hole = self.holes.pop(0)
        self._query, self._token, self._failures = 0, None, 0
        return Gap(hole.since, hole.until, hole.reason, repaired=why_not is None, note=why_not or NOTE)
