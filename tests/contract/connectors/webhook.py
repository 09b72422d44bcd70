"""A sender that pushes five signed requests, one after the other, and sends each again until it is answered 202."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors.webhook import Config
from connectors.webhook import Connector as Webhook
from tests.contract.connectors import Front, Push, Pushes, Ready, direct
from tests.fixtures.senders import Senders

SECRET = "correct-horse-battery-staple"  # noqa: S105 - guards nothing but this test


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The two headers a sender adds."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Harken-Timestamp": stamp, "X-Harken-Signature": f"sha256={digest}"}


def _good(number: int) -> dict[str, object]:
    return {"id": str(number), "text": f"late {number}", "author": "ana", "created_at": "2026-01-05T09:00:00Z"}


def again(attempt: int) -> float:
    """A sender that keeps what was not answered with a success: 30 seconds, doubling to an hour, for ever."""
    return min(3_600.0, 30.0 * 2.0 ** min(attempt - 1, 10))


class WebhookHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        bodies = [json.dumps([_good(2 * n), _good(2 * n + 1)]).encode() for n in range(4)]
        bodies.append(json.dumps([_good(8), {"id": "9", "text": " "}, 7]).encode())

        def sent(body: bytes) -> Callable[[str], dict[str, Any]]:
            return lambda base: {"url": f"{base}/mentions", "content": body, "headers": signed(body)}

        senders = Senders([sent(body) for body in bodies], lambda connector: cast(Webhook, connector).port, front)
        numbers = itertools.count(100)

        def said(moment: datetime) -> Push:
            number = next(numbers)
            body = json.dumps(_good(number) | {"created_at": moment.isoformat()}).encode()
            return Push(
                f"push:{number}",
                lambda base, now: {
                    "url": f"{base}/mentions",
                    "content": body,
                    "headers": signed(body, at=now.timestamp()),
                },
            )

        secret = SecretStr(SECRET)
        with socket.create_server(("127.0.0.1", 0)) as taken, senders.working():
            yield Ready(
                config=Config(port=0, secret=secret, brand="Acme", source="push", durable_timeout_seconds=5),
                source="push",
                expected=frozenset(f"push:{number}" for number in range(9)),
                bad=2,
                brand="Acme",
                secrets=(SECRET,),
                repeats=11,
                push=senders.push,
                pushes=Pushes(said, again),
                failing=Config(port=taken.getsockname()[1], secret=secret),
            )


harness = WebhookHarness()
