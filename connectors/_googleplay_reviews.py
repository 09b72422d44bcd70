"""Reviews of Google Play as mentions (developers.google.com/android-publisher/api-ref/rest/v3/reviews).

A review is a conversation of at most a `userComment` and the `developerComment` to it. Of both only the time of the
last change is told. An older title and text come as one, with a tab between. `reviewerLanguage` is the device's, "not
guaranteed to match the language the review is written in": it is kept beside, and the language left open.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pipeline.errors import BadItem
from pipeline.mention import Author, Kind, Mention, Metrics
from pipeline.ports import Clock

_MAX_TEXT = 32_000


class _When(Struct):
    seconds: str | int
    nanos: int = 0


class _User(Struct, rename="camel"):
    text: str
    last_modified: _When
    star_rating: Annotated[int, Meta(ge=1, le=5)]
    original_text: str = ""
    reviewer_language: str = ""
    thumbs_up_count: int | None = None


class Developer(Struct, rename="camel"):
    """The answer to a review."""

    text: str
    last_modified: _When


class _Comment(Struct, rename="camel"):
    user_comment: _User | None = None
    developer_comment: Developer | None = None


class Review(Struct, rename="camel"):
    """A review as Google Play shows it; `app` is put beside it."""

    review_id: Annotated[str, Meta(min_length=1, max_length=300)]
    comments: list[_Comment]
    author_name: str = ""
    app: str = ""

    @property
    def answer(self) -> Developer | None:
        """The developer's answer, where there is one."""
        return next((one.developer_comment for one in self.comments if one.developer_comment is not None), None)


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
            raise BadItem(f"not a review of Google Play: {error}") from error

    def mentions(self, review: Review) -> list[Mention]:
        """The review, and the answer to it as a mention of our own; raises BadItem."""
        said = next((one.user_comment for one in review.comments if one.user_comment is not None), None)
        if said is None:
            raise BadItem("a review without what the user said")
        title, tab, body = (said.original_text or said.text).partition("\t")
        title, text = (title.strip(), body.strip()) if tab and body.strip() else ("", f"{title} {body}".strip())
        if not text:
            raise BadItem("a review without words")
        name = f"{review.app}/{review.review_id}"
        id = f"googleplay:{name}"
        ref = {"app": review.app, "review": review.review_id, "language": said.reviewer_language[:35]}
        url = f"https://play.google.com/store/apps/details?id={review.app}" if review.app else ""
        shared = {"source": "googleplay", "via": self._via, "brand": self._brand, "conversation": id, "url": url}
        mentions = [
            Mention(
                id=id,
                kind=Kind.REVIEW,
                text=text[:_MAX_TEXT],
                title=title[:_MAX_TEXT],
                # Names are not unique, and a person writes one review of an app.
                author=Author(id=f"of-{name}", name=review.author_name[:200]),
                created_at=self._time(said.last_modified),
                rating=said.star_rating / 5,
                metrics=Metrics(likes=said.thumbs_up_count),
                reply_ref={key: value for key, value in ref.items() if value},
                **shared,  # type: ignore[arg-type]  # every value has its field's type
            )
        ]
        answer = review.answer
        if answer is not None and answer.text.strip():
            mentions.append(
                Mention(
                    id=f"{id}/reply",
                    kind=Kind.REPLY,
                    text=answer.text[:_MAX_TEXT],
                    author=Author(id=f"developer-of-{review.app or 'app'}"),
                    created_at=self._time(answer.last_modified),
                    parent=id,
                    own=True,
                    **shared,  # type: ignore[arg-type]  # every value has its field's type
                )
            )
        return mentions

    def _time(self, when: _When) -> datetime:
        try:
            moment = datetime.fromtimestamp(int(when.seconds) + when.nanos / 1e9, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise BadItem("a time that is none") from error
        if moment.year < 2008:  # before there was a store
            raise BadItem(f"a time before the store: {moment.isoformat()}")
        return min(moment, self._clock.now())
