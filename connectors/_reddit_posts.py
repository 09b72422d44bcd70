"""Reddit's things as mentions and removals: comments (`t1`) and submissions (`t3`), as a listing, `api/info` or the
account's inbox holds them (www.reddit.com/dev/api).

What is gone stays in its place: `[deleted]` for what its author took back, `[removed]` for what moderators or Reddit
took down, and an author of `[deleted]` or null where the account was closed. All three are removals here: Reddit's Data
API terms want deleted content, and what closed accounts wrote, removed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Media, Mention, Metrics, Removal

FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,13}", re.ASCII)
_TAKEN_DOWN = ("[removed]", "[ Removed by Reddit ]")
_SITE = "https://www.reddit.com"
_IMAGE = re.compile(r"https://\S+", re.ASCII)


class Thing(Struct):
    """A thing and its kind, before anybody looked into it."""

    kind: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its fullname; empty where it has none."""
        return name if isinstance(name := self.data.get("name"), str) and FULLNAME.fullmatch(name) else ""

    @property
    def created(self) -> float | None:
        """When it was written, in seconds since 1970; None where it does not say."""
        created = self.data.get("created_utc")
        return float(created) if isinstance(created, int | float) else None


class _Data(Struct):
    """The fields read, of either kind."""

    name: str
    created_utc: float
    author: str | None = None
    author_fullname: str | None = None
    body: str | None = None
    title: str | None = None
    selftext: str | None = None
    link_id: str | None = None
    link_title: str | None = None
    parent_id: str | None = None
    context: str | None = None
    permalink: str | None = None
    subreddit: str = ""
    edited: bool | float | None = None
    score: int | None = None
    num_comments: int | None = None
    locked: bool | None = None
    archived: bool | None = None
    removed_by_category: str | None = None
    crosspost_parent: str | None = None
    crosspost_parent_list: list[dict[str, Any]] | None = None
    post_hint: str | None = None
    url: str | None = None
    gallery_data: dict[str, Any] | None = None
    media_metadata: dict[str, Any] | None = None


def things(listing: Any) -> tuple[list[Thing | bytes], str]:
    """What a listing holds, newest first (bytes: JSON that is no thing), and where it goes on (empty: nowhere).
    Raises BadItem where it is no listing."""
    data = listing.get("data") if isinstance(listing, dict) else None
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(children, list):
        raise BadItem("not a listing of Reddit's")
    after = data.get("after")
    return [_thing(child) for child in children], after if isinstance(after, str) else ""


def _thing(child: Any) -> Thing | bytes:
    try:
        return msgspec.convert(child, Thing)
    except msgspec.ValidationError:
        return msgspec.json.encode(child)


def read(payload: bytes) -> Thing:
    """A kept thing; raises BadItem."""
    try:
        return msgspec.json.decode(payload, type=Thing)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a thing of Reddit's: {error}") from error


class Reader:
    """Shapes items for a source of this name. What stands in one of `subreddits` (in small letters) is about
    `brand`."""

    def __init__(self, name: str, brand: str | None = None, subreddits: frozenset[str] = frozenset()) -> None:
        self._name = name
        self._brand = brand
        self._subreddits = subreddits

    def item(self, thing: Thing, now: datetime) -> Item:
        """The mention, or the removal where it is gone; raises BadItem."""
        try:
            data = msgspec.convert(thing.data, _Data)
            return self._removal(data, now) or self._mention(data, now)
        except (msgspec.ValidationError, ValueError, OverflowError, OSError) as error:
            raise BadItem(f"not a comment or submission: {error}") from error

    def _removal(self, data: _Data, now: datetime) -> Removal | None:
        reason: Literal["deleted", "compliance", "account_gone"]
        text = (data.selftext if data.title is not None else data.body) or ""
        by = data.removed_by_category
        if text == "[deleted]" or by in ("author", "deleted"):
            reason = "deleted"
        elif text in _TAKEN_DOWN or by:
            reason = "compliance"
        elif data.author in (None, "", "[deleted]"):
            reason = "account_gone"
        else:
            return None
        return Removal(
            source="reddit",
            reason=reason,
            noticed_at=now,
            mention=f"reddit:{_fullname(data.name)}",
            conversation=f"reddit:{_submission(data)}",
            via=self._name,
        )

    def _mention(self, data: _Data, now: datetime) -> Mention:
        name, submission = _fullname(data.name), _submission(data)
        is_post = data.title is not None
        text = unescape((data.selftext or data.title if is_post else data.body) or "").replace("\x00", "").strip()
        if not text:
            raise ValueError("it has no text")
        handle = data.author or ""
        kind, parent = (Kind.COMMENT, _fullname(data.parent_id)) if not is_post else _crosspost(data)
        return Mention(
            id=f"reddit:{name}",
            source="reddit",
            text=text,
            author=Author(id=data.author_fullname or handle, handle=handle, url=f"{_SITE}/user/{handle}"),
            created_at=datetime.fromtimestamp(data.created_utc, UTC),
            kind=kind,
            conversation=f"reddit:{submission}",
            parent=f"reddit:{parent}" if parent else None,
            collected_at=now,
            edited_at=datetime.fromtimestamp(data.edited, UTC) if data.edited and data.edited is not True else None,
            via=self._name,
            title=unescape((data.title if is_post else data.link_title) or ""),
            url=f"{_SITE}{data.permalink or (data.context or '').partition('?')[0]}",
            metrics=Metrics(likes=data.score, replies=data.num_comments),
            media=tuple(_media(data)),
            brand=self._brand if data.subreddit.lower() in self._subreddits else None,
            reply_ref={
                "name": name,
                "submission": submission,
                "subreddit": data.subreddit,
                "closed": "locked" if data.locked else "archived" if data.archived else "",
            },
        )


def _fullname(name: str | None) -> str:
    if not name or not FULLNAME.fullmatch(name):
        raise ValueError("a fullname is missing, or is none")
    return name


def _submission(data: _Data) -> str:
    """The submission it belongs to; in the inbox only the path of its context tells (/r/x/comments/ID/title/…)."""
    if data.title is not None:
        return _fullname(data.name)
    if data.link_id is None and data.context:
        parts = data.context.split("/")
        return _fullname(f"t3_{parts[parts.index('comments') + 1]}" if "comments" in parts[:-1] else None)
    return _fullname(data.link_id)


def _crosspost(data: _Data) -> tuple[Kind, str | None]:
    """A crosspost under the same title only passes on; under another it says something of its own."""
    if data.crosspost_parent is None:
        return Kind.POST, None
    titles = [parent.get("title") for parent in data.crosspost_parent_list or ()]
    same = data.title in titles and not data.selftext
    return Kind.REPOST if same else Kind.QUOTE, _fullname(data.crosspost_parent)


def _media(data: _Data) -> list[Media]:
    found = [Media(url=data.url)] if data.post_hint == "image" and data.url and _IMAGE.fullmatch(data.url) else []
    shown = (data.gallery_data or {}).get("items")
    for entry in shown if isinstance(shown, list) else ():
        if not isinstance(entry, dict):
            continue
        stored = (data.media_metadata or {}).get(entry.get("media_id") or "")
        source = stored.get("s") if isinstance(stored, dict) else None
        url = source.get("u") if isinstance(source, dict) else None
        if isinstance(url, str) and _IMAGE.fullmatch(url):
            found.append(Media(url=url, alt=str(entry.get("caption") or "")))
    return found
