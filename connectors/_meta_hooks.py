"""Meta's webhooks (developers.facebook.com/docs/graph-api/webhooks/getting-started).

The address is checked by `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`, to be answered with the
challenge. Changes come in batches of at most 1,000, signed in `X-Hub-Signature-256`: `sha256=` and the hexadecimal
HMAC-SHA256 of the body as sent under the app's secret. What is not answered 200 is sent again at once and then less and
less often for 36 hours, so the same change may come many times.

What has only an id is asked for before the answer, a few at a time. Where that takes too long or fails for now, the
answer is 503 and what was found is kept for the time it comes again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
import structlog
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connectors._inbox import Inbox
from connectors._listener import PAGE_ITEMS, RETRY_AFTER, body_of
from connectors._meta_events import KEEP_BYTES, Reader, event_of
from connectors._meta_graph import Declined, Graph
from connectors._meta_shapes import Event, Need
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Item
from pipeline.ports import Clock, Rejection

_log = structlog.get_logger(__name__)

_REMEMBERED = 10_000
_ASKED_AT_ONCE = 4
_LONGEST_CHALLENGE = 200

Found = Item | Rejection | None


class Hooks:
    """Answers Meta; what is taken waits in `inbox`. `refused` says why the token of an account is not taken, once it
    is not."""

    def __init__(
        self, reader: Reader, graph: Graph, inbox: Inbox, app_secret: SecretStr, verify_token: SecretStr, clock: Clock
    ) -> None:
        self._reader = reader
        self._graph = graph
        self._inbox = inbox
        self._app_secret = app_secret
        self._verify_token = verify_token
        self._clock = clock
        self._settled: OrderedDict[bytes, None] = OrderedDict()
        self._answers: OrderedDict[bytes, Found] = OrderedDict()
        self._turns = asyncio.Semaphore(_ASKED_AT_ONCE)
        self.refused: str | None = None

    def app(self, path: str, max_body_bytes: int, seconds: float) -> Starlette:
        """What answers at `path`: bodies so long at most, read and asked about within so many seconds."""

        async def receive(request: Request) -> Response:
            try:
                body = await body_of(request, max_body_bytes, seconds)
                self._verify(request.headers.get("x-hub-signature-256", ""), body)
                done = await self._take(body, seconds)
            except HTTPException as refusal:
                return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)
            return JSONResponse({}) if done else JSONResponse({"error": "send it again"}, 503, RETRY_AFTER)

        return Starlette(routes=[Route(path, self._challenge, methods=["GET"]), Route(path, receive, methods=["POST"])])

    async def _challenge(self, request: Request) -> Response:
        asked = request.query_params
        challenge = asked.get("hub.challenge", "")
        wanted = self._verify_token.get_secret_value().encode()
        known = hmac.compare_digest(asked.get("hub.verify_token", "").encode(), wanted)
        if asked.get("hub.mode") != "subscribe" or not known:
            return JSONResponse({"error": "the verify token is missing or wrong"}, 403)
        if not 0 < len(challenge) <= _LONGEST_CHALLENGE or not challenge.isalnum():
            return JSONResponse({"error": "no hub.challenge"}, 400)
        return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})

    def _verify(self, given: str, body: bytes) -> None:
        mac = hmac.new(self._app_secret.get_secret_value().encode(), body, hashlib.sha256)
        if not hmac.compare_digest(given.encode(), f"sha256={mac.hexdigest()}".encode()):
            raise HTTPException(401, "the signature is missing or wrong")

    async def _take(self, body: bytes, seconds: float) -> bool:
        """Whether all that the body says is durable."""
        try:
            events = self._reader.events(body)
        except BadItem as error:
            raise HTTPException(400, str(error)) from error
        if len(events) > PAGE_ITEMS:
            raise HTTPException(413, f"more than {PAGE_ITEMS:,} changes")
        fresh = {mark: event for event in events if (mark := _mark(event)) not in self._settled}
        found = await self._found(fresh, seconds)
        if found is None:
            return False
        items = [item for item in found if item is not None]
        if items and not await self._inbox.submit(items):
            return False
        for mark in fresh:
            self._settled[mark] = None
            self._answers.pop(mark, None)
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)
        return True

    async def _found(self, events: dict[bytes, Event], seconds: float) -> Sequence[Found] | None:
        """What each change says, in order; None where one cannot be told now."""
        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.gather(*(self._shaped(mark, event) for mark, event in events.items()))
        except TimeoutError:
            _log.warning("what a change is about was not told in time", via=self._reader.network, changes=len(events))
            return None
        except SourceUnavailable as error:
            _log.warning("what a change is about cannot be asked now", via=self._reader.network, reason=str(error))
            return None
        return found

    async def _shaped(self, mark: bytes, event: Event) -> Found:
        now = self._clock.now()
        try:
            item = self._reader.item(event, now)
            if not isinstance(item, Need):
                return item
            if mark not in self._answers:
                async with self._turns:
                    answer = await asyncio.to_thread(self._ask, item)
                self._answers[mark] = None if answer is None else self._reader.named(event, answer, now)
                while len(self._answers) > _REMEMBERED:
                    self._answers.popitem(last=False)
            return self._answers[mark]
        except BadItem as error:
            place = f"{event.field[:40]} of {event.account}"
            return Rejection(msgspec.json.encode(event)[:KEEP_BYTES], place, str(error))

    def _ask(self, need: Need) -> dict[str, object] | None:
        """The answer; None where it is gone or nobody's business. Raises SourceUnavailable, and BadItem."""
        try:
            return self._graph.get(need.account, need.path, fields=need.fields)
        except Declined as refusal:
            if refusal.gone:
                return None
            if refusal.token:
                self.refused = f"Meta does not take the access token of account {need.account}: {refusal.words}"
                raise SourceUnavailable(self.refused, trouble="http") from None
            raise BadItem(f"it has only an id, and Meta does not show it: {refusal.words}") from None


def _mark(event: Event) -> bytes:
    about = f"{event.account}\0{event.field}\0{event.time}\0".encode("utf-8", "replace")
    return hashlib.blake2b(about + bytes(event.value), digest_size=16).digest()


def again(payload: bytes, reader: Reader, clock: Clock) -> Item:
    """A kept change read once more; raises BadItem."""
    item = reader.item(event_of(payload), clock.now())
    if isinstance(item, Need):
        raise BadItem("the change has only an id: what it is about must be asked for")
    if item is None:
        raise BadItem("the change says nothing that is taken")
    return item
