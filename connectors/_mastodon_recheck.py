"""What became of stored posts: GET /api/v1/statuses?id[]=… (since 4.3, 20 at most; docs.joinmastodon.org/
methods/statuses#index), and one by one where a server does not have that or leaves a post out.

The streams tell of edits and deletions only while somebody listens, and of an edit only those whose feed the post is
in. A post that its server no longer shows us (404) was deleted or hidden from us: either way it has to go here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from pydantic import SecretStr

from connectors._gone import gone
from connectors._mastodon_api import REQUESTS, WINDOW_SECS, Allowance, Api, Refused
from connectors._mastodon_posts import SOURCE, Posted, identify, moment, read, to_mention
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Mention
from pipeline.ports import Context


class Rechecks:
    """Asks the servers the mentions were seen on. What a server's limit keeps from being asked waits for next time."""

    source: str = SOURCE
    batch: ClassVar[int] = 20

    def __init__(self, tokens: Mapping[str, SecretStr], timeout_secs: float, context: Context) -> None:
        self._tokens = tokens
        self._timeout = timeout_secs
        self._clock = context.clock
        self._allowances = {url: Allowance(url.partition("://")[2], context.clock) for url in tokens}
        # A request may be needed for each: half of what its server allows in five minutes.
        self.per_hour = REQUESTS / WINDOW_SECS * 3_600 / 2 * len(tokens)

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and new wordings. One server in trouble leaves its mentions out; where all are, it raises."""
        by_server: dict[str, list[Mention]] = {}
        for mention in mentions:
            server = mention.reply_ref.get("server", "")
            if mention.source == self.source and server in self._tokens and mention.reply_ref.get("id"):
                by_server.setdefault(server, []).append(mention)
        return asyncio.run(self._recheck(by_server))

    async def _recheck(self, by_server: Mapping[str, Sequence[Mention]]) -> Sequence[Item]:
        items: list[Item] = []
        errors: list[SourceUnavailable | SourceRefused] = []
        for server, mentions in by_server.items():
            allowance = self._allowances[server]
            try:
                async with Api(server, self._tokens[server], self._timeout, allowance, self._clock) as api:
                    if wait := allowance.wait_secs():
                        raise SourceUnavailable(
                            f"{api.host} allows no more requests for now", trouble="rate_limited", retry_after=wait
                        )
                    items += await self._ask(api, mentions)
            except (SourceUnavailable, SourceRefused) as error:
                errors.append(error)
        if errors and len(errors) == len(by_server):
            raise errors[0]
        return items

    async def _ask(self, api: Api, mentions: Sequence[Mention]) -> Sequence[Item]:
        items: list[Item] = []
        try:
            answer = await api.get("/api/v1/statuses", {"id[]": [one.reply_ref["id"] for one in mentions]})
        except Refused as error:
            if error.status == 401:
                raise
            answer = []
        shown = {str(one.get("id")): one for one in answer if isinstance(one, dict)} if isinstance(answer, list) else {}
        for mention in mentions:
            id = mention.reply_ref["id"]
            if id not in shown and api.allowance.wait_secs():
                continue
            status = shown.get(id) or await self._one(api, id)
            if status is None:
                items.append(gone(mention, self._clock.now()))
            elif (edited := self._edited(api, mention, status)) is not None:
                items.append(edited)
        return items

    async def _one(self, api: Api, id: str) -> Any:
        """The status; None where the server no longer shows it."""
        try:
            status = await api.get(f"/api/v1/statuses/{quote(id, safe='')}")
        except Refused as error:
            if error.status in (404, 410):
                return None
            raise
        if status is None:  # `null`, which is no word about the post
            raise SourceUnavailable(f"{api.host} answered with something other than a post", trouble="http")
        return status

    def _edited(self, api: Api, mention: Mention, found: Any) -> Mention | None:
        """The mention anew, with the thread and the brand it had, where it was edited since."""
        raw = msgspec.json.encode(found)
        try:
            status = read(raw)
            edited = moment(status.edited_at)
            if identify(status.uri) != mention.id or edited is None or edited <= mention.revision:
                return None
            posted = Posted(api.base, mention.author.id.rpartition("@")[2], msgspec.Raw(raw))
            anew = to_mention(posted, status, via=mention.via, now=self._clock.now(), brand=mention.brand)
        except BadItem:  # what cannot be told is left out
            return None
        return replace(
            anew,
            author=replace(anew.author, id=mention.author.id, handle=mention.author.handle),
            conversation=mention.conversation,
            parent=mention.parent,
            own=mention.own,
            reply_ref=mention.reply_ref,
        )
