"""A document at one address, asked for again and again: all that such a connector needs besides reading it.

What is new is what the document holds: its ETag is the cursor, so that one which has not changed costs one small answer
(RFC 9110, section 13.1.2), and one which has is read whole. Mentions are told apart by their id.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

from msgspec import MsgspecError, json
from pydantic import Field, HttpUrl

from connectors._aside import resting
from connectors._http import Fetched, Fetcher, Limits, retry_after
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Context, Page, Rejection, Settings

PAGE_ITEMS = 500
_KEEP_BYTES = 65_536
_LONGEST_TAG = 1_000
_IDLE_SECS = 0.5

Shape = TypeVar("Shape")


class Polling(Settings):
    """Where the document is (`url`, private only with `allow_private`), the seconds between two requests, the seconds
    one answer may take and the bytes it may have."""

    url: HttpUrl
    poll_secs: float = Field(default=300, gt=0)
    allow_private: bool = False
    timeout_secs: float = Field(default=20, gt=0)
    max_bytes: int = Field(default=5_000_000, ge=1)


class Poller(ABC):
    """A connector (see `ports.Connector`) that lacks only `entries` and `parse`."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # Nobody documents any for a document.
        "network": Backoff(first=5, factor=2, cap=320),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=3_600),
        "silent": Backoff(first=5, factor=2, cap=320),
    }

    def __init__(self, config: Polling, context: Context) -> None:
        self._config, self._clock = config, context.clock
        self.name = context.name
        """The configured name of the source."""

    @abstractmethod
    def entries(self, body: bytes) -> Sequence[bytes]:
        """What the document lists, each as `parse` takes it; raises BadItem when it is no such document."""

    @abstractmethod
    def parse(self, payload: bytes) -> Sequence[Item]:
        """The mentions of one entry; raises BadItem."""

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Every entry, whenever the document is not the one that `cursor` was given for."""
        config = self._config
        limits = Limits(config.timeout_secs, config.max_bytes, config.allow_private)
        with Fetcher(limits, lambda _, answer: answer) as fetcher:
            while not self._clock.stopping:
                fetcher.start("", str(config.url), {"If-None-Match": cursor} if cursor and _is_tag(cursor) else {})
                while (result := fetcher.next(_IDLE_SECS)) is None:
                    yield Page(heard=False)
                items, cursor = self._read(result[1], cursor)
                while len(items) > PAGE_ITEMS:
                    yield Page(items[:PAGE_ITEMS])
                    items = items[PAGE_ITEMS:]
                yield Page(items, cursor=cursor)
                yield from resting(config.poll_secs, self._clock)

    def _read(self, answer: Fetched | SourceUnavailable, tag: str | None) -> tuple[list[Item | Rejection], str | None]:
        if isinstance(answer, SourceUnavailable):
            raise answer
        if answer.status == 304:
            return [], tag
        if answer.status in (401, 403, 404, 410):
            raise SourceRefused(f"the address answers {answer.status}; look at sources.{self.name}.url")
        if answer.status != 200:
            trouble: Trouble = "rate_limited" if answer.status == 429 else "http"
            delay = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
            raise SourceUnavailable(f"the address answers {answer.status}", trouble=trouble, retry_after=delay)
        try:
            entries = self.entries(answer.body)
        except BadItem as error:
            raise SourceUnavailable(f"the answer cannot be read: {error}", trouble="http") from error
        items = [item for number, entry in enumerate(entries, start=1) for item in self._items(number, entry)]
        return items, answer.headers.get("etag", "")

    def _items(self, number: int, entry: bytes) -> Sequence[Item | Rejection]:
        try:
            return self.parse(entry)
        except BadItem as error:
            return [Rejection(entry[:_KEEP_BYTES], f"item {number}", str(error))]


def decoded(payload: bytes, shape: type[Shape]) -> Shape:
    """This JSON in this shape; raises BadItem."""
    try:
        return json.decode(payload, type=shape)
    except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(str(error)) from error


def _is_tag(cursor: str) -> bool:
    # A server may send any bytes as its tag; a header that cannot be sent would end every request from now on.
    return cursor.isascii() and cursor.isprintable() and len(cursor) <= _LONGEST_TAG
