"""X's Activity API by webhook: what is said to the brand's own accounts, and what they delete, pushed to us.

From docs.x.com/x-api/webhooks and /x-api/activity: X checks the address when it is registered and every hour by
`GET ?crc_token=…`, to be answered with the HMAC-SHA256 of the token under the application's consumer secret; it signs
each event in `x-twitter-webhooks-signature` over the body as sent, and wants an answer within 10 seconds. The address
is https, without a port, and answers by itself; 1,500 subscriptions. Events come as `{"data": {event_uuid, filter,
event_type, payload, includes}}`, each on its own; of kinds we do not know, too. An event is billed
(docs.x.com/x-api/activity/event-pricing: 0.005 USD, deletions nothing).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal

import structlog
from pydantic import Field, SecretStr, StringConstraints
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors._inbox import Inbox, Waiting
from connectors._listener import PAGE_ITEMS, RETRY_AFTER, body_of, listening
from connectors._x_intake import KEEP_BYTES
from connectors._x_posts import Reader, read
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Item, Mention
from pipeline.ports import Clock, Rejection, Secret, Settings

_log = structlog.get_logger(__name__)

_MOST_BYTES = 1_000_000
_REDELIVERED = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,200}", re.ASCII)
"""X's challenge and X's signature are made alike: whoever could have any text answered as a challenge could sign an
event. A token of letters and digits can be no event, which begins with a brace."""

Event = Literal["post.mention.create", "post.reply.create", "post.quote.create", "post.delete", "post.create"]


class Activity(Settings):
    """The webhook for what happens to the brand's own accounts: the application's consumer secret, the accounts' ids,
    the public address that X is to post to (left out, somebody else registers it and the subscriptions), where we
    listen for it, which events are subscribed to, and after how long without durability X is told to send again."""

    consumer_secret: Secret
    accounts: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")], ...] = Field(min_length=1)
    url: str | None = Field(default=None, pattern=r"^https://[^/:?#@\s]+(/[^?#\s]*)?$", max_length=200)
    host: str = "127.0.0.1"
    port: int = Field(default=8647, ge=0, le=65535)
    path: str = Field(default="/x", pattern=r"^/[^{}?#\s]*$")
    events: tuple[Event, ...] = ("post.mention.create", "post.reply.create", "post.quote.create", "post.delete")
    durable_timeout_secs: float = Field(default=8, gt=0, lt=10)


class Hooks:
    """The listener; `take` gives what came in, `durable` lets its sender know. `port` is where it listens."""

    def __init__(self, activity: Activity, reader: Reader, clock: Clock) -> None:
        self._activity = activity
        self._reader = reader
        self._clock = clock
        self._inbox = Inbox(activity.durable_timeout_secs)
        self._settled: OrderedDict[str, None] = OrderedDict()
        self._alive: Callable[[], bool] = lambda: False
        self.port = 0

    @contextmanager
    def listening(self) -> Iterator[Hooks]:
        """Answer until the end of the block."""
        app = Starlette(
            routes=[
                Route(self._activity.path, self._challenge, methods=["GET"]),
                Route(self._activity.path, self._receive, methods=["POST"]),
            ]
        )
        with listening("x-activity", app, self._inbox, self._activity.host, self._activity.port) as server:
            self.port, self._alive = server.port, server.thread.is_alive
            _log.info("listening for X's activity", host=self._activity.host, port=server.port)
            yield self

    def take(self, room: int) -> list[Waiting]:
        """What waits, of at most `room` items; at once. Raises SourceUnavailable where the listener has ended."""
        if not self._alive():
            raise SourceUnavailable("the listener for X's activity stopped")
        return self._inbox.take(min(room, PAGE_ITEMS), 0)

    def durable(self, taken: Sequence[Waiting]) -> None:
        """What was taken is safe."""
        self._inbox.durable(taken)

    async def _challenge(self, request: Request) -> Response:
        token = request.query_params.get("crc_token", "")
        if not _TOKEN.fullmatch(token):
            return JSONResponse({"error": "this is no crc_token of X's"}, 400)
        return JSONResponse({"response_token": signed(self._activity.consumer_secret, token.encode())})

    async def _receive(self, request: Request) -> Response:
        try:
            body = await body_of(request, _MOST_BYTES, self._activity.durable_timeout_secs)
            given = request.headers.get("x-twitter-webhooks-signature", "").encode()
            if not hmac.compare_digest(given, signed(self._activity.consumer_secret, body).encode()):
                raise HTTPException(401, "the signature is missing or wrong")
            uuid, items = self._items(body)
        except HTTPException as refusal:
            return JSONResponse({"error": refusal.detail}, refusal.status_code)
        if items and uuid not in self._settled:
            if not await self._inbox.submit(items):
                return JSONResponse({"error": "not durable yet: send it again"}, 503, RETRY_AFTER)
            if uuid:
                self._settled[uuid] = None
                while len(self._settled) > _REDELIVERED:
                    self._settled.popitem(last=False)
        return JSONResponse({})

    def _items(self, body: bytes) -> tuple[str, Sequence[Item | Rejection]]:
        """The event's id and what it holds; raises HTTPException for what is none."""
        try:
            data = read(body).data or {}
        except BadItem as error:
            raise HTTPException(400, "the body is no event") from error
        kind, uuid = str(data.get("event_type", ""))[:100], str(data.get("event_uuid", ""))[:100]
        try:
            items = self._reader.items(read(body), self._clock.now())
        except BadItem as error:
            return uuid, [Rejection(body[:KEEP_BYTES], f"event {uuid} ({kind})", str(error))]
        if not items:
            _log.info("an event that was not asked for", event_type=kind)
        return uuid, items


def billed(taken: Sequence[Waiting]) -> int:
    """How many of the events X bills: deletions cost nothing."""
    return sum(isinstance(item, Mention) for waiting in taken for item in waiting.items)


def signed(secret: SecretStr, message: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of the message under the secret, in base 64."""
    mac = hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256)
    return f"sha256={base64.b64encode(mac.digest()).decode()}"
