"""A Jetstream host that replays all it has; its cursor is a seq and inclusive, so that a resume repeats one item."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.bluesky import Config
from tests.contract.connectors import Ready
from tests.fixtures.jetstream import ANA, BEN, Jetstream


class BlueskyHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        with Jetstream(replay_all=True).running() as host:
            host.post("nothing of interest", BEN)
            posts = [host.post(f"Acme parcel {number}") for number in range(8)]
            host.raw('{"$type":"message","payload":{"seq":')
            host.post("Acme in no language that can be read", langs=5)
            host.delete(posts[0])
            host.account(ANA, False, "deleted")
            expected = [*(f"bluesky:{uri}" for uri in posts), f"mention:bluesky:{posts[0]}", f"author:bluesky:{ANA}"]
            shared = {"terms": ("Acme",), "memory": folder / "authors", "batch_secs": 0.05, "connect_secs": 2}
            yield Ready(
                config=Config(hosts=(host.url,), **shared),
                source="bluesky",
                expected=frozenset(expected),
                bad=2,
                repeats=1,
                failing=Config(hosts=("ws://127.0.0.1:9",), **shared),
            )


harness = BlueskyHarness()
