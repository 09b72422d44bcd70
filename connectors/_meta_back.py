"""What was said while nobody answered Meta's webhooks, and longer ago than Meta sends again: read back.

`/{page}/feed` and `/{ig-account}/media` show posts by when they were made, each with its newest comments (field
expansion). So the newest posts are looked through for what was said in the gap; a comment under an older post is not
found. Threads has nothing of the kind that would do with few requests.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from connectors._aside import aside
from connectors._meta_events import Reader
from connectors._meta_graph import Graph, Network
from connectors._meta_shapes import Event
from connectors._times import parse_time
from pipeline.errors import BadItem
from pipeline.mention import Mention
from pipeline.ports import Clock, Page

POSTS = 100
"""Posts of each account that are looked through."""
_A_PAGE = 25
_COMMENT = "id,message,from,created_time,parent"
_REPLY = "id,text,timestamp,from"
_ASKED: Mapping[Network, tuple[str, str]] = {
    "facebook": (
        "feed",
        f"id,message,from,created_time,comments.filter(stream).order(reverse_chronological).limit(100){{{_COMMENT}}}",
    ),
    "instagram": ("media", f"id,comments.limit(50){{{_REPLY},replies{{{_REPLY}}}}}"),
}


class Back:
    """Reads back one network's accounts."""

    def __init__(self, graph: Graph, reader: Reader, clock: Clock) -> None:
        self._graph = graph
        self._reader = reader
        self._clock = clock

    @property
    def can(self) -> bool:
        """Whether there is anything to read back here."""
        return self._reader.network in _ASKED

    def read(self, account: str, since: datetime, until: datetime) -> Generator[Page, None, None]:
        """Pages of what was said between; raises SourceUnavailable and Declined."""
        edge, fields = _ASKED[self._reader.network]
        params = {"fields": fields, "limit": str(_A_PAGE)}
        for _ in range(POSTS // _A_PAGE):
            answer: dict[str, Any] = yield from aside(
                lambda: self._graph.get(account, f"{account}/{edge}", **params), self._clock
            )
            found = [mention for row in _rows(answer) for mention in self._mentions(account, row)]
            yield Page([mention for mention in found if since <= mention.created_at <= until])
            paging = answer.get("paging")
            cursors = paging.get("cursors") if isinstance(paging, dict) and "next" in paging else None
            after = cursors.get("after") if isinstance(cursors, dict) else None
            if not isinstance(after, str):
                return
            params["after"] = after

    def _mentions(self, account: str, post: Mapping[str, Any]) -> Iterator[Mention]:
        """What the webhooks would have told of this post; what cannot be read is left out, as it is asked for once."""
        for field, said, when in _changes(post) if self._reader.network == "facebook" else _comments(post):
            try:
                time = parse_time(str(when)).timestamp()
                event = Event(account, field, msgspec.Raw(msgspec.json.encode(said)), time)
                item = self._reader.item(event, self._clock.now())
            except (BadItem, ValueError):
                continue
            if isinstance(item, Mention):
                yield item


_Told = Iterator[tuple[str, dict[str, Any], object]]


def _changes(post: Mapping[str, Any]) -> _Told:
    def told(item: str, node: Mapping[str, Any]) -> dict[str, Any]:
        shared = {name: node[name] for name in ("message", "from", "created_time") if node.get(name)}
        return {"item": item, "verb": "add", "post_id": post.get("id"), **shared}

    yield "feed", told("post", post), post.get("created_time")
    for one in _rows(post.get("comments")):
        parent = one.get("parent")
        ids = {"comment_id": one.get("id"), "parent_id": parent.get("id") if isinstance(parent, dict) else ""}
        yield "feed", told("comment", one) | ids, one.get("created_time")


def _comments(post: Mapping[str, Any]) -> _Told:
    for one in _rows(post.get("comments")):
        for said in (one, *_rows(one.get("replies"))):
            value = {name: said[name] for name in ("id", "text", "from") if said.get(name)}
            parent = {} if said is one else {"parent_id": one.get("id")}
            yield "comments", {**value, **parent, "media": {"id": post.get("id")}}, said.get("timestamp")


def _rows(answer: object) -> Sequence[Mapping[str, Any]]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
