"""A post's record (lexicon `app.bsky.feed.post`) as a mention, and what in it may concern a brand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct, field

from connectors._bluesky_jetstream import Event
from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Media, Mention

POSTS = "app.bsky.feed.post"
REPOSTS = "app.bsky.feed.repost"
_PROFILE = "https://bsky.app/profile"
_PICTURE = "https://cdn.bsky.app/img/feed_fullsize/plain"
_VIDEO = "https://video.bsky.app/watch"


class Ref(Struct):
    """A strong reference: a record's at-uri and the cid of its content."""

    uri: str
    cid: str = ""

    @property
    def did(self) -> str:
        """Whose record it is."""
        return self.uri.removeprefix("at://").partition("/")[0]


class _Thread(Struct):
    root: Ref
    parent: Ref


class _Feature(Struct):
    did: str = ""
    uri: str = ""
    tag: str = ""


class _Facet(Struct):
    features: list[_Feature] = []


class _Link(Struct):
    cid: str = field(name="$link", default="")


class _Blob(Struct):
    ref: _Link = field(default_factory=_Link)


class _Image(Struct):
    alt: str = ""
    image: _Blob = field(default_factory=_Blob)


class _Card(Struct):
    uri: str = ""
    title: str = ""
    description: str = ""


class _Quoted(Struct):
    """Either the reference itself or, in `recordWithMedia`, what wraps it."""

    uri: str = ""
    cid: str = ""
    record: Ref | None = None


class _Embed(Struct):
    images: list[_Image] = []
    external: _Card | None = None
    record: _Quoted | None = None
    media: _Embed | None = None
    video: _Blob | None = None
    alt: str = ""


class Post(Struct):
    """The record's fields that matter here; others, and embeds of unknown kinds, are ignored."""

    text: str
    created_at: str = field(name="createdAt", default="")
    langs: list[str] = []
    reply: _Thread | None = None
    facets: list[_Facet] = []
    embed: _Embed | None = None
    tags: list[str] = []

    def words(self) -> Iterator[str]:
        """Everything in it that a reader or a search would see."""
        yield self.text
        yield from self.tags
        for feature in self._features():
            yield feature.uri
            yield feature.tag
        for embed in self._embeds():
            yield embed.alt
            yield from (image.alt for image in embed.images)
            if embed.external:
                yield from (embed.external.uri, embed.external.title, embed.external.description)

    def dids(self) -> Iterator[str]:
        """The accounts it speaks to: mentioned, replied to or quoted."""
        yield from (feature.did for feature in self._features() if feature.did)
        if self.reply:
            yield from (self.reply.parent.did, self.reply.root.did)
        if self.quoted:
            yield self.quoted.did

    @property
    def quoted(self) -> Ref | None:
        """The post it quotes (a list, a feed or a starter pack is not a quote)."""
        record = self.embed.record if self.embed else None
        if record is None:
            return None
        ref = record.record or Ref(record.uri, record.cid)
        return ref if f"/{POSTS}/" in ref.uri else None

    def media(self, did: str) -> Iterator[Media]:
        """Its pictures, video and link card."""
        for embed in self._embeds():
            for image in embed.images:
                if image.image.ref.cid:
                    yield Media(url=f"{_PICTURE}/{did}/{image.image.ref.cid}", alt=image.alt)
            if embed.video and embed.video.ref.cid:
                yield Media(url=f"{_VIDEO}/{did}/{embed.video.ref.cid}/playlist.m3u8", alt=embed.alt)
            if embed.external and embed.external.uri:
                card = embed.external
                yield Media(url=card.uri, alt=": ".join(part for part in (card.title, card.description) if part))

    def _features(self) -> Iterator[_Feature]:
        return (feature for facet in self.facets for feature in facet.features)

    def _embeds(self) -> Iterator[_Embed]:
        if self.embed:
            yield self.embed
            if self.embed.media:
                yield self.embed.media


class _Repost(Struct):
    subject: Ref
    created_at: str = field(name="createdAt", default="")


_post = msgspec.json.Decoder(Post)
_repost = msgspec.json.Decoder(_Repost)


def read_post(record: bytes) -> Post:
    """The record of a post; raises BadItem."""
    try:
        return _post.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a post: {error}") from error


def read_repost(record: bytes) -> tuple[Ref, str]:
    """What a repost reposts, and its `createdAt`; raises BadItem."""
    try:
        repost = _repost.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a repost: {error}") from error
    return repost.subject, repost.created_at


def identify(uri: str) -> str:
    """A record's mention id."""
    return f"bluesky:{uri}"


def written(claimed: str, seen: datetime) -> datetime:
    """When it was written: as its author claims, but not after it was seen, and then where the claim is unreadable.

    Bluesky sorts by the same earlier of the two (docs.bsky.app/docs/advanced-guides/timestamps).
    """
    try:
        moment = datetime.fromisoformat(claimed)
        return min(moment.astimezone(UTC), seen) if moment.tzinfo else seen
    except (ValueError, OverflowError):
        return seen


def author(did: str, handle: str) -> Author:
    """The author, by did; the handle where an identity event told it."""
    return Author(id=did, handle=handle, url=f"{_PROFILE}/{did}")


def to_mention(
    event: Event, post: Post, *, handle: str, via: str, now: datetime, own: bool, brand: str | None
) -> Mention:
    """The mention for a created or updated post. A reply names what is needed to answer it in `reply_ref`: its own
    uri and cid, the thread's root and its parent."""
    uri, quoted = event.uri, post.quoted
    root = post.reply.root if post.reply else Ref(uri, event.cid)
    parent = post.reply.parent if post.reply else quoted
    refs = {"uri": uri, "cid": event.cid, "root_uri": root.uri, "root_cid": root.cid}
    if post.reply:
        refs |= {"parent_uri": post.reply.parent.uri, "parent_cid": post.reply.parent.cid}
    return Mention(
        id=identify(uri),
        source="bluesky",
        text=post.text.replace("\x00", ""),  # PostgreSQL stores no NUL
        author=author(event.did, handle),
        created_at=written(post.created_at, event.time),
        kind=Kind.REPLY if post.reply else Kind.QUOTE if quoted else Kind.POST,
        conversation=identify(root.uri),
        parent=identify(parent.uri) if parent else None,
        collected_at=now,
        edited_at=event.time if event.operation == "update" else None,
        via=via,
        lang=post.langs[0] if post.langs and len(post.langs[0]) <= 35 else None,
        url=f"{_PROFILE}/{event.did}/post/{event.rkey}",
        media=tuple(post.media(event.did)),
        brand=brand,
        own=own,
        reply_ref=refs,
    )
