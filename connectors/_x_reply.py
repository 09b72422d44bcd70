"""Answers on X: POST /2/tweets of API v2 through tweepy, as the account whose tokens (OAuth 1.0a) are given; likes,
hidden replies and direct messages of the same account.

X knows no idempotency key. So before anything is posted, the account's newest posts since the one to be answered (GET
/2/users/:id/tweets, 100 at most) are looked through for this answer to this post, and found it is not posted again. X
itself refuses a text it has just been given (403, `duplicate content`): then they are looked through once more. What is
left: a reply that X took without our hearing of it, that an attempt within seconds does not find yet, and that X does
not recognise either, is posted twice. A direct message is looked for in the same way among the conversation's newest
(GET /2/dm_conversations/with/:id/dm_events); a like and a hidden reply are what they are however often they are sent.

Limits, from docs.x.com/x-api/fundamentals/rate-limits: 100 posts in 15 minutes for a user, 10,000 a day for an
application; 900 looks in 15 minutes. Pictures (docs.x.com/x-api/media): 4 a post, 5 MB each, descriptions of 1,000
characters, by POST /2/media/upload and /2/media/metadata.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from connectors._exchange import sendable
from connectors._pictures import Bounds, Picture, fetched, few_enough
from connectors._x_account import Duplicate, Reply, SignedAccount
from connectors._x_fields import Fields
from connectors._x_posts import Post
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Kind, Media, Mention
from pipeline.ports import Action, Context

_PICTURES = 4
_PICTURE_BYTES = 5_000_000
_ALT = 1_000
_LOOKED_THROUGH = 100
_MESSAGES_LOOKED_THROUGH = 10
"""X bills each message that is looked at."""
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_ADDRESSED = re.compile(r"^(@\w{1,15}\s+)*", re.ASCII)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


class _Message(Struct):
    """One event of a conversation in private."""

    id: str
    text: str = ""
    sender_id: str = ""


class Answers:
    """Posts replies, likes, hides and writes messages as one account."""

    pictures: ClassVar[int] = _PICTURES
    actions: ClassVar[frozenset[Action]] = frozenset({"like", "hide", "message"})

    def __init__(self, reply: Reply, api_base: str, timeout_secs: float, context: Context) -> None:
        self._reply = reply
        self._timeout = timeout_secs
        self._clock = context.clock
        self._fields = Fields()
        self._account = SignedAccount(reply, api_base, timeout_secs, context.clock)

    def eligible(self, mention: Mention) -> str | None:
        """Whether there is a post to answer, and X lets this account answer it: since February 2026 only an enterprise
        contract may answer an author who neither mentioned nor quoted the account (POST /2/tweets). Where it is not
        known whom a post mentions or quotes, X has the word."""
        if reason := self._unknown(mention):
            return reason
        named = mention.reply_ref.get("mentions")
        if self._reply.tier == "enterprise" or named is None:
            return None
        if mention.kind is Kind.QUOTE and "quoted" not in mention.reply_ref:
            return None
        us = {self._reply.handle.lstrip("@").lower(), self._reply.user_id}
        if us & set(named.lower().split()):
            return None
        shown = self._reply.handle.lstrip("@")
        return f"X lets @{shown} answer only posts that mention or quote it, and this one does neither."

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - X takes no key
        """Post it, unless it is there already; return its id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        sendable(text)
        few_enough(media, self.pictures)
        post = _answered(mention)
        if posted := self._posted(post, text):
            return posted
        pictures = self._uploaded(media)
        try:
            answer = self._account.call(
                self._account.client.create_tweet,
                text=text,
                in_reply_to_tweet_id=post,
                media_ids=pictures or None,
                user_auth=True,
            )
        except Duplicate:
            if posted := self._posted(post, text):
                return posted
            raise
        return _id_of(answer, "id", "the answer")

    def may(self, action: Action, mention: Mention) -> str | None:
        """Likes and messages go to any post and any author as far as X takes them; hidden can be replies in a thread
        that the account began (PUT /2/tweets/:id/hidden)."""
        if reason := self._unknown(mention):
            return reason
        if action == "message" and not _ID.fullmatch(mention.author.id):
            return "The id of the author is not known."
        first_of_thread = mention.parent is not None and mention.parent == mention.conversation
        to = mention.reply_ref.get("to")
        if action == "hide" and (
            mention.kind is not Kind.REPLY or (first_of_thread and to is not None and to != self._reply.user_id)
        ):
            return "X hides only replies in a thread that the account itself began."
        return None

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:  # noqa: ARG002 - X takes no key
        """Like it, hide it, or write to its author; returns the mention's own id, or the message's."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        if action == "message":
            return self._message(mention, text)
        post = _answered(mention)
        if action == "like":
            self._account.ask("POST", f"/2/users/{self._reply.user_id}/likes", json={"tweet_id": post})
        else:
            self._account.ask("PUT", f"/2/tweets/{post}/hidden", json={"hidden": True})
        return mention.native_id

    def _unknown(self, mention: Mention) -> str | None:
        if mention.source != "x":
            return f"It is from {mention.source}; this account answers on X."
        if not _ID.fullmatch(_answered(mention)):
            return "The id of the post to answer is not known."
        return None

    def _posted(self, post: str, text: str) -> str | None:
        """The id of our answer to this post with these words, where the account has given it."""
        route, since = f"/2/users/{self._reply.user_id}/tweets", {"since_id": post, "max_results": _LOOKED_THROUGH}
        answer = self._fields.asked(lambda fields: self._account.ask("GET", route, params=since | dict(fields)))
        found: list[Post] = _listed(answer, list[Post])
        same = _comparable(text)
        return next(
            (one.id for one in found if one.refs.get("replied_to") == post and _comparable(one.full_text) == same), None
        )

    # ---------------------------------------------------------------------------------------------------- pictures

    def _uploaded(self, media: Sequence[Media]) -> list[str]:
        """The pictures' ids at X, in their order."""
        bounds = Bounds(_PICTURES, _PICTURE_BYTES, _ALT, self._timeout, self._reply.private_pictures)
        return [self._upload(picture) for picture in fetched(media, bounds, self._clock)]

    def _upload(self, picture: Picture) -> str:
        category = "tweet_gif" if picture.type == "image/gif" else "tweet_image"
        answer = self._account.ask(
            "POST",
            "/2/media/upload",
            data={"media_category": category},
            files={"media": (picture.name, picture.content, picture.type)},
        )
        id = _id_of(answer, "id", "the picture")
        if picture.alt:
            described = {"id": id, "metadata": {"alt_text": {"text": picture.alt}}}
            self._account.ask("POST", "/2/media/metadata", json=described)
        return id

    # ---------------------------------------------------------------------------------------------------- messages

    def _message(self, mention: Mention, text: str) -> str:
        sendable(text)
        if not text.strip():
            raise ReplyRefused("The message is empty.")
        author = mention.author.id
        answer = self._account.call(
            self._account.client.get_direct_message_events,
            participant_id=author,
            max_results=_MESSAGES_LOOKED_THROUGH,
            event_types="MessageCreate",
            dm_event_fields=["id", "text", "event_type"],
            expansions=["sender_id"],
        )
        same, asked = _comparable(text), int(_answered(mention))
        messages: list[_Message] = _listed(answer, list[_Message])
        for one in messages:
            ours = one.sender_id == self._reply.user_id and _ID.fullmatch(one.id)
            if ours and int(one.id) > asked and _comparable(one.text) == same:
                return one.id
        answer = self._account.call(
            self._account.client.create_direct_message, participant_id=author, text=text, user_auth=True
        )
        return _id_of(answer, "dm_event_id", "the message")


def _answered(mention: Mention) -> str:
    """The id of the version to answer."""
    return mention.reply_ref.get("id") or mention.native_id


def _id_of(answer: dict[str, Any], name: str, what: str) -> str:
    data = answer.get("data")
    id = data.get(name) if isinstance(data, dict) else None
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise SourceUnavailable(f"X took {what} without naming its id", trouble="http")
    return id


def _listed(answer: dict[str, Any], type: Any) -> Any:
    """What the answer lists; one that neither lists anything nor says how much is none, or all would be sent twice."""
    meta = answer.get("meta")
    counted = isinstance(meta, dict) and isinstance(meta.get("result_count"), int)
    if not counted and not isinstance(answer.get("data"), list):
        raise SourceUnavailable("X did not say what the account has sent already", trouble="http")
    try:
        return msgspec.convert(answer.get("data") or [], type)
    except msgspec.ValidationError as error:
        raise SourceUnavailable(f"X answered something else than asked for: {error}", trouble="http") from error


def _comparable(text: str) -> str:
    """A post's words whichever way they went: X puts the addressed in front, shortens links (their end is expanded
    again), trims, and composes accents."""
    text = unicodedata.normalize("NFC", text.replace("\x00", ""))
    words = _SCHEME.sub("", _ADDRESSED.sub("", text.strip())).split()
    return " ".join(word.rstrip("/") for word in words)
