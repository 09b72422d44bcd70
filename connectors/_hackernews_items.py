"""Items of Hacker News (github.com/HackerNews/API, "Items"; hn.algolia.com/api for what its search finds) as mentions.

Stories, comments, jobs and polls are items with one number series. `text` is HTML. A comment names its parent only,
a comment or the story; who has `deleted` it or whom moderation made `dead` keeps the number and loses the text. `null`
stands for an item that is not there, or not yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from connectors._html import text_of
from connectors._times import in_utc
from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Mention, Metrics, Removal

SITE = "https://news.ycombinator.com"
_KINDS = {"story": Kind.POST, "comment": Kind.COMMENT, "job": Kind.POST, "poll": Kind.POST}
_MAX_TEXT = 40_000


class Thing(Struct, omit_defaults=True):
    """What we read of an item; `root` is added by us: the story a comment belongs to."""

    id: Annotated[int, Meta(ge=1)]
    type: str = "story"
    by: str = ""
    time: int | None = None
    text: str = ""
    title: str = ""
    url: str = ""
    parent: int | None = None
    score: int | None = None
    descendants: int | None = None
    kids: list[int] = []
    dead: bool = False
    deleted: bool = False
    root: int | None = None

    @property
    def gone(self) -> bool:
        """Whether its author or moderation took it away."""
        return self.dead or self.deleted

    @property
    def words(self) -> str:
        """All that a term could stand in."""
        return f"{self.title}\n{text_of(self.text)}\n{self.url}"

    @property
    def wording(self) -> str:
        """Changes when the words do."""
        said = f"{self.title}\0{self.text}\0{self.url}"
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def read(payload: bytes) -> Thing | None:
    """The item in these bytes, None for `null`; raises BadItem."""
    try:
        return msgspec.json.decode(payload, type=Thing | None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not an item of Hacker News: {error}") from error


def to_mention(thing: Thing, via: str, now: datetime, edited: bool = False) -> Mention:
    """The item as a mention; `edited` says that it said something else before (Hacker News tells no time of edits).
    Raises BadItem where it says nothing, or what it is cannot be told."""
    kind = _KINDS.get(thing.type)
    if kind is None or not thing.by or thing.time is None:
        raise BadItem("an item without its author, its time, or a kind that can be read")
    text = text_of(thing.text[: 4 * _MAX_TEXT])[:_MAX_TEXT]
    if not text and not thing.title:
        raise BadItem("an item without text")
    try:
        created = in_utc(datetime.fromtimestamp(thing.time, UTC))
    except (ValueError, OverflowError, OSError) as error:
        raise BadItem(f"its time cannot be read: {error}") from error
    comment = kind is Kind.COMMENT
    replies = thing.descendants if thing.descendants is not None else len(thing.kids)
    return Mention(
        id=f"hackernews:{thing.id}",
        source="hackernews",
        text="\n".join(part for part in (text or thing.title, thing.url) if part),
        title=thing.title,
        author=Author(id=thing.by, handle=thing.by, url=f"{SITE}/user?id={thing.by}"),
        created_at=min(created, now),
        edited_at=now if edited else None,
        kind=kind,
        conversation=f"hackernews:{thing.root or thing.parent or thing.id}" if comment else "",
        parent=f"hackernews:{thing.parent}" if comment and thing.parent else None,
        collected_at=now,
        via=via,
        url=f"{SITE}/item?id={thing.id}",
        metrics=Metrics(likes=thing.score, replies=replies),
    )


def removal(id: int, root: int | None, via: str, now: datetime) -> Removal:
    """That this item is gone."""
    return Removal(
        source="hackernews",
        reason="deleted",
        noticed_at=now,
        mention=f"hackernews:{id}",
        conversation=f"hackernews:{root}" if root else "",
        via=via,
    )


def hits(body: bytes) -> tuple[Sequence[Thing], int]:
    """What a search of hn.algolia.com found, as items, and how many pages there are; raises BadItem."""
    try:
        answer = msgspec.json.decode(body)
        found = [hit for hit in answer["hits"] if isinstance(hit, dict)]
        pages = int(answer["nbPages"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError, ValueError) as error:
        raise BadItem("not an answer of the search") from error
    return [thing for hit in found if (thing := _hit(hit)) is not None], pages


def _hit(hit: Mapping[str, Any]) -> Thing | None:
    comment = bool(hit.get("comment_text"))
    values = {
        "id": int(hit["objectID"]) if str(hit.get("objectID")).isdecimal() else 0,
        "type": "comment" if comment else "story",
        "by": hit.get("author"),
        "time": hit.get("created_at_i"),
        "text": hit.get("comment_text") or hit.get("story_text") or "",
        "title": "" if comment else hit.get("title") or "",
        "url": "" if comment else hit.get("url") or "",
        "parent": hit.get("parent_id") if comment else None,
        "score": None if comment else hit.get("points"),
        "descendants": hit.get("num_comments"),
        "root": hit.get("story_id") if comment else None,
    }
    try:
        return msgspec.convert(values, Thing)
    except msgspec.ValidationError:
        return None  # a search result that cannot be read is one that was not found
