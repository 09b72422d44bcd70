"""praw, pointed at the stand-in for Reddit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fixtures import reddit
from tests.fixtures.circle import Cable
from tests.fixtures.stand_in import Asked, Told
from tests.servers.platforms.wired import Wired, cable_to


class _LiveReddit(reddit.RedditServer):
    """What the account writes stands among the newest comments, as everybody's does; one token is good for all that
    ask, as listening, checking and answering do by themselves."""

    def _token(self, asked: Asked) -> Told:
        self.tokens = 0
        return super()._token(asked)

    def _comment(self, form: dict[str, str]) -> Told:
        answer = super()._comment(form)
        self.own[-1]["data"]["created_utc"] = datetime.now(UTC).timestamp()
        self.comments.append(self.own[-1])
        return answer


class Reddit(Wired):
    """praw, pointed at the stand-in."""

    name = "reddit"
    secrets = {"REDDIT_SECRET": reddit.APP[1], "REDDIT_PASSWORD": reddit.ACCOUNT[1]}
    own = {"reddit": ["AcmeCare"]}

    def __init__(self, server: _LiveReddit, cable: Cable) -> None:
        self.cable, self._reddit = cable, server
        self.source = {
            "type": "reddit",
            "client_id": reddit.APP[0],
            "client_secret": "${REDDIT_SECRET}",
            "user_agent": reddit.AGENT,
            "subreddits": ["acme"],
            "search": False,
            "poll_secs": 3,  # 100 queries a minute are allowed
            "oauth_base": cable.url,
            "token_base": cable.url,
            "recheck": {"per_hour": 100_000},
            "reply": {"username": reddit.ACCOUNT[0], "password": "${REDDIT_PASSWORD}"},
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Reddit]:
        with ExitStack() as stack:
            server = _LiveReddit()
            stack.enter_context(server.running())
            yield cls(server, cable_to(stack, int(server.url.rpartition(":")[2])))

    def say(self, text: str, by: str) -> str:
        id = f"c{len(self._reddit.comments)}"
        at = datetime.now(UTC).timestamp()
        one = reddit.comment(id, text, author=by, author_fullname=f"t2_{by}", created_utc=at)
        self._reddit.comments.append(one)
        return f"t1_{id}"

    def answers(self, thing: str) -> Sequence[str]:
        return [str(one["data"]["body"]) for one in self._reddit.own if one["data"]["parent_id"] == thing]

    def edit(self, thing: str, text: str) -> None:
        self._change(thing, body=text, edited=datetime.now(UTC).timestamp())

    def delete(self, thing: str) -> None:
        self._change(thing, body="[deleted]", author="[deleted]", author_fullname=None)

    def _change(self, thing: str, **changes: Any) -> None:
        (one,) = [one for one in self._reddit.comments if one["data"]["name"] == thing]
        one["data"] = one["data"] | changes
