"""The stand-in for a forum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.fixtures import discourse
from tests.fixtures.circle import Cable
from tests.servers.platforms.wired import Wired, cable_to, in_seconds


class Discourse(Wired):
    """A forum that is looked at; its webhooks have tests of their own."""

    name = "discourse"
    secrets = {"FORUM_KEY": discourse.KEY}
    tells_of_deletions = True
    own = {"discourse": [f"{discourse.ACCOUNT}@{discourse.HERE}"]}

    def __init__(self, forum: discourse.Forum, cable: Cable) -> None:
        self.cable, self._forum = cable, forum
        account = {"username": discourse.ACCOUNT, "api_key": "${FORUM_KEY}"}
        self.source = {
            "type": "discourse",
            "url": cable.url,
            "brand": "acme",
            "poll_secs": 2,  # an admin's key is good for 60 requests a minute
            "account": account,
            "reply": account,
        }

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Discourse]:
        with ExitStack() as stack:
            forum = discourse.Forum()
            stack.enter_context(forum.running())
            yield cls(forum, cable_to(stack, int(forum.url.rpartition(":")[2])))

    def say(self, text: str, by: str) -> str:
        id, at = max(self._forum.posts, default=0) + 1, in_seconds(datetime.now(UTC))
        user = 100 + ord(by[0])
        made = discourse.post(id, text, username=by, user_id=user, created_at=at, updated_at=at)
        self._forum.posts = self._forum.posts | {id: made}  # the old one may just be read
        return str(id)

    def answers(self, thing: str) -> Sequence[str]:
        return [one["raw"] for one in list(self._forum.posts.values()) if one["reply_to_post_number"] == int(thing)]

    def edit(self, thing: str, text: str) -> None:
        changed = {"raw": text, "cooked": f"<p>{text}</p>", "version": 2, "updated_at": in_seconds(datetime.now(UTC))}
        self._forum.posts[int(thing)] = self._forum.posts[int(thing)] | changed

    def delete(self, thing: str) -> None:
        """As the author does: for a day the post is still shown, without its words."""
        self._forum.posts[int(thing)] |= {"raw": "(deleted by author)", "cooked": "", "user_deleted": True}
