"""One Mastodon server's REST API: bounded requests, its allowance, and what the server says about itself.

From docs.joinmastodon.org: 300 requests in 5 minutes for an account (api/rate-limits), told in `X-RateLimit-Limit`,
`-Remaining` and `-Reset` (an ISO 8601 time; some compatible servers give seconds since 1970); `/api/v2/instance` names
the streaming host in `configuration.urls.streaming`, and since 4.5 who may see live feeds in
`configuration.timelines_access` (entities/Instance). Servers without v2 are asked for v1.

Mastodon.py is not used: it holds whole answers and events of any size, follows redirects, sleeps where a limit is met,
and ends a stream at one event it cannot read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2
import msgspec
from msgspec import Struct
from pydantic import SecretStr

from connectors._exchange import Answer, said, until
from connectors._http import retry_after
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.ports import Clock, Usage

REQUESTS = 300
WINDOW_SECS = 300.0
_SPARE = 20
"""Requests of a window that are left for whoever else uses the account, and for answering."""
_MOST_BYTES = 8_000_000
"""40 posts with everything in them are some 400 kB; a thread of 4,096 posts may be larger and is then not read."""
_LONGEST_WAIT_SECS = 3_600.0
_NOT_NOW = frozenset({408, 425})
_LEAVE_SECS = 0.5

Done = TypeVar("Done")


class Allowance:
    """What a server lets us ask: its own account of it where it gives one, else 300 requests in 5 minutes by ours.
    It outlives the connections."""

    def __init__(self, host: str, clock: Clock) -> None:
        self._unit = f"requests to {host}"
        self._clock = clock
        self._asked: deque[float] = deque()
        self._not_before = 0.0
        self.usage: Usage | None = None
        """The last account, for whoever wants to see it."""

    def wait_secs(self) -> float:
        """How long until the next request may be sent."""
        now = self._clock.monotonic()
        while self._asked and self._asked[0] <= now - WINDOW_SECS:
            self._asked.popleft()
        full = len(self._asked) >= REQUESTS - _SPARE
        return max(0.0, self._not_before - now, self._asked[0] + WINDOW_SECS - now if full else 0.0)

    @property
    def scarce(self) -> bool:
        """Whether what is left should be kept for what cannot be done without."""
        return len(self._asked) >= (REQUESTS - _SPARE) * 2 // 3 or self.wait_secs() > 0

    def spent(self) -> None:
        """A request is being sent."""
        self._asked.append(self._clock.monotonic())

    def told(self, headers: Mapping[str, str]) -> None:
        """What an answer says of the limit."""
        limit, left = headers.get("x-ratelimit-limit", ""), headers.get("x-ratelimit-remaining", "")
        if not (limit.isascii() and limit.isdecimal() and left.isascii() and left.isdecimal() and len(limit) < 10):
            return
        wait = reset_secs(headers, self._clock.now())
        resets = None if wait is None else datetime.fromtimestamp(self._clock.now().timestamp() + wait, UTC)
        self.usage = Usage(self._unit, max(0, int(limit) - int(left[:10])), int(limit), resets)
        if wait is not None and int(left[:10]) <= min(_SPARE, int(limit) // 10):
            self.hold(wait)

    def hold(self, seconds: float) -> None:
        """Send nothing for so long."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)


def reset_secs(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the limit starts anew; None where the headers do not say."""
    reset = headers.get("x-ratelimit-reset", "")
    try:
        moment = datetime.fromisoformat(reset)
    except ValueError:
        return until(reset, now, _LONGEST_WAIT_SECS)
    wait = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    return min(wait, _LONGEST_WAIT_SECS) if wait > 0 else None


class Refused(SourceRefused):
    """An answer 4xx that asking again does not change; `status` is its number."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def fault(answer: Answer, host: str, now: datetime, secrets: tuple[str, ...]) -> SourceUnavailable | Refused:
    """What an answer other than 200 means to whoever listens."""
    words = said(answer, secrets)
    if answer.status == 429:
        wait = retry_after(answer.headers.get("retry-after", ""), now)
        return SourceUnavailable(
            f"{host} allows no more requests for now: {words}",
            trouble="rate_limited",
            retry_after=wait if wait is not None else reset_secs(answer.headers, now),
        )
    if 400 <= answer.status < 500 and answer.status not in _NOT_NOW:
        return Refused(f"{host} refuses ({answer.status}): {words}", answer.status)
    return SourceUnavailable(
        f"{host} answered {answer.status}: {words}",
        trouble="http",
        retry_after=retry_after(answer.headers.get("retry-after", ""), now),
    )


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed: made once, since that takes longer than a request."""
    return ssl.create_default_context()


async def uninterrupted(work: Coroutine[Any, Any, Done]) -> Done:
    """Await this; called off meanwhile, give it a moment to end by itself. A connection that httpx2 is about to open
    when it is called off is left open (anyio forgets the task that opens it)."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LEAVE_SECS)
        task.cancel()
        await asyncio.wait([task], timeout=_LEAVE_SECS)
        raise


class _Urls(Struct):
    streaming: str | None = None
    streaming_api: str | None = None


class _Access(Struct):
    local: str = ""
    remote: str = ""


class _Timelines(Struct):
    live_feeds: _Access | None = None
    hashtag_feeds: _Access | None = None


class _Configuration(Struct):
    urls: _Urls | None = None
    timelines_access: _Timelines | None = None


class _Instance(Struct):
    domain: str = ""
    uri: str = ""
    urls: _Urls | None = None
    configuration: _Configuration | None = None


class Instance(Struct, frozen=True):
    """A server: the domain of its accounts, where it streams (empty: it does not say), and whether its live feed of
    this server's (`local`) and of others' posts (`remote`) is switched off."""

    domain: str
    streaming: str
    no_local: bool = False
    no_remote: bool = False


class Api:
    """Requests to one server under one token; an async context manager."""

    def __init__(self, base: str, token: SecretStr, timeout_secs: float, allowance: Allowance, clock: Clock) -> None:
        self.base = base
        self.host = httpx2.URL(base).host
        self._token = token
        self._timeout = timeout_secs
        self.allowance = allowance
        self._clock = clock

    async def __aenter__(self) -> Self:
        # As everywhere in this room, no proxy of the environment: what is checked is what is connected to.
        self._client = httpx2.AsyncClient(
            verify=trusted(), trust_env=False, timeout=self._timeout, follow_redirects=False
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON at this path, as soon as the allowance lets it be asked for. Raises SourceUnavailable, and Refused
        for an answer 4xx."""
        while (wait := self.allowance.wait_secs()) > 0:
            await asyncio.sleep(min(wait, 0.1))  # in slices: the clock, which is handed in, may run otherwise
        self.allowance.spent()
        answer = await uninterrupted(self._asked(path, params or {}))
        self.allowance.told(answer.headers)
        if answer.status != 200:
            error = fault(answer, self.host, self._clock.now(), (self._token.get_secret_value(),))
            if isinstance(error, SourceUnavailable) and error.trouble == "rate_limited":
                self.allowance.hold(error.retry_after or WINDOW_SECS)
            raise error
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SourceUnavailable(f"{self.host} answered with something other than JSON", trouble="http") from error

    async def _asked(self, path: str, params: Mapping[str, Any]) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "User-Agent": "harken",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("GET", self.base + path, params=params, headers=headers) as response,
            ):
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise SourceUnavailable(
                            f"an answer of {self.host} is over {_MOST_BYTES:,} bytes", trouble="http"
                        )
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise SourceUnavailable(f"{self.host} did not answer within {self._timeout:g} seconds") from error
        except (httpx2.HTTPError, OSError) as error:
            raise SourceUnavailable(f"{self.host} cannot be reached ({type(error).__name__})") from error
        return Answer(response.status_code, response.headers, bytes(body))

    async def instance(self) -> Instance:
        """What the server says about itself."""
        try:
            found = await self.get("/api/v2/instance")
        except Refused as error:
            if error.status != 404:
                raise
            found = await self.get("/api/v1/instance")
        try:
            read = msgspec.convert(found, _Instance)
        except msgspec.ValidationError as error:
            raise SourceUnavailable(
                f"{self.host} describes itself as no Mastodon server does", trouble="http"
            ) from error
        configuration = read.configuration or _Configuration()
        urls = [urls.streaming or urls.streaming_api for urls in (configuration.urls, read.urls) if urls]
        access = configuration.timelines_access
        live = (access.live_feeds if access else None) or _Access()
        domain = (read.domain or read.uri or self.host).removeprefix("https://").strip("/").lower()
        return Instance(domain, next(filter(None, urls), "") or "", live.local == "disabled", live.remote == "disabled")
