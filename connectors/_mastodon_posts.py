"""A status of Mastodon's API (docs.joinmastodon.org/entities/Status) as a mention.

A post's own name is its `uri`, the same on every server that holds it; its `id` is good on one server only. So is an
account's: `acct` is `user` for one of the server's own and `user@host` for others', and becomes `user@host` for all.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from connectors._html import text_of
from connectors._mastodon_pages import usable
from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Media, Mention, Metrics

SOURCE = "mastodon"
_LONGEST_URI = 1_000
_LONGEST_ACCT = 500


class Account(Struct):
    """Who wrote it."""

    acct: str
    id: str = ""
    display_name: str = ""
    url: str | None = None
    followers_count: int | None = None
    created_at: str | None = None


class Named(Struct):
    """Somebody mentioned."""

    acct: str = ""


class _Attachment(Struct):
    url: str | None = None
    remote_url: str | None = None
    description: str | None = None


class _Option(Struct):
    title: str = ""


class _Poll(Struct):
    options: list[_Option] = []


class _Original(Struct):
    uri: str = ""


class _Quote(Struct):
    quoted_status: _Original | None = None


class Status(Struct):
    """The fields that matter here; others are ignored."""

    id: str
    uri: str
    account: Account
    created_at: str
    content: str = ""
    edited_at: str | None = None
    url: str | None = None
    in_reply_to_id: str | None = None
    visibility: str = "public"
    spoiler_text: str = ""
    language: str | None = None
    media_attachments: list[_Attachment] = []
    mentions: list[Named] = []
    favourites_count: int | None = None
    reblogs_count: int | None = None
    replies_count: int | None = None
    poll: _Poll | None = None
    quote: _Quote | None = None
    reblog: Status | None = None

    @property
    def text(self) -> str:
        """What a reader sees, the poll's options included."""
        options = [option.title for option in self.poll.options] if self.poll else []
        return "\n".join(filter(None, (text_of(self.content), *options))).replace("\x00", "")

    @property
    def words(self) -> str:
        """Everything in it that a search would see."""
        seen = (one.description for one in self.media_attachments)
        return "\n".join(filter(None, (self.spoiler_text, self.text, *seen, *(one.acct for one in self.mentions))))


class Notification(Struct):
    """What the account is told (docs.joinmastodon.org/entities/Notification); its status is kept as it stood."""

    id: str
    type: str
    status: msgspec.Raw = msgspec.Raw(b"null")


class Posted(Struct, omit_defaults=True):
    """A status with what a mention needs besides: the server it was seen on, that server's domain of accounts, and
    the uris of what it answers and of what began the thread, where known. Also what a rejection keeps."""

    server: str
    domain: str
    status: msgspec.Raw
    parent: str = ""
    root: str = ""


def read(raw: bytes) -> Status:
    """A status; raises BadItem."""
    try:
        status = msgspec.json.decode(raw, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a status: {error}") from error
    for found in (status, status.reblog) if status.reblog else (status,):
        if not 0 < len(found.uri) <= _LONGEST_URI or not found.uri.isprintable() or " " in found.uri:
            raise BadItem("a status without a usable uri")
        if not 0 < len(found.account.acct) <= _LONGEST_ACCT or not found.account.acct.isprintable():
            raise BadItem("a status without its author's account")
        if not usable(found.id):
            raise BadItem("a status without a usable id")
    return status


def full(acct: str, domain: str) -> str:
    """The account with its server: `user@host`."""
    return acct if "@" in acct else f"{acct}@{domain}"


def identify(uri: str) -> str:
    """A post's mention id."""
    return f"{SOURCE}:{uri}"


def moment(written: str | None) -> datetime | None:
    """A time of the API in UTC; None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(written or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_mention(posted: Posted, status: Status, *, via: str, now: datetime, brand: str | None) -> Mention:
    """The mention. `reply_ref` says on which server (`server`) under which `id` it can be answered, in which
    `visibility`, and how that server calls its author (`acct`). Raises BadItem."""
    created = moment(status.created_at)
    if created is None:
        raise BadItem("a status without a time that can be read")
    shown = status.reblog or status
    quoted = shown.quote.quoted_status.uri if shown.quote and shown.quote.quoted_status else ""
    parent = status.reblog.uri if status.reblog else posted.parent or quoted
    acct = full(status.account.acct, posted.domain)
    return Mention(
        id=identify(status.uri),
        source=SOURCE,
        text=shown.text,
        title=shown.spoiler_text.replace("\x00", ""),
        author=Author(
            id=acct.lower(),
            handle=acct,
            name=status.account.display_name.replace("\x00", ""),
            followers=status.account.followers_count,
            created_at=moment(status.account.created_at),
            url=_web(status.account.url),
        ),
        created_at=min(created, now),
        edited_at=moment(status.edited_at),
        kind=_kind(status, quoted),
        conversation=identify(posted.root or (status.reblog.uri if status.reblog else status.uri)),
        parent=identify(parent) if parent else None,
        collected_at=now,
        via=via,
        lang=shown.language if shown.language and len(shown.language) <= 35 else None,
        url=_web(status.url),
        metrics=Metrics(
            likes=shown.favourites_count,
            reposts=shown.reblogs_count,
            replies=shown.replies_count,
        ),
        media=tuple(
            Media(url=url, alt=(one.description or "").replace("\x00", ""))
            for one in shown.media_attachments
            if (url := _web(one.remote_url) or _web(one.url))
        ),
        brand=brand,
        reply_ref={
            "server": posted.server,
            "id": status.id,
            "visibility": status.visibility,
            "acct": status.account.acct,
        },
    )


def _web(url: str | None) -> str:
    """The address where it is one of the web's: anything may stand there."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _kind(status: Status, quoted: str) -> Kind:
    if status.reblog:
        return Kind.REPOST
    if status.visibility == "direct":
        return Kind.MESSAGE
    if status.in_reply_to_id:
        return Kind.REPLY
    return Kind.QUOTE if quoted else Kind.POST
