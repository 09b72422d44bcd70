"""Answers on Trustpilot ("Service Reviews API"): POST reviews/ID/reply, as one of the business's users.

A review holds one reply of the business, and it has no id of its own. So a reply that stands there in the same words is
ours, whatever the key, and posting is idempotent by looking first. Other words are somebody's answer: they are kept and
ours is refused, or, where the operator allows it, theirs is deleted first (DELETE reviews/ID/reply).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from pydantic import Field

from connectors._exchange import plain, sendable
from connectors._pictures import few_enough
from connectors._trustpilot_api import Api, Declined
from connectors._trustpilot_reviews import REVIEW, read
from connectors._wording import comparable
from pipeline.errors import BadItem, ReplyRefused, SourceUnavailable
from pipeline.mention import Media, Mention
from pipeline.ports import Settings

_SHOWN = 60


class Reply(Settings):
    """Who answers: the id of one of the business's users. `replace` says whether an answer may take the place of one
    that stands there already."""

    business_user: str = Field(pattern=r"^[0-9A-Za-z]{8,64}$")
    replace: bool = False


class Answers:
    """Posts the business's reply to reviews of one business unit."""

    pictures: ClassVar[int] = 0

    def __init__(self, reply: Reply, api: Api, unit: str) -> None:
        self._reply = reply
        self._api = api
        self._unit = unit

    def eligible(self, mention: Mention) -> str | None:
        """Whether it is a review of this business; whether it has an answer already is seen when one is sent."""
        if mention.source != "trustpilot":
            return f"It is from {mention.source}; this account answers on Trustpilot."
        if not REVIEW.fullmatch(mention.reply_ref.get("review", "")):
            return "The id of the review is not known."
        if mention.reply_ref.get("unit") != self._unit:
            return "It is a review of another business unit."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Trustpilot takes no key
        """Post it, unless it is there already; return the review's id with `.reply` behind it."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        review = mention.reply_ref["review"]
        try:
            standing = self._standing(review)
            if standing and comparable(standing) != comparable(text):
                if not self._reply.replace:
                    shown = plain(standing)[:_SHOWN]
                    raise ReplyRefused(
                        f"Trustpilot shows one answer to a review, and there is one: “{shown}…”. Change it there."
                    )
                self._api.delete(f"reviews/{review}/reply")
                standing = ""
            if not standing:
                body = {"authorBusinessUserId": self._reply.business_user, "message": text}
                self._api.post(f"reviews/{review}/reply", body)
        except Declined as refusal:
            if refusal.status == 401:
                raise ReplyRefused(f"Trustpilot does not accept the key or the secret: {refusal.words}") from None
            raise ReplyRefused(f"Trustpilot refuses the answer: {refusal.words}") from None
        return f"{review}.reply"

    def _standing(self, review: str) -> str:
        try:
            return read(msgspec.json.encode(self._api.get(f"reviews/{review}"))).answer
        except BadItem as error:
            raise SourceUnavailable(f"Trustpilot shows {error}", trouble="http") from error
