"""Trustpilot's Business API: one token, every request bounded and every fault one of ours.

From developers.trustpilot.com: the grant `client_credentials` with the API key and secret (Basic) gives a token for 100
hours, which is to be used again ("Authentication"); no more than 833 calls in 5 minutes and 10,000 an hour are
recommended, and webhooks instead of calls ("Rate limiting best practices"); 200,000 calls a year are part of the
smallest API plan ("API module best practices"). What is left of them is not told.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
from pydantic import SecretStr

from connectors._exchange import Answer, exchange, said
from connectors._http import retry_after
from connectors._pace import Pace, Window
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock

SHORT, LONG = "requests in 5 minutes", "requests an hour"
_TOKEN = "v1/oauth/oauth-business-users-for-applications/accesstoken"  # noqa: S105 - a path
_MAX_BYTES = 4_000_000
_EARLY_SECS = 300.0
"""A token is given up so long before its end."""
_TOKEN_SECS = 3_600.0
"""What a token is taken to last where Trustpilot does not say."""


class Declined(Exception):
    """Trustpilot answered that it will not: its status, and its words for a person."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words


class Api:
    """Requests as one application. Each raises SourceUnavailable, or Declined. For one thread at a time."""

    def __init__(self, base: str, key: SecretStr, secret: SecretStr, timeout_secs: float, clock: Clock) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self._secret = secret
        self._timeout = timeout_secs
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._token: SecretStr | None = None
        self._token_ends = 0.0
        self.pace = Pace(clock, Window(833, 300, SHORT), Window(10_000, 3_600, LONG))

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON at `path`, below `v1/private/`."""
        return self._json(self._authorized("GET", f"{path}?{urlencode(params)}" if params else path))

    def post(self, path: str, body: Mapping[str, str]) -> None:
        """Hand in this JSON; what is answered to it is of no interest."""
        self._authorized("POST", path, msgspec.json.encode(body))

    def delete(self, path: str) -> None:
        """Delete what is at `path`."""
        self._authorized("DELETE", path)

    def close(self) -> None:
        """Free the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _authorized(self, method: str, path: str, content: bytes = b"") -> Answer:
        had_token = self._token is not None
        try:
            return self._once(method, path, content)
        except Declined as refusal:
            if refusal.status != 401 or not had_token:
                raise
        self._token = None  # it was taken back before its time: once more with a new one
        return self._once(method, path, content)

    def _once(self, method: str, path: str, content: bytes) -> Answer:
        if self._token is None or self._clock.monotonic() >= self._token_ends:
            self._token = self._new_token()
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        if content:
            headers["Content-Type"] = "application/json"
        return self._send(method, f"v1/private/{path}", headers, content)

    def _new_token(self) -> SecretStr:
        pair = f"{self._key.get_secret_value()}:{self._secret.get_secret_value()}"
        headers = {
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self._send("POST", _TOKEN, headers, b"grant_type=client_credentials").json
        token, lasts = answer.get("access_token"), str(answer.get("expires_in"))
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceUnavailable("Trustpilot gives no token", trouble="http")
        seconds = float(lasts) if lasts.isascii() and lasts.isdigit() and len(lasts) < 9 else _TOKEN_SECS
        self._token_ends = self._clock.monotonic() + max(0.0, seconds - _EARLY_SECS)
        return SecretStr(token)

    def _send(self, method: str, path: str, headers: Mapping[str, str], content: bytes) -> Answer:
        self.pace.claim("Trustpilot")
        if self._client is None:
            self._client = httpx2.Client()
        answer = exchange(
            self._client,
            method,
            f"{self._base}/{path}",
            headers={"Accept": "application/json", "User-Agent": "harken", **headers},
            content=content,
            timeout_secs=self._timeout,
            read_at_most=_MAX_BYTES,
        )
        if 200 <= answer.status < 300:
            return answer
        words = said(answer, self._hidden)
        wait = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        if answer.status == 429:
            raise SourceUnavailable(
                f"Trustpilot takes no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        if 300 <= answer.status < 500 and answer.status != 408:
            raise Declined(answer.status, words)
        raise SourceUnavailable(f"Trustpilot answered {answer.status}: {words}", trouble="http", retry_after=wait)

    @property
    def _hidden(self) -> list[str]:
        held = [self._key, self._secret, *([self._token] if self._token else [])]
        return [secret.get_secret_value() for secret in held]

    def _json(self, answer: Answer) -> Any:
        if len(answer.body) >= _MAX_BYTES:
            raise SourceUnavailable(f"Trustpilot's answer is over {_MAX_BYTES:,} bytes", trouble="http")
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceUnavailable("Trustpilot answered something that is not JSON", trouble="http") from error
