"""Service reviews of Trustpilot as mentions: as the API shows them (developers.trustpilot.com, "Business Units API" and
"Service Reviews API"), and as webhooks bring them (`displayName` is `name` there, and `updatedAt` is left out).

An API answer also holds the reviewer's e-mail address and order number: neither is read.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from connectors._times import in_utc, parse_time
from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Mention, Metrics, Removal

REVIEW = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
"""Ids are 24 hexadecimal digits; what stands in an address must at least be harmless."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_MAX_TEXT = 20_000


class _Consumer(Struct, rename={"display_name": "displayName"}):
    id: str = ""
    display_name: str | None = None
    name: str | None = None


class _Reply(Struct):
    text: str | None = None


class Review(
    Struct,
    rename={"created_at": "createdAt", "updated_at": "updatedAt", "likes": "numberOfLikes", "reply": "companyReply"},
):
    """What we read of a review."""

    id: Annotated[str, Meta(pattern="^[0-9A-Za-z]{8,64}$")]
    stars: Annotated[int, Meta(ge=1, le=5)]
    created_at: str
    consumer: _Consumer
    updated_at: str | None = None
    title: str | None = None
    text: str | None = None
    language: str | None = None
    likes: int | None = None
    reply: _Reply | None = None

    @property
    def created(self) -> datetime:
        """When it was written; raises BadItem."""
        return _moment(self.created_at)

    @property
    def wording(self) -> str:
        """What counts as the same version."""
        return f"{self.stars}\0{self.title or ''}\0{self.text or ''}"

    @property
    def answer(self) -> str:
        """The company's reply that stands there; empty where there is none."""
        return (self.reply.text or "") if self.reply else ""


def read(payload: bytes) -> Review:
    """The review in these bytes; raises BadItem."""
    try:
        return msgspec.json.decode(payload, type=Review)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a review of Trustpilot: {error}") from error


class Shaper:
    """Shapes the reviews of one business unit."""

    def __init__(self, unit: str, via: str, brand: str | None) -> None:
        self._unit = unit
        self._via = via
        self._brand = brand

    def mention(self, review: Review, now: datetime, edited: bool = False) -> Mention:
        """The review as a mention; `edited` says that it said something else before, whatever it tells. Raises BadItem
        where it says nothing or has no author."""
        text = (review.text or review.title or "").strip()[:_MAX_TEXT]
        if not text or not review.consumer.id:
            raise BadItem("a review without text, or without its author")
        created = review.created
        updated = _moment(review.updated_at) if review.updated_at else None
        changed = updated if updated and updated > created else now if edited else None
        lang = review.language or ""
        return Mention(
            id=f"trustpilot:{review.id}",
            source="trustpilot",
            text=text,
            title=(review.title or "").strip(),
            author=Author(
                id=review.consumer.id,
                name=review.consumer.display_name or review.consumer.name or "",
                url=f"https://www.trustpilot.com/users/{review.consumer.id}",
            ),
            created_at=min(created, now),
            edited_at=min(changed, now) if changed else None,
            kind=Kind.REVIEW,
            collected_at=now,
            via=self._via,
            lang=lang.replace("_", "-") if _LANGUAGE.fullmatch(lang) else None,
            url=f"https://www.trustpilot.com/reviews/{review.id}",
            rating=review.stars / 5,
            metrics=Metrics(likes=review.likes),
            brand=self._brand,
            reply_ref={"review": review.id, "unit": self._unit},
        )

    def removal(self, id: str, now: datetime) -> Removal:
        """That this review is gone."""
        return Removal(
            source="trustpilot",
            reason="deleted",
            noticed_at=now,
            mention=f"trustpilot:{id}",
            conversation=f"trustpilot:{id}",
            via=self._via,
        )


def _moment(value: str) -> datetime:
    try:
        return in_utc(parse_time(value))
    except ValueError as error:
        raise BadItem(str(error)) from error
