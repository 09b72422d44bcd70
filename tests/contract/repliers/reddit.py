"""Reddit with the brand's account, which has written nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._reddit_reply import Reply
from connectors.reddit import Config
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.reddit import ACCOUNT, AGENT, APP, RedditServer
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

ASKED = "t1_asked"


def settings(base: str, patience: float = PATIENCE) -> Config:
    return Config(
        client_id=APP[0],
        client_secret=SecretStr(APP[1]),
        user_agent=AGENT,
        oauth_base=base,
        token_base=base,
        timeout_secs=patience,
        reply=Reply(username=ACCOUNT[0], password=SecretStr(ACCOUNT[1])),
    )


class RedditHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with RedditServer().running() as reddit:

            def refuse(words: str) -> None:
                reddit.refusal = ["THREAD_LOCKED", words, "parent"]

            yield Stand(
                config=settings(reddit.url),
                impatient=settings(reddit.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=mention(f"reddit:{ASKED}", reply_ref={"name": ASKED, "submission": "t3_post"}),
                cannot=mention("reddit:t1_old", reply_ref={"name": "t1_old", "closed": "archived"}),
                secrets=(APP[1], ACCOUNT[1]),
                replies=lambda: [Given(id, text) for id, text in reddit.given],
                refuse=refuse,
                lose=lambda: reddit.lose("/api/comment"),
                hang=lambda: reddit.hang("/api/comment"),
                fail=lambda: reddit.fail("/api/comment", told(503, {"message": "Service Unavailable"})),
                limit=lambda seconds: reddit.fail("/api/comment", told(429, {}, Retry_After=str(seconds))),
            )


harness = RedditHarness()
