"""X's API through tweepy, with every fault turned into one of ours.

What is tweepy's: the session, and the endpoints and parameters of rules. What is replaced, because of what tweepy 4.17
does there: its `request` (no timeout, the bearer token in its debug log, an exception that cannot be built from some
error bodies) and its stream loop (`_connect`: no wait after an end of file, ends at one bad line, `max_retries` ignored
on refused connections, a `disconnect()` seen only at the next line). Its searches know only the older names of fields.

Statuses and headers: docs.x.com/x-api/fundamentals (429 with `x-rate-limit-reset`, in seconds since 1970);
a proxy on the way may say `Retry-After` instead.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec
import requests
import tweepy
import urllib3
from pydantic import SecretStr

from connectors._exchange import until
from connectors._http import retry_after
from connectors._pace import Pace, Window
from connectors._x_fields import TWEETS, Fields
from connectors._x_posts import results
from connectors._x_rules import Rule
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.ports import Clock

SEARCHES = Window(450, 900)
"""Requests of recent search for an application (docs.x.com/x-api/fundamentals/rate-limits)."""

_STREAM = "/2/tweets/search/stream"
_SEARCH = "/2/tweets/search/recent"
_RULES_A_REQUEST = 100
_MAX_BYTES = 8_000_000
"""Of one answer: 1,000 rules are some 1.5 MB, 100 posts with all their expansions some 2 MB."""
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


class _Client(SendsThrough, tweepy.StreamingClient):  # type: ignore[misc]  # tweepy ships no types
    """tweepy's client of the stream, sending through `send`."""

    def __init__(self, token: str, send: Callable[..., requests.Response]) -> None:
        super().__init__(token, return_type=dict)
        self._send = send


class Api:
    """The calls we make. Each raises SourceRefused (401, 403; InvalidRequest for 400) or SourceUnavailable."""

    def __init__(
        self, token: SecretStr, base: str, timeout_secs: float, clock: Clock, searches: Window = SEARCHES
    ) -> None:
        self.searches = Pace(clock, searches)
        self._fields = Fields()
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

    def search(
        self,
        query: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        since_id: str | None = None,
        token: str | None = None,
    ) -> dict[str, Any]:
        """One page, 100 posts at most, of recent search: the last 7 days, `end` at least 10 seconds ago. Counted in
        `searches`, and not made where they are used up. Raises SourceUnavailable for half an answer, too: what was
        asked for would be taken for searched."""
        self.searches.claim("X")
        asked = {
            "query": query,
            "max_results": "100",
            "start_time": _stamp(start) if start else None,
            "end_time": _stamp(end) if end else None,
            "since_id": since_id,
            "next_token": token,
        }
        answer = self._look(_SEARCH, asked)
        meta, posts = answer.get("meta"), answer.get("data")
        count = meta.get("result_count") if isinstance(meta, dict) else None
        if not isinstance(count, int) or count > (len(posts) if isinstance(posts, list) else 0):
            raise SourceUnavailable("X answered a search with less than it says it found", trouble="http")
        try:
            results(answer)
        except BadItem as error:
            raise SourceUnavailable(f"X answered a search oddly: {error}", trouble="http") from error
        return answer

    def posts(self, ids: Sequence[str]) -> dict[str, Any]:
        """These posts (100 at most) as they are now; `errors` name those that are not to be had."""
        return self._look("/2/tweets", {"ids": ",".join(ids)})

    def post(self, id: str) -> dict[str, Any]:
        """One post as it is now, or the `errors` that say why not."""
        return self._look(f"/2/tweets/{id}", {})

    def _look(self, route: str, asked: Mapping[str, str | None]) -> dict[str, Any]:
        given = {name: value for name, value in asked.items() if value is not None}
        return self._fields.asked(
            lambda fields: self._call(lambda: self._send("GET", route, params=given | dict(fields)).json())
        )

    def ask(self, method: str, route: str, json: Any = None) -> dict[str, Any]:
        """A request of our own making."""
        return self._call(lambda: self._send(method, route, json=json).json())

    def stream(self, read_timeout: float) -> requests.Response:
        """Open the filtered stream; the answer's body is read by the caller."""
        return self._send("GET", _STREAM, params=dict(TWEETS), stream=True, read_timeout=read_timeout)

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
                stream=True,
                allow_redirects=False,
            )
            if route == _SEARCH:
                self.searches.heard({name.lower(): value for name, value in response.headers.items()})
            taken = 200 <= response.status_code < 300
            if not (stream and taken):
                read_whole(response, self._timeout)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceUnavailable(f"X cannot be reached ({type(error).__name__})") from error
        if taken:
            return response
        raise self._fault(response)

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
            now, headers = self._clock.now(), response.headers
            wait = until(headers.get("x-rate-limit-reset", ""), now, inf)
            wait = wait if wait is not None and wait <= _MAX_WAIT_SECS else None
            return SourceUnavailable(
                f"X allows no more requests for now: {said}",
                trouble="rate_limited",
                retry_after=wait if wait is not None else retry_after(headers.get("retry-after", ""), now),
            )
        return SourceUnavailable(f"X answered {status}: {said}", trouble="http")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_whole(response: requests.Response, timeout_secs: float) -> None:
    """Read the whole answer, as long as it is not too long in size or time; requests would read any."""
    until, body = time.monotonic() + timeout_secs, bytearray()
    with contextlib.closing(response):
        for chunk in response.raw.stream(65_536, decode_content=True):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise SourceUnavailable(f"X's answer is over {_MAX_BYTES:,} bytes", trouble="http")
            if time.monotonic() > until:
                raise SourceUnavailable(f"X did not answer within {timeout_secs:g} seconds")
    response.raw = io.BytesIO(body)


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
