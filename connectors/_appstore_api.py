"""Apple's App Store Connect API (developer.apple.com/documentation/appstoreconnectapi): one key, every request bounded
and every fault one of ours.

A request carries a token that we sign with the key (ES256, valid for at most 20 minutes, `aud` appstoreconnect-v1;
"Generating Tokens for API Requests"). How many of the requests in the rolling hour are left, for all who use the key,
comes with every answer: `X-Rate-Limit: user-hour-lim:3500;user-hour-rem:500;` ("Identifying Rate Limits"), beyond it
429.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import Field, SecretStr, field_validator

from connectors._exchange import Answer, exchange, plain
from connectors._http import retry_after
from connectors._pace import Pace, Window
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock, Secret, Settings

HOUR = "requests an hour"
_HOUR = Window(3_500, 3_600, HOUR)
_BELIEVED_SECS = 300.0
"""For so long what Apple said is left is believed: the hour slides, and others may use the key."""
_TOKEN_SECS = 900.0
_RENEWED_SECS = 60.0
_MAX_BYTES = 8_000_000
"""Of one answer: 200 reviews of 6,000 characters with their responses are less."""
_LIMIT = re.compile(r"user-hour-(lim|rem):(\d{1,9})", re.ASCII)


class Key(Settings):
    """A key of App Store Connect: its id, the issuer's id (left out for a person's own key), and the private key, the
    content of the .p8 file."""

    key_id: str = Field(pattern=r"^[A-Za-z0-9]{4,40}$")
    issuer_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{4,60}$")
    private_key: Secret

    @field_validator("private_key")
    @classmethod
    def _signs(cls, key: SecretStr) -> SecretStr:
        pem = key.get_secret_value().replace("\\n", "\n")
        try:
            ec = ECKey.import_key(pem)
        except (ValueError, TypeError, JoseError):
            ec = None
        if ec is None or not ec.is_private or ec.curve_name != "P-256":
            raise ValueError(
                "the private key is not that of a .p8 file: an EC key on P-256, with its BEGIN and END lines"
            )
        return SecretStr(pem)


class Declined(Exception):
    """Apple answered that it will not: its status and words for a person."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words


class Api:
    """Requests with one key. Each raises SourceUnavailable, or Declined. For one thread at a time."""

    def __init__(self, base: str, key: Key, timeout_secs: float, clock: Clock) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self._timeout = timeout_secs
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._token = ""
        self._token_until = 0.0
        self.pace = Pace(clock, _HOUR)

    def get(self, *path: str, **params: str) -> dict[str, Any]:
        """The document at the path (`apps`, id, `customerReviews`)."""
        query = f"?{urlencode(params)}" if params else ""
        return self._call("GET", f"{self._base}/v1/{'/'.join(quote(part, safe='') for part in path)}{query}")

    def follow(self, link: str) -> dict[str, Any]:
        """The next page, by the link Apple gave: only to the same place, or the token would go elsewhere."""
        if not link.startswith(f"{self._base}/v1/"):
            raise SourceUnavailable("the App Store's link to the next page leads elsewhere", trouble="http")
        return self._call("GET", link)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """What Apple answers to this JSON."""
        return self._call("POST", f"{self._base}/v1/{path}", msgspec.json.encode(body))

    def close(self) -> None:
        """Free the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _call(self, method: str, url: str, content: bytes = b"") -> dict[str, Any]:
        self.pace.claim("The App Store")
        if self._client is None:
            self._client = httpx2.Client(trust_env=False)
        headers = {"Authorization": f"Bearer {self._signed()}", "Accept": "application/json", "User-Agent": "harken"}
        answer = exchange(
            self._client,
            method,
            url,
            headers=headers | ({"Content-Type": "application/json"} if content else {}),
            content=content,
            timeout_secs=self._timeout,
            read_at_most=_MAX_BYTES,
        )
        self._heard(answer)
        if 200 <= answer.status < 300:
            return self._read(answer)
        words = _said(answer, [self._token, self._key.private_key.get_secret_value()])
        wait = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        if answer.status == 429:
            raise SourceUnavailable(
                f"The App Store takes no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        if answer.status == 401:
            self._token = ""
        if 300 <= answer.status < 500 and answer.status != 408:
            raise Declined(answer.status, words)
        raise SourceUnavailable(f"The App Store answered {answer.status}: {words}", trouble="http", retry_after=wait)

    def _signed(self) -> str:
        """A token that is good for a while yet."""
        if not self._token or self._clock.monotonic() > self._token_until:
            now = int(self._clock.now().timestamp())
            who = {"iss": self._key.issuer_id} if self._key.issuer_id else {"sub": "user"}
            claims = {**who, "iat": now, "exp": now + int(_TOKEN_SECS), "aud": "appstoreconnect-v1"}
            header = {"alg": "ES256", "kid": self._key.key_id, "typ": "JWT"}
            self._token = jwt.encode(header, claims, ECKey.import_key(self._key.private_key.get_secret_value()))
            self._token_until = self._clock.monotonic() + _TOKEN_SECS - _RENEWED_SECS
        return self._token

    def _heard(self, answer: Answer) -> None:
        said = dict(_LIMIT.findall(answer.headers.get("x-rate-limit", "")))
        if "rem" in said and "lim" in said:
            self.pace.told(float(said["rem"]), _BELIEVED_SECS, float(said["lim"]))

    def _read(self, answer: Answer) -> dict[str, Any]:
        if len(answer.body) >= _MAX_BYTES:
            raise SourceUnavailable(f"the App Store's answer is over {_MAX_BYTES:,} bytes", trouble="http")
        if "data" not in answer.json:
            raise SourceUnavailable(
                "the App Store answered something that is not a document of its own", trouble="http"
            )
        return answer.json


def _said(answer: Answer, hide: list[str]) -> str:
    """The words of the first error: `{"errors": [{"status", "code", "title", "detail"}]}`."""
    errors = answer.json.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return plain(str(first.get("detail") or first.get("title") or ""), hide) or f"status {answer.status}"
