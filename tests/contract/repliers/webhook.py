"""A shop's server that takes signed answers and gives each key one id."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._webhook_reply import Reply
from connectors.webhook import Config
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NAME, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import Asked, StandIn, Told, told

SECRET = "correct-horse-battery-staple"  # noqa: S105 - guards nothing but this test
PATH = "/token-in-the-path/answers"


class Shop(StandIn):
    """Remembers what it did for which key, as the protocol asks."""

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[str, tuple[str, str, str, tuple[str, ...]]] = {}

    def handle(self, asked: Asked) -> Told:
        stamp = asked.headers["x-harken-timestamp"]
        wanted = hmac.new(SECRET.encode(), stamp.encode() + b"." + asked.body, hashlib.sha256).hexdigest()
        if asked.headers["x-harken-signature"] != f"sha256={wanted}":
            return told(401, {"error": "the signature is wrong"})
        body = asked.json
        assert set(body) == {"mention", "native_id", "text", "media", "key"}
        key = asked.headers["idempotency-key"]
        shown = tuple(one["alt"] for one in body["media"])
        if key not in self.done:
            self.done[key] = (f"answer-{len(self.done) + 1}", body["native_id"], body["text"], shown)
        return told(201, {"id": self.done[key][0]})


class WebhookHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Shop().running() as shop:

            def config(base: str, patience: float = PATIENCE) -> Config:
                secret = SecretStr(SECRET)
                url = SecretStr(f"{base}{PATH}")
                return Config(secret=secret, source="shop", reply=Reply(url=url, secret=secret, timeout_secs=patience))

            yield Stand(
                config=config(shop.url),
                impatient=config(shop.url, IMPATIENCE),
                unreachable=config(NOBODY),
                mention=mention("shop:4711", via=NAME),
                cannot=mention("shop:4711", via="another"),
                secrets=(SECRET, PATH),
                replies=lambda: [
                    Given(id, text, alts) for id, native, text, alts in shop.done.values() if native == "4711"
                ],
                refuse=lambda words: shop.fail("", Told(422, json.dumps({"error": words}).encode())),
                lose=lambda: shop.lose(""),
                hang=lambda: shop.hang(""),
                fail=lambda: shop.fail("", told(503, {})),
                limit=lambda seconds: shop.fail("", told(429, {}, Retry_After=str(seconds))),
            )


harness = WebhookHarness()
