"""A line of the stream, or a post of a search, as mentions and removals.

The shapes are those of X's API v2; fields that the 2026 OpenAPI document calls by newer names (`note_post`,
`referenced_posts`, `edit_history_post_ids`, `includes.posts`) are read under either name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from pipeline.errors import BadItem
from pipeline.mention import Author, Item, Kind, Media, Mention, Metrics, Removal
from pipeline.ports import Brand

_SNOWFLAKE_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)
"""Post ids carry milliseconds since then in all but their last 22 bits (docs.x.com/resources/fundamentals/x-ids)."""
_NO_LANGUAGE = frozenset({"und", "art", "zxx", "qam", "qct", "qht", "qme", "qst"})
"""X's codes for text in no language: only links, hashtags, mentions, media, or too short."""
_SUMMONS = frozenset({"post.mention.create", "post.reply.create", "post.quote.create"})
"""Events of the Activity API: somebody wrote to the account of the event's filter."""
_KINDS = (("retweeted", Kind.REPOST), ("replied_to", Kind.REPLY), ("quoted", Kind.QUOTE))
_Moment = Annotated[datetime, Meta(tz=True)]
_Reason = Literal["deleted", "account_gone", "account_hidden", "compliance"]


class _Ref(Struct):
    type: str
    id: str


class _Url(Struct):
    url: str = ""
    expanded_url: str | None = None
    media_key: str | None = None


class _Tagged(Struct):
    username: str | None = None


class _Entities(Struct):
    urls: list[_Url] | None = None
    mentions: list[_Tagged] | None = None


class _Note(Struct):
    text: str
    entities: _Entities | None = None


class _Counts(Struct):
    like_count: int | None = None
    retweet_count: int | None = None
    repost_count: int | None = None
    quote_count: int | None = None
    reply_count: int | None = None
    impression_count: int | None = None
    followers_count: int | None = None


class _Attachments(Struct):
    media_keys: list[str] | None = None


class Post(Struct):
    """A post as X sends it; fields that are not asked for are not there."""

    id: str
    text: str
    author_id: str = ""
    conversation_id: str = ""
    created_at: _Moment | None = None
    in_reply_to_user_id: str | None = None
    lang: str | None = None
    edit_history_tweet_ids: list[str] = []
    edit_history_post_ids: list[str] = []
    referenced_tweets: list[_Ref] = []
    referenced_posts: list[_Ref] = []
    note_tweet: _Note | None = None
    note_post: _Note | None = None
    entities: _Entities | None = None
    attachments: _Attachments | None = None
    public_metrics: _Counts | None = None

    @property
    def refs(self) -> dict[str, str]:
        """What it refers to: how (`retweeted`, `quoted`, `replied_to`) to which id."""
        return {ref.type: ref.id for ref in self.referenced_tweets or self.referenced_posts}

    @property
    def first_id(self) -> str:
        """The id of its first version: an edit is a post of its own with a new id."""
        return next(iter(self.edit_history_tweet_ids or self.edit_history_post_ids), self.id)

    @property
    def full_text(self) -> str:
        """The whole text (a long post keeps it in its note), with real links and without HTML's escapes."""
        note = self.note_tweet or self.note_post
        text, entities = (note.text, note.entities) if note else (self.text, self.entities)
        # X escapes these three and no other; `&copy=1` in a link is not a copyright sign.
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        for link in (entities.urls if entities else None) or ():
            if link.url and link.media_key:  # X puts a link to a post's pictures behind its words
                text = text.replace(link.url, "").rstrip()
            elif link.url and link.expanded_url:
                text = text.replace(link.url, link.expanded_url)
        return text.replace("\x00", "")  # PostgreSQL stores no NUL


class _User(Struct):
    id: str
    username: str = ""
    name: str = ""
    verified: bool = False
    created_at: _Moment | None = None
    public_metrics: _Counts | None = None


class _Medium(Struct):
    media_key: str
    url: str | None = None
    preview_image_url: str | None = None
    alt_text: str | None = None


class _Includes(Struct):
    users: list[_User] = []
    tweets: list[Post] = []
    posts: list[Post] = []
    media: list[_Medium] = []


class _Match(Struct):
    id: str = ""
    tag: str | None = None


class _Problem(Struct):
    title: str = ""
    detail: str = ""
    disconnect_type: str = ""


class Message(Struct):
    """One line: a post with what it refers to, something else in `data`, or only `errors`."""

    data: dict[str, Any] | None = None
    includes: _Includes = field(default_factory=_Includes)
    errors: list[_Problem] = []
    matching_rules: list[_Match] = []

    @property
    def is_post(self) -> bool:
        """Whether `data` is a post (and is billed as one)."""
        return self.data is not None and "text" in self.data


_decoder = msgspec.json.Decoder(Message)


def read(payload: bytes) -> Message:
    """A line, or a kept payload; raises BadItem."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a message of X: {error}") from error


def results(answer: Mapping[str, Any]) -> list[Message]:
    """The posts of a search's answer, each with what the answer includes; raises BadItem."""
    posts = answer.get("data") or []
    try:
        includes = msgspec.convert(answer.get("includes") or {}, _Includes)
        return [Message(data=msgspec.convert(post, dict[str, Any]), includes=includes) for post in posts]
    except (msgspec.ValidationError, TypeError) as error:
        raise BadItem(f"not an answer of X's search: {error}") from error


class Reader:
    """Shapes items for a source of this name, knowing the brands' own accounts (ids or handles under `x`)."""

    def __init__(self, name: str, brands: Sequence[Brand]) -> None:
        self._name = name
        self._own = {
            account.lstrip("@").lower(): brand.name for brand in brands for account in brand.own_accounts.get("x", ())
        }

    def items(self, message: Message, now: datetime) -> list[Item]:
        """What a message holds: a mention, removals, or nothing known. Raises BadItem."""
        if message.data is None:
            return []
        if "event_type" in message.data:
            return self._event(message.data, now)
        if not message.is_post:
            return [*self._removals(message.data, now)]
        try:
            return [self._mention(msgspec.convert(message.data, Post), message.includes, now)]
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise BadItem(f"not a post: {error}") from error

    def _event(self, data: dict[str, Any], now: datetime) -> list[Item]:
        """An event of the Activity API: a post of or to the account of its filter, a deleted post, or nothing known."""
        kind, payload, filter = data.get("event_type"), data.get("payload"), data.get("filter")
        if kind == "post.delete":
            return [*self._removal("deleted", "mention", payload, now)]
        if kind != "post.create" and kind not in _SUMMONS:
            return []
        try:
            includes = msgspec.convert(data.get("includes") or {}, _Includes)
            mention = self._mention(msgspec.convert(payload, Post), includes, now)
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise BadItem(f"not a post: {error}") from error
        account = str(filter.get("user_id") or "") if isinstance(filter, dict) else ""
        if kind == "post.create" or not account:
            return [mention]
        refs = mention.reply_ref
        named = {"mentions": f"{refs['mentions']} {account}".strip()}
        quoted = {"quoted": account} if kind == "post.quote.create" else {}
        brand = mention.brand or self._own.get(account)
        return [msgspec.structs.replace(mention, brand=brand, reply_ref=refs | named | quoted)]

    def _mention(self, post: Post, includes: _Includes, now: datetime) -> Mention:
        users = {user.id: user for user in includes.users}
        others = {other.id: other for other in (*includes.tweets, *includes.posts)}
        author = users.get(post.author_id)
        if not post.author_id:
            raise ValueError("a post without author_id")
        refs, first = post.refs, post.first_id
        how, kind = next(((how, kind) for how, kind in _KINDS if how in refs), ("", Kind.POST))
        original = others.get(refs.get("retweeted", ""))
        written = snowflake_time(first) if first != post.id else (post.created_at or snowflake_time(post.id))
        tagged = [tag.username for tag in (post.entities and post.entities.mentions) or () if tag.username]
        refers: dict[str, str] = {}
        if (quoted := others.get(refs.get("quoted", ""))) and quoted.author_id in users:
            tagged.append(users[quoted.author_id].username)
            refers["quoted"] = quoted.author_id
        if post.in_reply_to_user_id:
            refers["to"] = post.in_reply_to_user_id
        handle = author.username if author else ""
        return Mention(
            id=f"x:{first}",
            source="x",
            text=original.full_text if original else post.full_text,
            author=_author(post.author_id, author),
            created_at=written.astimezone(UTC),
            kind=kind,
            conversation=f"x:{post.conversation_id or first}",
            parent=f"x:{refs[how]}" if how else None,
            collected_at=now,
            edited_at=(post.created_at or snowflake_time(post.id)).astimezone(UTC) if first != post.id else None,
            via=self._name,
            lang=None if post.lang in _NO_LANGUAGE else post.lang,
            url=f"https://x.com/{handle or 'i'}/status/{post.id}",
            metrics=_metrics(post.public_metrics),
            media=tuple(_media(post, includes)),
            brand=self._brand_of(post.in_reply_to_user_id, users),
            own=self._brand_of(post.author_id, users) is not None,
            # A self-serve reply is accepted only where the author mentioned or quoted the replying account.
            reply_ref={"id": post.id, "conversation": post.conversation_id or first, "mentions": " ".join(tagged)}
            | refers,
        )

    def _brand_of(self, user_id: str | None, users: Mapping[str, _User]) -> str | None:
        if user_id is None:
            return None
        handle = users[user_id].username.lower() if user_id in users else ""
        return self._own.get(user_id) or self._own.get(handle)

    def _removals(self, data: dict[str, Any], now: datetime) -> Sequence[Removal]:
        """Compliance events, as their streams write them."""
        posts: dict[str, _Reason] = {"delete": "deleted", "drop": "compliance", "withheld": "compliance"}
        for event, reason in posts.items():
            if isinstance(body := data.get(event), dict):
                return self._removal(reason, "mention", body.get("tweet") or body.get("post"), now)
        users: dict[str, _Reason] = {
            "user_delete": "account_gone",
            "user_suspend": "account_hidden",
            "user_protect": "account_hidden",
        }
        for event, reason in users.items():
            if isinstance(body := data.get(event), dict):
                return self._removal(reason, "author", body.get("user"), now)
        return ()

    def _removal(
        self, reason: _Reason, target: Literal["mention", "author"], what: object, now: datetime
    ) -> Sequence[Removal]:
        id = what.get("id") if isinstance(what, dict) else None
        if not isinstance(id, str) or not id:
            raise BadItem(f"a removal ({reason}) without an id")
        removal = Removal(source="x", reason=reason, noticed_at=now, via=self._name, **{target: f"x:{id}"})
        return (removal,)


def snowflake_time(id: str) -> datetime:
    """When a post with this id was written; raises ValueError or OverflowError for what is no id."""
    return _SNOWFLAKE_EPOCH + timedelta(milliseconds=int(id) >> 22)


def snowflake_at(moment: datetime) -> str:
    """The smallest id of that moment."""
    return str(max(0, (moment - _SNOWFLAKE_EPOCH) // timedelta(milliseconds=1)) << 22)


def _author(id: str, user: _User | None) -> Author:
    if user is None:
        return Author(id=id, url=f"https://x.com/i/user/{id}")
    return Author(
        id=id,
        handle=user.username,
        name=user.name,
        followers=user.public_metrics.followers_count if user.public_metrics else None,
        verified=user.verified,
        created_at=user.created_at,
        url=f"https://x.com/{user.username}",
    )


def _metrics(counts: _Counts | None) -> Metrics:
    if counts is None:
        return Metrics()
    reposts = counts.retweet_count if counts.repost_count is None else counts.repost_count
    return Metrics(
        likes=counts.like_count,
        reposts=None if reposts is None else reposts + (counts.quote_count or 0),
        replies=counts.reply_count,
        views=counts.impression_count,
    )


def _media(post: Post, includes: _Includes) -> list[Media]:
    keys = (post.attachments.media_keys if post.attachments else None) or ()
    media = {medium.media_key: medium for medium in includes.media}
    found = [media[key] for key in keys if key in media]
    return [
        Media(url=medium.url or medium.preview_image_url or "", alt=medium.alt_text or "")
        for medium in found
        if medium.url or medium.preview_image_url
    ]
