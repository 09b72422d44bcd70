"""Google's Play Developer API, v3 (developers.google.com/android-publisher/reply-to-reviews): a service account, every
request bounded and every fault one of ours.

A service account signs a request for a token that is good for an hour (RS256; developers.google.com/identity/protocols/
oauth2/service-account, RFC 7523). For each app 200 GET requests an hour and 2,000 POST requests a day are allowed
("Reply to Reviews", Quotas); what is left is never told, so they are counted here. Beyond it 429, or 403 with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from msgspec import Struct

from connectors._exchange import Answer, exchange, plain
from connectors._http import retry_after
from connectors._pace import Pace, Window
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock

GETS_AN_HOUR = 200
REPLIES_A_DAY = 2_000

_SCOPE = "https://www.googleapis.com/auth/androidpublisher"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TOKEN_SECS = 3_600
_RENEWED_SECS = 120.0
_MAX_BYTES = 8_000_000
"""Of one answer: 100 reviews with all they say about a device are less."""
_HASTE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})


class ServiceAccount(Struct, frozen=True):
    """What stands in the key file of a service account, as far as it is needed."""

    client_email: str
    private_key: str
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


def service_account(content: str) -> ServiceAccount:
    """The key in a key file's content; raises ValueError, without saying what stands there."""
    account = None
    try:
        account = msgspec.json.decode(content, type=ServiceAccount)
        private = RSAKey.import_key(account.private_key).is_private
    except (msgspec.MsgspecError, ValueError, TypeError, JoseError):
        private = False
    if account is None or not private:
        raise ValueError("not the key file of a service account: JSON with client_email and private_key")
    uri = httpx2.URL(account.token_uri)
    if uri.scheme != "https" and (uri.scheme != "http" or uri.host not in ("127.0.0.1", "localhost")):
        raise ValueError("the key file's token_uri is not https")
    return account


class Declined(Exception):
    """Google answered that it will not: its status and words; `key` says that it was about the service account."""

    def __init__(self, status: int, words: str, key: bool = False) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words
        self.key = key or status == 401


class Api:
    """Requests as one service account. Each raises SourceUnavailable, or Declined. For one thread at a time."""

    def __init__(
        self, base: str, account: ServiceAccount, timeout_secs: float, clock: Clock, gets_an_hour: int = GETS_AN_HOUR
    ) -> None:
        self._base = f"{base.rstrip('/')}/androidpublisher/v3/applications"
        self._account = account
        self._timeout = timeout_secs
        self._clock = clock
        self._gets_an_hour = gets_an_hour
        self._client: httpx2.Client | None = None
        self._token = ""
        self._token_until = 0.0
        self._paces: dict[tuple[str, str], Pace] = {}

    def pace(self, app: str) -> Pace:
        """What is asked about one app."""
        return self._pace(app, "GET")

    def list(self, app: str, token: str, most: int) -> dict[str, Any]:
        """A page of an app's reviews."""
        asked = {"maxResults": str(most)} | ({"token": token} if token else {})
        return self._call("GET", app, f"reviews?{urlencode(asked)}")

    def get(self, app: str, review: str) -> dict[str, Any]:
        """One review."""
        return self._call("GET", app, f"reviews/{quote(review, safe='')}")

    def reply(self, app: str, review: str, text: str) -> dict[str, Any]:
        """What Google answers to the reply."""
        content = msgspec.json.encode({"replyText": text})
        return self._call("POST", app, f"reviews/{quote(review, safe='')}:reply", content)

    def close(self) -> None:
        """Free the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _pace(self, app: str, method: str) -> Pace:
        if (app, method) not in self._paces:
            window = (
                Window(self._gets_an_hour, 3_600, f"{app} requests an hour")
                if method == "GET"
                else Window(REPLIES_A_DAY, 86_400, f"{app} replies a day")
            )
            self._paces[app, method] = Pace(self._clock, window)
        return self._paces[app, method]

    def _call(self, method: str, app: str, path: str, content: bytes = b"") -> dict[str, Any]:
        self._pace(app, method).claim("Google Play")
        url = f"{self._base}/{quote(app, safe='')}/{path}"
        fresh = not self._token
        type = "application/json" if content else ""
        answer = self._exchange(method, url, content, type, f"Bearer {self._access()}")
        if answer.status == 401 and not fresh:  # taken back before its time: once more with a new one
            self._token = ""
            answer = self._exchange(method, url, content, type, f"Bearer {self._access()}")
        if 200 <= answer.status < 300:
            return self._read(answer)
        if answer.status == 401:
            self._token = ""
        raise self._fault(answer)

    def _access(self) -> str:
        """A token that is good for a while yet."""
        if self._token and self._clock.monotonic() < self._token_until:
            return self._token
        now, account = int(self._clock.now().timestamp()), self._account
        claims: dict[str, Any] = {"iss": account.client_email, "scope": _SCOPE, "aud": account.token_uri}
        claims |= {"iat": now, "exp": now + _TOKEN_SECS}
        assertion = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, RSAKey.import_key(account.private_key))
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        answer = self._exchange("POST", account.token_uri, form, "application/x-www-form-urlencoded")
        if answer.status != 200:
            raise self._fault(answer, key=answer.status in (400, 401, 403))
        token, secs = answer.json.get("access_token"), answer.json.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            raise SourceUnavailable("Google gave no token", trouble="http")
        good = float(secs) if isinstance(secs, int) and not isinstance(secs, bool) else _TOKEN_SECS
        self._token, self._token_until = token, self._clock.monotonic() + max(0.0, good - _RENEWED_SECS)
        return token

    def _exchange(self, method: str, url: str, content: bytes, type: str, authorization: str = "") -> Answer:
        if self._client is None:
            self._client = httpx2.Client(trust_env=False)
        headers = {"Accept": "application/json", "User-Agent": "harken"}
        return exchange(
            self._client,
            method,
            url,
            headers=headers
            | ({"Content-Type": type} if type else {})
            | ({"Authorization": authorization} if authorization else {}),
            content=content,
            timeout_secs=self._timeout,
            read_at_most=_MAX_BYTES,
        )

    def _read(self, answer: Answer) -> dict[str, Any]:
        if len(answer.body) >= _MAX_BYTES:
            raise SourceUnavailable(f"Google Play's answer is over {_MAX_BYTES:,} bytes", trouble="http")
        if not answer.json and answer.body.strip() != b"{}":  # an app without reviews is an empty object
            raise SourceUnavailable("Google Play answered something that is not a JSON object", trouble="http")
        return answer.json

    def _fault(self, answer: Answer, key: bool = False) -> Exception:
        reason, words = _said(answer, [self._token, self._account.private_key])
        wait = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        if answer.status == 429 or reason in _HASTE:
            return SourceUnavailable(
                f"Google Play takes no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        if 300 <= answer.status < 500 and answer.status != 408:
            return Declined(answer.status, words, key)
        return SourceUnavailable(f"Google Play answered {answer.status}: {words}", trouble="http", retry_after=wait)


def _said(answer: Answer, hide: list[str]) -> tuple[str, str]:
    """Google's word for an error and its message; of the token's server `error` and its description."""
    error: object = answer.json.get("error")
    if isinstance(error, str):
        return error[:60], plain(f"{error}: {answer.json.get('error_description') or ''}".rstrip(": "), hide)
    error = error if isinstance(error, Mapping) else {}
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    words = plain(str(error.get("message") or ""), hide) or f"status {answer.status}"
    return str(first.get("reason") or "")[:60], words
