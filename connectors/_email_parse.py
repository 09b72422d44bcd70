"""A mail as it stands on the server, in bytes and perhaps cut off, to a mention.

Everything in a mail is its sender's word and is taken with care: headers are cut at lengths no honest one has, and the
structure is read with the standard library's lenient policy (compat32), because `policy.default` reads `Content-Type`
while it parses, and fails (RecursionError) or takes seconds over a hostile one; the addresses and the subject are
then decoded with `policy.default`, one short header at a time.
"""

from __future__ import annotations

import hashlib
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import policy
from email.headerregistry import Address
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from connectors._email_flowed import unflowed
from connectors._email_trim import trimmed, unquoted_html
from connectors._html import text_of
from connectors._times import in_utc
from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Media, Mention

SOURCE = "email"
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,400})>")
_PARTS = 100
_MEDIA = 20
_TEXT = 100_000
"""Characters of a mail's text that are kept."""
_HEADER_CHARS = 20_000
_DECODED_CHARS = 2_000
_HASHED_BYTES = 4_096
_REFERENCES = 20
_EARLY = timedelta(days=1)
"""A `Date` further than this before or behind the arrival than a mail may have been under way is not believed."""
_LATE = timedelta(days=30)
_NOBODY = re.compile(
    r"^(no-?reply|do-?not-?reply|noreply.*|mailer-daemon|postmaster|bounces?([+-].*)?)$", re.IGNORECASE
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_CHARSET = re.compile(r"(utf-?\d|iso-|windows-|cp-?\d|koi8|gb|big5|euc|shift|sjis|ks_c|ksc|tis|mac|hz|viscii)")
_LATIN = ("iso-8859-1", "iso8859-1", "utf-8", "utf8")
_SEVEN_BITS = re.compile(r"iso-2022|hz|utf-?(7|16|32)")
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ODD: tuple[type[Exception], ...] = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)
"""What the standard library raises over headers that are no headers."""


class _Lenient(policy.Compat32):
    """compat32, with every header cut at 20,000 characters."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[: _DECODED_CHARS if name.lower().startswith("content-") else _HEADER_CHARS]


_PARSER = BytesParser(policy=_Lenient())


@dataclass(frozen=True)
class Letter:
    """A mail as fetched: its first bytes, how many it has in all, and when it arrived."""

    raw: bytes
    size: int
    arrived: datetime


def mention_of(letter: Letter, via: str, brand: str | None, own: Sequence[str]) -> Mention:
    """The mention; `own` are our own addresses. Raises BadItem where no sender can be made out."""
    try:
        message = _PARSER.parsebytes(letter.raw)
        return _mention(message, letter, via, brand, own)
    except RecursionError as error:
        raise BadItem("its parts are nested too deeply to be read") from error


def identity(letter: Letter) -> str:
    """The native id: the Message-ID without its brackets; without one, a hash of the mail's beginning, which is the
    same in every folder."""
    head, _, body = letter.raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return _identity(_PARSER.parsebytes(head), head + b"\n\n" + body[:_HASHED_BYTES])


def ids(header: str) -> list[str]:
    """The message ids in a header, in their order."""
    return [one for one in _MESSAGE_ID.findall(header) if one.isprintable()]


def _mention(message: Message, letter: Letter, via: str, brand: str | None, own: Sequence[str]) -> Mention:
    sender = next(iter(_addresses(message, "From") or _addresses(message, "Sender")), None)
    if sender is None:
        raise BadItem("it names no sender that can be read")
    id = identity(letter)
    answered, references = ids(_raw(message, "In-Reply-To"))[:1], ids(_raw(message, "References"))
    root = (references or answered or [id])[0]
    parent = next(iter(answered or references[-1:]), None)
    subject = _line(_decoded(message, "Subject"))
    text, media = _content(message, id, bool(answered or references))
    address = sender.addr_spec.lower()
    arrived = in_utc(letter.arrived)
    signs = _signs(message)
    return Mention(
        id=f"{SOURCE}:{id}",
        source=SOURCE,
        text=text or subject or "(no text)",
        author=Author(id=address, handle=address, name=_line(sender.display_name)),
        created_at=_date(message, arrived),
        kind=Kind.MESSAGE,
        conversation=f"{SOURCE}:{root}",
        parent=f"{SOURCE}:{parent}" if parent else None,
        via=via,
        lang=_language(message),
        title=subject,
        media=media,
        brand=brand,
        own=address in own,
        reply_ref=_reference(message, id, sender, [*references, *(one for one in answered if one not in references)]),
        suspicions=signs,
    )


def _identity(message: Message, beginning: bytes) -> str:
    found = ids(_raw(message, "Message-ID"))
    return found[0] if found else f"without-id.{hashlib.sha256(beginning).hexdigest()[:32]}"


def _reference(message: Message, id: str, sender: Address, references: list[str]) -> dict[str, str]:
    """What an answer needs: to whom, the subject, which ids to name; and why there can be none (`closed`)."""
    wanted = next(iter(_addresses(message, "Reply-To")), sender)
    named = [*references[:1], *references[1:][-(_REFERENCES - 1) :]]
    reference = {"to": wanted.addr_spec, "subject": _line(_decoded(message, "Subject"))}
    if not id.startswith("without-id."):
        reference["message_id"] = id
    if named:
        reference["references"] = " ".join(named)
    if closed := _closed(message, wanted):
        reference["closed"] = closed
    return reference


# ---------------------------------------------------------------------------------------------- machines and lists


def _signs(message: Message) -> tuple[str, ...]:
    """The signs, in words, that a machine wrote it: RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports), RFC 2369
    and 2919 (lists), and what is customary."""
    signs = []
    auto = _raw(message, "Auto-Submitted").strip().lower()
    if auto and not auto.startswith("no"):
        signs.append(f"written by a machine (Auto-Submitted: {_line(auto)[:40]})")
    if any(_raw(message, name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")):
        signs.append("an automatic answer")
    precedence = _raw(message, "Precedence").strip().lower()
    if precedence in ("bulk", "junk", "list", "auto_reply"):
        signs.append(f"sent to many (Precedence: {precedence})")
    if _raw(message, "X-Auto-Response-Suppress"):
        signs.append("asks for no automatic answer (X-Auto-Response-Suppress)")
    if _is_report(message):
        signs.append("a report on a mail's delivery")
    if _is_list(message):
        signs.append("from a mailing list")
    return tuple(signs)


def _closed(message: Message, wanted: Address) -> str:
    auto = _raw(message, "Auto-Submitted").strip().lower()
    if _is_report(message) or _raw(message, "Return-Path").strip() == "<>":
        return "report"
    if auto and not auto.startswith("no"):
        return "automatic"
    if _is_list(message) or _raw(message, "Precedence").strip().lower() in ("bulk", "junk", "list", "auto_reply"):
        return "list"
    return "nobody" if _NOBODY.match(wanted.username) else ""


def _is_report(message: Message) -> bool:
    return message.get_content_type() in ("multipart/report", "message/delivery-status")


def _is_list(message: Message) -> bool:
    return bool(_raw(message, "List-Id") or _raw(message, "List-Post") or _raw(message, "List-Unsubscribe"))


# --------------------------------------------------------------------------------------------------------- content


def _content(message: Message, id: str, is_reply: bool) -> tuple[str, tuple[Media, ...]]:
    """The text, plain rather than HTML, and what is attached: names and sizes."""
    plain: list[str] = []
    html: list[str] = []
    media: list[Media] = []
    for part in _parts(message):
        kind, name = part.get_content_type(), _name(part)
        attached = str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment")
        if kind == "text/plain" and not attached and not name:
            text = _decoded_text(part)
            if _parameter(part, "format").lower() == "flowed":
                text = unflowed(text, _parameter(part, "delsp").lower() == "yes")
            plain.append(text)
        elif kind == "text/html" and not attached and not name:
            html.append(_decoded_text(part))
        elif attached or name or kind.partition("/")[0] in ("image", "audio", "video", "application"):
            media.append(_attachment(part, id, name or kind))
    text = _shown("\n".join(plain), is_reply)
    if not text and html:
        page = "\n".join(html)
        text = _shown(text_of(unquoted_html(page)), is_reply) or _shown(text_of(page), is_reply)
    return text, tuple(media[:_MEDIA])


def _parts(message: Message) -> Iterator[Message]:
    """The parts that are no containers, in their order, 100 at most; a mail within the mail is one of them."""
    waiting = [message]
    for _ in range(_PARTS):
        if not waiting:
            return
        part = waiting.pop(0)
        payload: Any = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting[:0] = payload[:_PARTS]
        elif not isinstance(payload, list):
            yield part


def _shown(text: str, is_reply: bool) -> str:
    text = _UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:_TEXT]
    return trimmed(text, is_reply)


def _decoded_text(part: Message) -> str:
    """The part's text: valid UTF-8 is nothing else, but for the charsets that write all in seven bits; what is called
    Latin-1 or ASCII is Windows' (WHATWG Encoding, 4.2), and so is what is in no charset we know."""
    raw = _bytes(part)
    named = _parameter(part, "charset").lower()
    if _CHARSET.match(named) and _SEVEN_BITS.match(named):
        with suppress(*_ODD):
            return raw.decode(named)
    with suppress(UnicodeDecodeError):
        return getincrementaldecoder("utf-8")().decode(raw)  # the last letter may have been cut in two
    if _CHARSET.match(named) and named not in _LATIN:
        with suppress(*_ODD):
            return raw.decode(named)
    return raw.decode("cp1252", "replace")


def _bytes(part: Message) -> bytes:
    try:
        raw: Any = part.get_payload(decode=True)
    except _ODD:
        raw = part.get_payload()
    return raw if isinstance(raw, bytes) else str(raw or "").encode("utf-8", "surrogateescape")


def _attachment(part: Message, id: str, name: str) -> Media:
    """Where it is (RFC 2392), and in words what: its content is not kept."""
    content = ids(_raw(part, "Content-ID"))
    url = f"mid:{quote(id, safe='@')}" + (f"/{quote(content[0], safe='@')}" if content else "")
    return Media(url=url, alt=f"{name}, {_size(len(_bytes(part)))}")


def _size(octets: int) -> str:
    if octets < 1_000:
        return f"{octets} bytes"
    return f"{octets / 1_000:.0f} kB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"


def _name(part: Message) -> str:
    try:
        return _line(str(part.get_filename() or ""))[:200]
    except _ODD:
        return ""


def _parameter(part: Message, name: str) -> str:
    try:
        value = part.get_param(name, "")
    except _ODD:
        return ""
    return value.strip() if isinstance(value, str) else ""


# --------------------------------------------------------------------------------------------------------- headers


def _raw(message: Message, name: str) -> str:
    """The header as it was sent, on one line; empty where it is missing. Bytes that should not be in it are taken for
    UTF-8, else for Windows-1252."""
    for known, value in message.raw_items():
        if known.lower() == name.lower():
            octets = "".join(str(value).splitlines()).encode("utf-8", "surrogateescape")
            try:
                return octets.decode()
            except UnicodeDecodeError:
                return octets.decode("cp1252", "replace")
    return ""


def _decoded(message: Message, name: str) -> str:
    """The header in words."""
    text = _raw(message, name)[:_DECODED_CHARS]
    try:
        return str(policy.default.header_factory(name, text))
    except _ODD:
        return text


def _addresses(message: Message, name: str) -> list[Address]:
    """The mailboxes in a header that have a domain."""
    try:
        header: Any = policy.default.header_factory(name, _raw(message, name)[:_DECODED_CHARS])
        found = [one for one in header.addresses if one.username and one.domain]
    except _ODD:
        found = []
    return [one for one in found if one.addr_spec.isprintable() and len(one.addr_spec) <= 320][:10]


def _line(text: str) -> str:
    """On one line, without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _language(message: Message) -> str | None:
    found = _LANGUAGE.match(_raw(message, "Content-Language").strip())
    return found[0] if found else None


def _date(message: Message, arrived: datetime) -> datetime:
    """When it was written, where that can be: not after it arrived, nor a month before."""
    try:
        written = in_utc(parsedate_to_datetime(_raw(message, "Date")))
    except _ODD:
        return arrived
    return min(written, arrived) if arrived - _LATE <= written <= arrived + _EARLY else arrived
