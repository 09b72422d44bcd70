"""X with the brand's account, and a reply to a post of the brand's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import SecretStr

from connectors.x import Config
from pipeline.mention import Author, Kind
from pipeline.ports import Action, Clock
from tests.contract.actors import Done, Stand
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE
from tests.contract.repliers.x import account
from tests.fixtures.shapes import mention
from tests.fixtures.x_server import FORBIDDEN, KEYS, TOKEN, XServer, snowflake


class XHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with XServer().running() as x:
            ours, id = snowflake(x.now), snowflake(x.now, 1)
            at: Mapping[Action, str] = {
                "like": "/2/users/22/likes",
                "hide": f"/2/tweets/{id}/hidden",
                "message": "/2/dm_conversations/with/11/messages",
            }

            def config(base: str, patience: float = PATIENCE) -> Config:
                return Config(bearer_token=SecretStr(TOKEN), api_base=base, timeout_secs=patience, reply=account())

            def done(action: Action) -> list[Done]:
                if action == "message":
                    return [Done(one["id"], one["text"]) for one in x.messages if one["to"] == "11"]
                return [Done(one) for one in dict.fromkeys(x.liked if action == "like" else x.hidden)]

            def fault(action: Action, name: str) -> None:
                x.fault_at, x.fault_of_next_post = at[action], name

            def limit(action: Action, seconds: int) -> None:
                reset = str(round(clock.now().timestamp()) + seconds)
                x.refuse(at[action], 429, b'{"title":"Too Many Requests"}', x_rate_limit_reset=reset)

            yield Stand(
                config=config(x.url),
                impatient=config(x.url, IMPATIENCE),
                unreachable=config(NOBODY),
                mention=mention(
                    f"x:{id}",
                    kind=Kind.REPLY,
                    author=Author(id="11", handle="ana"),
                    conversation=f"x:{ours}",
                    parent=f"x:{ours}",
                    reply_ref={"id": id, "conversation": ours, "to": "22"},
                ),
                cannot=mention("x:nonsense"),
                secrets=KEYS,
                done=done,
                refuse=lambda action, words: x.refuse(
                    at[action], 403, json.dumps(FORBIDDEN | {"detail": words}).encode()
                ),
                lose=lambda action: fault(action, "lose"),
                hang=lambda action: fault(action, "hang"),
                fail=lambda action: x.refuse(at[action], 503, b'{"title":"Service Unavailable"}'),
                limit=limit,
            )


harness = XHarness()
