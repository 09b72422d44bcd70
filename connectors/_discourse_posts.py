"""A post of a forum, as its API and its webhooks show it (app/serializers/post_serializer.rb), as a mention.

`reads`, `reply_count` and the likes (`actions_summary`, id 2) are counts of the moment. `version` grows with every edit
but those of the first five minutes; `hidden` is what flags did, `user_deleted` what the author did and a day later
will be a deletion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape
from typing import Annotated
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Meta, Struct

from connectors._html import text_of
from connectors._times import in_utc
from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Media, Mention, Metrics, Removal

REGULAR = 1
"""`post_type` of what people write; others are a moderator's small actions, and whispers among staff."""

_LIKE = 2
_MEDIA = 10
_MAX_TEXT = 32_000
"""Discourse's own limit (site setting max_post_length)."""

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
# What is quoted is somebody else's. Each stops at the next opening, so that nothing is scanned twice.
_QUOTE = re.compile(r"\[quote[^\[\]\n]*+\](?:(?!\[/?quote).)*+\[/quote\]", re.DOTALL | re.IGNORECASE)
_ASIDE = re.compile(r"<aside class=\"quote(?:(?!</?aside).)*+</aside>", re.DOTALL | re.IGNORECASE)
_PICTURE = re.compile(r"!\[([^\[\]|\n]*+)(?:\|[^\[\]\n]*+)?\]\([^()\n]*+\)")
_IMG = re.compile(r"<img\b[^<>]*+>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(src|alt|class)=\"([^\"]*+)\"", re.IGNORECASE)
_DECORATION = re.compile(r"\b(emoji|avatar|site-icon|thumbnail)\b")
_NESTED = 3


class _Action(Struct):
    id: int
    count: int = 0


class Post(Struct, rename={"reply_to": "reply_to_post_number", "actions": "actions_summary"}):
    """What we read of a post. The OpenAPI document shows `reply_to_post_number` as a string, forums send a number."""

    id: Annotated[int, Meta(ge=1)]
    topic_id: Annotated[int, Meta(ge=1)]
    post_number: Annotated[int, Meta(ge=1)]
    user_id: int
    username: Annotated[str, Meta(min_length=1)]
    created_at: Annotated[datetime, Meta(tz=True)]
    updated_at: Annotated[datetime, Meta(tz=True)] | None = None
    deleted_at: datetime | None = None
    name: str | None = None
    raw: str | None = None
    cooked: str = ""
    reply_to: int | str | None = None
    post_type: int = REGULAR
    version: int = 1
    category_id: int | None = None
    topic_slug: str = ""
    topic_title: str | None = None
    topic_archetype: str = "regular"
    reply_count: int = 0
    reads: int | None = None
    actions: list[_Action] = []
    hidden: bool = False
    user_deleted: bool = False
    locale: str | None = None

    @property
    def gone(self) -> bool:
        """Whether its text is no longer there for everybody."""
        return self.deleted_at is not None or self.hidden or self.user_deleted

    @property
    def public(self) -> bool:
        """Whether it is something a person said where others can read it."""
        return self.post_type == REGULAR and self.topic_archetype == "regular"


class Reader:
    """Shapes the posts of one forum; its host and path stand before every id, so that forums cannot be mixed up."""

    def __init__(self, base: str, via: str, brand: str | None) -> None:
        parts = urlsplit(base)
        self.forum = f"{parts.hostname or ''}{parts.path}".strip("/").lower()
        self._base = base.rstrip("/")
        self._via = via
        self._brand = brand

    def read(self, payload: bytes) -> Post:
        """The post in these bytes; raises BadItem."""
        try:
            return msgspec.json.decode(payload, type=Post)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadItem(f"not a post of Discourse: {error}") from error

    def name(self, topic: int, number: int) -> str:
        """The native id of a post: forum, topic, and its number in the topic."""
        return f"{self.forum}/{topic}/{number}"

    def item(self, post: Post, now: datetime, edited: bool = False) -> Item:
        """The mention, or the removal of one whose text is gone; raises BadItem when it says nothing. `edited` says
        that it is known to have been reworded, whatever its version says."""
        if post.gone:
            return self.removal(post.topic_id, post.post_number, now)
        media = self._media(post.cooked)
        text = _text(post)
        if not text and not media:
            raise BadItem("a post without text")
        created = _moment(post.created_at)
        updated = None if post.updated_at is None else _moment(post.updated_at)
        parent = _number(post.reply_to) or 1
        first = f"discourse:{self.name(post.topic_id, 1)}"
        starts = post.post_number == 1
        likes = next((action.count for action in post.actions if action.id == _LIKE), None)
        return Mention(
            id=f"discourse:{self.name(post.topic_id, post.post_number)}",
            source="discourse",
            text=text,
            title=post.topic_title or "" if starts else "",
            author=Author(
                id=f"{self.forum}/{post.user_id}",
                handle=f"{post.username}@{self.forum}",
                name=post.name or "",
                url=f"{self._base}/u/{post.username}",
            ),
            created_at=min(created, now),
            edited_at=updated if updated and updated > created and (edited or post.version > 1) else None,
            kind=Kind.POST if starts else Kind.REPLY,
            conversation=first,
            parent=None if starts else f"discourse:{self.name(post.topic_id, parent)}",
            collected_at=now,
            via=self._via,
            lang=post.locale.replace("_", "-") if post.locale and _LOCALE.fullmatch(post.locale) else None,
            url=f"{self._base}/t/{post.topic_slug or '-'}/{post.topic_id}/{post.post_number}",
            metrics=Metrics(likes=likes, replies=post.reply_count, views=post.reads),
            media=media,
            brand=self._brand,
            reply_ref={
                "topic": str(post.topic_id),
                "number": str(post.post_number),
                "post": str(post.id),
                "username": post.username,
            },
        )

    def removal(self, topic: int, number: int, now: datetime) -> Removal:
        """That this post is gone."""
        return Removal(
            source="discourse",
            reason="deleted",
            noticed_at=now,
            mention=f"discourse:{self.name(topic, number)}",
            conversation=f"discourse:{self.name(topic, 1)}",
            via=self._via,
        )

    def _media(self, cooked: str) -> tuple[Media, ...]:
        found: dict[str, Media] = {}
        for tag in _IMG.findall(_ASIDE.sub("", cooked[: 4 * _MAX_TEXT])):
            values = {name.lower(): unescape(value) for name, value in _ATTRIBUTE.findall(tag)}
            if values.get("src") and not _DECORATION.search(values.get("class", "")):
                url = urljoin(f"{self._base}/", values["src"])[:2000]
                if url.startswith(("http://", "https://")):
                    found.setdefault(url, Media(url=url, alt=values.get("alt", "")))
        return tuple(found.values())[:_MEDIA]


def without_quotes(raw: str) -> str:
    """What the author wrote themselves: BBCode quotes gone, of pictures their description. All of it where nothing
    would be left."""
    text = raw
    for _ in range(_NESTED):
        text = _QUOTE.sub("", text)
    return _PICTURE.sub(r"\1", text).strip() or raw.strip()


def _text(post: Post) -> str:
    if post.raw:
        return without_quotes(post.raw[:_MAX_TEXT])
    cooked = post.cooked[: 4 * _MAX_TEXT]
    return (text_of(_ASIDE.sub("", cooked)) or text_of(cooked))[:_MAX_TEXT]


def _moment(moment: datetime) -> datetime:
    try:
        return in_utc(moment.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise BadItem(str(error)) from error


def _number(value: int | str | None) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def latest(answer: object) -> Sequence[bytes]:
    """The posts of `GET /posts.json`, each as JSON; raises BadItem where it is no such list."""
    posts = answer.get("latest_posts") if isinstance(answer, dict) else None
    if not isinstance(posts, list):
        raise BadItem("no list of posts")
    return [msgspec.json.encode(post) for post in posts]
