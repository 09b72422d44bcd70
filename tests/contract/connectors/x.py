"""X's stream, which sends the same lines on every connection: it has no replay of its own to resume from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from connectors.x import Config
from tests.contract.connectors import Ready
from tests.fixtures.x_server import TOKEN, XServer, post


class XHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        with XServer().running() as x:
            x.connections = 100  # a connection left is only noticed at the next heartbeat
            posts = [post(f"Acme parcel {number}", serial=number) for number in range(8)]
            x.script = [x.line(one) for one in posts]
            x.script += [b'{"data": {"id": "1", "te', b'{"data": {"id": "2", "text": "Acme, by nobody"}}']
            x.script += [b'{"data": {"delete": {"tweet": {"id": "5", "author_id": "11"}}}}']
            expected = frozenset({*(f"x:{one['id']}" for one in posts), "mention:x:5"})
            shared = {"bearer_token": SecretStr(TOKEN), "rules": ('"Acme"',), "batch_secs": 0.05, "timeout_secs": 5}
            yield Ready(
                config=Config(api_base=x.url, **shared),
                source="x",
                expected=expected,
                bad=2,
                secrets=(TOKEN,),
                repeats=len(expected),
                failing=Config(api_base="http://127.0.0.1:9", **shared),
            )


harness = XHarness()
