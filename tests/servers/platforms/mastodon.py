"""mastodon_mock, a server from PyPI, over either wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from tests.fixtures.circle import Cable
from tests.servers.platforms.wired import Wired, cable_to
from tests.servers.test_mastodon import Mock, domain, serving


class Mastodon(Wired):
    """A server of its own for each wire, so that neither hears what the other brought."""

    secrets = {"MASTODON_TOKEN": "care-token-4711"}
    tells_of_deletions = True
    transport: ClassVar[str]

    def __init__(self, mock: Mock, cable: Cable) -> None:
        self.cable, self._mock = cable, mock
        self.own = {"mastodon": [f"care@{domain(mock)}"]}
        account = {"access_token": "${MASTODON_TOKEN}"}
        self.source = {
            "type": "mastodon",
            "transport": self.transport,
            "servers": [account | {"url": cable.url}],
            "reply": account | {"server": cable.url},
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Mastodon]:
        with ExitStack() as stack:
            port = stack.enter_context(serving(folder))
            yield cls(Mock(f"http://127.0.0.1:{port}"), cable_to(stack, port))

    def say(self, text: str, by: str) -> str:
        return str(self._mock.post(text, by)["id"])

    def answers(self, thing: str) -> Sequence[str]:
        below = self._mock.call("GET", f"/api/v1/statuses/{thing}/context")["descendants"]
        return [re.sub("<[^>]+>", "", one["content"]) for one in below if one["in_reply_to_id"] == thing]

    def edit(self, thing: str, text: str) -> None:
        self._mock.call("PUT", f"/api/v1/statuses/{thing}", json={"status": text})

    def delete(self, thing: str) -> None:
        self._mock.call("DELETE", f"/api/v1/statuses/{thing}")


class MastodonSse(Mastodon):
    name = "mastodon-sse"
    transport = "sse"


class MastodonWebSocket(Mastodon):
    name = "mastodon-websocket"
    transport = "websocket"
