"""Answers on a forum (docs.discourse.org): POST /posts.json with the topic and the number of the post that is answered.

Discourse takes no key for a reply. So before one is posted, what the account wrote in this topic is looked through for
the same words in answer to the same post. Two habits of Discourse close most of what is left: a request of an admin's
key that is the same within two minutes is answered with the post it made (DistributedMemoizer in posts_controller.rb),
and the same words from one account within five minutes are refused (site setting unique_posts_mins).

A topic, and so a private message, does take a key: `external_id`, with which it is found again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from connectors._discourse_api import Account, Api, Declined
from connectors._exchange import sendable
from connectors._pictures import Bounds, Picture, fetched, few_enough
from connectors._wording import comparable
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Action, Clock

_LOOKED_THROUGH = 20
"""Own posts of a topic that are looked through, the newest: what Discourse shows of them in one answer."""

_LIKE = 2
_PICTURES = 4
_PICTURE_BYTES = 4_194_304
"""Discourse's own default (site setting max_image_size_kb, 4096)."""

_NAMED = re.compile(r"/t/(?:[^/]*/)?(\d{1,12})")
_UNSAFE = re.compile(r"[\[\]|\\\r\n]+")
_WAITING = "pending"


class Reply(Account):
    """The account that answers; `private_pictures` allows pictures from addresses in the private network."""

    private_pictures: bool = False


class Answers:
    """Posts, likes and writes privately as one account. `forum` is the front of the native ids it can answer."""

    pictures: ClassVar[int] = _PICTURES
    actions: ClassVar[frozenset[Action]] = frozenset({"like", "message"})

    def __init__(self, account: Reply, api: Api, forum: str, title: str, clock: Clock) -> None:
        self._account = account
        self._api = api
        self._forum = forum
        self._title = title
        self._clock = clock
        self._bounds = Bounds(_PICTURES, _PICTURE_BYTES, allow_private=account.private_pictures)

    def eligible(self, mention: Mention) -> str | None:
        """A reply needs the topic and the post's number; whether the topic is closed, the forum says when asked."""
        if mention.source != "discourse" or not mention.native_id.startswith(f"{self._forum}/"):
            return f"It is not from {self._forum}, where this account answers."
        if not all(mention.reply_ref.get(name, "").isdecimal() for name in ("topic", "number", "post")):
            return "What Discourse needs to attach a reply is not known: its topic and number."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Discourse takes no key for a reply
        """Post it, unless it is there already; return its native id, or `pending/…` where a moderator looks first."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        topic, number = mention.reply_ref["topic"], mention.reply_ref["number"]
        try:
            if posted := self._posted(topic, number, text, len(media)):
                return posted
            raw = "\n\n".join([text, *(self._shown(one) for one in fetched(media, self._bounds, self._clock))])
            body = {"raw": raw, "topic_id": int(topic), "reply_to_post_number": int(number)}
            try:
                return self._made(self._api.post("posts.json", body))
            except Declined as refusal:
                # Words too similar to what was just posted: perhaps it was this that was posted.
                if refusal.status == 422 and (posted := self._posted(topic, number, text, len(media))):
                    return posted
                raise
        except Declined as refusal:
            raise self._refused(refusal) from None

    def may(self, action: Action, mention: Mention) -> str | None:
        """As `eligible`; a private message besides needs a key that an admin made."""
        if action not in self.actions:
            return "A forum's posts are hidden by its moderators, not from here."
        if reason := self.eligible(mention):
            return reason
        if action == "message" and self._account.user_key:
            return "A private message needs a key that an admin made: with a user's own it could be sent twice."
        if action == "message" and not mention.reply_ref.get("username"):
            return "To whom a private message would go is not known."
        return None

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:
        """Like the post, or write to its author."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        try:
            return self._like(mention) if action == "like" else self._message(mention, text, key)
        except Declined as refusal:
            raise self._refused(refusal) from None

    def _like(self, mention: Mention) -> str:
        post = mention.reply_ref["post"]
        try:
            self._api.post("post_actions.json", {"id": int(post), "post_action_type_id": _LIKE})
        except Declined as refusal:
            if refusal.status != 403 or not self._liked(post):
                raise
        return mention.native_id

    def _liked(self, post: str) -> bool:
        found = self._api.get(f"posts/{post}.json")
        actions = found.get("actions_summary") if isinstance(found, dict) else None
        return any(isinstance(one, dict) and one.get("id") == _LIKE and one.get("acted") for one in actions or ())

    def _message(self, mention: Mention, text: str, key: str) -> str:
        sendable(text)
        name = f"harken-{hashlib.sha256(key.encode()).hexdigest()[:40]}"
        try:
            self._api.get(f"t/external_id/{name}.json")
        except Declined as refusal:
            if refusal.status in (301, 302) and (there := _NAMED.search(refusal.location)):
                return f"{self._forum}/{there[1]}/1"
            if refusal.status != 404:
                raise
        body = {
            "title": self._title,
            "raw": text,
            "target_recipients": mention.reply_ref["username"],
            "archetype": "private_message",
            "external_id": name,
        }
        return self._made(self._api.post("posts.json", body))

    def _shown(self, picture: Picture) -> str:
        answer = self._api.upload(picture)
        url = answer.get("short_url") if isinstance(answer, dict) else None
        if not isinstance(url, str) or not url.startswith("upload://") or not url.isprintable():
            raise SourceUnavailable(f"{self._forum} took a picture without naming its address", trouble="http")
        return f"![{_UNSAFE.sub(' ', picture.alt)}]({url})"

    def _posted(self, topic: str, number: str, text: str, pictures: int) -> str | None:
        """Our answer to this post with these words and as many pictures, where we have given it."""
        options = {"username_filters": self._account.username, "include_raw": "true"}
        posts, stream = _stream(self._api.get(f"t/{topic}.json", options))
        if newer := stream[-_LOOKED_THROUGH:] if len(stream) > len(posts) else []:
            wanted = [("post_ids[]", str(id)) for id in newer]
            posts, _ = _stream(self._api.get(f"t/{topic}/posts.json", (*wanted, ("include_raw", "true"))))
        same = comparable(text)
        ours = self._account.username.casefold()
        for post in posts:
            raw, made = post.get("raw"), post.get("post_number")
            if (
                isinstance(raw, str)
                and str(post.get("username")).casefold() == ours
                and str(post.get("reply_to_post_number")) == number
                and raw.count("](upload://") == text.count("](upload://") + pictures
                and comparable(_words(raw, pictures)) == same
            ):
                return f"{self._forum}/{topic}/{made}"
        return None

    def _made(self, answer: Any) -> str:
        body = answer if isinstance(answer, dict) else {}
        if body.get("action") == "enqueued":
            waiting = body.get("pending_post")
            return f"{_WAITING}/{waiting.get('id', 0) if isinstance(waiting, dict) else 0}"
        topic, number = body.get("topic_id"), body.get("post_number")
        if not isinstance(topic, int) or not isinstance(number, int):
            raise SourceUnavailable(f"{self._forum} took the answer without naming its number", trouble="http")
        return f"{self._forum}/{topic}/{number}"

    def _refused(self, refusal: Declined) -> ReplyRefused:
        if refusal.status == 401:
            return ReplyRefused(f"{self._forum} does not accept this account or key: {refusal.words}")
        return ReplyRefused(f"{self._forum} refuses it: {refusal.words}")


def _words(raw: str, pictures: int) -> str:
    """The text before the pictures that were put under it."""
    for _ in range(pictures):
        raw = raw.rpartition("![")[0]
    return raw


def _stream(answer: Any) -> tuple[Sequence[Mapping[str, Any]], Sequence[Any]]:
    """The posts shown of a topic, and the ids of all of them."""
    found = answer.get("post_stream") if isinstance(answer, dict) else None
    found = found if isinstance(found, dict) else {}
    posts, ids = found.get("posts"), found.get("stream")
    shown = [post for post in posts if isinstance(post, dict)] if isinstance(posts, list) else []
    return shown, ids if isinstance(ids, list) else []
