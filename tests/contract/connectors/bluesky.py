"""A Jetstream host that replays all it has; its cursor is a seq and inclusive, so that a resume repeats one item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from connectors.bluesky import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.jetstream import ANA, BEN, Jetstream


class BlueskyHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with Jetstream(replay_all=True).running() as host:
            host.post("nothing of interest", BEN)
            posts = [host.post(f"Acme parcel {number}") for number in range(8)]
            host.raw('{"$type":"message","payload":{"seq":')
            host.post("Acme in no language that can be read", langs=5)
            host.delete(posts[0])
            host.account(ANA, False, "deleted")
            expected = [*(f"bluesky:{uri}" for uri in posts), f"mention:bluesky:{posts[0]}", f"author:bluesky:{ANA}"]
            shared = {"terms": ("Acme",), "memory": folder / "authors", "batch_secs": 0.05, "connect_secs": 1}

            def add(moment: datetime) -> str:
                host.now = max(host.now, moment)
                return f"bluesky:{host.post('Acme is late again')}"

            def forget() -> None:
                host.floor = len(host.log)

            yield Ready(
                config=Config(hosts=(front(host.url),), **shared),
                source="bluesky",
                expected=frozenset(expected),
                bad=2,
                repeats=1,
                failing=Config(hosts=("ws://127.0.0.1:9",), **shared),
                add=add,
                forget=forget,
                at_least=2,  # version 2, then 1
            )


harness = BlueskyHarness()
