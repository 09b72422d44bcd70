"""The stand-in for X, with the time of day: its stream replays nothing, and what was missed is searched for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fixtures import x_server
from tests.fixtures.circle import Cable
from tests.servers.platforms.wired import Wired, cable_to


class _LiveX(x_server.XServer):
    """With the time of day, and with what the account posts on the stream of whoever asked for it by `from:`."""

    def search(self, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.now = datetime.now(UTC)
        return super().search(query)

    def take_post(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.now = datetime.now(UTC)
        answer = super().take_post(body)
        mine = self.own[-1]
        begun = body["reply"]["in_reply_to_tweet_id"]
        ours = {"author_id": "22", "conversation_id": begun, "edit_history_tweet_ids": [mine["id"]]}
        self.publish(x_server.post("", self.now) | mine | ours)
        return answer

    def publish(self, one: dict[str, Any]) -> None:
        self.archive.append(one)
        self.push(one)

    def line(self, one: dict[str, Any]) -> bytes:
        if one["author_id"] != "22":
            return super().line(one)
        rule = next(rule for rule in self.rules if rule["value"] == "from:AcmeCare")
        matching = [{"id": rule["id"], "tag": rule.get("tag", "")}]
        return json.dumps({"data": one, "includes": {"users": x_server.USERS}, "matching_rules": matching}).encode()


class X(Wired):
    """The stand-in: its stream replays nothing, and what was missed is searched for."""

    name = "x"
    secrets = {
        "X_BEARER_TOKEN": x_server.TOKEN,
        "X_CONSUMER_KEY": x_server.KEYS[0],
        "X_CONSUMER_SECRET": x_server.KEYS[1],
        "X_ACCESS_TOKEN": x_server.KEYS[2],
        "X_ACCESS_TOKEN_SECRET": x_server.KEYS[3],
    }
    own = {"x": ["22"]}

    def __init__(self, server: _LiveX, cable: Cable) -> None:
        self.cable, self._x = cable, server
        server.url = cable.url  # what the account's signature is over
        self.source = {
            "type": "x",
            "bearer_token": "${X_BEARER_TOKEN}",
            "api_base": cable.url,
            "rules": ["from:AcmeCare"],
            "recheck": {"per_hour": 100_000},
            "recheck_posts_per_day": 1_000_000,
            "reply": {
                "handle": "AcmeCare",
                "consumer_key": "${X_CONSUMER_KEY}",
                "consumer_secret": "${X_CONSUMER_SECRET}",
                "access_token": "${X_ACCESS_TOKEN}",
                "access_token_secret": "${X_ACCESS_TOKEN_SECRET}",
            },
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[X]:
        with ExitStack() as stack:
            server = _LiveX()
            stack.enter_context(server.running())
            yield cls(server, cable_to(stack, int(server.url.rpartition(":")[2])))

    def ready(self) -> bool:
        return self._x.listening > 0

    def say(self, text: str, by: str) -> str:
        one = x_server.post(text, datetime.now(UTC), len(self._x.archive), author_id={"ana": "11"}.get(by, "33"))
        one["entities"] = {"mentions": [{"username": "AcmeCare"}]}
        self._x.publish(one)
        return str(one["id"])

    def answers(self, thing: str) -> Sequence[str]:
        versions = next(one["edit_history_tweet_ids"] for one in self._x.archive[::-1] if _is(one, thing))
        refs = [{"type": "replied_to", "id": versions[-1]}]
        return [str(one["text"]) for one in self._x.own if one["referenced_tweets"] == refs]

    def edit(self, thing: str, text: str) -> None:
        (was,) = [one for one in self._x.archive if _is(one, thing)]
        anew = x_server.post(text, datetime.now(UTC), len(self._x.archive), entities=was["entities"])
        self.delete(thing)
        self._x.publish(anew | {"conversation_id": thing, "edit_history_tweet_ids": [thing, anew["id"]]})

    def delete(self, thing: str) -> None:
        self._x.archive = [one for one in self._x.archive if not _is(one, thing)]


def _is(one: dict[str, Any], thing: str) -> bool:
    """Whether this is a version of it."""
    return thing in one["edit_history_tweet_ids"]
