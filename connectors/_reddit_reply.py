"""Answers on Reddit: POST /api/comment, as the account of a script app (www.reddit.com/dev/api).

Reddit knows no idempotency key. So before anything is posted, the account's newest 100 comments are looked through for
this answer under this comment or submission, and found it is not posted again. What is left: an answer that Reddit took
without our hearing of it, and that its listing does not show yet when the same is tried again some seconds later.

Reddit names what it refuses in `json.errors` (`THREAD_LOCKED`, `DELETED_COMMENT`, `TOO_OLD`…); `RATELIMIT` is its limit
for an account that is new or disliked in a subreddit, with the time in words and in `json.ratelimit`, in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from connectors._exchange import plain, sendable
from connectors._pictures import few_enough
from connectors._reddit_api import Api, Declined
from connectors._reddit_posts import FULLNAME, Thing, things
from connectors._wording import comparable
from pipeline.errors import BadItem, ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Secret, Settings

_LOOKED_THROUGH = 100
_LONGEST_WAIT_SECS = 24 * 3_600.0
_WAIT = re.compile(r"(\d{1,4}) (second|minute|hour)", re.ASCII)
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600}
_CLOSED = {
    "locked": "Its moderators have locked it: nobody can answer it.",
    "archived": "Reddit has archived it: nobody can answer it.",
}


class Reply(Settings):
    """The account that answers: its name and password. It must be a developer of the app, which is of type script."""

    username: str = Field(pattern=r"^[A-Za-z0-9_-]{3,20}$")
    password: Secret = Field(min_length=1)


class Answers:
    """Posts comments as one account."""

    pictures = 0

    def __init__(self, reply: Reply, api: Api) -> None:
        self._reply = reply
        self._api = api

    def eligible(self, mention: Mention) -> str | None:
        """Whether there is something to answer that was open when it was collected."""
        if mention.source != "reddit":
            return f"It is from {mention.source}; this account answers on Reddit."
        if not FULLNAME.fullmatch(_answered(mention)):
            return "The id of what is to be answered is not known."
        return _CLOSED.get(mention.reply_ref.get("closed", ""))

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Reddit takes no key
        """Post it, unless it is there already; return its fullname."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        parent = _answered(mention)
        try:
            if posted := self._posted(parent, text):
                return posted
            answer = self._api.post("api/comment", {"api_type": "json", "thing_id": parent, "text": text})
        except Declined as refusal:
            if refusal.status == 401:
                raise ReplyRefused(f"Reddit does not accept this account or app: {refusal.words}") from None
            raise ReplyRefused(f"Reddit refuses the answer: {refusal.words}") from None
        return self._taken(answer)

    def _posted(self, parent: str, text: str) -> str | None:
        """The fullname of our answer to this with these words, where the account has given it."""
        path = f"user/{self._reply.username}/comments"
        try:
            found, _ = things(self._api.get(path, {"sort": "new", "limit": _LOOKED_THROUGH}))
        except BadItem as error:
            raise SourceUnavailable("Reddit's answer is no listing", trouble="http") from error
        same = comparable(text)
        for one in found:
            if isinstance(one, Thing) and one.data.get("parent_id") == parent and comparable(_body(one)) == same:
                return one.name or None
        return None

    def _taken(self, answer: Any) -> str:
        body = answer.get("json") if isinstance(answer, dict) else None
        body = body if isinstance(body, dict) else {}
        if errors := body.get("errors"):
            raise self._refusal(errors if isinstance(errors, list) else [errors], body.get("ratelimit"))
        data = body.get("data")
        made = data.get("things") if isinstance(data, dict) else None
        first = made[0] if isinstance(made, list) and made else None
        name = first.get("data", {}).get("name") if isinstance(first, dict) else None
        if not isinstance(name, str) or not FULLNAME.fullmatch(name):
            raise SourceUnavailable("Reddit took the answer without naming its id", trouble="http")
        return name

    def _refusal(self, errors: Sequence[Any], ratelimit: object) -> Exception:
        first = errors[0]
        code, said = (first[0], first[1]) if isinstance(first, list) and len(first) > 1 else ("", first)
        words = plain(str(said), self._api.hidden)
        if code != "RATELIMIT":
            return ReplyRefused(f"Reddit refuses the answer: {words}")
        named = _WAIT.search(words)
        wait = float(ratelimit) if isinstance(ratelimit, int | float) else None
        wait = wait or (int(named[1]) * _SECONDS[named[2]] if named else None)
        return SourceUnavailable(
            f"Reddit allows this account no more answers for now: {words}",
            trouble="rate_limited",
            retry_after=None if wait is None else min(max(0.0, wait), _LONGEST_WAIT_SECS),
        )


def _answered(mention: Mention) -> str:
    return mention.reply_ref.get("name") or mention.native_id


def _body(thing: Thing) -> str:
    body = thing.data.get("body")
    return body if isinstance(body, str) else ""
