"""A page whose webhook tells of comments, a visitor's post, one that only names the page, and one taken back."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from connectors._meta_graph import Account
from connectors.meta import Config
from connectors.meta import Connector as MetaConnector
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.meta import APP_SECRET, PAGE, POST, TOKEN, VERIFY, Meta, comment, pushed, signed
from tests.fixtures.senders import Senders


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
                failing=config(taken.getsockname()[1]),
            )


harness = MetaHarness()
