"""One request to whoever takes our answers, bounded in time and size, and what they say about it as plain words."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import msgspec

from pipeline.errors import ReplyRefused, SourceUnavailable

_READ_AT_MOST = 65_536
_WORDS = 300
_SAYING = ("message", "detail", "error_description", "title", "error", "reason", "description")
"""Where a JSON body says what went wrong: the XRPC errors of AT Protocol, RFC 9457, OAuth, and what is customary."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of what is not seen, and of what reorders or breaks the line it stands in."""


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in small letters) and the body, or its beginning where it was too long."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object; empty where it is none."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}


def exchange(
    client: httpx2.Client,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes,
    timeout_secs: float,
    read_at_most: int = _READ_AT_MOST,
) -> Answer:
    """Send and read the answer's first `read_at_most` bytes, without following a redirect; raises SourceUnavailable
    when none came in time."""
    host = httpx2.URL(url).host
    deadline = time.monotonic() + timeout_secs
    body = bytearray()
    try:
        with client.stream(
            method, url, headers=dict(headers), content=content, timeout=timeout_secs, follow_redirects=False
        ) as response:
            for chunk in response.iter_bytes(_READ_AT_MOST):
                body += chunk
                if len(body) >= read_at_most or time.monotonic() > deadline:
                    break
    except httpx2.TimeoutException as error:
        raise SourceUnavailable(f"{host} did not answer within {timeout_secs:g} seconds") from error
    except httpx2.HTTPError as error:
        raise SourceUnavailable(f"{host} cannot be reached ({type(error).__name__})") from error
    return Answer(response.status_code, response.headers, bytes(body[:read_at_most]))


def sendable(text: str) -> None:
    """Raise ReplyRefused where no network could be given this text."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ReplyRefused("The text is not valid Unicode and cannot be sent.") from error


def said(answer: Answer, hide: Iterable[str] = ()) -> str:
    """What the answer says went wrong, for a person: one line of at most 300 characters, without `hide`."""
    body = answer.json
    parts = [value for name in _SAYING if isinstance(value := body.get(name), str) and value]
    text = parts[0] if parts else "" if body else answer.body.decode("utf-8", "replace")
    return plain(text, hide) or f"status {answer.status}"


def plain(text: str, hide: Iterable[str] = ()) -> str:
    """Somebody else's words on one line of at most 300 characters: no control characters, none of the secrets in
    `hide`, which a careless server repeats."""
    for secret in filter(None, hide):
        text = text.replace(secret, "[hidden]")
    shown = "".join(" " if unicodedata.category(sign) in _UNSEEN else sign for sign in text[: 10 * _WORDS])
    return " ".join(shown.split())[:_WORDS]


def until(reset: str, now: datetime, longest: float) -> float | None:
    """Seconds until `reset` (seconds since 1970, as rate limits are announced); None where it says nothing usable."""
    if not (reset.isascii() and reset.isdecimal() and len(reset) < 12):
        return None
    wait = int(reset) - now.astimezone(UTC).timestamp()
    return min(wait, longest) if wait > 0 else None
