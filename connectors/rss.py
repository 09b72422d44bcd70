"""RSS and Atom feeds, polled politely: conditional requests, permanent moves remembered, Retry-After obeyed.

Feeds are fetched side by side and fail alone: a feed in trouble is tried again later and later while the others go on.
The cursor holds, per feed, what the next request needs and which entries were seen, so that only new and changed
entries are passed on. A feed forgets old entries: where it may have forgotten some that were never seen, a gap says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, ClassVar, NamedTuple

import httpx2
import msgspec
import structlog
from msgspec.structs import replace
from pydantic import AfterValidator, Field

from connectors._entries import Entry, key_of, read_feed, to_mention
from connectors._http import Fetched, Fetcher, Limits, retry_after, shown
from pipeline.errors import BadItem, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Context, Gap, Page, Rejection, Settings

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 0.25
_REMEMBERED = 100
_TELLING = 5
"""A feed that shows so many entries, none of them seen before, has probably dropped others in between."""
_END = re.compile(rb"</(\w+:)?(rss|rdf|feed)\s*>", re.IGNORECASE)


def _fetchable(url: str) -> str:
    try:
        parts = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ValueError("a feed's address begins with http:// or https:// and a host")
    if parts.userinfo:
        raise ValueError("user and password in an address are not supported")
    return url


class Config(Settings):
    """Which feeds, how often, and within which limits.

    urls              the feeds; an id depends on its feed's address as written here
    interval_seconds  between two requests to one feed that answers
    brand             given to every mention
    user_agent        how we introduce ourselves: name yourself and an address to write to
    timeout_seconds   for one whole answer, redirects included
    max_bytes         of one answer, unpacked
    allow_private     whether an address may be, or lead, inside the private network
    """

    urls: list[Annotated[str, AfterValidator(_fetchable)]] = Field(min_length=1)
    interval_seconds: float = Field(default=300, gt=0)
    brand: str | None = None
    user_agent: str = "harken"
    timeout_seconds: float = Field(default=20, gt=0)
    max_bytes: int = Field(default=5_000_000, ge=1)
    allow_private: bool = False


class _Feed(msgspec.Struct, omit_defaults=True):
    """What is remembered of one feed; times are seconds since 1970, `seen` is entry -> (wording, revision)."""

    etag: str = ""
    modified: str = ""
    moved: str | None = None
    gone: bool = False
    due: float = 0.0
    failures: int = 0
    heard: float | None = None
    seen: dict[str, tuple[str, float]] = {}


class _Answer(NamedTuple):
    """What a feed answered, its entries (None: it is no feed), and whether it came to its end."""

    fetched: Fetched
    entries: list[Entry] | None
    whole: bool = True


def _answer(key: str, fetched: Fetched) -> _Answer:
    if fetched.status != 200:
        return _Answer(fetched, [])
    body = fetched.body
    whole = _END.search(body.replace(b"\0", b"")) is not None  # two bytes a letter, in UTF-16
    return _Answer(fetched, read_feed(key, fetched.url, fetched.headers.get("content-type", ""), body), whole)


class Connector:
    """Polls every feed until all of them are gone for good (410), then returns."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # Feeds document none; these are per feed, and never shorter than its interval.
        "network": Backoff(first=30, factor=2, cap=3600),
        "http": Backoff(first=60, factor=2, cap=6 * 3600),
        "rate_limited": Backoff(first=300, factor=2, cap=6 * 3600),
        "silent": Backoff(first=60, factor=2, cap=3600),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._via = context.name
        self._urls = {key_of(url): url for url in config.urls}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """One page per answer of a feed; from None, all that the feeds hold now."""
        feeds = self._restored(cursor)
        config = self._config
        limits = Limits(config.timeout_seconds, config.max_bytes, config.allow_private)
        under_way: set[str] = set()
        with Fetcher(limits, _answer) as fetcher:
            while not self._clock.stopping:
                if all(feed.gone for feed in feeds.values()):
                    log.warning("every feed has ended", via=self._via)
                    return
                for key, feed in feeds.items():
                    if key not in under_way and not feed.gone and feed.due <= self._clock.now().timestamp():
                        fetcher.start(key, feed.moved or self._urls[key], self._headers(feed))
                        under_way.add(key)
                answer = fetcher.next(_IDLE_SECONDS)
                if answer is None:
                    yield Page(heard=False)
                    continue
                under_way.discard(answer[0])
                page = self._taken(*answer, feeds[answer[0]])
                yield Page(page.items, msgspec.json.encode(feeds).decode(), page.gaps, page.heard)

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read one rejected entry again."""
        try:
            entry = msgspec.json.decode(payload, type=Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadItem(f"not an entry as this connector keeps them: {error}") from error
        return [to_mention(entry, self._via, self._config.brand, self._clock.now())]

    def _restored(self, cursor: str | None) -> dict[str, _Feed]:
        try:
            saved = msgspec.json.decode(cursor or "{}", type=dict[str, _Feed])
        except msgspec.MsgspecError:
            log.warning("the saved cursor cannot be read: taking all that the feeds hold", via=self._via)
            saved = {}
        return {key: saved.get(key, _Feed()) for key in self._urls}

    def _headers(self, feed: _Feed) -> dict[str, str]:
        headers = {
            "User-Agent": self._config.user_agent,
            "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5",
        }
        if feed.etag:
            headers["If-None-Match"] = feed.etag
        if feed.modified:
            headers["If-Modified-Since"] = feed.modified
        return headers

    def _taken(self, key: str, found: _Answer | SourceUnavailable, feed: _Feed) -> Page:
        """What an answer brings; `feed` is brought up to date."""
        if isinstance(found, SourceUnavailable):
            return self._failed(key, feed, found.trouble, str(found))
        answer, entries, whole = found
        if answer.status == 410:
            feed.gone = True
            log.warning("the feed has ended (410): remove it from the configuration", **self._named(key))
            return Page(heard=True)
        if answer.status not in (200, 304):
            trouble: Trouble = "rate_limited" if answer.status == 429 else "http"
            delay = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
            return self._failed(key, feed, trouble, f"HTTP {answer.status}", delay)
        if entries is None:
            return self._failed(key, feed, "http", "the answer is not a feed")
        if answer.moved and answer.moved != feed.moved:
            feed.moved = answer.moved
            log.warning("the feed has moved: change its address", to=shown(answer.moved), **self._named(key))
        gaps = self._gaps(key, feed, entries)
        items = self._items(feed, entries)
        if answer.status == 200:
            # One that breaks off is read, but asked for again, or what it lacks would be "not modified" from now on.
            feed.etag = answer.headers.get("etag", "")[:1000] if whole else ""
            feed.modified = answer.headers.get("last-modified", "")[:100] if whole else ""
        now = self._clock.now().timestamp()
        feed.failures, feed.heard, feed.due = 0, now, now + self._config.interval_seconds
        return Page(items, gaps=gaps)

    def _failed(self, key: str, feed: _Feed, trouble: Trouble, reason: str, delay: float | None = None) -> Page:
        feed.failures += 1
        if delay is None:
            delay = self.backoff[trouble].delay(feed.failures)
        delay = max(delay, self._config.interval_seconds)
        feed.due = self._clock.now().timestamp() + delay
        log.warning("the feed failed", reason=reason, failures=feed.failures, retry_secs=delay, **self._named(key))
        return Page(heard=False)

    def _items(self, feed: _Feed, entries: Sequence[Entry]) -> list[Item | Rejection]:
        """New and changed entries, the feed's oldest first; all of `entries` are then seen."""
        items: list[Item | Rejection] = []
        seen: dict[str, tuple[str, float]] = {}
        now = self._clock.now()
        # Of two entries with one id the upper one counts, or they would take turns for ever.
        unique = {entry.native_id: (place, entry) for place, entry in reversed(list(enumerate(entries, start=1)))}
        for native_id, (place, entry) in unique.items():
            id, wording = native_id.partition(".")[2], entry.wording
            before = feed.seen.get(id)
            if before and before[0] == wording:
                seen[id] = before
                continue
            try:
                mention = to_mention(entry, self._via, self._config.brand, now)
                if before and mention.revision.timestamp() <= before[1]:
                    mention = replace(mention, edited_at=now)  # reworded without a word about when
                seen[id] = (wording, mention.revision.timestamp())
                items.append(mention)
            except BadItem as error:
                seen[id] = (wording, 0.0)
                where = f"entry {place} of {shown(self._urls[entry.feed])}"
                items.append(Rejection(msgspec.json.encode(entry), where, str(error)))
        older = [(id, mark) for id, mark in feed.seen.items() if id not in seen]
        feed.seen = dict(older[-_REMEMBERED:]) | seen
        return items

    def _gaps(self, key: str, feed: _Feed, entries: Sequence[Entry]) -> list[Gap]:
        """The hole since the feed last answered: after failures, or when it has turned over entirely."""
        if feed.heard is None:
            return []
        known = any(entry.native_id.partition(".")[2] in feed.seen for entry in entries)
        if not feed.failures and (known or len(entries) < _TELLING):
            return []
        since, until = datetime.fromtimestamp(feed.heard, UTC), self._clock.now()
        name = shown(self._urls[key])
        reason = f"{name} failed {feed.failures} times" if feed.failures else f"all entries of {name} are new"
        if not entries:
            return [Gap(since, until, reason, repaired=True, note="the feed has not changed since")]
        note = "the feed still holds an entry seen before" if known else "entries in between may have been missed"
        return [Gap(since, until, reason, repaired=known, note=note)]

    def _named(self, key: str) -> dict[str, str]:
        return {"via": self._via, "feed": shown(self._urls[key])}
