"""Meta's Graph API (developers.facebook.com/docs/graph-api, /docs/threads): one network, some accounts, every request
bounded and every fault one of ours.

What is used of an allowance comes with the answers, in percent: `X-App-Usage` (call_count, total_time, total_cputime)
and, for each business, `X-Business-Use-Case-Usage` with `estimated_time_to_regain_access` in minutes. Over the limit
the error's code is 4, 17, 32, 341, 613 or 80000 to 80014 (Graph API, Rate Limits; Handle Errors). Threads has besides
2,200 queries in 24 hours, which are counted here.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import httpx2
import msgspec
from pydantic import Field, SecretStr

from connectors._exchange import Answer, exchange, plain
from connectors._http import retry_after
from connectors._pace import Pace, Window
from connectors._pictures import Picture
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock, Secret, Settings, Usage

Network = Literal["facebook", "instagram", "threads"]

HOSTS: Mapping[Network, str] = {
    "facebook": "https://graph.facebook.com",
    "instagram": "https://graph.facebook.com",
    "threads": "https://graph.threads.net",
}
VERSIONS: Mapping[Network, str] = {"facebook": "v24.0", "instagram": "v24.0", "threads": "v1.0"}

_MAX_BYTES = 2_000_000
"""Of one answer: 100 comments of 8,000 characters are less."""
_LIMITED = frozenset({4, 17, 32, 341, 613, *range(80_000, 80_015)})
_LATER = frozenset({1, 2})
_TOKEN = frozenset({102, 190})
_GONE = ((100, 33), (803, 0))
_THREADS_A_DAY = Window(2_200, 86_400, "queries a day")

_ID = re.compile(r"\d{1,30}(_\d{1,30})?", re.ASCII)


def is_id(text: str) -> bool:
    """Whether it can be an id of an account, a post or a comment: only such a one stands in an address."""
    return _ID.fullmatch(text) is not None


class Account(Settings):
    """A page, an Instagram account or a Threads profile: its id, and the token by which it let the app act for it."""

    id: str = Field(pattern=r"^[0-9]{1,30}$")
    access_token: Secret = Field(min_length=1)


class Declined(Exception):
    """Meta answered that it will not: its error's code and words for a person."""

    def __init__(self, status: int, code: int, subcode: int, words: str) -> None:
        super().__init__(f"{status} (code {code}): {words}")
        self.status = status
        self.code = code
        self.words = words
        self.gone = (code, subcode) in _GONE
        """It is not there, or this account may not see it."""
        self.token = code in _TOKEN or status == 401
        """The token is not taken."""


class Graph:
    """Requests as one of the accounts. Each raises SourceUnavailable, or Declined. For any thread."""

    def __init__(
        self,
        network: Network,
        base: str,
        accounts: Sequence[Account],
        app_secret: SecretStr,
        verify_token: SecretStr,
        timeout_secs: float,
        clock: Clock,
    ) -> None:
        self._base = base
        self._tokens = {account.id: account.access_token for account in accounts}
        self._secret = app_secret
        self._verify_token = verify_token
        self._proven = network != "threads"
        self._timeout = timeout_secs
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()
        self._pace = Pace(clock, *((_THREADS_A_DAY,) if network == "threads" else ()))
        self._percent: dict[str, Usage] = {}

    def get(self, account: str, path: str, **params: str) -> dict[str, Any]:
        """The object at `path` (`123`, `123/comments`)."""
        return self._call("GET", account, path, params)

    def post(self, account: str, path: str, **params: str) -> dict[str, Any]:
        """What Meta answers to this form."""
        return self._call("POST", account, path, params)

    def upload(self, account: str, path: str, picture: Picture, **params: str) -> dict[str, Any]:
        """What Meta answers to this form with a picture, its part `source` (multipart/form-data, RFC 7578)."""
        return self._call("POST", account, path, params, picture)

    def close(self) -> None:
        """Free the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def hidden(self) -> list[str]:
        """What may be in no message."""
        return [secret.get_secret_value() for secret in (self._secret, self._verify_token, *self._tokens.values())]

    @property
    def usage(self) -> tuple[Usage, ...]:
        """How much of its allowances is used, as far as answers told it."""
        with self._lock:
            return (*self._percent.values(), *self._pace.usage)

    def _call(
        self, method: str, account: str, path: str, params: Mapping[str, str], picture: Picture | None = None
    ) -> dict[str, Any]:
        token = self._tokens[account].get_secret_value()
        params = {**params, **({"appsecret_proof": self._proof(token)} if self._proven else {})}
        url = f"{self._base}/{path}"
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "harken"}
        content = b""
        if method == "GET":
            url += f"?{urlencode(params)}"
        elif picture is None:
            content = urlencode(params).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            file = {"source": (picture.name, picture.content, picture.type)}
            form = httpx2.Request("POST", url, data=params, files=file)
            content, headers["Content-Type"] = form.read(), form.headers["content-type"]
        with self._lock:
            self._pace.claim("Meta")
            client = self._client = self._client or httpx2.Client(trust_env=False)
        answer = exchange(
            client,
            method,
            url,
            headers=headers,
            content=content,
            timeout_secs=self._timeout,
            read_at_most=_MAX_BYTES,
        )
        wait = self._heard(answer)
        if answer.status == 200 and "error" not in answer.json:
            return self._read(answer)
        raise self._fault(answer, wait)

    def _proof(self, token: str) -> str:
        """`appsecret_proof`, which an app can be set to require (Securing Graph API Requests)."""
        return hmac.new(self._secret.get_secret_value().encode(), token.encode(), hashlib.sha256).hexdigest()

    def _heard(self, answer: Answer) -> float | None:
        """Note what is used, and return for how long nothing more is allowed, in seconds."""
        found: dict[str, float] = {}
        minutes = 0.0
        app = _object(answer.headers.get("x-app-usage", ""))
        if shares := _shares(app):
            found["app usage in percent"] = max(shares)
        for cases in _object(answer.headers.get("x-business-use-case-usage", "")).values():
            for case in cases if isinstance(cases, list) else ():
                if isinstance(case, dict) and (shares := _shares(case)):
                    unit = f"{plain(str(case.get('type') or 'business'))[:40]} usage in percent"
                    found[unit] = max(found.get(unit, 0.0), *shares)
                    minutes = max([minutes, *_numbers(case.get("estimated_time_to_regain_access"))])
        with self._lock:
            self._percent |= {unit: Usage(unit, used, 100.0) for unit, used in found.items() if len(self._percent) < 20}
        named = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        return named if named is not None else 60 * minutes or None

    def _read(self, answer: Answer) -> dict[str, Any]:
        if len(answer.body) >= _MAX_BYTES:
            raise SourceUnavailable(f"Meta's answer is over {_MAX_BYTES:,} bytes", trouble="http")
        if not answer.json and answer.body.strip() != b"{}":
            raise SourceUnavailable("Meta answered something that is not a JSON object", trouble="http")
        return answer.json

    def _fault(self, answer: Answer, wait: float | None) -> Exception:
        said = answer.json.get("error")
        error = said if isinstance(said, dict) else {}
        code, subcode = (_whole(error.get(name)) for name in ("code", "error_subcode"))
        words = plain(str(error.get("error_user_msg") or error.get("message") or ""), self.hidden)
        words = words or f"status {answer.status}"
        if answer.status == 429 or code in _LIMITED:
            return SourceUnavailable(
                f"Meta takes no more requests for now: {words}", trouble="rate_limited", retry_after=wait
            )
        # Without an error of the Graph API somebody between us and Meta has answered.
        passing = not error or answer.status >= 500 or answer.status == 408 or error.get("is_transient") is True
        if passing or code in _LATER:
            return SourceUnavailable(f"Meta answered {answer.status}: {words}", trouble="http", retry_after=wait)
        return Declined(answer.status, code, subcode, words)


def _object(header: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(header) if len(header) < 20_000 else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shares(usage: Mapping[str, Any]) -> list[float]:
    return [share for name in ("call_count", "total_time", "total_cputime") for share in _numbers(usage.get(name))]


def _numbers(value: object) -> list[float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return []
    return [float(value)] if math.isfinite(value) and value >= 0 else []


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
