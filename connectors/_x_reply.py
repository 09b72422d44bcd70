"""Answers on X: POST /2/tweets of API v2 through tweepy, as the account whose tokens (OAuth 1.0a) are given.

X knows no idempotency key. So before anything is posted, the account's newest posts since the one to be answered (GET
/2/users/:id/tweets, 100 at most) are looked through for this answer to this post, and found it is not posted again. X
itself refuses a text it has just been given (403, `duplicate content`): then they are looked through once more. What is
left: a reply that X took without our hearing of it, that an attempt within seconds does not find yet, and that X does
not recognise either, is posted twice.

Limits, from docs.x.com/x-api/fundamentals/rate-limits: 100 posts in 15 minutes for a user, 10,000 a day for an
application; 900 looks in 15 minutes. A 429 names its end in `x-rate-limit-reset` or, for a day's limit,
`x-user-limit-24hour-reset` and `x-app-limit-24hour-reset`, in seconds since 1970.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import requests
import tweepy
import urllib3
from pydantic import Field, SecretStr, field_validator

from connectors._exchange import Answer, plain, said, sendable, until
from connectors._x_api import SendsThrough
from connectors._x_posts import Post
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Context, Secret, Settings

_LONGEST_WAIT_SECS = 24 * 3_600.0
_LIMITS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
_LOOKED_THROUGH = 100
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_ADDRESSED = re.compile(r"^(@\w{1,15}\s+)*", re.ASCII)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


class Reply(Settings):
    """The account that answers: its handle, the application's key and secret, the account's access token and its
    secret, with the right to write; and the contract (`tier`), which decides whom X lets it answer."""

    handle: str = Field(pattern=r"^@?[A-Za-z0-9_]{1,15}$")
    consumer_key: Secret
    consumer_secret: Secret
    access_token: Secret
    access_token_secret: Secret
    tier: Literal["self_serve", "enterprise"] = "self_serve"

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


class _Client(SendsThrough, tweepy.Client):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's client, sending through `send`."""

    def __init__(self, send: Callable[..., requests.Response]) -> None:
        super().__init__(return_type=dict)
        self._send = send


class _Duplicate(ReplyRefused):
    """X has just been given this text."""


class Answers:
    """Posts replies as one account."""

    def __init__(self, reply: Reply, api_base: str, timeout_secs: float, context: Context) -> None:
        self._reply = reply
        self._base = api_base.rstrip("/")
        self._timeout = timeout_secs
        self._clock = context.clock
        self._client = _Client(self._send)

    def eligible(self, mention: Mention) -> str | None:
        """Whether there is a post to answer; whom X lets this account answer is for X to say."""
        if mention.source != "x":
            return f"It is from {mention.source}; this account answers on X."
        if not _ID.fullmatch(_answered(mention)):
            return "The id of the post to answer is not known."
        return None

    def reply(self, mention: Mention, text: str, key: str) -> str:  # noqa: ARG002 - X takes no key
        """Post it, unless it is there already; return its id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        sendable(text)
        post = _answered(mention)
        if posted := self._posted(post, text):
            return posted
        try:
            answer = self._call(self._client.create_tweet, text=text, in_reply_to_tweet_id=post, user_auth=True)
        except _Duplicate:
            if posted := self._posted(post, text):
                return posted
            raise
        data = answer.get("data")
        id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise SourceUnavailable("X took the answer without naming its id", trouble="http")
        return id

    def _posted(self, post: str, text: str) -> str | None:
        """The id of our answer to this post with these words, where the account has given it."""
        answer = self._call(
            self._client.get_users_tweets,
            self._reply.user_id,
            since_id=post,
            max_results=_LOOKED_THROUGH,
            tweet_fields=["referenced_tweets", "note_tweet", "entities"],
            user_auth=True,
        )
        try:
            found = msgspec.convert(answer.get("data") or [], list[Post])
        except msgspec.ValidationError as error:
            raise SourceUnavailable(f"X answered something that are no posts: {error}", trouble="http") from error
        same = _comparable(text)
        return next(
            (one.id for one in found if one.refs.get("replied_to") == post and _comparable(one.full_text) == same), None
        )

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = method(*args, **kwargs)
        except requests.JSONDecodeError as error:
            raise SourceUnavailable("X answered with something other than JSON", trouble="http") from error
        if not isinstance(answer, dict):
            raise SourceUnavailable("X answered with something other than an object", trouble="http")
        return answer

    def _send(self, method: str, route: str, *, params: Any, json: Any) -> requests.Response:
        auth = tweepy.OAuth1UserHandler(
            self._reply.consumer_key.get_secret_value(),
            self._reply.consumer_secret.get_secret_value(),
            self._reply.access_token.get_secret_value(),
            self._reply.access_token_secret.get_secret_value(),
        )
        try:
            response: requests.Response = self._client.session.request(
                method,
                self._base + route,
                params=params,
                json=json,
                headers={"Connection": "close", "User-Agent": self._client.user_agent},
                auth=auth.apply_auth(),
                timeout=self._timeout,
                allow_redirects=False,
            )
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
            return _Duplicate(f"X refuses the answer: {words}")
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


def _answered(mention: Mention) -> str:
    """The id of the version to answer."""
    return mention.reply_ref.get("id") or mention.native_id


def _explained(response: requests.Response) -> bytes:
    """The body; its errors' messages as one, where X says nothing above them."""
    body = Answer(response.status_code, body=response.content).json
    errors = body.get("errors")
    if isinstance(errors, list) and not body.get("detail"):
        told = [str(error.get("detail") or error.get("message") or "") for error in errors if isinstance(error, dict)]
        if any(told):
            return plain("; ".join(filter(None, told))).encode()
    return response.content


def _comparable(text: str) -> str:
    """A post's words whichever way they went: X puts the addressed in front, shortens links (their end is expanded
    again), trims, and composes accents."""
    text = unicodedata.normalize("NFC", text.replace("\x00", ""))
    words = _SCHEME.sub("", _ADDRESSED.sub("", text.strip())).split()
    return " ".join(word.rstrip("/") for word in words)
