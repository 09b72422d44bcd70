"""What is asked for of a post, under the names that X gives its fields: two sets, for X is renaming them.

The OpenAPI document of 2026 (api.x.com/2/openapi.json, 2.167) calls them `post.fields`, `note_post` and
`referenced_posts` where posts are looked up, and `tweet.fields`, `note_tweet` and `referenced_tweets` on streams; the
pages of docs.x.com have the older names everywhere. An X that does not know the newer ones says so (400), or answers
without what was asked for: then it is asked by the older. Answers are read under either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import ReplyRefused, SourceRefused

_PEOPLE = "created_at,name,public_metrics,username,verified"
_MEDIA = "alt_text,media_key,preview_image_url,type,url"

TWEETS: Mapping[str, str] = {
    "tweet.fields": "author_id,conversation_id,created_at,edit_history_tweet_ids,entities,in_reply_to_user_id,lang,"
    "note_tweet,public_metrics,referenced_tweets",
    "user.fields": _PEOPLE,
    "media.fields": _MEDIA,
    "expansions": "author_id,attachments.media_keys,in_reply_to_user_id,referenced_tweets.id,"
    "referenced_tweets.id.author_id",
}
"""By the older names, and on the stream."""

POSTS: Mapping[str, str] = {
    "post.fields": "conversation_id,created_at,entities,lang,note_post,public_metrics",
    "user.fields": _PEOPLE,
    "media.fields": _MEDIA,
    "expansions": "author_id,attachments.media_keys,edit_history_post_ids,in_reply_to_user_id,referenced_posts",
}
"""By the newer ones: what refers to others is asked for by expanding it."""


BARE: Mapping[str, str] = {"tweet.fields": TWEETS["tweet.fields"]}
"""The posts alone, by the older names: X's local playground refuses what it does not know to expand."""

_NAMES = (POSTS, TWEETS, BARE)


class Fields:
    """The names that this X knows, as far as it has told."""

    def __init__(self) -> None:
        self._known = 0

    def asked(self, ask: Callable[[Mapping[str, str]], dict[str, Any]]) -> dict[str, Any]:
        """The answer to a request with these names, or with the next ones where X refuses them, or passes over them as
        its playground does; what was passed over by all is returned as it is."""
        poor, refusal = None, None
        for number, names in list(enumerate(_NAMES))[self._known :]:
            try:
                answer = ask(names)
            except (SourceRefused, ReplyRefused) as error:
                if not any(word in str(error) for word in (".fields", "expansions")):
                    raise
                refusal = error
                continue
            if not _passed_over(answer):
                self._known = number
                return answer
            poor = poor or answer
        if poor is None and refusal is not None:
            raise refusal
        return poor or {}


def _passed_over(answer: dict[str, Any]) -> bool:
    """Whether there are posts and none has a time, which is asked for under every name."""
    data = answer.get("data")
    posts = [one for one in (data if isinstance(data, list) else [data]) if isinstance(one, dict)]
    return bool(posts) and not any("created_at" in one for one in posts)
