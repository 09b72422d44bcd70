"""Jetstream's two wires: the subscription's address, the connection, and frames turned into one `Event`.

v2 is the lexicon `network.bsky.jetstream.subscribeEvents` (github.com/bluesky-social/jetstream) framed by the
subprotocol `xrpc.v1.json`; v1 is `/subscribe` as described in the README of that repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct, field
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from connectors._http import retry_after
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable

Version = Literal[1, 2]

PATHS: dict[Version, str] = {1: "/subscribe", 2: "/xrpc/network.bsky.jetstream.subscribeEvents"}
_SUBPROTOCOL = Subprotocol("xrpc.v1.json")
_LAST_US = 253_402_300_799_000_000
"""The end of the year 9999, where Python's calendar ends."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MISSING = frozenset({404, 405, 501})
"""Answers of a server that has no v2: it is then asked for v1."""


class Unsupported(Exception):
    """This host does not speak this version."""


class CursorTooOld(Exception):
    """v2: the sequence number lies below what this host still keeps (HTTP 400 before the upgrade)."""


class FutureCursor(Exception):
    """v2: the sequence number is ahead of this host's: it belongs to another archive; resume by time instead."""


class Event(Struct):
    """One event of either version. `time_us` is when Jetstream saw it (microseconds since 1970), `seq` v2's number.

    `kind` is commit, identity, account, info or another that is ignored; the fields of the other kinds are empty.
    """

    kind: str
    did: str = ""
    time_us: int = 0
    seq: int = 0
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    rev: str = ""
    cid: str = ""
    record: bytes = b""
    handle: str = ""
    active: bool = True
    status: str = ""
    upstream: int = 0
    name: str = ""

    @property
    def time(self) -> datetime:
        """`time_us` as a datetime in UTC."""
        return from_us(self.time_us)

    @property
    def uri(self) -> str:
        """The record's at-uri."""
        return f"at://{self.did}/{self.collection}/{self.rkey}"

    @property
    def key(self) -> str:
        """The same for the same event on every host and in both versions: what duplicates are known by."""
        if self.kind == "commit":
            return f"{self.uri}#{self.rev}#{self.operation}"
        return f"{self.did}#{self.kind}#{self.upstream}"


class _Identity(Struct):
    handle: str = ""
    seq: int = 0


class _Account(Struct):
    active: bool = True
    status: str = ""
    seq: int = 0


class _Commit(Struct):
    operation: str
    collection: str
    rkey: str
    rev: str = ""
    cid: str = ""
    record: Raw = Raw()


class _FrameV1(Struct):
    did: str
    time_us: int
    kind: str
    commit: _Commit | None = None
    identity: _Identity | None = None
    account: _Account | None = None


class _PayloadV2(Struct):
    type: str = field(name="$type")
    did: str = ""
    seq: int = 0
    time: datetime | None = None
    witnessed: datetime | None = field(name="witnessedAt", default=None)
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    rev: str = ""
    cid: str = ""
    record: Raw = Raw()
    identity: _Identity | None = None
    account: _Account | None = None
    name: str = ""


class _FrameV2(Struct):
    type: str = field(name="$type")
    payload: _PayloadV2 | None = None
    error: str = ""


_v1 = msgspec.json.Decoder(_FrameV1)
_v2 = msgspec.json.Decoder(_FrameV2)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def address(host: str, version: Version, collections: Sequence[str], max_bytes: int, cursor: int | None) -> str:
    """The subscription's URL; without `cursor` it starts at the live tip.

    v2 asks for the kinds by name, since `kinds=commit` alone would lose the account markers; v1 always sends them.
    """
    query: list[tuple[str, str | int]] = [("maxMessageSizeBytes", max_bytes)]
    if version == 2:
        query += [("kinds", kind) for kind in ("commit", "identity", "account")]
    query += [("collections" if version == 2 else "wantedCollections", name) for name in collections]
    if cursor is not None:
        query.append(("cursor", cursor))
    return f"{host}{PATHS[version]}?{urlencode(query)}"


def subscribe(url: str, version: Version, max_bytes: int, timeout: float, now: datetime) -> ClientConnection:
    """Open the subscription. Raises Unsupported, CursorTooOld, SourceRefused or SourceUnavailable."""
    try:
        return connect(
            url,
            subprotocols=[_SUBPROTOCOL] if version == 2 else None,
            compression=None,  # v2 declines it anyway, and inflating costs more than the bytes do
            open_timeout=timeout,
            close_timeout=1,
            max_size=2 * max_bytes,  # the server holds to max_bytes; this only bounds a server that does not
            max_queue=1024,
        )
    except InvalidStatus as error:
        raise _refusal(error, version, now) from error
    except (OSError, WebSocketException) as error:
        raise SourceUnavailable(f"Jetstream cannot be reached: {error}") from error


def _refusal(error: InvalidStatus, version: Version, now: datetime) -> Exception:
    status = error.response.status_code
    body = bytes(error.response.body or b"")[:500].decode(errors="replace")
    if status == 400 and "CursorTooOld" in body:
        return CursorTooOld()
    if version == 2 and status in _MISSING:
        return Unsupported()
    if status == 400:
        return SourceRefused(f"Jetstream refuses the subscription: {body}")
    if status == 429:
        wait = retry_after(error.response.headers.get("Retry-After", ""), now)
        return SourceUnavailable("Jetstream allows no more connections", trouble="rate_limited", retry_after=wait)
    return SourceUnavailable(f"Jetstream answered {status}", trouble="http")


def read(frame: bytes, version: Version) -> Event:
    """One frame as an Event. Raises BadItem when it cannot be read, SourceUnavailable for an error frame
    (`ConsumerTooSlow` and others end the connection; the cursor makes good what was missed)."""
    try:
        return _read_v2(_v2.decode(frame)) if version == 2 else _read_v1(_v1.decode(frame))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a Jetstream frame: {error}") from error


def _read_v2(frame: _FrameV2) -> Event:
    if frame.type == "error":
        raise SourceUnavailable(f"Jetstream ended the stream: {frame.error[:100]}")
    payload = frame.payload
    kind = payload.type.rpartition("#")[2] if payload and frame.type == "message" else ""
    if payload is None or kind not in ("commit", "identity", "account"):
        return Event(kind, name=payload.name if payload else "")
    seen = payload.witnessed or payload.time
    if seen is None or seen.tzinfo is None or payload.seq <= 0 or not payload.did:
        raise BadItem("a Jetstream event without seq, did or time")
    event = Event(kind, payload.did, to_us(seen), payload.seq)
    if kind == "commit":
        commit = _Commit(payload.operation, payload.collection, payload.rkey, payload.rev, payload.cid, payload.record)
        return _with_commit(event, commit)
    return _with_marker(event, payload.identity, payload.account)


def _read_v1(frame: _FrameV1) -> Event:
    if not frame.did or not 0 < frame.time_us <= _LAST_US:
        raise BadItem("a Jetstream event without did or with a time beyond the calendar")
    event = Event(frame.kind, frame.did, frame.time_us)
    if frame.commit is not None:
        return _with_commit(event, frame.commit)
    return _with_marker(event, frame.identity, frame.account)


def _with_commit(event: Event, commit: _Commit) -> Event:
    if not (commit.operation and commit.collection and commit.rkey):
        raise BadItem("a commit without operation, collection or rkey")
    event.operation, event.collection, event.rkey = commit.operation, commit.collection, commit.rkey
    event.rev, event.cid, event.record = commit.rev, commit.cid, bytes(commit.record)
    return event


def _with_marker(event: Event, identity: _Identity | None, account: _Account | None) -> Event:
    if identity is not None:
        event.handle, event.upstream = identity.handle, identity.seq
    if account is not None:
        event.active, event.status, event.upstream = account.active, account.status, account.seq
    return event
