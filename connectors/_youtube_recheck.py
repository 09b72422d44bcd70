"""What became of comments and videos that are kept: `comments.list` and `videos.list` by id, 50 for a unit
(developers.google.com/youtube/v3/docs). What was deleted, rejected or made private is left out of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from connectors._gone import gone
from connectors._youtube_api import Api, Declined
from connectors._youtube_items import COMMENT, VIDEO, Reader, resources
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Mention
from pipeline.ports import Clock


class Rechecks:
    """Asks for things by id."""

    source = "youtube"
    batch: ClassVar[int] = 50

    def __init__(self, api: Api, reader: Reader, clock: Clock, units: float) -> None:
        """`units` of the day's may be spent on this."""
        # A batch may hold comments and videos, and what is missing is asked for twice: four units.
        self.per_hour = units / 24 / 4 * self.batch
        self._api = api
        self._reader = reader
        self._clock = clock

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and rewordings. What YouTube leaves out is asked for once more, and gone if left out again."""
        items: list[Item] = []
        ours = [one for one in mentions if one.source == self.source]
        videos = {one.native_id: one for one in ours if VIDEO.fullmatch(one.native_id)}
        comments = {one.native_id: one for one in ours if COMMENT.fullmatch(one.native_id)}
        for resource, asked in (("comments", comments), ("videos", videos)):
            found = self._found(resource, list(asked))
            found |= self._found(resource, [id for id in asked if id not in found])
            for id, mention in asked.items():
                if id not in found:
                    items.append(gone(mention, self._clock.now()))
                elif (said := self._said(found[id])) is not None and said.text != mention.text:
                    edited = said.edited_at or self._clock.now()
                    items.append(replace(mention, text=said.text, title=said.title or mention.title, edited_at=edited))
        return items

    def _said(self, resource: Mapping[str, Any]) -> Mention | None:
        try:
            (item,) = self._reader.parse(msgspec.json.encode(resource), self._clock.now())
        except BadItem:
            return None  # it is there; what it says cannot be told
        return item if isinstance(item, Mention) else None

    def _found(self, resource: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for at in range(0, len(ids), self.batch):
            params: dict[str, Any] = {"id": ",".join(ids[at : at + self.batch]), "part": "snippet"}
            if resource == "comments":
                params["textFormat"] = "plainText"
            try:
                answer = self._api.call(resource, "list", **params)
            except Declined as refusal:
                raise SourceRefused(f"YouTube does not say what became of things: {refusal.words}") from None
            if not isinstance(answer.get("items"), list):  # or all of them would be taken for gone
                raise SourceUnavailable("YouTube does not say what became of things: no list", trouble="http")
            found |= {one["id"]: one for one in resources(answer) if isinstance(one, dict) and one.get("id")}
        return found
