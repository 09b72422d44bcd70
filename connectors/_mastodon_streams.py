"""Mastodon's streaming API over its two wires: one WebSocket for all timelines, one for each, or server-sent events.

From docs.joinmastodon.org/methods/streaming and streaming/index.js of github.com/mastodon/mastodon: a WebSocket takes
`{"type": "subscribe", "stream": …}` for as many streams as wanted, or one stream by `?stream=`; events are
`{"stream": [name, parameter], "event": …, "payload": "…"}`, an error is `{"error": …, "status": …}`. Server-sent events
need a connection for each stream and send `:thump` every 15 seconds. Nothing is replayed. A token is needed since 4.2.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import httpx2
import msgspec
from msgspec import Struct
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from connectors._exchange import Answer, plain
from connectors._http import resolved
from connectors._mastodon_api import fault, trusted, uninterrupted
from connectors._mastodon_timelines import Timeline
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.ports import Clock

Wire = Literal["websocket", "sockets", "sse"]
"""One WebSocket for all streams, one for each, or server-sent events."""

_KEEP_BYTES = 1_000
_UNHEARD = logging.Logger("mastodon", logging.CRITICAL)
"""For the library, which logs the addresses it asks for: they may hold the token."""


class Event(Struct):
    """An event of the timeline `key`; `payload` is JSON, or the bare id of a `delete`. `unreadable` holds the bytes of
    one that is none."""

    key: str
    name: str
    payload: bytes = b""
    unreadable: bytes = b""


Take = Callable[[Event | None], Awaitable[None]]
"""Takes an event; None is a heartbeat."""


class Unsupported(Exception):
    """The server does not speak this wire."""


@dataclass(frozen=True)
class Host:
    """Where to stream from and within which limits. `trusted` hosts may be private: the server's own."""

    url: str
    trusted: str
    token: SecretStr
    timeout_secs: float
    silence_secs: float
    max_bytes: int
    clock: Clock

    @property
    def name(self) -> str:
        """The host, for people."""
        return httpx2.URL(self.url).host


class _Frame(Struct):
    event: str = ""
    payload: msgspec.Raw = msgspec.Raw(b'""')
    stream: list[str] = []
    error: str = ""
    status: int = 0


async def listen(
    wire: Wire, host: Host, timelines: Sequence[Timeline], take: Take, opened: Callable[[], Awaitable[None]]
) -> None:
    """Pass on what the timelines' streams bring; `opened` is called once all of them are open. Ends only by raising
    Unsupported, SourceRefused or SourceUnavailable."""
    streamed = [timeline for timeline in timelines if timeline.stream]
    address = await _address(host)
    if wire == "websocket":
        await _Sockets(host, address, take).all_in_one(streamed, opened)
        return
    waiting = len(streamed)

    async def one_opened() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            await opened()

    open_one = _Sockets(host, address, take).one if wire == "sockets" else _Events(host, address, take).one
    async with asyncio.TaskGroup() as group:
        for timeline in streamed:
            group.create_task(open_one(timeline, one_opened))


async def _address(host: Host) -> str:
    """The address that was checked is the one connected to."""
    url = httpx2.URL(host.url)
    if url.scheme not in ("ws", "wss", "http", "https") or not url.host:
        raise SourceUnavailable(f"{host.trusted} names no address to stream from", trouble="http")
    if url.scheme in ("ws", "http") and url.host != host.trusted:
        raise SourceRefused(f"{host.trusted} wants its stream fetched from {url.host} without encryption")
    return (await resolved(url, allow_private=url.host == host.trusted))[0]


class _Sockets:
    def __init__(self, host: Host, address: str, take: Take) -> None:
        self._host, self._address, self._take = host, address, take

    async def all_in_one(self, timelines: Sequence[Timeline], opened: Callable[[], Awaitable[None]]) -> None:
        headers = {"Authorization": f"Bearer {self._host.token.get_secret_value()}"}
        async with self._opened("", headers) as link:
            for timeline in timelines:
                subscription = {"type": "subscribe", "stream": timeline.stream} | dict(timeline.params)
                await self._send(link, msgspec.json.encode(subscription).decode())
            await opened()
            await self._read(link, "", frozenset(timeline.key for timeline in timelines))

    async def one(self, timeline: Timeline, opened: Callable[[], Awaitable[None]]) -> None:
        # Servers that know no subscriptions take stream and token from the address only.
        query = {"stream": timeline.stream, "access_token": self._host.token.get_secret_value(), **timeline.params}
        async with self._opened(f"?{urlencode(query)}", {}) as link:
            await opened()
            await self._read(link, timeline.key, frozenset())

    @asynccontextmanager
    async def _opened(self, query: str, headers: dict[str, str]) -> AsyncIterator[ClientConnection]:
        link = await self._open(query, headers)
        try:
            yield link
        finally:
            try:
                await link.close()
            finally:  # called off while it said goodbye, it would be left open
                link.transport.abort()

    async def _open(self, query: str, headers: dict[str, str]) -> ClientConnection:
        host, url = self._host, httpx2.URL(self._host.url)
        secure = url.scheme in ("wss", "https")
        base = str(url.copy_with(scheme="wss" if secure else "ws")).rstrip("/")
        try:
            return await connect(
                f"{base}/api/v1/streaming{query}",
                additional_headers=headers,
                user_agent_header="harken",
                host=self._address,
                port=url.port or (443 if secure else 80),
                proxy=None,
                compression=None,
                max_size=host.max_bytes,
                open_timeout=host.timeout_secs,
                close_timeout=1,
                ping_interval=None,
                logger=_UNHEARD,
                ssl=trusted() if secure else None,
            )
        except InvalidStatus as error:
            raise self._refusal(error) from None  # its cause names the address, and that may hold the token
        except (OSError, WebSocketException, ValueError) as error:
            raise SourceUnavailable(f"{host.name} cannot be reached ({type(error).__name__})") from None

    def _refusal(self, error: InvalidStatus) -> Exception:
        response = error.response
        headers = {name.lower(): value for name, value in response.headers.raw_items()}
        answer = Answer(response.status_code, headers, bytes(response.body or b"")[:_KEEP_BYTES])
        problem = fault(answer, self._host.name, self._host.clock.now(), (self._host.token.get_secret_value(),))
        if isinstance(problem, SourceRefused) and answer.status != 401:
            return Unsupported(str(problem))
        return problem

    async def _send(self, link: ClientConnection, text: str) -> None:
        try:
            await link.send(text)
        except ConnectionClosed as error:
            raise self._closed(error) from None

    async def _read(self, link: ClientConnection, key: str, keys: frozenset[str]) -> None:
        """Events of the timeline `key`, or of those among `keys` that they name."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._beat(link))
                group.create_task(self._events(link, key, keys))
        except* ConnectionClosed as errors:
            raise self._closed(errors) from None

    async def _events(self, link: ClientConnection, key: str, keys: frozenset[str]) -> None:
        while True:
            event = self._event(await link.recv(decode=False), key)
            if not key and event.key not in keys:
                event.key = ""
            await self._take(event)

    async def _beat(self, link: ClientConnection) -> None:
        """Mastodon's heartbeats on a WebSocket are pings, which are not seen here: so we ping, too."""
        while True:
            pong = await link.ping()
            try:
                async with asyncio.timeout(self._host.silence_secs):
                    await pong
            except TimeoutError:
                raise _silent(self._host) from None
            await self._take(None)
            await asyncio.sleep(self._host.silence_secs / 3)

    def _event(self, frame: bytes, key: str) -> Event:
        try:
            read = msgspec.json.decode(frame, type=_Frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Event(key, "", unreadable=frame)
        if read.error:
            answer = Answer(read.status or 400, body=frame[:_KEEP_BYTES])
            raise fault(answer, self._host.name, self._host.clock.now(), (self._host.token.get_secret_value(),))
        payload = bytes(read.payload)
        if payload.startswith(b'"'):  # JSON within JSON, as Mastodon sends it
            payload = msgspec.json.decode(payload, type=str).encode("utf-8", "replace")
        return Event(key or ":".join(read.stream), read.event, payload)

    def _closed(self, error: BaseException) -> SourceUnavailable:
        closed = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
        return SourceUnavailable(f"{self._host.name} closed the stream ({plain(str(closed))})")


class _Events:
    def __init__(self, host: Host, address: str, take: Take) -> None:
        self._host, self._address, self._take = host, address, take

    async def one(self, timeline: Timeline, opened: Callable[[], Awaitable[None]]) -> None:
        host, url = self._host, httpx2.URL(self._host.url)
        scheme = "https" if url.scheme in ("wss", "https") else "http"
        timeout = httpx2.Timeout(host.timeout_secs, read=host.silence_secs)
        try:
            async with (
                httpx2.AsyncClient(verify=trusted(), trust_env=False, timeout=timeout) as client,
            ):
                request = client.build_request(
                    "GET",
                    url.copy_with(scheme=scheme, host=self._address, path=url.path.rstrip("/") + timeline.route),
                    params=dict(timeline.params),
                    headers={
                        "Host": url.netloc.decode(),
                        "Authorization": f"Bearer {host.token.get_secret_value()}",
                        "User-Agent": "harken",
                        "Accept": "text/event-stream",
                        "Accept-Encoding": "identity",
                    },
                    extensions={"sni_hostname": url.raw_host.decode()},
                )
                response = await uninterrupted(client.send(request, stream=True, follow_redirects=False))
                async with aclosing(response):
                    if response.status_code != 200:
                        raise await self._refusal(response)
                    await opened()
                    await self._read(response, timeline.key)
        except httpx2.ReadTimeout:
            raise _silent(host) from None
        except (httpx2.HTTPError, OSError) as error:
            raise SourceUnavailable(f"the stream from {host.name} broke off ({type(error).__name__})") from error
        raise SourceUnavailable(f"{host.name} closed the stream")

    async def _refusal(self, response: httpx2.Response) -> Exception:
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _KEEP_BYTES:
                break
        answer = Answer(response.status_code, response.headers, body)
        return fault(answer, self._host.name, self._host.clock.now(), (self._host.token.get_secret_value(),))

    async def _read(self, response: httpx2.Response, key: str) -> None:
        buffer, held, event = b"", 0, Event(key, "")
        async for chunk in response.aiter_raw():
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                held += len(line)
                name, _, value = line.rstrip(b"\r").partition(b":")
                value = value.removeprefix(b" ")
                if name == b"event":
                    event.name = value.decode(errors="replace")
                elif name == b"data":
                    event.payload += b"\n" + value if event.payload else value
                elif not name and line.strip():
                    await self._take(None)
                elif not name:
                    if event.name or event.payload:
                        await self._take(event)
                    held, event = 0, Event(key, "")
            if held + len(buffer) > self._host.max_bytes:
                raise SourceUnavailable(f"an event of {self._host.name} is over {self._host.max_bytes:,} bytes")


def _silent(host: Host) -> SourceUnavailable:
    return SourceUnavailable(f"{host.name} sent nothing for {host.silence_secs:g} seconds", trouble="silent")
