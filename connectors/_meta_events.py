"""What Meta pushes, as mentions and removals.

Pages (Webhooks reference, Page): `feed` with `item` (comment, post, status, photo, video, share, and what is no text:
reaction, like…) and `verb` (add, edited, remove, hide…); `mention` with the ids of who named the page. Instagram
(reference, Instagram): `comments` and `live_comments` with the text but no time, `mentions` with ids only. Threads
(Threads API, Webhooks): `replies`, `mentions` and `publish` with the whole post, `delete`. What has only an id is a
`Need`: it says what to ask the Graph API for.

A comment that a page hid is still there, and only whoever looks after the page has hidden it: it is not withdrawn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from connectors._meta_graph import Network, is_id
from connectors._meta_shapes import Body, Comment, Event, Feed, Id, Named, Need, Node, Post, Shown, Who
from connectors._times import parse_time
from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Media, Mention, Removal

KEEP_BYTES = 65_536
_MAX_TEXT = 65_536
_MEDIA = 10

_POSTS = frozenset({"post", "status", "photo", "video", "share", "link", "note", "album"})
_NEW = frozenset({"add", "edited", "edit", "update"})
_GONE = frozenset({"remove", "delete"})
_OBJECTS: Mapping[Network, str] = {"facebook": "page", "instagram": "instagram", "threads": ""}


class Reader:
    """Shapes what one network says about these accounts."""

    def __init__(self, network: Network, accounts: Collection[str], via: str, brand: str | None) -> None:
        self.network = network
        self._accounts = list(accounts)
        self._via = via
        self._brand = brand

    def events(self, body: bytes) -> list[Event]:
        """The changes in a request that are about our accounts; raises BadItem where it is none of Meta's."""
        about = _read(body, Body)
        if self.network == "threads":
            changes = about.values if isinstance(about.values, list) else [about.values] if about.values else []
            return [Event(self._owner(one.value), one.field, one.value, about.time) for one in changes]
        if about.object != _OBJECTS[self.network]:
            return []
        return [
            Event(str(entry.id), change.field, change.value, entry.time)
            for entry in about.entry
            for change in entry.changes
            if str(entry.id) in self._accounts
        ]

    def item(self, event: Event, now: datetime) -> Item | Need | None:
        """What the change says; None where it is nothing to us. Raises BadItem."""
        if event.account not in self._accounts:
            raise BadItem("it is not about one of the accounts")
        match self.network, event.field:
            case "facebook", "feed":
                return self._feed(event, _read(event.value, Feed), now)
            case "facebook", "mention":
                return self._page_named(event, _read(event.value, Feed), now)
            case "instagram", "comments" | "live_comments":
                return self._comment(event, _read(event.value, Comment), now)
            case "instagram", "mentions":
                return self._wanted(event, _read(event.value, Named))
            case "threads", "replies" | "mentions" | "publish":
                return self._thread(event, _read(event.value, Post), now)
            case "threads", "delete":
                return self._removal(_id(_read(event.value, Post).id), now)
        return None

    def named(self, event: Event, answer: Mapping[str, Any], now: datetime) -> Mention:
        """What a `Need` was for, from the answer to it; raises BadItem."""
        raw = msgspec.json.encode(answer)
        if self.network == "facebook":
            said, node = _read(event.value, Feed), _read(raw, Node)
            post = _id(said.post_id or node.id)
            parent = "" if node.parent is None else str(node.parent.id)
            who = node.by if node.by.id else Who(said.sender_id, said.sender_name)
            return self._mention(
                event,
                _id(node.id),
                text=node.message,
                author=_person(who, str(node.id)),
                created=_time(node.created_time or event.time, now),
                kind=Kind.COMMENT if said.comment_id else Kind.POST,
                place=post,
                parent=parent or (post if said.comment_id else ""),
                url=node.permalink_url,
                theirs=True,
            )
        mentions = _read(event.value, Named)
        found = answer.get("mentioned_comment" if mentions.comment_id else "mentioned_media")
        node_of = _read(msgspec.json.encode(found), Shown)
        media = _id(mentions.media_id)
        return self._mention(
            event,
            _id(node_of.id),
            text=node_of.text or node_of.caption,
            author=_person(Who(node_of.username, "", node_of.username), str(node_of.id)),
            created=_time(node_of.timestamp or event.time, now),
            kind=Kind.COMMENT if mentions.comment_id else Kind.POST,
            place=media,
            parent=media if mentions.comment_id else "",
            url=node_of.permalink,
            theirs=True,
        )

    # ---------------------------------------------------------------------------------------------------- networks

    def _feed(self, event: Event, said: Feed, now: datetime) -> Item | Need | None:
        comment = said.item == "comment"
        if not comment and said.item not in _POSTS:
            return None
        post = _id(said.post_id)
        id = _id(said.comment_id) if comment else post
        if said.verb in _GONE:
            return self._removal(id, now, post if comment else "")
        if said.verb not in _NEW:
            return None
        pictures = [said.photo] if comment else [*said.photos, *([said.link] if said.item == "photo" else [])]
        if not said.message:
            # A picture without words, or a post that was shared without any.
            return None if not comment else Need(event.account, id, _FIELDS) if not any(pictures) else None
        parent = _id(said.parent_id) if said.parent_id else ""
        return self._mention(
            event,
            id,
            text=said.message,
            author=_person(said.by, id),
            created=_time(said.created_time or event.time, now),
            edited=None if said.verb == "add" else _time(event.time, now),
            kind=Kind.COMMENT if comment else Kind.POST,
            place=post,
            parent=(parent or post) if comment else "",
            url=f"https://www.facebook.com/{id}" if comment else said.post.permalink_url,
            media=tuple(Media(url) for url in pictures[:_MEDIA] if url.startswith("https://")),
        )

    def _page_named(self, event: Event, said: Feed, now: datetime) -> Item | Need | None:
        id = _id(said.comment_id or said.post_id)
        if said.verb in _GONE:
            return self._removal(id, now)
        return Need(event.account, id, _FIELDS if said.comment_id else _POST_FIELDS) if said.verb in _NEW else None

    def _comment(self, event: Event, said: Comment, now: datetime) -> Mention | None:
        if not said.text:
            return None  # a sticker or a GIF
        place = _id(said.media.id)
        return self._mention(
            event,
            _id(said.id),
            text=said.text,
            author=_person(said.by, str(said.id)),
            created=_time(event.time, now),
            kind=Kind.COMMENT,
            place=place,
            parent=_id(said.parent_id) if said.parent_id else place,
        )

    def _wanted(self, event: Event, said: Named) -> Need:
        if said.comment_id:
            fields = f"mentioned_comment.comment_id({_id(said.comment_id)}){{id,text,username,timestamp}}"
        else:
            fields = f"mentioned_media.media_id({_id(said.media_id)}){{id,caption,username,timestamp,permalink}}"
        return Need(event.account, event.account, fields)

    def _thread(self, event: Event, said: Post, now: datetime) -> Mention | None:
        repost = said.media_type == "REPOST_FACADE"
        if not said.text:
            return None
        root = "" if said.root_post is None else str(said.root_post.id)
        parent = "" if said.replied_to is None else str(said.replied_to.id)
        kind = Kind.REPOST if repost else Kind.REPLY if parent else Kind.QUOTE if said.is_quote_post else Kind.POST
        media = (Media(said.media_url, said.alt_text),) if said.media_url.startswith("https://") else ()
        return self._mention(
            event,
            _id(said.id),
            text=said.text,
            author=_person(Who(said.username, "", said.username), str(said.id)),
            created=_time(said.timestamp or event.time, now),
            kind=kind,
            place=_id(root or said.id),
            parent=parent,
            url=said.permalink,
            media=media,
            theirs=event.field != "replies",
        )

    # ------------------------------------------------------------------------------------------------------ shapes

    def _mention(
        self,
        event: Event,
        id: str,
        *,
        text: str,
        author: Author,
        created: datetime,
        kind: Kind,
        place: str,
        parent: str,
        edited: datetime | None = None,
        url: str = "",
        media: tuple[Media, ...] = (),
        theirs: bool = False,
    ) -> Mention:
        if not text.strip():
            raise BadItem("it has no text")
        # A reply stands under the comment that began the thread: there are no deeper levels.
        top = parent if kind is Kind.COMMENT and parent != place else id
        ref = {"account": event.account, "id": id, "top": top, "place": place}
        return Mention(
            id=f"{self.network}:{id}",
            source=self.network,
            via=self._via,
            brand=self._brand,
            text=text[:_MAX_TEXT],
            author=author,
            created_at=created,
            edited_at=edited,
            kind=kind,
            conversation=f"{self.network}:{place}",
            parent=f"{self.network}:{parent}" if parent else None,
            url=url if url.startswith("https://") else "",
            media=media,
            own=event.field == "publish" or author.id in self._accounts,
            reply_ref=ref | ({"theirs": "yes"} if theirs else {}),
        )

    def _removal(self, id: str, now: datetime, place: str = "") -> Removal:
        return Removal(
            source=self.network,
            reason="deleted",
            noticed_at=now,
            mention=f"{self.network}:{id}",
            conversation=f"{self.network}:{place}" if place else "",
            via=self._via,
        )

    def _owner(self, value: Raw) -> str:
        """Of which profile a Threads event is: the one whose post it answers, else the first."""
        try:
            root = msgspec.json.decode(value, type=Post).root_post
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            root = None
        owner = "" if root is None else str(root.owner_id)
        return owner if owner in self._accounts else self._accounts[0]


_FIELDS = "id,message,from,created_time,permalink_url,parent"
_POST_FIELDS = "id,message,from,created_time,permalink_url"


def event_of(payload: bytes) -> Event:
    """A change as it was kept; raises BadItem."""
    if len(payload) >= KEEP_BYTES:
        raise BadItem(f"the change was cut at {KEEP_BYTES:,} bytes when it was rejected")
    event: Event = _read(payload, Event)
    return event


def _read(payload: bytes | Raw, type: Any) -> Any:
    try:
        return msgspec.json.decode(payload, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not what Meta sends: {error}") from error


def _id(value: Id) -> str:
    text = str(value)
    if not is_id(text):
        raise BadItem(f"not an id of Meta's: {text[:60]!r}")
    return text


def _person(who: Who, utterance: str) -> Author:
    """Meta does not always say who it was: then nobody else's are theirs."""
    return Author(id=str(who.id) or f"unknown-{utterance}", handle=who.username, name=who.name)


def _time(value: Id | float, now: datetime) -> datetime:
    """In UTC, and never later than now: Meta's clock may be ahead of ours."""
    try:
        moment = parse_time(value) if value else now
    except ValueError as error:
        raise BadItem(str(error)) from error
    return min(moment, now)
