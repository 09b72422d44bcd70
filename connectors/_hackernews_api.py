"""Requests to Hacker News and to its search, side by side, within a budget of their own."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

import msgspec

from connectors._aside import Stopping, resting
from connectors._hackernews_items import Thing, hits
from connectors._http import Fetched, Fetcher, Limits, retry_after
from connectors._pace import Pace, Window
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.ports import Clock, Page

HITS = 100
HIT_PAGES = 10
"""The search shows 1,000 results of a query."""
_MAX_BYTES = 8_000_000
_HEADERS = {"User-Agent": "harken"}

Result = Fetched | SourceUnavailable


class _Named(msgspec.Struct):
    id: int = 0


class Api:
    """A context manager: fetches between its begin and its end. `parallel` requests at once, no more than
    `a_minute`."""

    def __init__(
        self, api: str, search: str, *, parallel: int, a_minute: int, timeout_secs: float, clock: Clock
    ) -> None:
        self._api = api.rstrip("/")
        self._search = search.rstrip("/")
        self._parallel = parallel
        self._timeout = timeout_secs
        self._clock = clock
        # Only this machine may be a private address: a stand-in for trying things.
        self._limits = Limits(timeout_secs, _MAX_BYTES, allow_private=api.startswith("http://"))
        self.pace = Pace(clock, Window(a_minute, 60, "requests a minute"))

    def __enter__(self) -> Self:
        self._fetcher = Fetcher(self._limits, lambda _, answer: answer, self._parallel)
        self._fetcher.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._fetcher.__exit__()

    def items(self, ids: Iterable[int]) -> Generator[Page, None, dict[int, Result]]:
        """Each item's answer, or why there is none; raises Stopping when asked to stop."""
        order = list(dict.fromkeys(ids))
        found = yield from self._fetch({str(id): f"{self._api}/item/{id}.json" for id in order})
        return {id: _item(id, found[str(id)]) for id in order}

    def newest(self) -> Generator[Page, None, int]:
        """The number of the newest item."""
        body = (yield from self._one(f"{self._api}/maxitem.json")).body.strip()
        if not body.isdigit() or len(body) > 12:
            raise SourceUnavailable("Hacker News does not say what its newest item is", trouble="http")
        return int(body)

    def changed(self) -> Generator[Page, None, Sequence[int]]:
        """The items that changed of late."""
        answer = yield from self._one(f"{self._api}/updates.json")
        try:
            items = msgspec.json.decode(answer.body)["items"]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError) as error:
            raise SourceUnavailable("Hacker News does not say what changed", trouble="http") from error
        return [id for id in items if isinstance(id, int)] if isinstance(items, list) else []

    def searched(self, term: str, since: datetime, page: int) -> Generator[Page, None, tuple[Sequence[Thing], bool]]:
        """A page of what holds the term since then, newest first, and whether there is another."""
        query = {
            "query": '"{}"'.format(term.replace('"', " ")),
            "tags": "(story,comment)",
            "numericFilters": f"created_at_i>{int(since.timestamp())}",
            "advancedSyntax": "true",
            "typoTolerance": "false",
            "hitsPerPage": str(HITS),
            "page": str(page),
        }
        answer = yield from self._one(f"{self._search}/search_by_date?{urlencode(query)}")
        try:
            found, pages = hits(answer.body)
        except BadItem as error:
            raise SourceUnavailable(f"hn.algolia.com: {error}", trouble="http") from error
        return found, bool(found) and page + 1 < min(pages, HIT_PAGES)

    def waited_for(self, ids: Sequence[int]) -> dict[int, Result]:
        """As `items`, at one go, for who may wait: some at once, no longer than their timeouts. Raises
        SourceUnavailable where so many are not allowed now."""
        found: dict[int, Result] = {}
        for _ in ids:
            self.pace.claim("Hacker News")
        for id in ids:
            self._fetcher.start(str(id), f"{self._api}/item/{id}.json", _HEADERS)
        patience = self._timeout * (1 + len(ids) // self._parallel) + 2
        while len(found) < len(ids) and (result := self._fetcher.next(patience)):
            found[int(result[0])] = _item(int(result[0]), self._judged(result[1]))
        return found

    def _one(self, url: str) -> Generator[Page, None, Fetched]:
        result = (yield from self._fetch({"": url}))[""]
        if isinstance(result, SourceUnavailable):
            raise result
        return result

    def _fetch(self, wanted: dict[str, str]) -> Generator[Page, None, dict[str, Result]]:
        found: dict[str, Result] = {}
        waiting = list(wanted.items())[::-1]
        under_way = 0
        while waiting or under_way:
            while waiting and under_way < self._parallel and not self.pace.ready_in():
                key, url = waiting.pop()
                self._fetcher.start(key, url, _HEADERS)
                self.pace.spent()
                under_way += 1
            if not under_way:
                yield from resting(self.pace.ready_in(), self._clock)
            elif result := self._fetcher.next(0.5):
                under_way -= 1
                found[result[0]] = self._judged(result[1])
            else:
                yield Page(heard=False)
            if self._clock.stopping:
                raise Stopping
        return found

    def _judged(self, result: Result) -> Result:
        if isinstance(result, SourceUnavailable) or result.status == 200:
            return result
        return SourceUnavailable(
            f"Hacker News answered {result.status}",
            trouble="rate_limited" if result.status == 429 else "http",
            retry_after=retry_after(result.headers.get("retry-after", ""), self._clock.now()),
        )


def _item(id: int, result: Result) -> Result:
    """The result, where it is this item or `null`: anything else is somebody's in between, and no item lost."""
    if isinstance(result, SourceUnavailable):
        return result
    try:
        named = msgspec.json.decode(result.body, type=_Named | None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        named = _Named(0)
    if named is not None and named.id != id:
        return SourceUnavailable(f"Hacker News answered something that is not item {id}", trouble="http")
    return result
