"""Reviews of the App Store as mentions (JSON:API; CustomerReview and CustomerReviewResponseV1 in Apple's reference).

`createdDate` is when a review was written. The response to it stands in the document's `included`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from connectors._store_reviews import Shown
from connectors._times import in_utc
from pipeline.errors import BadItem, SourceUnavailable
from pipeline.mention import Author, Kind, Mention
from pipeline.ports import Clock

_MAX_TEXT = 32_000


class _Words(Struct, rename="camel"):
    rating: Annotated[int, Meta(ge=1, le=5)]
    created_date: Annotated[datetime, Meta(tz=True)]
    title: str | None = None
    body: str | None = None
    reviewer_nickname: str | None = None
    territory: str | None = None


class _Answer(Struct, rename="camel"):
    response_body: str = ""
    last_modified_date: Annotated[datetime, Meta(tz=True)] | None = None
    state: str = ""


class Response(Struct):
    id: Annotated[str, Meta(min_length=1)]
    attributes: _Answer


class Review(Struct):
    """A review as Apple shows it, with the response to it put beside it."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    attributes: _Words
    app: str = ""
    response: Response | None = None


class Reader:
    """Shapes reviews."""

    def __init__(self, via: str, brand: str | None, clock: Clock) -> None:
        self._via = via
        self._brand = brand
        self._clock = clock

    def read(self, payload: bytes) -> Review:
        """The review in these bytes; raises BadItem."""
        try:
            return msgspec.json.decode(payload, type=Review)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadItem(f"not a review of the App Store: {error}") from error

    def mentions(self, review: Review) -> list[Mention]:
        """The review, and the response to it as a mention of our own; raises BadItem."""
        said, now = review.attributes, self._clock.now()
        text, title = (said.body or "").strip(), (said.title or "").strip()
        if not text and not title:
            raise BadItem("a review without words")
        id = f"appstore:{review.id}"
        url = f"https://apps.apple.com/app/id{review.app}?see-all=reviews" if review.app else ""
        ref = {"review": review.id, "app": review.app, "territory": (said.territory or "")[:10]}
        mentions = [
            Mention(
                id=id,
                source="appstore",
                via=self._via,
                brand=self._brand,
                kind=Kind.REVIEW,
                text=(text or title)[:_MAX_TEXT],
                title=title if text else "",
                # Nicknames are not unique, and a person writes one review of an app.
                author=Author(id=f"of-{review.id}", name=(said.reviewer_nickname or "")[:200]),
                created_at=min(_moment(said.created_date), now),
                conversation=id,
                url=url,
                rating=said.rating / 5,
                reply_ref={name: value for name, value in ref.items() if value},
            )
        ]
        response = review.response
        if response is not None and response.attributes.response_body.strip():
            when = min(_moment(response.attributes.last_modified_date or said.created_date), now)
            mentions.append(
                Mention(
                    id=f"appstore:{response.id}",
                    source="appstore",
                    via=self._via,
                    brand=self._brand,
                    kind=Kind.REPLY,
                    text=response.attributes.response_body[:_MAX_TEXT],
                    author=Author(id=f"developer-of-{review.app or 'app'}"),
                    created_at=when,
                    conversation=id,
                    parent=id,
                    url=url,
                    own=True,
                )
            )
        return mentions


class Made(Struct):
    """What has an id."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]


class _Linked(Struct):
    data: Made | None = None


class _Relations(Struct):
    response: _Linked = msgspec.field(default_factory=_Linked)


class _Row(Struct):
    relationships: _Relations = msgspec.field(default_factory=_Relations)


def shown(document: Mapping[str, object], app: str) -> Shown:
    """The page's reviews, each with its app and its response, and the link to the next page (JSON:API)."""
    data, included, links = document.get("data"), document.get("included"), document.get("links")
    if not isinstance(data, list):
        raise SourceUnavailable("the App Store answered something that is not a list of reviews", trouble="http")
    beside = {
        str(one.get("id")): one
        for one in (included if isinstance(included, list) else [])
        if isinstance(one, dict) and one.get("type") == "customerReviewResponses"
    }
    reviews = []
    for row in data:
        whole = row
        if isinstance(row, dict):
            try:
                linked = msgspec.convert(row, _Row).relationships.response.data
            except msgspec.ValidationError:
                linked = None
            whole = {**row, "app": app, "response": beside.get(linked.id) if linked else None}
        reviews.append(msgspec.json.encode(whole))
    after = links.get("next") if isinstance(links, dict) else None
    return Shown(reviews, after if isinstance(after, str) else "")


def _moment(value: datetime) -> datetime:
    try:
        return in_utc(value).astimezone(UTC)
    except ValueError as error:
        raise BadItem(str(error)) from error
