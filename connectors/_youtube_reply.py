"""Answers on YouTube: `comments.insert` under the top-level comment, or `commentThreads.insert` under a video, as the
channel whose refresh token is given (developers.google.com/youtube/v3/docs/comments); and
`comments.setModerationStatus` for comments on the channel's own videos. Each costs 50 units of the day's 10,000, and
each look before it 1.

YouTube knows no idempotency key. So before anything is posted, the thread's newest 500 replies (the video's newest 100
threads) are looked through for this answer of ours, and found it is not posted again. What is left: an answer that
YouTube took without our hearing of it, and that it does not list yet when the same is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from connectors._exchange import sendable
from connectors._pictures import few_enough
from connectors._wording import comparable
from connectors._youtube_api import Account, Api, Declined
from connectors._youtube_items import COMMENT, VIDEO, Comment, comment, resources, thread
from pipeline.errors import BadItem, ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Action, Secret, Settings

_PAGES = 5


class Reply(Settings):
    """The channel that answers, the OAuth client, and the refresh token by which the channel let it (scope
    `youtube.force-ssl`); where tokens are given; and what hiding a comment means on the channel's own videos."""

    channel_id: str = Field(pattern=r"^UC[A-Za-z0-9_-]{22}$")
    client_id: str = Field(min_length=1)
    client_secret: Secret = Field(min_length=1)
    refresh_token: Secret = Field(min_length=1)
    token_uri: str = Field(
        default="https://oauth2.googleapis.com/token", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )
    hide: Literal["heldForReview", "rejected"] = "heldForReview"

    @property
    def account(self) -> Account:
        """What the requests are made with."""
        return Account(self.client_id, self.client_secret, self.refresh_token, self.token_uri)


class Answers:
    """Posts comments as one channel, and hides those of others on its own videos."""

    pictures = 0
    actions: ClassVar[frozenset[Action]] = frozenset({"hide"})

    def __init__(self, reply: Reply, api: Api) -> None:
        self._reply = reply
        self._api = api

    def eligible(self, mention: Mention) -> str | None:
        """Whether there is a thread or a video to answer; who may answer there is for YouTube to say."""
        if mention.source != "youtube":
            return f"It is from {mention.source}; this account answers on YouTube."
        if not _thread(mention) and not _video(mention):
            return "Neither the comment nor the video to be answered is known."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - YouTube takes no key
        """Post it, unless it is there already; return its id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        try:
            if posted := self._posted(mention, text):
                return posted
            made = self._post(mention, text)
        except Declined as refusal:
            raise _refused("the answer", refusal) from None
        id = made.get("id")
        if not isinstance(id, str) or not COMMENT.fullmatch(id):
            raise SourceUnavailable("YouTube took the answer without naming its id", trouble="http")
        return id

    def may(self, action: Action, mention: Mention) -> str | None:
        """Only a comment on one of the channel's own videos can be hidden."""
        if action not in self.actions:
            return f"YouTube does not let a program do that: {action}."
        if mention.source != "youtube" or not _thread(mention):
            return "It is no comment on YouTube."
        if mention.reply_ref.get("channel") != self._reply.channel_id:
            return "It is not on a video of this channel."
        return None

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:  # noqa: ARG002 - what is hidden already stays so
        """Hold the comment for review, or reject it, as `reply.hide` says; return its id."""
        if reason := self.may(action, mention):
            raise ReplyRefused(reason)
        try:
            self._api.call("comments", "setModerationStatus", id=mention.native_id, moderationStatus=self._reply.hide)
        except Declined as refusal:
            raise _refused("to hide it", refusal) from None
        return mention.native_id

    def _post(self, mention: Mention, text: str) -> dict[str, Any]:
        if parent := _thread(mention):
            snippet: dict[str, Any] = {"parentId": parent, "textOriginal": text}
            return self._api.call("comments", "insert", part="snippet", body={"snippet": snippet})
        snippet = {
            "videoId": _video(mention),
            "channelId": mention.reply_ref.get("channel", ""),
            "topLevelComment": {"snippet": {"textOriginal": text}},
        }
        return self._api.call("commentThreads", "insert", part="snippet", body={"snippet": snippet})

    def _posted(self, mention: Mention, text: str) -> str | None:
        """The id of our answer to this with these words, where the channel has given it."""
        same = comparable(text)
        for made in self._replies(_thread(mention)) if _thread(mention) else self._threads(_video(mention)):
            said = made.snippet
            ours = said.authorChannelId is not None and said.authorChannelId.value == self._reply.channel_id
            if ours and same in (comparable(said.textOriginal or ""), comparable(said.textDisplay)):
                return made.id
        return None

    def _replies(self, parent: str) -> Iterator[Comment]:
        params: dict[str, Any] = {"parentId": parent, "part": "snippet", "maxResults": 100, "textFormat": "plainText"}
        for _ in range(_PAGES):
            answer = self._api.call("comments", "list", **params)
            for one in resources(answer):
                try:
                    yield comment(one)
                except BadItem:
                    continue  # not ours: ours can be read
            if not (token := answer.get("nextPageToken")):
                return
            params["pageToken"] = token

    def _threads(self, video: str) -> Iterator[Comment]:
        answer = self._api.call(
            "commentThreads",
            "list",
            videoId=video,
            part="snippet",
            maxResults=100,
            order="time",
            textFormat="plainText",
        )
        for one in resources(answer):
            try:
                yield thread(one).snippet.topLevelComment
            except BadItem:
                continue  # not ours: ours can be read


def _thread(mention: Mention) -> str:
    id = mention.reply_ref.get("thread", "")
    return id if COMMENT.fullmatch(id) else ""


def _video(mention: Mention) -> str:
    id = mention.reply_ref.get("video", "")
    return id if VIDEO.fullmatch(id) else ""


def _refused(what: str, refusal: Declined) -> ReplyRefused:
    if refusal.status == 401 or refusal.reason in ("invalid_grant", "invalid_client"):
        return ReplyRefused(f"YouTube does not accept this account's token: {refusal.words}")
    return ReplyRefused(f"YouTube refuses {what}: {refusal.words}")
