"""What Trustpilot pushes (support.trustpilot.com, "Manage your webhook notifications"): the events
`service-review-created`, `-updated` and `-deleted`, some in one request, each with the review.

A request carries no signature. So the address itself is the secret: it ends with one, and any other address is unknown.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime

import msgspec
from pydantic import Field, SecretStr, field_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request

from connectors._inbox import Inbox
from connectors._listener import body_of
from connectors._pushed import Endpoint, Where, answering
from connectors._trustpilot_reviews import REVIEW, Shaper, read
from pipeline.errors import BadItem
from pipeline.mention import Item
from pipeline.ports import Rejection
from pipeline.posting import SigningSecret

KEEP_BYTES = 65_536
_MOST_EVENTS = 500
_TAKEN = {"service-review-created": False, "service-review-updated": True}
_DELETED = "service-review-deleted"


class Webhook(Where):
    """Where Trustpilot's webhooks arrive: `path`, a slash, and the secret (at least 16 characters that need no escaping
    in an address)."""

    secret: SigningSecret
    port: int = Field(default=8645, ge=0, le=65535)
    path: str = Field(default="/trustpilot", pattern=r"^/[^{}]*[^{}/]$")

    @field_validator("secret")
    @classmethod
    def _stands_in_an_address(cls, secret: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", secret.get_secret_value(), re.ASCII):
            raise ValueError("it stands in an address: letters, digits and . _ ~ - only (`openssl rand -hex 32`)")
        return secret


class _Event(msgspec.Struct, rename={"name": "eventName", "data": "eventData"}):
    name: str
    data: msgspec.Raw = msgspec.Raw(b"{}")


class _Body(msgspec.Struct):
    events: list[_Event]


class _Named(msgspec.Struct):
    id: str = ""


def endpoint(webhook: Webhook, shaper: Shaper, inbox: Inbox, now: Callable[[], datetime]) -> Endpoint:
    """What answers Trustpilot: 200 when it is durable, or nothing we take."""

    async def found(request: Request) -> list[Item | Rejection]:
        given = request.path_params["secret"].encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(given, webhook.secret.get_secret_value().encode()):
            raise HTTPException(404, "not found")
        body = await body_of(request, webhook.max_body_bytes, webhook.durable_timeout_secs)
        return take(body, shaper, now())

    return answering(found, inbox)


def take(body: bytes, shaper: Shaper, now: datetime) -> list[Item | Rejection]:
    """The items of one request. Raises HTTPException 400 where it is not Trustpilot's."""
    try:
        events = msgspec.json.decode(body, type=_Body).events
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"not events of Trustpilot: {error}") from error
    if len(events) > _MOST_EVENTS:
        raise HTTPException(413, f"more than {_MOST_EVENTS} events")
    request = hashlib.sha256(body).hexdigest()[:12]
    items: list[Item | Rejection] = []
    for number, event in enumerate(events):
        payload = bytes(event.data)
        try:
            if event.name == _DELETED:
                items.append(shaper.removal(_id(payload), now))
            elif event.name in _TAKEN:
                items.append(shaper.mention(read(payload), now, edited=_TAKEN[event.name]))
        except BadItem as error:
            items.append(Rejection(payload[:KEEP_BYTES], f"{event.name} {request}, event {number}", str(error)))
    return items


def _id(payload: bytes) -> str:
    try:
        id = msgspec.json.decode(payload, type=_Named).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a review of Trustpilot: {error}") from error
    if not REVIEW.fullmatch(id):
        raise BadItem("the review that was deleted is not named")
    return id
