"""Webhook: mentions pushed over HTTP, signed, and answered only when they are durable.

A request is POSTed with two headers: `X-Harken-Timestamp`, seconds since 1970, and `X-Harken-Signature`, `sha256=` and
the hexadecimal HMAC-SHA256, under the shared secret, of the timestamp, a full stop and the body as sent. The body is
one JSON object, an array of them, or one a line. 202 means: on the bus, or in the dead letters with the reason given.
Sending the same again is harmless: mentions are recognised by id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import structlog
from pydantic import AfterValidator, Field
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors._inbox import Inbox
from connectors._listener import BACKOFF, IDLE_SECS, PAGE_ITEMS, RETRY_AFTER, body_of, listening
from connectors._mapping import MAX_PAYLOAD, FieldMap, Mapper, SourceName
from connectors._webhook_reply import Answers, Reply
from pipeline.errors import BadItem, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Context, Page, Rejection, Settings
from pipeline.posting import SigningSecret, signature

log = structlog.get_logger(__name__)


def _absolute(path: str) -> str:
    if not path.startswith("/") or "{" in path:
        raise ValueError("a path begins with / and holds no braces")
    return path


class Config(Settings):
    """Where it listens and what it takes.

    host, port               the address; port 0 takes a free one. Put a proxy with TLS before anything but 127.0.0.1
    path                     the only path answered
    secret                   shared with the sender, at least 16 characters
    source                   the front of the ids of mapped objects; left out, the connector's configured name
    brand                    given to every mention
    map                      our field -> the sender's key (`user.id` reaches inside); left out, our own field names
    rating_max               the best rating the sender gives
    max_body_bytes           a longer request is answered 413
    max_items                a request with more is answered 422
    window_seconds           how far the timestamp may be from now
    durable_timeout_seconds  after so long without durability a request is answered 503, to be sent again
    reply                    where answers go (url, secret, timeout_secs); without it there are none
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8642, ge=0, le=65535)
    path: Annotated[str, AfterValidator(_absolute)] = "/mentions"
    secret: SigningSecret
    source: SourceName | None = None
    brand: str | None = None
    map: FieldMap = {}
    rating_max: float = Field(default=1.0, gt=0)
    max_body_bytes: int = Field(default=1_000_000, ge=1, le=16_000_000)
    max_items: int = Field(default=500, ge=1, le=PAGE_ITEMS)
    window_seconds: float = Field(default=300, gt=0)
    durable_timeout_seconds: float = Field(default=10, gt=0)
    reply: Reply | None = None


class Connector:
    """Listens while its pages are read. `port` is the port it listens on, None when it does not."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = BACKOFF

    def __init__(self, config: Config, context: Context) -> None:
        self.port: int | None = None
        self._config = config
        self._clock = context.clock
        self._mapper = Mapper(
            config.source or "-".join(context.name.replace(":", " ").split()),
            config.map,
            via=context.name,
            brand=config.brand,
            rating_max=config.rating_max,
        )

    def pages(self, cursor: str | None) -> Iterator[Page]:  # noqa: ARG002 - a push source has no place to go on from
        """Listen until closed; there is no cursor, because whoever was not answered 202 sends again."""
        inbox = Inbox(self._config.durable_timeout_seconds)
        app = Starlette(routes=[Route(self._config.path, self._endpoint(inbox), methods=["POST"])])
        try:
            with listening("webhook", app, inbox, self._config.host, self._config.port) as server:
                self.port = server.port
                log.info("listening for pushed mentions", host=self._config.host, port=self.port)
                yield Page(heard=False)
                while not self._clock.stopping:
                    if not server.thread.is_alive():
                        raise SourceUnavailable("the listener stopped")
                    requests = inbox.take(PAGE_ITEMS, IDLE_SECS)
                    yield Page([item for request in requests for item in request.items], heard=bool(requests))
                    inbox.durable(requests)
        finally:
            self.port = None

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read one rejected object again."""
        if len(payload) >= MAX_PAYLOAD:
            raise BadItem(f"the object was cut at {MAX_PAYLOAD:,} bytes when it was rejected; have it sent again")
        return [self._mapper.item(payload, self._clock.now())]

    def _endpoint(self, inbox: Inbox) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            try:
                body = await body_of(request, self._config.max_body_bytes, self._config.durable_timeout_seconds)
                self._verify(request, body)
                items = self._items(body)
            except HTTPException as refusal:
                return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
            rejected = [
                {"index": index, "reason": item.reason}
                for index, item in enumerate(items)
                if isinstance(item, Rejection)
            ]
            if not await inbox.submit(items):
                return JSONResponse({"error": "not durable yet: send it again"}, 503, RETRY_AFTER)
            return JSONResponse({"accepted": len(items) - len(rejected), "rejected": rejected}, 202)

        return receive

    def _verify(self, request: Request, body: bytes) -> None:
        stamp = request.headers.get("x-harken-timestamp", "")
        given = request.headers.get("x-harken-signature", "").encode()
        wanted = signature(self._config.secret, stamp, body).encode()
        if not hmac.compare_digest(given, wanted):
            raise HTTPException(401, "the signature is missing or wrong")
        # Only a timestamp that was signed is looked at, so that nobody can probe the clock.
        seconds = stamp.isascii() and stamp.isdigit() and len(stamp) < 13
        age = self._clock.now().timestamp() - int(stamp) if seconds else None
        if age is None or abs(age) > self._config.window_seconds:
            raise HTTPException(401, f"the timestamp is not within {self._config.window_seconds:g} seconds of now")

    def _items(self, body: bytes) -> list[Item | Rejection]:
        raws = _objects(body)
        if not 0 < len(raws) <= self._config.max_items:
            raise HTTPException(422, f"{len(raws)} items where 1 to {self._config.max_items} are taken")
        request, now = hashlib.sha256(body).hexdigest()[:12], self._clock.now()
        items: list[Item | Rejection] = []
        for index, raw in enumerate(raws):
            try:
                items.append(self._mapper.item(raw, now))
            except BadItem as error:
                items.append(Rejection(raw[:MAX_PAYLOAD], f"request {request}, item {index}", str(error)))
        return items


class Replier(Answers):
    """Pushes answers to the address in `reply` (`_webhook_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, context)


def _objects(body: bytes) -> list[bytes]:
    """The body's items as raw JSON: of an array its elements, else one object, else one a line."""
    if body.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in _decoded(body, list[msgspec.Raw], "the body")]
    lines = [line for line in body.splitlines() if line.strip()]
    try:
        return [bytes(_decoded(body, msgspec.Raw, "the body"))] if lines else []
    except HTTPException:
        if len(lines) == 1:
            raise
    return [bytes(_decoded(line, msgspec.Raw, f"item {index}")) for index, line in enumerate(lines)]


def _decoded(raw: bytes, type: Any, what: str) -> Any:
    try:
        return msgspec.json.decode(raw, type=type)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise HTTPException(400, f"{what} is nested too deeply") from error
