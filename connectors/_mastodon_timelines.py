"""What is asked of a server: its timelines, each with its live stream and the pages that fill a gap in it; and what a
brand's terms become there, hashtags and searches.

Streams and parameters: docs.joinmastodon.org/methods/streaming; pages: methods/timelines, methods/notifications,
methods/accounts (40 at most, `min_id`: those right after it). A hashtag is letters, digits and underscores with at
least one that is no digit, without regard to case (Mastodon's Tag::HASHTAG_NAME_PAT).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from pipeline.ports import Brand, Query

USER = "user"
OWN = "own"
SEARCH = "search:"
"""What the key of a search in a cursor begins with; its phrase follows."""
_NOT_IN_TAGS = re.compile(r"[\W]+")
_DIGITS = re.compile(r"[\d_]*")


@dataclass(frozen=True)
class Timeline:
    """One timeline. `key` names it in the cursor and is what a multiplexed event names (`hashtag:acme`); `stream` and
    `params` subscribe to it (empty: another timeline's stream brings it); `path` and `query` give its pages."""

    key: str
    path: str
    stream: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """The path of the stream's own connection."""
        return f"/api/v1/streaming/{self.stream.replace(':', '/')}"


def notifications() -> Timeline:
    """Who speaks to the account. The stream `user` also brings the account's own posts and its home feed, and, other
    than `user:notification`, the deletion of what mentioned it."""
    return Timeline(USER, "/api/v1/notifications", USER, query={"types[]": "mention"})


def own(account: str) -> Timeline:
    """What the account itself posts, which the stream `user` brings."""
    return Timeline(OWN, f"/api/v1/accounts/{quote(account, safe='')}/statuses", query={"exclude_reblogs": "true"})


def hashtag(tag: str) -> Timeline:
    """Public posts with this tag."""
    return Timeline(f"hashtag:{tag}", f"/api/v1/timelines/tag/{quote(tag, safe='')}", "hashtag", {"tag": tag})


def listed(id: str) -> Timeline:
    """Posts of the accounts on one of the account's lists."""
    return Timeline(f"list:{id}", f"/api/v1/timelines/list/{quote(id, safe='')}", "list", {"list": id})


def live(which: str) -> Timeline:
    """All public posts that reach the server (`all`), or those of its own accounts (`local`)."""
    if which == "local":
        return Timeline("public:local", "/api/v1/timelines/public", "public:local", query={"local": "true"})
    return Timeline("public", "/api/v1/timelines/public", "public")


def tag_of(term: str) -> str:
    """The hashtag people would make of a term; empty where none can be made of it."""
    tag = _NOT_IN_TAGS.sub("", term).lower()
    return "" if _DIGITS.fullmatch(tag) else tag


def tags(brands: Sequence[Brand], further: Iterable[str]) -> list[str]:
    """The hashtags of the brands' terms, and the further ones."""
    terms = [*(term for brand in brands for term in brand.terms), *further]
    return list(dict.fromkeys(filter(None, map(tag_of, terms))))


def searches(brands: Sequence[Brand], further: Iterable[str]) -> list[str]:
    """The terms as searches, each a phrase: quotes cannot be escaped, and a bare `from:` would be an operator."""
    terms = [*(term for brand in brands for term in brand.terms), *further]
    phrases = (" ".join(term.replace('"', " ").split()) for term in terms)
    return list(dict.fromkeys(f'"{phrase}"' for phrase in phrases if phrase))


def asked(brands: Sequence[Brand], places: Sequence[str], *, by_tag: bool, by_search: bool) -> Iterable[Query]:
    """The brands' terms as each of these servers is asked for them."""
    for place in places:
        for brand in brands:
            if by_tag:
                for tag in tags([brand], ()):
                    yield Query(f"#{tag}", brand.name, place, "live; a post without the hashtag is not among them")
            if by_search:
                note = "now and then; only posts whose authors let them be found, where the server has a search"
                for phrase in searches([brand], ()):
                    yield Query(phrase, brand.name, place, note)
