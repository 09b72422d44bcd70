"""Discourse's API (docs.discourse.org): one forum, one key, every request bounded and every fault one of ours.

Two kinds of key: one that an admin made (headers `Api-Key` and `Api-Username`) takes 60 requests a minute, one that a
user let the forum make (`User-Api-Key`) 20 a minute and 2,880 a day; without a key an address takes 200 a minute
(`max_admin_api_reqs_per_minute`, `max_user_api_reqs_per_minute`, `max_user_api_reqs_per_day` and
`max_reqs_per_ip_per_minute` in github.com/discourse/discourse, config/discourse_defaults.conf). What is left of them is
never told; an answer of 429 names the wait in `Retry-After` and in `extras.wait_seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
from pydantic import Field

from connectors._exchange import Answer, exchange, plain
from connectors._http import retry_after
from connectors._pace import Pace, Window
from connectors._pictures import Picture
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock, Secret, Settings

_MAX_BYTES = 8_000_000
"""Of one answer: 50 posts of 32,000 characters, each as Markdown and as HTML, are less."""

MINUTE, DAY = "requests a minute", "requests a day"
_ADMIN = (Window(60, 60, MINUTE),)
_USER = (Window(20, 60, MINUTE), Window(2_880, 86_400, DAY))
_NOBODY = (Window(30, 60, MINUTE),)
"""Far below the 200 a minute of an address, which people behind it share."""


class Account(Settings):
    """With which account a forum is read or answered: its name and a key. `user_key` says that the key is one the user
    let the forum make for this program, not one an admin made."""

    username: str = Field(pattern=r"^[\w.-]{1,60}$")
    api_key: Secret = Field(min_length=1)
    user_key: bool = False


class Declined(Exception):
    """The forum answered that it will not: its status, its words for a person, and where it points to."""

    def __init__(self, status: int, words: str, location: str = "") -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words
        self.location = location


class Api:
    """Requests to one forum. Each raises SourceUnavailable, or Declined. For one thread at a time."""

    def __init__(self, base: str, account: Account | None, timeout_secs: float, clock: Clock) -> None:
        self._base = base.rstrip("/")
        self._account = account
        self._timeout = timeout_secs
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._host = httpx2.URL(base).host
        windows = _NOBODY if account is None else _USER if account.user_key else _ADMIN
        self.pace = Pace(clock, *windows)
        self.an_hour = min(window.requests * 3_600 / window.seconds for window in windows)
        """Requests that are allowed in an hour, hour after hour."""

    def get(self, path: str, params: Mapping[str, str] | tuple[tuple[str, str], ...] = ()) -> Any:
        """The JSON at `path`."""
        query = f"?{urlencode(params)}" if params else ""
        return self._call("GET", f"/{path}{query}")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """What the forum answers to this JSON."""
        return self._call("POST", f"/{path}", msgspec.json.encode(body), "application/json")

    def upload(self, picture: Picture) -> Any:
        """What the forum answers to a picture for a post (multipart/form-data, RFC 7578)."""
        fields = {"type": "composer", "synchronous": "true"}
        request = httpx2.Request(
            "POST", self._base, data=fields, files={"file": (picture.name, picture.content, picture.type)}
        )
        return self._call("POST", "/uploads.json", request.read(), request.headers["content-type"])

    def close(self) -> None:
        """Free the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def hidden(self) -> list[str]:
        """What may be in no message."""
        return [] if self._account is None else [self._account.api_key.get_secret_value()]

    def _call(self, method: str, path: str, content: bytes = b"", type: str = "") -> Any:
        self.pace.claim(self._host)
        if self._client is None:
            self._client = httpx2.Client()
        answer = exchange(
            self._client,
            method,
            f"{self._base}{path}",
            headers=self._headers() | ({"Content-Type": type} if type else {}),
            content=content,
            timeout_secs=self._timeout,
            read_at_most=_MAX_BYTES,
        )
        if 200 <= answer.status < 300:
            return self._read(answer)
        words, wait = self._said(answer)
        pause = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        if answer.status == 429:
            raise SourceUnavailable(
                f"{self._host} takes no more requests for now: {words}",
                trouble="rate_limited",
                retry_after=pause if pause is not None else wait,
            )
        if 300 <= answer.status < 500 and answer.status != 408:
            raise Declined(answer.status, words, answer.headers.get("location", ""))
        raise SourceUnavailable(f"{self._host} answered {answer.status}: {words}", trouble="http", retry_after=pause)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "harken"}
        if self._account is None:
            return headers
        key = self._account.api_key.get_secret_value()
        if self._account.user_key:
            return headers | {"User-Api-Key": key}
        return headers | {"Api-Key": key, "Api-Username": self._account.username}

    def _read(self, answer: Answer) -> Any:
        if len(answer.body) >= _MAX_BYTES:
            raise SourceUnavailable(f"the answer of {self._host} is over {_MAX_BYTES:,} bytes", trouble="http")
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceUnavailable(f"{self._host} answered something that is not JSON", trouble="http") from error

    def _said(self, answer: Answer) -> tuple[str, float | None]:
        """The words of an error, and how long it says to wait: `{"errors": […], "extras": {"wait_seconds": …}}`."""
        body = answer.json
        errors = body.get("errors")
        words = [str(one) for one in errors] if isinstance(errors, list) else []
        extras = body.get("extras")
        wait = extras.get("wait_seconds") if isinstance(extras, dict) else None
        seconds = float(wait) if isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0 else None
        return plain(" ".join(words), self.hidden) or f"status {answer.status}", seconds
