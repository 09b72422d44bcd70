"""A web server in a connector: it answers while the connector's pages are read, on a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp

from connectors._inbox import Inbox
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.ports import Backoff

PAGE_ITEMS = 1000
"""No page of a connector that listens holds more."""

IDLE_SECS = 0.25
"""So often it yields an empty page while nobody sends."""

RETRY_AFTER = {"Retry-After": "5"}
"""Beside an answer of 503."""

BACKOFF: Mapping[Trouble, Backoff] = {
    # The only trouble of a listener is an address that is taken, for example by the process before this one.
    "network": Backoff(first=0.5, factor=2, cap=30),
    "http": Backoff(first=0.5, factor=2, cap=30),
    "rate_limited": Backoff(first=0.5, factor=2, cap=30),
    "silent": Backoff(first=0.5, factor=2, cap=30),
}

_CONNECTIONS = 200


class Listening(NamedTuple):
    """A server that answers: its thread, and the port it has."""

    thread: threading.Thread
    port: int


@contextmanager
def listening(
    name: str, app: ASGIApp, inbox: Inbox, host: str, port: int, proxies: Sequence[str] = ("127.0.0.1", "::1")
) -> Iterator[Listening]:
    """Answer by `app` at `host` and `port` (0: a free one); on leaving, whoever waits in `inbox` is told to send again.
    From `proxies`, and nobody else, the header that says for whom they ask is believed. Raises SourceUnavailable where
    the address is taken, SourceRefused where it can never be had."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            forwarded_allow_ips=list(proxies),
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
    )
    with _bound(host, port) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name=name, daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not server.ready.wait(0.1):
                pass
            yield Listening(thread, listener.getsockname()[1])
        finally:
            inbox.close()
            server.should_exit = True
            thread.join(timeout=5)


async def body_of(request: Request, limit: int, seconds: float) -> bytes:
    """The request's body; raises HTTPException where it is over `limit` bytes, late or cut off."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413, f"the body is over {limit:,} bytes")
    except TimeoutError as error:
        raise HTTPException(408, "the body did not arrive in time") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the body did not arrive whole") from error
    return bytes(body)


class _Server(uvicorn.Server):
    """uvicorn that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            raise SourceUnavailable(message) from error
        raise SourceRefused(message) from error
