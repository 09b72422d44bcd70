"""What the hostile server does: one class a kind of fault, and `FAULTS`, all of them by name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum
from itertools import chain, repeat
from typing import Any, ClassVar

HUGE = 50_000_000
"""Bytes of the item that is too large."""

RETRY_AFTER = 77
"""What the server that names a delay names, in seconds."""


class End(Enum):
    """How a connection ends, or that it is kept and nothing is said on it."""

    CLOSE = "orderly"
    RESET = "reset"
    SILENCE = "silence"


@dataclass(frozen=True)
class Asked:
    """One request; header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """An answer in place of the platform's."""

    status: int
    body: bytes = b'{"error": "told by the hostile server"}'
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class Spoilt:
    """A body or a message: its parts (or `more`, made while it is sent), the length it claims, headers changed for it,
    and how the connection then ends (None: as it would have)."""

    def __init__(
        self,
        *parts: bytes,
        more: Iterable[bytes] = (),
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        end: End | None = None,
    ) -> None:
        self.parts = more or parts
        self.length = sum(map(len, parts)) if length is None else length
        self.headers = headers or {}
        self.end = end


class Fault:
    """Nothing is done; what each kind does otherwise it overrides.

    `cuts`: connections that stand when it begins are cut, or a stream would not notice it. `mutes`: streams go silent.
    `refuses`: no request is even read. `hides`: request headers that do not reach the platform. `spoils`: what arrives
    under it may be unreadable, so that everything is only due once it is over.
    """

    cuts: ClassVar[bool] = False
    mutes: ClassVar[bool] = False
    refuses: ClassVar[bool] = False
    spoils: ClassVar[bool] = True
    hides: ClassVar[Sequence[str]] = ()

    def instead(self, asked: Asked) -> Told | End | None:
        """What is answered without asking the platform."""
        return None

    def head(self, put: Callable[[str, str | None], None], get: Callable[[str], str]) -> None:
        """Change an answer's headers."""

    def body(self, body: bytes, kind: str) -> Spoilt:
        """A whole body, of this content type."""
        return Spoilt(body)

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        """One message of a stream: a line, an event's block, a WebSocket's text."""
        yield Spoilt(message)


class Status(Fault):
    """Every request is answered so."""

    cuts = True

    def __init__(self, status: int, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.told = Told(status, headers={"Content-Type": "application/json"} | named)

    def instead(self, asked: Asked) -> Told | End | None:
        return self.told


class Redirects(Fault):
    """Every request is sent in a circle."""

    cuts = True

    def instead(self, asked: Asked) -> Told | End | None:
        path, _, count = asked.path.rpartition("&again=") if "&again=" in asked.path else (asked.path, "", "0")
        mark = "" if "?" in path else "?"
        return Told(302, headers={"Location": f"{path}{mark}&again={int(count) + 1}"})


class Refused(Fault):
    """The connection is reset before anything is said."""

    cuts = True
    refuses = True


class Silence(Fault):
    """Accepts, and says nothing, not even a heartbeat."""

    cuts = False
    mutes = True

    def instead(self, asked: Asked) -> Told | End | None:
        return End.SILENCE


class Reset(Fault):
    """The connection breaks off in the middle of a body, a line, a frame."""

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(body[: len(body) // 2], length=len(body), end=End.RESET)

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        yield Spoilt(message[: len(message) // 2], length=len(message))
        yield End.RESET


class Half(Fault):
    """Half of what was to be said, as if that were all."""

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(body[: len(body) // 2])

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        rest = message[len(message.rstrip(b"\r\n")) :]
        yield Spoilt(message[: len(message) // 2] + rest)
        yield End.CLOSE


class Skew(Fault):
    """A platform whose clock is wrong by so many days, in its `Date` and in the times of its items."""

    def __init__(self, days: int) -> None:
        self._by = timedelta(days=days)

    def head(self, put: Callable[[str, str | None], None], get: Callable[[str], str]) -> None:
        if date := get("date"):
            put("Date", format_datetime(parsedate_to_datetime(date) + self._by, usegmt=True))

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(self._moved(body))

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        yield Spoilt(self._moved(message))

    def _moved(self, text: bytes) -> bytes:
        years = round(self._by.days / 365.25)
        return _YEAR.sub(lambda found: b"%04d" % (int(found[0]) + years), text)


_YEAR = re.compile(
    rb"\b20\d\d(?=-[01]\d-[0-3]\dT)|(?<=\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) )20\d\d\b"
)


class Twice(Fault):
    """Everything comes twice: each item of a list, each message, and what was not changed since as if it were new."""

    spoils = False
    hides = ("If-None-Match", "If-Modified-Since")

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(rearranged(body, lambda items: [copy for item in items for copy in (item, item)]))

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        yield Spoilt(message)
        yield Spoilt(message)


class Disorder(Fault):
    """Lists come backwards, and of each two messages the second one first."""

    spoils = False

    def __init__(self) -> None:
        self._held: bytes | None = None

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(rearranged(body, lambda items: items[::-1]))

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        held, self._held = self._held, None
        if held is None:
            self._held = message
            return
        yield Spoilt(message)
        yield Spoilt(held)


class Huge(Fault):
    """One item of 50 MB, never held whole here."""

    def body(self, body: bytes, kind: str) -> Spoilt:
        at = body.find(b"<item>") + 6 if b"<item>" in body else body.find(b"{") + 1
        before, after = (b"<title>", b"</title>") if b"<item>" in body else (b'"huge":"', b'",')
        return _huge(body[:at] + before, after + body[at:])

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        at = message.find(b"{") + 1
        yield _huge(message[:at] + b'"huge":"', b'",' + message[at:])
        yield Spoilt(message)


def _huge(before: bytes, after: bytes) -> Spoilt:
    block = b"a" * 50_000
    whole = chain([before], repeat(block, HUGE // len(block)), [after])
    return Spoilt(more=whole, length=len(before) + HUGE + len(after))


class Encoding(Fault):
    """`utf8`: bytes that are none; `charset`: another one claimed than used; `gzip`: packed, and cut off."""

    def __init__(self, how: str) -> None:
        self._how = how

    def body(self, body: bytes, kind: str) -> Spoilt:
        match self._how:
            case "utf8":
                return Spoilt(_with_bad_bytes(body))
            case "charset":
                return Spoilt(body, headers={"Content-Type": f"{kind.split(';')[0]}; charset=utf-16"})
        packed = gzip.compress(body)
        return Spoilt(packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"})

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        if self._how == "utf8":  # a copy beside the good one
            yield Spoilt(_with_bad_bytes(message))
        yield Spoilt(message)


def _with_bad_bytes(text: bytes) -> bytes:
    at = len(text) // 2
    return text[:at] + b"\xff\xc0\xfe" + text[at:]


class Unknown(Fault):
    """Things of kinds that nobody documented, in between."""

    spoils = False
    _THINGS: ClassVar[Sequence[Any]] = (
        {"$type": "message", "payload": {"$type": "future#future"}, "type": "future", "kind": "future"},
        {"event": "future", "stream": ["future"], "payload": "{}"},
        {"data": {"future": {"id": 1}}},
        {},
        [],
        None,
        7,
        "future",
    )

    def body(self, body: bytes, kind: str) -> Spoilt:
        return Spoilt(rearranged(body, lambda items: [{"kind": "future", "type": "future"}, *items]))

    def message(self, message: bytes) -> Iterator[Spoilt | End]:
        block = message.endswith(b"\n\n")
        end = message[len(message.rstrip(b"\r\n")) :]
        for thing in self._THINGS:
            text = json.dumps(thing).encode()
            yield Spoilt((b"event: future\ndata: " if block else b"") + text + end)
        yield Spoilt(message)


def rearranged(body: bytes, order: Callable[[list[Any]], list[Any]]) -> bytes:
    """The body with every list of objects in it in another order: JSON's lists, a feed's entries; else as it was."""
    try:
        return json.dumps(_reordered(json.loads(body), order)).encode()
    except (ValueError, RecursionError):
        pass
    entries = list(re.finditer(rb"<(item|entry)\b[^>]*>.*?</\1>|<item/>", body, re.DOTALL))
    if not entries:
        return body
    found = [entry[0] for entry in entries]
    kept = [entry for entry in order(list(found)) if isinstance(entry, bytes)]
    return body[: entries[0].start()] + b"".join(kept) + body[entries[-1].end() :]


def _reordered(value: Any, order: Callable[[list[Any]], list[Any]]) -> Any:
    if isinstance(value, dict):
        return {name: _reordered(one, order) for name, one in value.items()}
    if isinstance(value, list):
        items = [_reordered(one, order) for one in value]
        return order(items) if items and all(isinstance(one, dict) for one in items) else items
    return value


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "refused": Refused,
    "reset": Reset,
    "half": Half,
    "silence": Silence,
    "late clock": lambda: Skew(-730),
    "early clock": lambda: Skew(730),
    "twice": Twice,
    "disorder": Disorder,
    "401": lambda: Status(401),
    "403": lambda: Status(403),
    "404": lambda: Status(404),
    "410": lambda: Status(410),
    "429": lambda: Status(429),
    "429 with a delay": lambda: Status(429, Retry_After=str(RETRY_AFTER)),
    "500": lambda: Status(500),
    "redirects": Redirects,
    "huge": Huge,
    "invalid UTF-8": lambda: Encoding("utf8"),
    "wrong charset": lambda: Encoding("charset"),
    "gzip cut off": lambda: Encoding("gzip"),
    "unknown": Unknown,
}
