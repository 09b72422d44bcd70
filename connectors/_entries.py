"""A feed's bytes to plain entries, and an entry to a mention. What is broken in a feed costs only itself: feedparser
reads on after a fault of XML, and an entry that says nothing is refused alone.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import feedparser
from msgspec import Struct

from connectors._html import text_of
from connectors._times import in_utc, parse_time
from pipeline.errors import BadItem
from pipeline.mention import Author, Media, Mention

MAX_ENTRIES = 1000
"""Entries read of one feed, from its top."""

MAX_TEXT = 20_000
"""Characters kept of an entry's text: a feed may carry whole articles."""

_MAX_MARKUP = 200_000

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


class Entry(Struct, frozen=True, omit_defaults=True):
    """One entry in plain text; `feed` is the feed's key, `id` what the feed calls the entry (or its link, or a hash of
    its words). Also the payload of a rejection."""

    feed: str
    id: str
    title: str = ""
    text: str = ""
    link: str = ""
    author: str = ""
    feed_title: str = ""
    lang: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    media: tuple[Media, ...] = ()

    @property
    def native_id(self) -> str:
        """Stable for the feed and the entry, whatever either is called."""
        return f"{self.feed}.{_hash(self.id)}"

    @property
    def wording(self) -> str:
        """Changes when the words do."""
        return _hash(f"{self.title}\n{self.text}")[:8]


def key_of(url: str) -> str:
    """A feed's short name in ids: eight hexadecimal digits of the SHA-256 of its configured address."""
    return _hash(url)[:8]


def read_feed(feed: str, url: str, content_type: str, body: bytes) -> list[Entry] | None:
    """The entries, at most MAX_ENTRIES; None when it is no feed at all, or one made to keep us busy."""
    if body.count(b"<") > _MAX_MARKUP:
        return None
    headers = {"content-type": content_type or "application/xml", "content-location": url}
    try:
        found = feedparser.parse(body, response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    except Exception:  # feedparser has no error of its own: a document that trips it is not a feed we can read
        return None
    entries = dict.get(found, "entries") or []
    if not entries and not dict.get(found, "version"):
        return None
    about = dict.get(found, "feed") or {}
    title, lang = _plain(about, "title"), str(about.get("language") or "")
    lang_tag = lang if _LANGUAGE.fullmatch(lang) else None
    return [_entry(feed, title, lang_tag, raw) for raw in entries[:MAX_ENTRIES]]


def to_mention(entry: Entry, via: str, brand: str | None, now: datetime) -> Mention:
    """The entry as a mention; raises BadItem when it says nothing. Without a date, or with one still to come, it was
    said when it was fetched."""
    if not entry.title and not entry.text:
        raise BadItem("an entry without title and text")
    created = min(entry.published or entry.updated or now, now)
    edited = entry.updated if entry.updated and created < entry.updated <= now else None
    return Mention(
        id=f"rss:{entry.native_id}",
        source="rss",
        text=entry.text or entry.title,
        title=entry.title,
        author=Author(
            id=f"{entry.feed}.{_hash(entry.author)}" if entry.author else entry.feed,
            name=entry.author or entry.feed_title,
        ),
        created_at=created,
        edited_at=edited,
        url=entry.link,
        lang=entry.lang,
        media=entry.media,
        via=via,
        brand=brand,
        collected_at=now,
    )


def _entry(feed: str, feed_title: str, lang: str | None, raw: Mapping[str, Any]) -> Entry:
    values = dict(raw)  # feedparser's own mapping warns and substitutes
    title, text, link = _plain(values, "title"), _body(values), _clean(str(values.get("link") or ""))[:2000]
    name = _clean(str(values.get("id") or "")) or link or f"{title}\n{text}"
    return Entry(
        feed=feed,
        id=name[:2000],
        title=title,
        text=text,
        link=link,
        author=_clean(str(values.get("author") or ""))[:200],
        feed_title=feed_title[:200],
        lang=lang,
        published=_moment(values, "published"),
        updated=_moment(values, "updated"),
        media=_media(values),
    )


def _body(values: Mapping[str, Any]) -> str:
    for content in values.get("content") or ():
        kind = str(content.get("type", ""))
        if kind.startswith("text/") or kind.endswith("xhtml+xml"):
            return _text(str(content.get("value") or ""), kind)
    return _plain(values, "summary")


def _plain(values: Mapping[str, Any], field: str) -> str:
    kind = str((values.get(f"{field}_detail") or {}).get("type", "text/plain"))
    return _text(str(values.get(field) or ""), kind)


def _text(value: str, kind: str) -> str:
    value = value[: 10 * MAX_TEXT]
    return _clean(value if kind == "text/plain" else text_of(value)).strip()[:MAX_TEXT]


def _clean(value: str) -> str:
    # A numeric reference may name what no database or encoder takes: NUL, or half a character.
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def _moment(values: Mapping[str, Any], field: str) -> datetime | None:
    parsed = values.get(f"{field}_parsed")
    try:
        if not parsed:
            return parse_time(str(values.get(field) or ""))
        return in_utc(datetime.fromtimestamp(timegm(parsed), UTC))  # feedparser's times are in UTC
    except (ValueError, OverflowError, OSError):
        return None


def _media(values: Mapping[str, Any]) -> tuple[Media, ...]:
    return tuple(
        Media(url=_clean(str(link["href"]))[:2000])
        for link in values.get("links") or ()
        if link.get("rel") == "enclosure" and link.get("href")
    )[:10]


def _hash(value: str) -> str:
    return sha256(value.encode()).hexdigest()[:16]
