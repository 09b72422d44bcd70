"""A connector that is told by webhooks and looks for itself too: both in one generator of pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Generic, Self, TypeVar

import structlog
from pydantic import Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors._aside import resting
from connectors._inbox import Inbox
from connectors._listener import IDLE_SECS, PAGE_ITEMS, RETRY_AFTER, Listening, listening
from pipeline.errors import SourceUnavailable
from pipeline.mention import Item
from pipeline.ports import Clock, Page, Rejection, Settings

log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]

Place = TypeVar("Place", bound="Where")


class Where(Settings):
    """Where a platform's webhooks arrive: the address, how long a body may be, and the seconds after which the platform
    is told that it is not durable yet."""

    host: str = "127.0.0.1"
    port: int = Field(default=8644, ge=0, le=65535)
    path: str = Field(default="/", pattern=r"^/[^{}]*$")
    max_body_bytes: int = Field(default=2_000_000, ge=1, le=16_000_000)
    durable_timeout_secs: float = Field(default=10, gt=0, le=18)


def answering(read: Callable[[Request], Awaitable[Sequence[Item | Rejection]]], inbox: Inbox) -> Endpoint:
    """Answers 200 when what `read` finds in a request is durable, or is nothing; 503 where it is not yet, to be sent
    again; and as the HTTPException says that `read` raises."""

    async def receive(request: Request) -> Response:
        try:
            items = await read(request)
        except HTTPException as refusal:
            return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
        if items and not await inbox.submit(items):
            return JSONResponse({"error": "not durable yet: send it again"}, 503, RETRY_AFTER)
        return JSONResponse({"taken": len(items)})

    return receive


class Pushed(Generic[Place]):
    """A context manager that listens between its begin and its end, or does not where there is no `where`. `receive`
    makes what answers, given the inbox it hands items to; `suffix` is put behind the path; `port` is the port it
    listens on, else None."""

    def __init__(
        self, name: str, where: Place | None, receive: Callable[[Place, Inbox], Endpoint], suffix: str = ""
    ) -> None:
        self.port: int | None = None
        self._name = name
        self._where = where
        self._receive = receive
        self._suffix = suffix
        self._stack = ExitStack()
        self._server: Listening | None = None
        self._inbox: Inbox | None = None

    def __enter__(self) -> Self:
        if self._where is not None:
            self._inbox = Inbox(self._where.durable_timeout_secs)
            receive = self._receive(self._where, self._inbox)
            app = Starlette(routes=[Route(self._where.path + self._suffix, receive, methods=["POST"])])
            server = listening(self._name, app, self._inbox, self._where.host, self._where.port)
            self._server = self._stack.enter_context(server)
            self.port = self._server.port
            log.info("listening for webhooks", platform=self._name, host=self._where.host, port=self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._server = self._inbox = self.port = None

    def __bool__(self) -> bool:
        return self._inbox is not None

    def pages(self, patience: float) -> Iterator[Page]:
        """What arrived; with `patience` an empty page where nothing did in so many seconds. Behind the page its senders
        are told that it is durable."""
        if self._inbox is None or self._server is None:
            return
        if not self._server.thread.is_alive():
            raise SourceUnavailable("the listener stopped")
        requests = self._inbox.take(PAGE_ITEMS, patience)
        if requests or patience:
            yield Page([item for request in requests for item in request.items], heard=bool(requests))
            self._inbox.durable(requests)


def hear(
    pushed: Pushed[Place], look: Callable[[], Iterator[Page]], poll_secs: float, clock: Clock
) -> Generator[Page, None, None]:
    """For ever what is pushed and, every `poll_secs` (0: never), what a look brings; while one is under way what is
    pushed is taken between its pages."""
    due = clock.monotonic()
    yield Page(heard=False)
    while not clock.stopping:
        if poll_secs and due <= clock.monotonic():
            for page in look():
                yield page
                yield from pushed.pages(0.0)
            due = clock.monotonic() + poll_secs
        elif pushed:
            yield from pushed.pages(IDLE_SECS)
        else:
            yield from resting(due - clock.monotonic(), clock)
