"""Reddit's API through praw, every request bounded and every fault turned into one of ours.

What is praw's: the tokens (client credentials, or an account's by a script app), the session and the paths. What is
replaced, because of what praw 8 and prawcore 4 do there: a request that failed is sent again up to twice, a POST
included, so that a comment whose answer got lost is there three times; waits for the rate limit and between attempts
are slept through, up to ten minutes; an answer may be of any size; and one item that praw cannot shape fails a page.
So the requests are made here, the rate limit is kept with our clock, and what comes back is left as JSON.

Limits, from support.reddithelp.com (Reddit Data API Wiki): 100 queries a minute for each OAuth client id, averaged over
10 minutes; `X-Ratelimit-Used`, `-Remaining` and `-Reset` (seconds) say where one stands.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import praw
import prawcore
import requests
import urllib3
from praw.exceptions import PRAWException
from pydantic import SecretStr

from connectors._exchange import plain
from connectors._http import retry_after
from connectors._pace import Pace, Window
from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock, Usage

_A_MINUTE = 100
"""Queries a minute."""
_MAX_BYTES = 20_000_000
"""Of one answer: a hundred posts of 40,000 characters, each twice (Markdown and HTML), are less."""
_LONGEST_WAIT_SECS = 3_600.0
_LIMITS = ("x-ratelimit-used", "x-ratelimit-remaining", "x-ratelimit-reset")


class Declined(Exception):
    """Reddit answered that it will not: its status, and its words for a person."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.words = words


class _Requestor(prawcore.Requestor):
    """prawcore's, with our limits; `answered` sees every answer before prawcore does, and may raise."""

    def __init__(self, *, answered: Callable[[requests.Response], None], patience: float, **settings: Any) -> None:
        super().__init__(timeout=patience, **settings)
        self._answered = answered

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:  # noqa: ARG002 - prawcore's own
        """One request, once; no longer than twice the patience."""
        until = time.monotonic() + self.timeout
        kwargs["headers"] = {**(kwargs.get("headers") or {}), "Connection": "close"}
        kwargs |= {"timeout": self.timeout, "stream": True, "allow_redirects": False}
        kwargs.setdefault("auth", lambda request: request)  # or requests would put a .netrc entry over our token
        body = bytearray()
        try:
            response = self._http.request(*args, **kwargs)
            for chunk in response.raw.stream(65_536, decode_content=True):
                body += chunk
                if len(body) > _MAX_BYTES:
                    response.close()
                    raise SourceUnavailable(f"Reddit's answer is over {_MAX_BYTES:,} bytes", trouble="http")
                if time.monotonic() > until:
                    response.close()
                    raise SourceUnavailable(f"no whole answer of Reddit within {self.timeout:g} seconds")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceUnavailable(f"Reddit cannot be reached ({type(error).__name__})") from error
        response.close()
        response.raw = io.BytesIO(body)
        self._answered(response)
        for name in _LIMITS:  # or prawcore would sleep by them
            response.headers.pop(name, None)
        return response


class Api:
    """The calls we make. Each raises SourceUnavailable, or Declined. For one thread at a time."""

    def __init__(
        self,
        app: Mapping[str, str],
        secrets: Mapping[str, SecretStr],
        timeout_secs: float,
        clock: Clock,
    ) -> None:
        """`app` holds what praw.Reddit takes and may be seen, `secrets` what may not."""
        self._app = dict(app)
        self._secrets = dict(secrets)
        self._timeout = timeout_secs
        self._clock = clock
        self._praw: praw.Reddit | None = None
        self._pace = Pace(clock, Window(_A_MINUTE, 60.0))

    def get(self, path: str, params: Mapping[str, str | int]) -> Any:
        """The JSON at `path`."""
        return self._call("GET", path, params=dict(params))

    def post(self, path: str, data: Mapping[str, str]) -> Any:
        """What Reddit answers to a form."""
        return self._call("POST", path, data=dict(data))

    def ready_in(self, reserve: int = 0) -> float:
        """Seconds until another request is allowed; `reserve` requests of the window are left to others."""
        return min(self._pace.ready_in(reserve), _LONGEST_WAIT_SECS)

    @property
    def usage(self) -> tuple[Usage, ...]:
        """How much is used: of the window that Reddit speaks of, or of a minute as counted here."""
        return self._pace.usage

    def _call(self, method: str, path: str, **kwargs: Any) -> Any:
        if wait := self.ready_in():
            raise SourceUnavailable("Reddit allows no more requests for now", trouble="rate_limited", retry_after=wait)
        had_token = self._praw is not None
        try:
            return self._request(method, path, **kwargs)
        except Declined as refusal:
            if refusal.status != 401 or not had_token:
                raise
        self._praw = None  # the token was taken back before its time: once more with a new one
        return self._request(method, path, **kwargs)

    def _request(self, method: str, path: str, **kwargs: Any) -> Any:
        self._praw = self._praw or self._client()
        try:
            return self._praw.request(method=method, path=path, **kwargs)
        except prawcore.OAuthException as error:  # 200, with an error in it
            self._praw = None
            raise Declined(401, plain(f"{error.error} {error.description or ''}", self.hidden)) from None
        except (PRAWException, prawcore.PrawcoreException) as error:
            raise SourceUnavailable(
                f"Reddit answered something unreadable ({type(error).__name__})", trouble="http"
            ) from None
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:  # of a token or an error
            raise SourceUnavailable(
                f"Reddit answered something unreadable ({type(error).__name__})", trouble="http"
            ) from None

    def _client(self) -> praw.Reddit:
        # Everything praw would else take from praw.ini in the working directory, or from the environment, is given.
        nothing = dict.fromkeys(("client_secret", "password", "redirect_uri", "refresh_token", "username"))
        hidden = {name: secret.get_secret_value() for name, secret in self._secrets.items()}
        return praw.Reddit(
            "DEFAULT",
            requestor_class=_Requestor,
            requestor_kwargs={"answered": self._answered, "patience": self._timeout},
            check_for_updates=False,
            check_for_async=False,
            **nothing | self._app | hidden,
        )

    def _answered(self, response: requests.Response) -> None:
        self._pace.spent()
        used, remaining, reset = (_number(response.headers.get(name)) for name in _LIMITS)
        if used is not None and remaining is not None and reset is not None:
            self._pace.told(remaining, min(reset, _LONGEST_WAIT_SECS), used + remaining)
        status = response.status_code
        if status in (200, 201, 202):
            _whole(response)
            return
        words = _words(response, self.hidden)
        if status == 429:
            wait = retry_after(response.headers.get("retry-after", ""), self._clock.now())
            wait = wait if wait is not None else reset
            raise SourceUnavailable(
                f"Reddit allows no more requests for now: {words}",
                trouble="rate_limited",
                retry_after=None if wait is None else min(wait, _LONGEST_WAIT_SECS),
            )
        if 300 <= status < 500 and status != 408:
            raise Declined(status, words)
        raise SourceUnavailable(f"Reddit answered {status}: {words}", trouble="http")

    @property
    def hidden(self) -> list[str]:
        """What may be in no message."""
        return [secret.get_secret_value() for secret in self._secrets.values()]


def _whole(response: requests.Response) -> None:
    """Raise where the body is not UTF-8: requests would put question marks in the place of what is spoilt."""
    try:
        response.content.decode()
    except UnicodeDecodeError as error:
        raise SourceUnavailable("Reddit's answer is not UTF-8", trouble="http") from error


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


def _words(response: requests.Response, hide: list[str]) -> str:
    """What an error's body says, on one line."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return response.reason or "no reason"
    told = [body.get("explanation") or body.get("message"), body.get("reason")]
    return plain(" - ".join(str(part) for part in told if part), hide) or response.reason or "no reason"
