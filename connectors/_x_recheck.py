"""What became of stored posts: GET /2/tweets, 100 ids a request (docs.x.com/x-api/posts/lookup), since deletions are
streamed to enterprise contracts only.

A post that is not to be had stands in `errors`: `resource-not-found` for one that is gone,
`not-authorized-for-resource` for one whose author is protected or suspended now (api.x.com/2/problems). X bills each
post that is returned, and one that was read the same day not again: so a day's number of them is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import SecretStr

from connectors._gone import gone
from connectors._x_api import Api, InvalidRequest
from connectors._x_posts import Message, Reader, results
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Context

_GONE: dict[str, Literal["deleted", "account_hidden"]] = {
    "resource-not-found": "deleted",
    "resource-unavailable": "deleted",
    "not-authorized-for-resource": "account_hidden",
}
_VERSIONS = ("edit_history_tweet_ids", "edit_history_post_ids")
_ALONE = 10
"""Posts asked for one by one, at most, each time."""


class Rechecks:
    """Asks X as the application."""

    source: str = "x"
    batch: ClassVar[int] = 100

    def __init__(self, token: SecretStr, base: str, timeout_secs: float, posts_a_day: int, context: Context) -> None:
        self._most = posts_a_day
        self.per_hour = posts_a_day / 24
        self._shown = (date.min, 0)
        self._token = token
        self._base = base
        self._timeout = timeout_secs
        self._clock = context.clock
        self._reader = Reader(context.name, context.brands)

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """A removal for each post that is gone or hidden, the new wording of each that was edited."""
        ours = [mention for mention in mentions if mention.source == self.source]
        asked = {mention.reply_ref.get("id") or mention.native_id: mention for mention in ours}
        asked = {id: mention for id, mention in asked.items() if id.isascii() and id.isdecimal() and len(id) < 20}
        if not asked:
            return []
        today, shown = self._today()
        if shown >= self._most:
            raise SourceUnavailable(
                f"X bills what it shows, and {self._most:,} posts a day were agreed (recheck_posts_per_day)",
                trouble="rate_limited",
                retry_after=self._until_tomorrow(),
            )
        with closing(Api(self._token, self._base, self._timeout, self._clock)) as api:
            answers = [api.posts(list(asked))]
            answers += self._alone(api, _unmentioned(answers[0], asked)[:_ALONE])
        items: list[Item] = []
        for answer in answers:
            items += self._became(answer, asked)
            shown += len(_posts(answer))
        self._shown = (today, shown)
        return items

    def _alone(self, api: Api, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What is said of posts about which nothing was said: X always says something, its playground only when asked
        for one alone."""
        answers: list[dict[str, Any]] = []
        for id in ids:
            try:
                answers.append(api.post(id))
            except (InvalidRequest, SourceUnavailable):
                break
        return answers

    def _became(self, answer: dict[str, Any], asked: dict[str, Mention]) -> list[Item]:
        errors = answer.get("errors")
        items: list[Item] = [*self._gone(errors, asked)] if isinstance(errors, list) else []
        for message in _posts(answer):
            try:
                read = self._reader.items(message, self._clock.now())
            except BadItem:
                continue
            items += [edited for item in read if (edited := self._edited(item, asked)) is not None]
        return items

    def _today(self) -> tuple[date, int]:
        """The day at X, which counts in UTC, and how many posts it has shown us."""
        today = self._clock.now().astimezone(UTC).date()
        return self._shown if self._shown[0] == today else (today, 0)

    def _until_tomorrow(self) -> float:
        now = self._clock.now().astimezone(UTC)
        return (datetime.combine(now.date() + timedelta(days=1), time.min, UTC) - now).total_seconds()

    def _gone(self, errors: Sequence[Any], asked: dict[str, Mention]) -> list[Removal]:
        removals = []
        for error in errors:
            if not isinstance(error, dict) or error.get("parameter") not in ("ids", "id", None):
                continue  # about what a post refers to
            mention = asked.get(str(error.get("resource_id") or error.get("value") or ""))
            reason = _GONE.get(str(error.get("type", "")).rpartition("/")[2])
            if mention is not None and reason is not None:
                removals.append(gone(mention, self._clock.now(), reason))
        return removals

    def _edited(self, item: Item, asked: dict[str, Mention]) -> Mention | None:
        """The mention anew where its wording is a later one; X answers the id of any version with the post as it is."""
        stored = next((one for one in asked.values() if isinstance(item, Mention) and one.id == item.id), None)
        if stored is None or not isinstance(item, Mention) or item.revision <= stored.revision:
            return None
        return replace(item, brand=stored.brand or item.brand, via=stored.via, own=stored.own)


def _posts(answer: dict[str, Any]) -> list[Message]:
    """The posts of an answer; what cannot be told is left out."""
    data = answer.get("data")
    try:
        return results(answer | {"data": [data]} if isinstance(data, dict) else answer)
    except BadItem:
        return []


def _unmentioned(answer: dict[str, Any], asked: Iterable[str]) -> list[str]:
    """The ids asked for about which the answer says nothing; none where it cannot be read."""
    errors, said = answer.get("errors"), set[str]()
    for error in errors if isinstance(errors, list) else ():
        said |= {str(error.get("resource_id")), str(error.get("value"))} if isinstance(error, dict) else set()
    try:
        found = [message.data or {} for message in results(answer)]
    except BadItem:
        return []
    for post in found:
        versions = [post.get(name) for name in _VERSIONS]
        said |= {str(id) for ids in versions if isinstance(ids, list) for id in ids} | {str(post.get("id"))}
    return [id for id in asked if id not in said]
