"""Answers on Facebook, Instagram and Threads, and what else a page may do with what is said to it.

POST /{comment}/comments and /{post}/comments (Facebook), /{ig-comment}/replies, /{ig-account}/mentions where the
account was named elsewhere, and on Threads a container (POST /{profile}/threads with `reply_to_id`) that is then
published (/threads_publish): at most 1,000 replies in 24 hours. POST /{comment}/likes; `is_hidden` on Facebook, `hide`
on Instagram, /manage_reply on Threads; POST /me/messages with `recipient: {comment_id}` writes in private to who
commented, once for each comment and within 7 days (Messenger Platform, Private Replies). What was written then is in
the comment's `private_reply_conversation` (Graph API, Comment) and in /me/conversations (Conversations API).

Meta knows no idempotency key. So before anything is posted, our answers there are looked through for this one. What
cannot be looked through is an answer to who named the account on Instagram elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from connectors._exchange import sendable
from connectors._meta_graph import Declined, Graph, Network, is_id
from connectors._pictures import Bounds, fetched, few_enough
from connectors._wording import comparable
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Kind, Media, Mention
from pipeline.ports import Action, Clock, Settings

_PICTURES: Mapping[Network, int] = {"facebook": 1, "instagram": 0, "threads": 1}
_PICTURE_BYTES = 4_194_304
"""Graph API, Page Photos: files over 4 MB may be refused."""
_PAGES = 3
_IN_PRIVATE = timedelta(days=7)
_ANSWERED = 10_900
"""`Activity already replied to`: there is a private reply to this comment."""
_MESSAGES = "messages.limit(50){id,message,from}"
_LOOKS = 8
_LOOK_SECS = 2.0
_LIKES: Mapping[Network, str] = {"instagram": "Instagram", "threads": "Threads"}


class Reply(Settings):
    """That this source answers, each mention as the account it came to; `private_pictures` allows pictures from
    addresses in the private network."""

    private_pictures: bool = False


class Answers:
    """Answers as one of the accounts of one network."""

    pictures: ClassVar[int] = 1
    actions: ClassVar[frozenset[Action]] = frozenset({"like", "hide", "message"})
    once: ClassVar[frozenset[Action]] = frozenset({"message"})

    def __init__(self, reply: Reply, network: Network, accounts: Sequence[str], graph: Graph, clock: Clock) -> None:
        self._network = network
        self._accounts = accounts
        self._graph = graph
        self._clock = clock
        self._bounds = Bounds(1, _PICTURE_BYTES, allow_private=reply.private_pictures)

    def eligible(self, mention: Mention) -> str | None:
        """Whether it came to one of the accounts, and where the answer would stand is known."""
        if mention.source != self._network:
            return f"It is from {mention.source}; this account answers on {self._network.capitalize()}."
        ref = mention.reply_ref
        if ref.get("account") not in self._accounts:
            return "It did not come to one of the accounts that answer here."
        if not all(is_id(ref.get(name, "")) for name in ("id", "top", "place")):
            return "What Meta needs to attach an answer is not known."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Meta takes no key
        """Post it, unless it is there already; return its id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, _PICTURES[self._network])
        sendable(text)
        try:
            if posted := self._posted(mention, text):
                return posted
            match self._network:
                case "facebook":
                    made = self._on_facebook(mention, text, media)
                case "instagram":
                    made = self._on_instagram(mention, text)
                case "threads":
                    made = self._on_threads(mention, text, media)
        except Declined as refusal:
            raise _refused(refusal) from None
        return _id(made)

    def may(self, action: Action, mention: Mention) -> str | None:
        """As `eligible`, and as far as each network lets an account do it."""
        if reason := self.eligible(mention):
            return reason
        theirs = mention.reply_ref.get("theirs") == "yes"
        if action == "like" and self._network in _LIKES:
            return f"{_LIKES[self._network]} does not let a program like a comment."
        if action == "hide" and (theirs or mention.kind not in (Kind.COMMENT, Kind.REPLY)):
            return "Only a comment under the account's own posts can be hidden."
        if action == "message":
            if self._network == "threads":
                return "Threads does not let a program write in private."
            if theirs:
                return "In private only those are answered who commented on the account's own posts."
            if self._clock.now() - mention.created_at > _IN_PRIVATE:
                return "A comment can be answered in private for 7 days."
        return None

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:  # noqa: ARG002 - each can be done once only
        """Like it, hide it, or write to who said it."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        account, id = mention.reply_ref["account"], mention.reply_ref["id"]
        try:
            if action == "message":
                return self._message(mention, text)
            if action == "like":
                self._graph.post(account, f"{id}/likes")
            elif self._network == "facebook":
                self._graph.post(account, id, is_hidden="true")
            elif self._network == "instagram":
                self._graph.post(account, id, hide="true")
            else:
                self._graph.post(account, f"{id}/manage_reply", hide="true")
        except Declined as refusal:
            raise _refused(refusal) from None
        return mention.native_id

    def _message(self, mention: Mention, text: str) -> str:
        sendable(text)
        ref = mention.reply_ref
        about = "comment_id" if mention.kind is Kind.COMMENT else "post_id"
        try:
            made = self._graph.post(
                ref["account"],
                "me/messages",
                recipient=msgspec.json.encode({about: ref["id"]}).decode(),
                message=msgspec.json.encode({"text": text}).decode(),
            )
        except Declined as refusal:
            if refusal.code == _ANSWERED:
                return self._answered(mention, text)
            raise
        sent = made.get("message_id")
        return sent if isinstance(sent, str) and sent else mention.native_id

    def _answered(self, mention: Mention, text: str) -> str:
        """The id of the one private message there was, where it is this one."""
        had = "Meta allows one private message for each comment, and this one has had it"
        try:
            for one in self._written(mention):
                said, who = one.get("message"), _dict(one.get("from")).get("id")
                if comparable(str(said or "")) == comparable(text) and str(who) != mention.author.id:
                    return str(one.get("id") or mention.native_id)
        except Declined as refusal:
            whether = f"Whether it was this one Meta does not show ({refusal.words}): look into its inbox."
            raise ReplyRefused(f"{had}. {whether}") from None
        raise ReplyRefused(f"{had}: this was not sent.")

    def _written(self, mention: Mention) -> list[Mapping[str, Any]]:
        """The newest messages between account and author; of a comment on Facebook, those that began with it."""
        account, id = mention.reply_ref["account"], mention.reply_ref["id"]
        if self._network == "facebook" and mention.kind is Kind.COMMENT:
            found = self._graph.get(account, id, fields=f"private_reply_conversation{{{_MESSAGES}}}")
            talks = [_dict(found.get("private_reply_conversation"))]
        else:
            platform = "messenger" if self._network == "facebook" else "instagram"
            who = mention.author.id
            found = self._graph.get(account, "me/conversations", platform=platform, user_id=who, fields=_MESSAGES)
            talks = _list(found.get("data"))
        return [one for talk in talks for one in _list(_dict(talk.get("messages")).get("data"))]

    # ---------------------------------------------------------------------------------------------------- answering

    def _on_facebook(self, mention: Mention, text: str, media: Sequence[Media]) -> dict[str, Any]:
        account = mention.reply_ref["account"]
        params = {"message": text}
        for picture in fetched(media, self._bounds, self._clock):
            said = {"alt_text_custom": picture.alt} if picture.alt else {}
            uploaded = self._graph.upload(account, f"{account}/photos", picture, published="false", **said)
            params["attachment_id"] = _id(uploaded)
        return self._graph.post(account, f"{mention.reply_ref['top']}/comments", **params)

    def _on_instagram(self, mention: Mention, text: str) -> dict[str, Any]:
        ref = mention.reply_ref
        if ref.get("theirs") != "yes":
            return self._graph.post(ref["account"], f"{ref['top']}/replies", message=text)
        about = {"media_id": ref["place"]} | ({"comment_id": ref["id"]} if mention.kind is Kind.COMMENT else {})
        return self._graph.post(ref["account"], f"{ref['account']}/mentions", message=text, **about)

    def _on_threads(self, mention: Mention, text: str, media: Sequence[Media]) -> dict[str, Any]:
        account = mention.reply_ref["account"]
        params = {"media_type": "TEXT", "text": text, "reply_to_id": mention.reply_ref["id"]}
        for picture in media:  # Threads fetches it itself
            params |= {"media_type": "IMAGE", "image_url": picture.url}
            params |= {"alt_text": picture.alt} if picture.alt else {}
        container = _id(self._graph.post(account, f"{account}/threads", **params))
        if media:
            self._await(account, container)
        return self._graph.post(account, f"{account}/threads_publish", creation_id=container)

    def _await(self, account: str, container: str) -> None:
        """Wait until Threads has fetched the picture: it is asked for the status of what is to be published."""
        for _ in range(_LOOKS):
            found = self._graph.get(account, container, fields="status,error_message")
            if found.get("status") in ("FINISHED", "PUBLISHED"):
                return
            if found.get("status") in ("ERROR", "EXPIRED"):
                raise ReplyRefused(f"Threads cannot use the picture: {str(found.get('error_message'))[:100]!a}")
            if self._clock.wait(_LOOK_SECS):
                break
        raise SourceUnavailable("Threads has not fetched the picture yet", trouble="http", retry_after=30)

    def _posted(self, mention: Mention, text: str) -> str | None:
        """The id of our answer to this with these words, where it has been given."""
        ref = mention.reply_ref
        account, same = ref["account"], comparable(text)
        match self._network:
            case "facebook":
                path, words, fields = f"{ref['top']}/comments", "message", "id,message,from"
                options = {"order": "reverse_chronological"}
            case "instagram":
                if ref.get("theirs") == "yes":
                    return None
                path, words, fields, options = f"{ref['top']}/replies", "text", "id,text,user", {}
            case "threads":
                path, words, fields, options = f"{account}/replies", "text", "id,text,replied_to", {}
        for _ in range(_PAGES):
            answer = self._graph.get(account, path, fields=fields, limit="100", **options)
            for one in _list(answer.get("data")):
                if self._ours(one, ref) and comparable(str(one.get(words) or "")) == same:
                    return _id(one)
            after = _dict(_dict(answer.get("paging")).get("cursors")).get("after")
            if not isinstance(after, str) or "next" not in _dict(answer.get("paging")):
                return None
            options["after"] = after
        return None

    def _ours(self, one: Mapping[str, Any], ref: Mapping[str, str]) -> bool:
        if self._network == "threads":  # its list is of the account's own replies
            return str(_dict(one.get("replied_to")).get("id")) == ref["id"]
        # Instagram names the user only where it is the account itself.
        who = one.get("from" if self._network == "facebook" else "user")
        return str(_dict(who).get("id")) == ref["account"]


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _id(made: Mapping[str, Any]) -> str:
    id = str(made.get("id") or "")
    if not is_id(id):
        raise SourceUnavailable("Meta took it without naming its id", trouble="http")
    return id


def _refused(refusal: Declined) -> ReplyRefused:
    if refusal.token:
        return ReplyRefused(f"Meta does not take this account's access token: {refusal.words}")
    return ReplyRefused(f"Meta refuses it: {refusal.words}")
