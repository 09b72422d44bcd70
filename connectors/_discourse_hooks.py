"""What a forum pushes: webhooks (app/models/web_hook.rb, app/jobs/regular/emit_web_hook_event.rb).

A request names its event in `X-Discourse-Event` and what it is about in `X-Discourse-Event-Type`, and is signed in
`X-Discourse-Event-Signature`: `sha256=` and the hexadecimal HMAC-SHA256 of the body under the webhook's secret.
Discourse waits 20 seconds for the answer, sends again up to four times (after 1, 5, 25 and 125 minutes) where the site
setting `retry_web_hook_events` is on, and gives a webhook up that keeps answering 404 or 410. A post's event carries
the whole post, that of a private message and of a whisper too: neither is taken.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from connectors._discourse_posts import Post, Reader
from connectors._inbox import Inbox
from connectors._listener import body_of
from connectors._pushed import Endpoint, Where, answering
from pipeline.errors import BadItem
from pipeline.mention import Item
from pipeline.ports import Rejection
from pipeline.posting import SigningSecret

KEEP_BYTES = 65_536
_MOST_POSTS = 1_000
"""Posts of a deleted topic that are withdrawn at once; what is beyond is found by being asked for."""

_NEW = frozenset({"post_created", "post_recovered"})
_EDITED = "post_edited"
_GONE = "post_destroyed"
_TOPIC_GONE = "topic_destroyed"


class Webhook(Where):
    """Where the forum's webhooks arrive, and the secret they are signed with (at least 16 characters)."""

    secret: SigningSecret
    path: str = Field(default="/discourse", pattern=r"^/[^{}]*$")


class _Topic(msgspec.Struct):
    id: int
    highest_post_number: int = 1


class _Body(msgspec.Struct):
    post: msgspec.Raw = msgspec.Raw(b"")
    topic: _Topic | None = None


Taking = Callable[[Post], bool]


def endpoint(webhook: Webhook, reader: Reader, wanted: Taking, inbox: Inbox, now: Callable[[], datetime]) -> Endpoint:
    """What answers the forum: 200 when it is durable, or nothing we take; `wanted` chooses among posts."""

    async def read(request: Request) -> list[Item | Rejection]:
        body = await body_of(request, webhook.max_body_bytes, webhook.durable_timeout_secs)
        verify(webhook, request.headers.get("x-discourse-event-signature", ""), body)
        return take(body, request.headers.get("x-discourse-event", ""), reader, wanted, now())

    return answering(read, inbox)


def verify(webhook: Webhook, given: str, body: bytes) -> None:
    """Raise HTTPException 401 where the forum did not sign this."""
    wanted = hmac.new(webhook.secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.encode(), f"sha256={wanted}".encode()):
        raise HTTPException(401, "the signature is missing or wrong")


def take(body: bytes, event: str, reader: Reader, wanted: Taking, now: datetime) -> list[Item | Rejection]:
    """The items of one event; none of what is not ours. Raises HTTPException 400 where the body is not the forum's."""
    if event not in (*_NEW, _EDITED, _GONE, _TOPIC_GONE):
        return []
    try:
        about = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"not an event of Discourse: {error}") from error
    if event == _TOPIC_GONE:
        if about.topic is None:
            raise HTTPException(400, "the event names no topic")
        last = min(max(1, about.topic.highest_post_number), _MOST_POSTS)
        return [reader.removal(about.topic.id, number, now) for number in range(1, last + 1)]
    payload = bytes(about.post)
    try:
        post = reader.read(payload)
        if event == _GONE:
            return [reader.removal(post.topic_id, post.post_number, now)] if post.public else []
        if not (post.public and wanted(post)) or (post.gone and event in _NEW):
            return []
        return [reader.item(post, now, edited=event == _EDITED)]
    except BadItem as error:
        digest = hashlib.sha256(body).hexdigest()[:12]
        return [Rejection(payload[:KEEP_BYTES], f"{event} {digest}", str(error))]
