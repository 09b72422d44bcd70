"""X with the brand's account, which has posted nothing yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._x_account import Reply
from connectors.x import Config
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.shapes import mention
from tests.fixtures.x_server import FORBIDDEN, KEYS, TOKEN, XServer, snowflake


def account() -> Reply:
    key, secret, token, token_secret = map(SecretStr, KEYS)
    return Reply(
        private_pictures=True,
        handle="@AcmeCare",
        consumer_key=key,
        consumer_secret=secret,
        access_token=token,
        access_token_secret=token_secret,
    )


class XHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with XServer().running() as x:
            id = snowflake(x.now)

            def config(base: str, patience: float = PATIENCE) -> Config:
                return Config(bearer_token=SecretStr(TOKEN), api_base=base, timeout_secs=patience, reply=account())

            def replies() -> list[Given]:
                ours = [one["id"] for one in x.own if one["referenced_tweets"][0]["id"] == id]
                return [Given(one, x.told[one], x.shown.get(one, ())) for one in ours]

            def fault(name: str) -> None:
                x.fault_of_next_post = name

            def limit(seconds: int) -> None:
                reset = str(round(clock.now().timestamp()) + seconds)
                x.refuse("post", 429, b'{"title":"Too Many Requests"}', x_rate_limit_reset=reset)

            yield Stand(
                config=config(x.url),
                impatient=config(x.url, IMPATIENCE),
                unreachable=config(NOBODY),
                mention=mention(f"x:{id}", reply_ref={"id": id, "conversation": id, "mentions": "AcmeCare"}),
                cannot=mention("x:nonsense"),
                secrets=KEYS,
                replies=replies,
                refuse=lambda words: x.refuse("post", 403, json.dumps(FORBIDDEN | {"detail": words}).encode()),
                lose=lambda: fault("lose"),
                hang=lambda: fault("hang"),
                fail=lambda: x.refuse("post", 503, b'{"title":"Service Unavailable"}'),
                limit=limit,
            )


harness = XHarness()
