"""The circle through X's own local playground, or rather a stand-in that does as it does: a post in a queue, the answer
to it, a stream that ends, a deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fixtures.circle import running
from tests.fixtures.x_playground import Playground

FIRST = "acme lost my violet parcel and nobody answers, I want a refund"
SECOND = "acme charged me twice for it, this is unacceptable"


class Platform:
    """Its one account posts and answers."""

    name = "x"
    own: Mapping[str, Sequence[str]] = {}
    cannot: Mapping[str, str] = {"edit": "the playground knows no edits"}
    secrets: Mapping[str, str] = {
        "X_BEARER_TOKEN": "any-bearer-token",
        "X_CONSUMER_KEY": "any-consumer-key",
        "X_CONSUMER_SECRET": "any-consumer-secret",
        "X_ACCESS_TOKEN": "0-any-access-token",
        "X_ACCESS_TOKEN_SECRET": "any-access-token-secret",
    }

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        reply = {"handle": "playground_user", "tier": "enterprise"}
        names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
        self.source: Mapping[str, Any] = {
            "type": "x",
            "bearer_token": "${X_BEARER_TOKEN}",
            "api_base": playground.url,
            "recheck": {"per_hour": 100_000},
            "recheck_posts_per_day": 1_000_000,
            "reply": reply | {name: f"${{X_{name.upper()}}}" for name in names},
        }

    def say(self, text: str, by: str) -> str:
        return self._playground.post(text)

    def answers(self, thing: str) -> Sequence[str]:
        reply = {"in_reply_to_tweet_id": thing}
        return [given["text"] for given in self._playground.given if given["reply"] == reply]

    def edit(self, thing: str, text: str) -> None:
        raise NotImplementedError(self.cannot["edit"])

    def delete(self, thing: str) -> None:
        del self._playground.posts[thing]


def test_a_post_its_answer_a_lost_stream_and_a_deletion(tmp_path: Path) -> None:
    with Playground().running() as playground, running(tmp_path, [platform := Platform(playground)]) as circle:
        circle.until(lambda: playground.streams, "listening")
        thing = platform.say(FIRST, "ana")
        case = circle.case_of(FIRST)
        circle.answer(case, "I am sorry. Which order was it?")
        circle.until(lambda: platform.answers(thing) == ["I am sorry. Which order was it?"], "the answer")

        playground.cut()
        circle.until(lambda: playground.streams > 1, "listening again")
        platform.say(SECOND, "ana")
        circle.until(lambda: circle.said(case) == [FIRST, SECOND], "the second post")

        platform.delete(thing)
        circle.collect_again()
        circle.until(lambda: circle.said(case) == [SECOND], "the withdrawal")
        circle.settled()
        circle.until(lambda: not circle.holding("violet"), "its words' being gone from every table")
        assert len(playground.given) == 1
