"""What became of stored posts: GET /2/tweets, 100 ids a request (docs.x.com/x-api/posts/lookup), since deletions are
streamed to enterprise contracts only.

A post that is not to be had stands in `errors`: `resource-not-found` for one that is gone,
`not-authorized-for-resource` for one whose author is protected or suspended now (api.x.com/2/problems). X bills each
post that is returned, and one that was read the same day not again: so a day's number of them is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Literal

from msgspec.structs import replace
from pydantic import SecretStr

from connectors._gone import gone
from connectors._x_api import Api
from connectors._x_posts import Reader, results
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Context

_GONE: dict[str, Literal["deleted", "account_hidden"]] = {
    "resource-not-found": "deleted",
    "resource-unavailable": "deleted",
    "not-authorized-for-resource": "account_hidden",
}


class Rechecks:
    """Asks X as the application."""

    source: str = "x"
    batch: ClassVar[int] = 100

    def __init__(self, token: SecretStr, base: str, timeout_secs: float, posts_a_day: int, context: Context) -> None:
        self._most = posts_a_day
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
            answer = api.posts(list(asked))
        errors = answer.get("errors")
        items: list[Item] = [*self._gone(errors, asked)] if isinstance(errors, list) else []
        try:
            found = results(answer)
        except BadItem:  # what cannot be told is left out
            return items
        self._shown = (today, shown + len(found))
        for message in found:
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
            if not isinstance(error, dict) or error.get("parameter") not in ("ids", None):
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
