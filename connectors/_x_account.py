"""One account on X, and every call made in its name: signed by OAuth 1.0a, bounded in time, its faults ours.

Statuses and limits: docs.x.com/x-api/fundamentals/rate-limits. A 429 names its end in `x-rate-limit-reset` or, for a
day's limit, `x-user-limit-24hour-reset` and `x-app-limit-24hour-reset`, in seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import requests
import tweepy
import urllib3
from pydantic import Field, SecretStr, field_validator

from connectors._exchange import Answer, plain, said, until
from connectors._x_api import SendsThrough, read_whole
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.ports import Clock, Secret, Settings

_LONGEST_WAIT_SECS = 24 * 3_600.0
_LIMITS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")


class Reply(Settings):
    """The account that answers: its handle, the application's key and secret, the account's access token and its
    secret, with the right to write; the contract (`tier`), which decides whom X lets it answer; and whether pictures
    may be fetched from inside the private network."""

    handle: str = Field(pattern=r"^@?[A-Za-z0-9_]{1,15}$")
    consumer_key: Secret
    consumer_secret: Secret
    access_token: Secret
    access_token_secret: Secret
    tier: Literal["self_serve", "enterprise"] = "self_serve"
    private_pictures: bool = False

    @field_validator("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    @classmethod
    def _one_word(cls, secret: SecretStr) -> SecretStr:
        value = secret.get_secret_value()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("a key or token is one word of printable ASCII")
        return secret

    @field_validator("access_token")
    @classmethod
    def _names_its_user(cls, token: SecretStr) -> SecretStr:
        if not re.match(r"[0-9]{1,19}-", token.get_secret_value(), re.ASCII):
            raise ValueError("an access token of OAuth 1.0a begins with the account's id and a hyphen (12345-…)")
        return token

    @property
    def user_id(self) -> str:
        """The account's id."""
        return self.access_token.get_secret_value().partition("-")[0]


class Duplicate(ReplyRefused):
    """X has just been given this text."""


class _Client(SendsThrough, tweepy.Client):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's client, sending through `send`."""

    def __init__(self, send: Callable[..., requests.Response]) -> None:
        super().__init__(return_type=dict)
        self._send = send


class SignedAccount:
    """Calls X as the account in `reply`. `client` is tweepy's, for `call`."""

    def __init__(self, reply: Reply, api_base: str, timeout_secs: float, clock: Clock) -> None:
        self._reply = reply
        self._base = api_base.rstrip("/")
        self._timeout = timeout_secs
        self._clock = clock
        self.client = _Client(self.send)

    def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The answer of one of the client's methods; raises ReplyRefused or SourceUnavailable."""
        return _object(lambda: method(*args, **kwargs))

    def ask(self, method: str, route: str, **request: Any) -> dict[str, Any]:
        """The answer to a request of our own making (`params`, `json`, `data`, `files`)."""
        return _object(lambda: self.send(method, route, **request).json())

    def send(
        self,
        method: str,
        route: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> requests.Response:
        """Sign and send; every call comes through here."""
        auth = tweepy.OAuth1UserHandler(
            self._reply.consumer_key.get_secret_value(),
            self._reply.consumer_secret.get_secret_value(),
            self._reply.access_token.get_secret_value(),
            self._reply.access_token_secret.get_secret_value(),
        )
        try:
            response: requests.Response = self.client.session.request(
                method,
                self._base + route,
                params=params,
                json=json,
                data=data,
                files=files,
                headers={"Connection": "close", "User-Agent": self.client.user_agent},
                auth=auth.apply_auth(),
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            )
            read_whole(response, self._timeout)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceUnavailable(f"X cannot be reached ({type(error).__name__})") from error
        if 200 <= response.status_code < 300:
            return response
        raise self._fault(response)

    def _fault(self, response: requests.Response) -> Exception:
        status = response.status_code
        headers = {name.lower(): value for name, value in response.headers.items()}
        words = said(Answer(status, headers, _explained(response)), self._secrets())
        if status == 429:
            return SourceUnavailable(
                f"X allows no more requests for now: {words}", trouble="rate_limited", retry_after=self._wait(headers)
            )
        if status == 401:
            return ReplyRefused(f"X does not accept this account's tokens: {words}")
        if status == 403 and "duplicate" in words.lower():
            return Duplicate(f"X refuses the answer: {words}")
        if status == 402 or status == 408 or not 400 <= status < 500:  # 402: the credits are used up
            return SourceUnavailable(f"X answered {status}: {words}", trouble="http")
        return ReplyRefused(f"X refuses the answer: {words}")

    def _wait(self, headers: dict[str, str]) -> float | None:
        """Until the last of the limits that are used up ends."""
        spent = [limit for limit in _LIMITS if headers.get(f"{limit}-remaining", "0") == "0"]
        now = self._clock.now()
        waits = [until(headers.get(f"{limit}-reset", ""), now, _LONGEST_WAIT_SECS) for limit in spent]
        return max((wait for wait in waits if wait is not None), default=None)

    def _secrets(self) -> list[str]:
        reply = self._reply
        secrets = (reply.consumer_key, reply.consumer_secret, reply.access_token, reply.access_token_secret)
        return [secret.get_secret_value() for secret in secrets]


def _object(request: Callable[[], Any]) -> dict[str, Any]:
    try:
        answer = request()
    except requests.JSONDecodeError as error:
        raise SourceUnavailable("X answered with something other than JSON", trouble="http") from error
    if not isinstance(answer, dict):
        raise SourceUnavailable("X answered with something other than an object", trouble="http")
    return answer


def _explained(response: requests.Response) -> bytes:
    """The body; where it lists errors, what it says above them and their messages as one."""
    body = Answer(response.status_code, body=response.content).json
    errors = body.get("errors")
    told = [
        str(error.get("detail") or error.get("message") or "")
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict)
    ]
    if not any(told):
        return response.content
    above = body.get("detail")
    return plain("; ".join(filter(None, [above if isinstance(above, str) else "", *told]))).encode()
