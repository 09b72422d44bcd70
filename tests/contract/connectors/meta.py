"""A page whose webhook tells of comments, a visitor's post, one that only names the page, and one taken back."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors._meta_graph import Account
from connectors.meta import Config
from connectors.meta import Connector as MetaConnector
from tests.contract.connectors import Front, Push, Pushes, Ready, direct
from tests.fixtures.meta import APP_SECRET, PAGE, POST, TOKEN, VERIFY, Meta, comment, pushed, signed
from tests.fixtures.senders import Senders


def again(attempt: int) -> float | None:
    """Meta sends again at once, then less and less often, for 36 hours (Webhooks, Event Notifications). How often it
    does not say: here the pauses double, so that the last time is after 18 hours and the next would be after 36."""
    if attempt > 11:
        return None
    return 64.0 * 2 ** (attempt - 2) if attempt > 1 else 0.0


class MetaHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        visitor = comment(0, "Acme, where is it?", item="status", post_id=f"{PAGE}_501")
        named = {"item": "post", "verb": "add", "post_id": "66_502", "sender_id": "66", "sender_name": "Bo"}
        gone = comment(8, verb="remove", message=None)
        bad = [("feed", {"item": "comment", "verb": "add", "comment_id": "../x", "message": "m", "post_id": POST})]
        bodies = [pushed(comment(2 * n), comment(2 * n + 1)) for n in range(3)]
        bodies += [
            pushed(visitor, ("mention", named)),
            pushed(gone),
            pushed(*bad, ("feed", 7), ("feed", {"item": "like"})),
        ]

        def sent(body: bytes) -> Callable[[str], dict[str, Any]]:
            return lambda base: {"url": f"{base}/meta", "content": body, "headers": signed(body)}

        senders = Senders([sent(body) for body in bodies], lambda connector: cast(MetaConnector, connector).port, front)
        with Meta().running() as meta, socket.create_server(("127.0.0.1", 0)) as taken, senders.working():
            shown = {"message": "Look at @Acme", "created_time": "2026-01-05T08:00:00+0000", "id": "66_502"}
            meta.nodes["66_502"] = shown | {"from": {"id": "66", "name": "Bo"}}

            numbers = itertools.count(600)
            rows: list[dict[str, Any]] = []
            ours = {"id": POST, "message": "Hello", "created_time": "2026-01-01T08:00:00+0000"}
            meta.edges["feed"] = [[ours | {"comments": {"data": rows}}]]

            def told(moment: datetime) -> Push:
                """A comment; each third time a post that only its id is told of."""
                number, stamp = next(numbers), int(moment.timestamp())
                time = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
                if number % 3:
                    id, change = f"500_{number}", comment(number, created_time=stamp)
                    row = {"id": id, "message": change[1]["message"], "from": change[1]["from"]}
                    rows.append(row | {"created_time": time})
                else:
                    id = f"66_{number}"
                    meta.nodes[id] = shown | {"id": id, "created_time": time, "from": {"id": "66", "name": "Bo"}}
                    change = ("mention", named | {"post_id": id})
                body = pushed(change, time=stamp)
                return Push(f"facebook:{id}", lambda base, _: sent(body)(base))

            def config(port: int) -> Config:
                return Config(
                    network="facebook",
                    accounts=(Account(id=PAGE, access_token=SecretStr(TOKEN)),),
                    app_secret=SecretStr(APP_SECRET),
                    verify_token=SecretStr(VERIFY),
                    brand="Acme",
                    port=port,
                    timeout_secs=2,
                    durable_timeout_secs=5,
                    api_base=front(meta.url),
                )

            mentions = {f"facebook:500_{number}" for number in range(6)}
            yield Ready(
                config=config(0),
                source="facebook",
                expected=frozenset({*mentions, f"facebook:{PAGE}_501", "facebook:66_502", "mention:facebook:500_8"}),
                bad=2,
                brand="Acme",
                secrets=(APP_SECRET, VERIFY, TOKEN),
                repeats=9,
                push=senders.push,
                pushes=Pushes(told, again),
                failing=config(taken.getsockname()[1]),
            )


harness = MetaHarness()
