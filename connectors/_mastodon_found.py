"""What listening to a server hands over; `server` is its address as configured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors._mastodon_posts import Posted, Status
from pipeline.errors import SourceRefused, SourceUnavailable


@dataclass(frozen=True)
class Opened:
    """All streams are open; `keys` are the timelines whose pages are being asked for now."""

    server: str
    keys: Sequence[str]


@dataclass(frozen=True)
class Post:
    """A post, and where it stands: `id` on the timeline `key` (both empty: an edit). `live`: the stream brought it."""

    server: str
    posted: Posted
    status: Status
    key: str = ""
    id: str = ""
    live: bool = True


@dataclass(frozen=True)
class Deleted:
    """The post with this id of the server was deleted."""

    server: str
    id: str


@dataclass(frozen=True)
class Unreadable:
    """Something that is no post of this API."""

    server: str
    payload: bytes
    place: str
    reason: str


@dataclass(frozen=True)
class Heard:
    """A sign of life; on the timeline `key` the stream was heard up to `id`, where one is named."""

    server: str
    key: str = ""
    id: str = ""


@dataclass(frozen=True)
class Filled:
    """A timeline's pages were handed over up to `id`; `done`: all there are, or (`short` says why) not all of them."""

    server: str
    key: str
    id: str = ""
    done: bool = False
    short: str = ""


@dataclass(frozen=True)
class Failed:
    """The end of this listening."""

    server: str
    error: SourceUnavailable | SourceRefused


Found = Opened | Post | Deleted | Unreadable | Heard | Filled | Failed
