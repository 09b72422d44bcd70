"""YouTube's resources as mentions: comments, threads of them, and videos (developers.google.com/youtube/v3/docs).

Texts are asked for as plain text, in which YouTube may put a video's title where a link to it was. Replies hang under
the top-level comment, however deep they were meant: YouTube knows one level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Media, Mention, Metrics

VIDEO = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
COMMENT = re.compile(r"[A-Za-z0-9_.-]{12,100}", re.ASCII)
_Moment = Annotated[datetime, Meta(tz=True)]
_SITE = "https://www.youtube.com"
_Shape = TypeVar("_Shape", bound=Struct)


class _Id(Struct):
    value: str = ""


class _Said(Struct):
    """The snippet of a comment."""

    textDisplay: str
    publishedAt: _Moment
    updatedAt: _Moment | None = None
    textOriginal: str | None = None
    authorDisplayName: str = ""
    authorChannelId: _Id | None = None
    authorChannelUrl: str = ""
    channelId: str | None = None
    videoId: str | None = None
    parentId: str | None = None
    likeCount: int | None = None
    imageUrl: str | None = None


class Comment(Struct):
    """A comment."""

    id: str
    snippet: _Said


class _Opened(Struct):
    topLevelComment: Comment
    channelId: str | None = None
    videoId: str | None = None
    totalReplyCount: int = 0


class _Replies(Struct):
    comments: list[dict[str, Any]] = []


class Thread(Struct):
    """A top-level comment with some of its replies."""

    id: str
    snippet: _Opened
    replies: _Replies = msgspec.field(default_factory=_Replies)

    @property
    def where(self) -> Where:
        """What its replies do not tell themselves."""
        opened = self.snippet
        said = opened.topLevelComment.snippet
        return Where(self.id, opened.videoId or said.videoId or "", opened.channelId or said.channelId or "")


class Where(Struct, frozen=True):
    """A thread, the video it is on (empty: on none) and whose channel that is; the video's title where it is known."""

    thread: str
    video: str = ""
    channel: str = ""
    title: str = ""


class _Shown(Struct):
    """The snippet of a video."""

    title: str
    publishedAt: _Moment
    channelId: str
    channelTitle: str = ""
    description: str = ""
    defaultLanguage: str | None = None
    defaultAudioLanguage: str | None = None


class _Counts(Struct):
    viewCount: str | None = None
    likeCount: str | None = None
    commentCount: str | None = None


class Video(Struct):
    """A video; without a count of comments nobody may comment on it."""

    id: str
    snippet: _Shown
    statistics: _Counts = msgspec.field(default_factory=_Counts)


def thread(resource: Any) -> Thread:
    """A comment thread; raises BadItem."""
    return _read(resource, Thread)


def comment(resource: Any) -> Comment:
    """A comment; raises BadItem."""
    return _read(resource, Comment)


def video(resource: Any) -> Video:
    """A video; raises BadItem."""
    return _read(resource, Video)


def _read(resource: Any, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(resource, shape)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise BadItem(f"not a {shape.__name__.lower()} of YouTube's: {error}") from error


class Reader:
    """Shapes mentions for a source of this name. What stands on one of `channels` or `videos` is about `brand`."""

    def __init__(self, name: str, brand: str | None, channels: Sequence[str], videos: Sequence[str]) -> None:
        self._name = name
        self._brand = brand
        self._ours = frozenset((*channels, *videos))

    def parse(self, payload: bytes, now: datetime) -> list[Item]:
        """A kept resource; raises BadItem."""
        try:
            resource = msgspec.json.decode(payload, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadItem(f"not a resource of YouTube's: {error}") from error
        match resource.get("kind"):
            case "youtube#video":
                return [self.video(video(resource), now)]
            case "youtube#comment":
                read = comment(resource)
                return [self.comment(read, Where(read.snippet.parentId or read.id), now)]
            case _:
                found = thread(resource)
                return [self.opening(found, "", now)]

    def opening(self, found: Thread, title: str, now: datetime) -> Mention:
        """The top-level comment."""
        where = msgspec.structs.replace(found.where, title=title)
        return self.comment(found.snippet.topLevelComment, where, now, replies=found.snippet.totalReplyCount)

    def comment(self, made: Comment, where: Where, now: datetime, replies: int | None = None) -> Mention:
        """A comment; raises BadItem where it says nothing."""
        said = made.snippet
        text = (said.textOriginal or said.textDisplay).replace("\x00", "").strip()
        if not COMMENT.fullmatch(made.id) or not COMMENT.fullmatch(where.thread):
            raise BadItem("a comment's id is none of YouTube's")
        if not text and said.imageUrl is None:
            raise BadItem("the comment has no text")
        on, owner = where.video or said.videoId or "", where.channel or said.channelId or ""
        parent = where.thread if made.id != where.thread else on
        edited = said.updatedAt if said.updatedAt and said.updatedAt > said.publishedAt else None
        return Mention(
            id=f"youtube:{made.id}",
            source="youtube",
            text=text or "(a picture)",
            author=_author(said),
            created_at=said.publishedAt.astimezone(UTC),
            kind=Kind.COMMENT if made.id == where.thread else Kind.REPLY,
            conversation=f"youtube:{where.thread}",
            parent=f"youtube:{parent}" if parent else None,
            collected_at=now,
            edited_at=edited.astimezone(UTC) if edited else None,
            via=self._name,
            title=where.title,
            url=f"{_SITE}/watch?v={on}&lc={made.id}" if on else f"{_SITE}/channel/{owner}",
            metrics=Metrics(likes=said.likeCount, replies=replies),
            media=(Media(url=said.imageUrl),) if said.imageUrl else (),
            brand=self._brand if {on, owner} & self._ours else None,
            reply_ref={"thread": where.thread, "video": on, "channel": owner},
        )

    def video(self, found: Video, now: datetime) -> Mention:
        """A video, which says its title and description."""
        shown, counts = found.snippet, found.statistics
        title, description = (text.replace("\x00", "").strip() for text in (shown.title, shown.description))
        if not VIDEO.fullmatch(found.id) or not (title or description):
            raise BadItem("a video without an id or a title")
        return Mention(
            id=f"youtube:{found.id}",
            source="youtube",
            text=description or title,
            author=Author(id=shown.channelId, name=shown.channelTitle, url=f"{_SITE}/channel/{shown.channelId}"),
            created_at=shown.publishedAt.astimezone(UTC),
            kind=Kind.POST,
            conversation=f"youtube:{found.id}",
            collected_at=now,
            via=self._name,
            lang=shown.defaultAudioLanguage or shown.defaultLanguage,
            title=title,
            url=f"{_SITE}/watch?v={found.id}",
            metrics=Metrics(
                likes=_count(counts.likeCount), replies=_count(counts.commentCount), views=_count(counts.viewCount)
            ),
            brand=self._brand if {found.id, shown.channelId} & self._ours else None,
            reply_ref={"video": found.id, "channel": shown.channelId},
        )


def _author(said: _Said) -> Author:
    name = said.authorDisplayName
    channel = said.authorChannelId.value if said.authorChannelId else ""
    if not (channel or name):
        raise BadItem("the comment is nobody's")
    handle = name[1:] if name.startswith("@") else ""
    return Author(id=channel or name, handle=handle, name=name, url=said.authorChannelUrl)


def _count(number: str | None) -> int | None:
    return int(number) if number and number.isascii() and number.isdecimal() and len(number) < 18 else None


def resources(answer: Mapping[str, Any]) -> list[Any]:
    """What a list holds."""
    items = answer.get("items")
    return items if isinstance(items, list) else []


def created(resource: Any) -> float | None:
    """When a thread was begun, in seconds since 1970; None where it cannot be read."""
    try:
        return thread(resource).snippet.topLevelComment.snippet.publishedAt.timestamp()
    except BadItem:
        return None


def video_id(result: Any) -> str:
    """The video a search found; empty where it is none."""
    id = result.get("id") if isinstance(result, dict) else None
    found = id.get("videoId") if isinstance(id, dict) else None
    return found if isinstance(found, str) and VIDEO.fullmatch(found) else ""
