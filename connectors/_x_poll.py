"""Recent search asked again and again, for accounts without the filtered stream.

Recent search (docs.x.com/x-api/posts/search): the last 7 days, newest first, 100 posts a page, 450 requests in 15
minutes, queries of 512 characters (more for enterprise). `since_id` is exclusive and need not be a post's id: ids
carry their time. A post appears in search some seconds late, so each question goes back a little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors._aside import Stopping, aside, resting
from connectors._x_api import Api
from connectors._x_intake import Batch
from connectors._x_posts import snowflake_at, snowflake_time
from connectors._x_repair import REACH, TOO_OLD
from connectors._x_rules import Rule
from connectors._x_session import Session
from pipeline.ports import Gap, Page

_STANDING = timedelta(hours=1)
"""A query that finds nothing moves on all the same, this far behind the clock: far more than clocks differ."""
_LEAST_A_PAGE = 10
"""X may send short pages; with fewer posts than this on each, the bound is on the pages."""


@dataclass(frozen=True)
class Round:
    """Seconds between two rounds, seconds that each question goes back, and how many posts one takes at most."""

    secs: float
    lookback_secs: float
    most_posts: int


class Polls:
    """Asks every query in turn. The session's `since` is, by a query's tag, the newest post that was seen when all
    before it had been passed on."""

    def __init__(self, session: Session, round: Round) -> None:
        self._session = session
        self._clock = session.clock
        self._round = round

    def pages(self, api: Api, queries: Sequence[Rule]) -> Iterator[Page]:
        """What these queries find, for ever; from no cursor, what is posted from now on."""
        session = self._session
        try:
            while not self._clock.stopping:
                begun, started = self._clock.now(), self._clock.monotonic()
                since = snowflake_at(session.heard or begun)
                session.since = {query.tag: session.since.get(query.tag, since) for query in queries}
                for query in queries:
                    yield from self._ask(api, query)
                batch = Batch()
                batch.heard = begun
                yield from session.paged(batch)
                yield from resting(started + self._round.secs - self._clock.monotonic(), self._clock)
        except Stopping:
            return

    def _ask(self, api: Api, query: Rule) -> Iterator[Page]:
        """All that is new to one query. What it misses for good is a gap in its last page."""
        session, now, newest = self._session, self._clock.now(), self._session.since[query.tag]
        last, reach = snowflake_time(newest), now - REACH
        since_id = snowflake_at(max(last - timedelta(seconds=self._round.lookback_secs), reach))
        posts, pages, oldest, token, done = 0, 0, newest, None, False
        while not done:
            if session.meter.reached:
                yield from session.stop_at_cap()
            yield from resting(api.searches.ready_in(), self._clock)
            answer = yield from aside(_search(api, query.value, since_id, token), self._clock)
            batch = Batch()
            batch.heard = session.heard or now
            ids = [id for id in session.intake.searched(answer, batch, again=False) if _is_id(id)]
            newest, oldest = max([newest, *ids], key=int), min(ids, key=int, default=oldest)
            posts, pages = posts + len(ids), pages + 1
            meta = answer.get("meta")
            token = meta.get("next_token") if isinstance(meta, dict) else None
            full = posts >= self._round.most_posts or pages >= self._round.most_posts // _LEAST_A_PAGE
            done = full or not isinstance(token, str)
            if done:
                session.since[query.tag] = max(newest, snowflake_at(now - _STANDING), key=int)
                if last < reach:
                    batch.gaps.append(Gap(last, reach, "away for longer than X can be asked about", note=TOO_OLD))
                if isinstance(token, str):
                    reason = f"more than {self._round.most_posts:,} posts since the last search"
                    note = "the newest were taken and the older ones left"
                    batch.gaps.append(Gap(max(last, reach), snowflake_time(oldest), reason, note=note))
            yield from session.paged(batch, api.searches.usage)


def _is_id(id: str) -> bool:
    return id.isascii() and id.isdecimal() and len(id) < 20


def _search(api: Api, query: str, since_id: str, token: str | None) -> Callable[[], dict[str, Any]]:
    return lambda: api.search(query, since_id=since_id, token=token)
