"""X's API through tweepy, with every fault turned into one of ours.

What is tweepy's: the session, the endpoints and parameters of rules and recent search. What is replaced, because of
what tweepy 4.17 does there: its `request` (no timeout, the bearer token in its debug log, an exception that cannot be
built from some error bodies) and its stream loop (`_connect`: no wait after an end of file, ends at one bad line,
`max_retries` ignored on refused connections, a `disconnect()` seen only at the next line).

Statuses and headers: docs.x.com/x-api/fundamentals (429 with `x-rate-limit-reset`, in seconds since 1970).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import requests
import tweepy
import urllib3
from pydantic import SecretStr

from connectors._x_rules import Rule
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.ports import Clock

FIELDS: Mapping[str, Sequence[str]] = {
    "tweet_fields": (
        "author_id",
        "conversation_id",
        "created_at",
        "edit_history_tweet_ids",
        "entities",
        "in_reply_to_user_id",
        "lang",
        "note_tweet",
        "public_metrics",
        "referenced_tweets",
    ),
    "user_fields": ("created_at", "name", "public_metrics", "username", "verified"),
    "media_fields": ("alt_text", "media_key", "preview_image_url", "type", "url"),
    "expansions": (
        "author_id",
        "attachments.media_keys",
        "in_reply_to_user_id",
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
    ),
}
"""What is asked for of a post, its author and what it refers to, on the stream and in search alike."""

_STREAM = "/2/tweets/search/stream"
_RULES_A_REQUEST = 100
_MAX_WAIT_SECS = 3_600
"""X's windows are 15 minutes: a reset further away is a wrong clock, theirs or ours."""


class InvalidRequest(SourceRefused):
    """X will not take this very request (HTTP 400)."""


class SendsThrough:
    """Beside a client of tweepy's: every call of its methods goes through `send`, since its own has no timeout and
    writes tokens into its debug log."""

    _send: Callable[..., requests.Response]

    def request(
        self,
        method: str,
        route: str,
        params: Any = None,
        json: Any = None,
        user_auth: bool = False,  # noqa: ARG002  # tweepy's signature; we have only one kind of credentials
    ) -> requests.Response:
        """Every call of tweepy's methods comes through here."""
        return self._send(method, route, params=params, json=json)


class _Client(SendsThrough, tweepy.StreamingClient, tweepy.Client):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's two clients on one session, sending through `send`."""

    def __init__(self, token: str, send: Callable[..., requests.Response]) -> None:
        super().__init__(token, return_type=dict)
        self._send = send


class Api:
    """The calls we make. Each raises SourceRefused (401, 403; InvalidRequest for 400) or SourceUnavailable."""

    def __init__(self, token: SecretStr, base: str, timeout_secs: float, clock: Clock) -> None:
        self._token = token
        self._base = base.rstrip("/")
        self._timeout = timeout_secs
        self._clock = clock
        self._client = _Client(token.get_secret_value(), self._send)
        self._client.session.headers["User-Agent"] = self._client.user_agent

    def close(self) -> None:
        """Close the session."""
        self._client.session.close()

    def rules(self) -> list[Rule]:
        """All rules X holds for this application, ours and others'."""
        answer = self._call(self._client.get_rules)
        return [
            Rule(str(rule.get("value", "")), str(rule.get("tag") or ""), str(rule["id"]))
            for rule in answer.get("data") or ()
            if isinstance(rule, dict) and "id" in rule
        ]

    def add_rules(self, rules: Sequence[Rule], *, dry_run: bool = False) -> list[str]:
        """Add these, or only ask whether X would; what X says against single ones (a duplicate is not a fault)."""
        problems = []
        for at in range(0, len(rules), _RULES_A_REQUEST):
            some = [tweepy.StreamRule(value=rule.value, tag=rule.tag) for rule in rules[at : at + _RULES_A_REQUEST]]
            answer = self._call(self._client.add_rules, some, dry_run="true" if dry_run else None)
            problems += list(_problems(answer))
        return problems

    def delete_rules(self, rules: Sequence[Rule]) -> None:
        """Delete these."""
        for at in range(0, len(rules), _RULES_A_REQUEST):
            self._call(self._client.delete_rules, [rule.id for rule in rules[at : at + _RULES_A_REQUEST]])

    def search(self, query: str, start: datetime, end: datetime, token: str | None) -> dict[str, Any]:
        """One page, 100 posts at most, of recent search: the last 7 days, `end` at least 10 seconds ago."""
        fields = {name: list(values) for name, values in FIELDS.items()}
        return self._call(
            self._client.search_recent_tweets,
            query,
            start_time=start,
            end_time=end,
            next_token=token,
            max_results=100,
            **fields,
        )

    def stream(self, read_timeout: float) -> requests.Response:
        """Open the filtered stream; the answer's body is read by the caller."""
        params = {name.replace("_fields", ".fields"): ",".join(values) for name, values in FIELDS.items()}
        return self._send("GET", _STREAM, params=params, stream=True, read_timeout=read_timeout)

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = method(*args, **kwargs)
        except requests.JSONDecodeError as error:
            raise SourceUnavailable("X answered with something other than JSON", trouble="http") from error
        if not isinstance(answer, dict):
            raise SourceUnavailable("X answered with something other than an object", trouble="http")
        return answer

    def _send(
        self,
        method: str,
        route: str,
        *,
        params: Any = None,
        json: Any = None,
        stream: bool = False,
        read_timeout: float | None = None,
    ) -> requests.Response:
        try:
            response: requests.Response = self._client.session.request(
                method,
                self._base + route,
                params=params,
                json=json,
                # Too few calls to keep a connection open for; and the stream is not to be held back by compression.
                headers={"Connection": "close"} | ({"Accept-Encoding": "identity"} if stream else {}),
                auth=self._authorize,  # not a header: requests would put a .netrc entry in its place
                timeout=(self._timeout, read_timeout or self._timeout),
                stream=stream,
                allow_redirects=False,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceUnavailable(f"X cannot be reached ({type(error).__name__})") from error
        if 200 <= response.status_code < 300:
            return response
        fault = self._fault(response)
        response.close()
        raise fault

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request

    def _fault(self, response: requests.Response) -> Exception:
        status, said = response.status_code, _said(response)
        if status in (401, 403):
            return SourceRefused(f"X refuses the credentials ({status}): {said}")
        if status == 400:
            return InvalidRequest(f"X refuses the request: {said}")
        if status == 429:
            reset = response.headers.get("x-rate-limit-reset", "")
            wait = int(reset) - self._clock.now().timestamp() if reset.isdecimal() else 0.0
            return SourceUnavailable(
                f"X allows no more requests for now: {said}",
                trouble="rate_limited",
                retry_after=wait if 0 < wait <= _MAX_WAIT_SECS else None,
            )
        return SourceUnavailable(f"X answered {status}: {said}", trouble="http")


def _said(response: requests.Response) -> str:
    """What the body says went wrong, short; nothing where it cannot be read."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, requests.RequestException, urllib3.exceptions.HTTPError):
        return response.reason or ""
    if not isinstance(body, dict):
        return response.reason or ""
    parts = [body.get("title"), body.get("detail"), *_problems(body)]
    return "; ".join(str(part) for part in parts if part)[:300]


def _problems(answer: Mapping[str, Any]) -> Iterable[str]:
    errors = answer.get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and error.get("title") != "DuplicateRule":
            details = error.get("details")
            said = "; ".join(map(str, details)) if isinstance(details, list) else ""
            said = said or str(error.get("detail") or error.get("message") or error.get("title") or "")
            yield f"{error['value']}: {said}" if error.get("value") else said
