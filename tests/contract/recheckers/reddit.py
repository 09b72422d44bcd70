"""Reddit with comments under one submission."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.recheckers import Stand, spoiling
from tests.contract.repliers import IMPATIENCE, NOBODY
from tests.contract.repliers.reddit import settings
from tests.fixtures.reddit import ACCOUNT, APP, RedditServer, comment
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told


class RedditHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with RedditServer().running() as reddit:

            def fill(number: int) -> list[Mention]:
                ids = [f"c{one}" for one in range(number)]
                reddit.comments = [comment(id, "Acme is late") for id in ids]
                return [
                    mention(
                        f"reddit:t1_{id}",
                        "Acme is late",
                        conversation="reddit:t3_post",
                        brand="Acme",
                        reply_ref={"name": f"t1_{id}", "submission": "t3_post"},
                    )
                    for id in ids
                ]

            def remove(gone: Mention) -> None:
                reddit.comments = [one for one in reddit.comments if one["data"]["name"] != gone.native_id]

            def reword(said: Mention, text: str) -> None:
                for one in reddit.comments:
                    if one["data"]["name"] == said.native_id:
                        one["data"] |= {"body": text, "edited": clock.now().timestamp()}

            yield Stand(
                config=settings(reddit.url),
                impatient=settings(reddit.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                fill=fill,
                strange=[mention("reddit:nonsense"), mention("reddit:t5_sub")],
                remove=remove,
                reword=reword,
                spoil=spoiling(reddit),
                hang=lambda: reddit.hang(""),
                limited=lambda seconds: told(429, {}, Retry_After=str(seconds)),
                denied=told(401, {"message": "Unauthorized", "error": 401}),
                secrets=(APP[1], ACCOUNT[1]),
            )


harness = RedditHarness()
