"""A forum with the brand's account, which has written nothing yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from connectors._discourse_reply import Reply
from connectors.discourse import Config
from pipeline.mention import Mention
from pipeline.ports import Clock
from tests.contract.repliers import IMPATIENCE, NOBODY, PATIENCE, Given, Stand
from tests.fixtures.discourse import ACCOUNT, HERE, KEY, Forum, post
from tests.fixtures.shapes import mention
from tests.fixtures.stand_in import told

_PICTURES = re.compile(r"(.*?)((?:\n\n!\[[^\]]*\]\(upload://[^)]*\))*)", re.DOTALL)


def settings(base: str, patience: float = PATIENCE, **changes: object) -> Config:
    account = {"username": ACCOUNT, "api_key": SecretStr(KEY), "private_pictures": True} | changes
    return Config(url=base, timeout_secs=patience, reply=Reply.model_validate(account))


def asked(number: int = 3) -> Mention:
    return mention(
        f"discourse:{HERE}/7/{number}",
        reply_ref={"topic": "7", "number": str(number), "post": str(number), "username": "ana"},
    )


def given(forum: Forum) -> list[Given]:
    found = []
    for one in forum.posts.values():
        if one["username"] == ACCOUNT and one["reply_to_post_number"] == 3:
            match = _PICTURES.fullmatch(one["raw"])
            assert match is not None
            pictures = tuple(re.findall(r"!\[([^\]]*)\]", match[2]))
            found.append(Given(f"{HERE}/7/{one['post_number']}", match[1], pictures))
    return found


class DiscourseHarness:
    @contextmanager
    def stand(self, clock: Clock) -> Iterator[Stand]:
        with Forum().running() as forum:
            forum.add(post(3))
            mine = asked()

            yield Stand(
                config=settings(forum.url),
                impatient=settings(forum.url, IMPATIENCE),
                unreachable=settings(NOBODY),
                mention=mine,
                cannot=mention("discourse:forum.example/7/3", reply_ref=mine.reply_ref),
                secrets=(KEY,),
                replies=lambda: given(forum),
                refuse=forum.refusal.append,
                lose=lambda: forum.lose("/posts.json"),
                hang=lambda: forum.hang("/posts.json"),
                fail=lambda: forum.fail("/posts.json", told(503, {"errors": ["Service Unavailable"]})),
                limit=lambda seconds: forum.fail(
                    "/posts.json", told(429, {"errors": ["Slow down"], "extras": {"wait_seconds": seconds}})
                ),
            )


harness = DiscourseHarness()
