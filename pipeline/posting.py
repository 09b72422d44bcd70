"""What everybody shares who posts to a program of the operator's, and is posted to by one: how a body is signed, which
headers are ours, and what an answer's status and Retry-After mean."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

import httpx2
from pydantic import AfterValidator, SecretStr

from pipeline.ports import Secret

LONGEST_WAIT_SECS = 3600.0
"""Nobody we post to can ask for a longer pause than this."""

OUR_HEADERS = frozenset(
    {"content-type", "content-length", "host", "idempotency-key", "transfer-encoding", "user-agent"}
    | {"x-harken-signature", "x-harken-timestamp"}
)
"""Names, in small letters, that no setting may give a value."""

_NOT_THIS_ONE = frozenset({401, 407, 408, 425, 429})
_READ_AT_MOST = 65_536


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < 16:
        raise ValueError("a signing secret has at least 16 characters (make one with `openssl rand -hex 32`)")
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_long_enough)]
"""A secret of at least 16 characters, from the environment."""


def signature(secret: SecretStr, stamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 of the timestamp, a full stop and the body."""
    mac = hmac.new(secret.get_secret_value().encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


def signed(secret: SecretStr, stamp: str, body: bytes) -> dict[str, str]:
    """The headers by which whoever has the secret too knows the body for ours; `stamp` is in seconds since 1970."""
    return {"X-Harken-Timestamp": stamp, "X-Harken-Signature": signature(secret, stamp, body)}


def checked(headers: Mapping[str, SecretStr], is_name: Callable[[str], bool]) -> None:
    """Raise ValueError where one of these, from the configuration, cannot be sent beside our own."""
    for name, value in headers.items():
        if not name or not is_name(name):
            raise ValueError(f"{name!r} is no name for a header")
        if name.lower() in OUR_HEADERS:
            raise ValueError(f"{name} is set by harken itself; remove it")
        if not value.get_secret_value().isascii() or not value.get_secret_value().isprintable():
            raise ValueError(f"the value of {name} holds what no header can")


def refuses(status: int) -> bool:
    """Whether it refuses this one for good: 400 to 499, but for 401 and 407 (our credentials are wrong, not what was
    sent) and 408, 425, 429 (not now)."""
    return 400 <= status < 500 and status not in _NOT_THIS_ONE


def drain(response: httpx2.Response, seconds: float) -> None:
    """Read a short answer to its end, so that the connection can be used again; a long or slow one is cut off. What it
    says is of no interest and goes nowhere."""
    deadline = time.monotonic() + seconds
    size = 0
    with suppress(httpx2.HTTPError):  # the status has told all there is to know
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > _READ_AT_MOST or time.monotonic() > deadline:
                return


def retry_after(response: httpx2.Response) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3), a date measured against the answer's own Date."""
    written = response.headers.get("retry-after", "").strip()
    if written.isascii() and written.isdigit():
        return min(float(written[:9]), LONGEST_WAIT_SECS)
    try:
        wait = _date(written) - _date(response.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT_SECS)


def _date(written: str) -> datetime:
    moment = parsedate_to_datetime(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
