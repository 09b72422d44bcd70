"""YouTube's Data API v3 through google-api-python-client, every request bounded and every fault turned into ours.

What is the client's: the methods and parameters (from the discovery document that it carries: nothing is fetched for
it), and an account's tokens. What is replaced is its transport, httplib2, whose answers may take and weigh anything,
which follows redirects, and which google-auth retries with pauses it sleeps through. The key goes in a header
(`X-Goog-Api-Key`), since the client logs addresses.

Errors, from developers.google.com/youtube/v3/docs/errors: `error.errors[].reason` says what is the matter;
`quotaExceeded` that the day's units are used up.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import google_auth_httplib2  # type: ignore[import-untyped]  # it ships no types
import httplib2  # type: ignore[import-untyped]  # it ships no types
import httpx2
import msgspec
from google.auth.exceptions import GoogleAuthError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build  # type: ignore[import-untyped]  # it ships no types
from googleapiclient.errors import Error  # type: ignore[import-untyped]  # it ships no types
from pydantic import SecretStr

from connectors._exchange import plain
from connectors._http import retry_after
from connectors._youtube_quota import resets
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock

_MAX_BYTES = 20_000_000
_SCOPE = "https://www.googleapis.com/auth/youtube.force-ssl"
_QUOTA = ("quotaExceeded", "dailyLimitExceeded")
_HASTE = ("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED")


class Declined(Exception):
    """YouTube answered that it will not: its status, its word for it (`commentsDisabled`), its words for a person."""

    def __init__(self, status: int, reason: str, words: str) -> None:
        super().__init__(f"{status} {reason}: {words}")
        self.status = status
        self.reason = reason
        self.words = words


class Exhausted(SourceUnavailable):
    """The day's units are used up."""


class Account(msgspec.Struct, frozen=True):
    """Who writes: an OAuth client and the account's refresh token."""

    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    token_uri: str


class Api:
    """The calls we make, with a key or as an account. For one thread at a time."""

    def __init__(
        self, base: str, timeout_secs: float, clock: Clock, *, key: SecretStr, account: Account | None
    ) -> None:
        self._base = base
        self._clock = clock
        self._key = key
        self._account = account
        self._transport = _Transport(timeout_secs, self)
        self._service: Any = None

    def call(self, resource: str, method: str, **params: Any) -> dict[str, Any]:
        """The answer of `resource.method`; raises SourceUnavailable (Exhausted), or Declined."""
        fresh = self._service is None
        try:
            return self._call(resource, method, params)
        except Declined as refusal:
            if refusal.status != 401 or fresh or self._account is None:
                raise
        self._service = None  # the token was taken back before its time: once more with a new one
        return self._call(resource, method, params)

    def close(self) -> None:
        """Close what is open."""
        self._transport.close()

    @property
    def hidden(self) -> list[str]:
        """What may be in no message."""
        secrets = [self._key]
        if self._account is not None:
            secrets += [self._account.client_secret, self._account.refresh_token]
        return [secret.get_secret_value() for secret in secrets]

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request carries."""
        return {} if self._account is not None else {"x-goog-api-key": self._key.get_secret_value()}

    def _call(self, resource: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        trouble = ""
        try:
            self._service = self._service or self._built()
            answer = getattr(getattr(self._service, resource)(), method)(**params).execute()
        except (Error, ValueError, TypeError, LookupError, AttributeError, RecursionError, GoogleAuthError) as error:
            trouble = type(error).__name__  # its text may hold what was sent
        if trouble:
            raise SourceUnavailable(f"YouTube answered something unreadable ({trouble})", trouble="http")
        if answer == "" or answer is None:  # 204
            return {}
        if not isinstance(answer, dict):
            raise SourceUnavailable("YouTube answered something other than an object", trouble="http")
        return answer

    def _built(self) -> Any:
        http: Any = self._transport
        if (account := self._account) is not None:
            credentials = Credentials(  # type: ignore[no-untyped-call]  # google-auth's constructor has no types
                None,
                refresh_token=account.refresh_token.get_secret_value(),
                token_uri=account.token_uri,
                client_id=account.client_id,
                client_secret=account.client_secret.get_secret_value(),
                scopes=[_SCOPE],
            )
            http = google_auth_httplib2.AuthorizedHttp(credentials, http=self._transport)
        return build(
            "youtube",
            "v3",
            http=http,
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": self._base},
        )

    def answered(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise what an answer other than a success means."""
        if 200 <= status < 300:
            return
        reason, words = _said(body, self.hidden)
        words = words or reason or f"status {status}"
        now = self._clock.now()
        if reason in _QUOTA:
            raise Exhausted(
                f"YouTube's units for today are used up: {words}",
                trouble="rate_limited",
                retry_after=(resets(now) - now).total_seconds(),
            )
        if status == 429 or reason in _HASTE:
            wait = retry_after(headers.get("retry-after", ""), now)
            raise SourceUnavailable(
                f"YouTube allows no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        if 300 <= status < 500 and status != 408:
            raise Declined(status, reason, words)
        raise SourceUnavailable(f"YouTube answered {status}: {words}", trouble="http")


class _Transport:
    """In the place of an httplib2.Http: one request, once, bounded in time and size."""

    def __init__(self, timeout_secs: float, api: Api) -> None:
        self._timeout = timeout_secs
        self._api = api
        self._client: httpx2.Client | None = None

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> tuple[Any, bytes]:
        """What httplib2 would answer; an answer other than a success is raised."""
        client = self._client = self._client or httpx2.Client(verify=_trust())
        until = time.monotonic() + self._timeout
        read = bytearray()
        content = body.encode() if isinstance(body, str) else body or b""
        sent = {**(headers or {}), **self._api.headers, "connection": "close"}
        sent.pop("content-length", None)  # httpx2 counts for itself
        try:
            with client.stream(
                method, uri, headers=sent, content=content, timeout=self._timeout, follow_redirects=False
            ) as response:
                for chunk in response.iter_bytes(65_536):
                    read += chunk
                    if len(read) > _MAX_BYTES:
                        raise SourceUnavailable(f"YouTube's answer is over {_MAX_BYTES:,} bytes", trouble="http")
                    if time.monotonic() > until:
                        raise SourceUnavailable(f"no whole answer of YouTube within {self._timeout:g} seconds")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise SourceUnavailable(f"YouTube cannot be reached ({type(error).__name__})") from None
        status, found = response.status_code, dict(response.headers)
        self._api.answered(status, found, bytes(read))
        return httplib2.Response({**found, "status": str(status)}), bytes(read)


@cache
def _trust() -> ssl.SSLContext:
    """Whom httpx2 trusts by default, read once: it takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _said(body: bytes, hide: list[str]) -> tuple[str, str]:
    """YouTube's word for an error and its message, on one line; of the token's server `error` and its description."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", ""
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, str):
        return plain(error, hide), plain(f"{error}: {told.get('error_description') or ''}".rstrip(": "), hide)
    if not isinstance(error, dict):
        return "", ""
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return plain(str(first.get("reason") or error.get("status") or ""), hide), plain(
        str(error.get("message") or ""), hide
    )
