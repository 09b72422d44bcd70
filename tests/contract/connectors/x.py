"""X's stream, which sends the same lines on every connection: it has no replay of its own to resume from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.x import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.x_server import TOKEN, XServer, post


class XHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with XServer().running() as x:
            x.connections = 100  # a connection left is only noticed at the next heartbeat
            posts = [post(f"Acme parcel {number}", serial=number) for number in range(8)]
            x.script = [x.line(one) for one in posts]
            x.script += [b'{"data": {"id": "1", "te', b'{"data": {"id": "2", "text": "Acme, by nobody"}}']
            x.script += [b'{"data": {"delete": {"tweet": {"id": "5", "author_id": "11"}}}}']
            expected = frozenset({*(f"x:{one['id']}" for one in posts), "mention:x:5"})
            shared = {"bearer_token": SecretStr(TOKEN), "rules": ('"Acme"',), "batch_secs": 0.05, "timeout_secs": 2}

            def add(moment: datetime) -> str:
                one = post("Acme is late again", moment, serial=100)
                x.archive.append(one)
                x.push(one)
                return f"x:{one['id']}"

            def put_clock(moment: datetime) -> None:
                x.now = moment

            yield Ready(
                config=Config(api_base=front(x.url), **shared),
                source="x",
                expected=expected,
                bad=2,
                secrets=(TOKEN,),
                repeats=len(expected),
                failing=Config(api_base="http://127.0.0.1:9", **shared),
                add=add,
                time=put_clock,
                at_least=5,  # rules, asked and set and read again, then the stream
            )


harness = XHarness()
