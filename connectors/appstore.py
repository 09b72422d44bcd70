"""Reviews in Apple's App Store, of one's own apps, by the App Store Connect API (_appstore_api.py has its limits).

`GET /v1/apps/{id}/customerReviews?sort=-createdDate&include=response&limit=200` shows an app's written reviews of all
territories, the newest first, with the response to each ("List All Customer Reviews for an App"). Ratings without words
are not among them. The API tells the territory, not the language. Nothing tells of a deletion: the Rechecker asks. No
delays between attempts are documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec.structs import replace
from pydantic import Field

from connectors._appstore_api import Api, Declined, Key
from connectors._appstore_reviews import Made, Reader, Response, shown
from connectors._exchange import sendable
from connectors._gone import gone
from connectors._pace import Pace
from connectors._pictures import few_enough
from connectors._store_reviews import Depth, Looking, Reading, Shown
from connectors._wording import comparable
from pipeline.errors import BadItem, ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Media, Mention
from pipeline.ports import Context, Settings

PAGE = 200
"""Reviews in one answer, the most Apple allows."""
DEEPEST = 5_000
"""Reviews of an app that are read back at most after a pause: 25 requests."""
_RESERVE = 200
"""Requests an hour that looking leaves for answers and checks with the same key."""
_MAX_TEXT = 32_000

AppId = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class Reply(Settings):
    """That this source answers, with a key whose role may (Customer Support, or more); left out, with `key`."""

    key: Key | None = None


class Config(Settings):
    """Settings of the App Store connector.

    key            the key of App Store Connect (key_id, issuer_id, private_key)
    apps           the apps' Apple ids
    brand          given to every mention
    poll_secs      between two looks at one app
    backfill       reviews of each app that are taken on the first start
    lookback_secs  how much further back than the newest review known is read
    timeout_secs   to wait for an answer
    api_base       where the API is
    reply          that this source answers (key); left out, it does not
    """

    key: Key
    apps: tuple[AppId, ...] = Field(min_length=1, max_length=200)
    brand: str | None = None
    poll_secs: float = Field(default=300, gt=0)
    backfill: int = Field(default=PAGE, ge=0, le=DEEPEST)
    lookback_secs: float = Field(default=172_800, ge=0)
    timeout_secs: float = Field(default=20, gt=0, le=60)
    api_base: str = Field(
        default="https://api.appstoreconnect.apple.com",
        pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$",
        max_length=200,
    )
    reply: Reply | None = None


class _Store:
    """The App Store as something to look at (`_store_reviews.Store`)."""

    def __init__(self, api: Api, reader: Reader, name: str) -> None:
        self._api = api
        self._reader = reader
        self._name = name

    def ask(self, app: str, after: str) -> Shown:
        """A page; raises SourceUnavailable and SourceRefused."""
        try:
            if after:
                return shown(self._api.follow(after), app)
            asked = {"sort": "-createdDate", "limit": str(PAGE), "include": "response"}
            return shown(self._api.get("apps", app, "customerReviews", **asked), app)
        except Declined as refusal:
            setting = "apps" if refusal.status == 404 else "api_base" if refusal.status < 400 else "key"
            raise SourceRefused(
                f"The App Store does not show the reviews of app {app}: {refusal.words}; "
                f"look at sources.{self._name}.{setting}"
            ) from None

    def pace(self, app: str) -> Pace:  # noqa: ARG002 - the limit is the key's, for all apps
        """The key's."""
        return self._api.pace

    def mentions(self, payload: bytes) -> Sequence[Mention]:
        """As the reader."""
        return self._reader.mentions(self._reader.read(payload))


class Connector(Reading):
    """Looks at each app for ever; the cursor is JSON, how far each was read."""

    def __init__(self, config: Config, context: Context) -> None:
        api = Api(config.api_base, config.key, config.timeout_secs, context.clock)
        store = _Store(api, Reader(context.name, config.brand, context.clock), context.name)
        depth = Depth(DEEPEST, config.backfill, config.lookback_secs)
        looking = Looking(context.name, config.apps, store, depth, config.poll_secs, _RESERVE, context.clock)
        super().__init__(looking, api.close)


class Replier:
    """Answers reviews (`POST /v1/customerReviewResponses`, "Create or Update a Response to a Customer Review"). A
    review has one response: a second one takes the place of the first, and the same one twice is the same."""

    pictures: ClassVar[int] = 0

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        self._apps = config.apps
        self._api = Api(config.api_base, config.reply.key or config.key, config.timeout_secs, context.clock)

    def eligible(self, mention: Mention) -> str | None:
        """Whether it is a review of one of these apps."""
        if mention.source != "appstore" or mention.kind is not Kind.REVIEW:
            return "It is not a review in the App Store."
        if mention.reply_ref.get("app") not in self._apps or not mention.reply_ref.get("review"):
            return "It is not a review of one of the apps that are answered here."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Apple takes no key
        """Post it, in the place of a former response; return the response's id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        review = mention.reply_ref["review"]
        try:
            if there := self._there(review, text):
                return there
            about = {"data": {"type": "customerReviews", "id": review}}
            body = {"attributes": {"responseBody": text}, "relationships": {"review": about}}
            made = self._api.post("customerReviewResponses", {"data": {"type": "customerReviewResponses", **body}})
        except Declined as refusal:
            if refusal.status in (401, 403):
                raise ReplyRefused(f"The App Store does not let this key answer: {refusal.words}") from None
            raise ReplyRefused(f"The App Store refuses the answer: {refusal.words}") from None
        try:
            return msgspec.convert(made["data"], Made).id
        except msgspec.ValidationError:
            raise SourceUnavailable("the App Store took the answer without naming its id", trouble="http") from None

    def _there(self, review: str, text: str) -> str | None:
        """The id of the response, where it has these words already."""
        try:
            found = self._api.get("customerReviews", review, "response")
        except Declined as refusal:
            if refusal.status == 404:
                return None
            raise
        try:
            response = msgspec.convert(found["data"], Response | None)
        except msgspec.ValidationError:
            return None
        if response is None or comparable(response.attributes.response_body) != comparable(text):
            return None
        return response.id


class Rechecker:
    """Asks for reviews one by one (`GET /v1/customerReviews/{id}`): what is gone or was reworded. Gone is what is not
    there while the app's reviews are: a key that may no longer see an app is told the same."""

    source = "appstore"
    batch: ClassVar[int] = 10
    per_hour = 1_750.0
    """Half of the 3,500 requests an hour."""

    def __init__(self, config: Config, context: Context) -> None:
        self._api = Api(config.api_base, config.key, config.timeout_secs, context.clock)
        self._reader = Reader(context.name, config.brand, context.clock)
        self._clock = context.clock
        self._apps = config.apps

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and rewordings."""
        items: list[Item] = []
        sees: dict[str, bool] = {}
        for mention in mentions:
            review = mention.reply_ref.get("review", "")
            if mention.source != self.source or mention.reply_ref.get("app") not in self._apps or not review:
                continue
            try:
                found = self._reader.read(msgspec.json.encode(self._api.get("customerReviews", review)["data"]))
                now = self._reader.mentions(found)[0]
            except Declined as refusal:
                if refusal.status in (401, 403):
                    raise SourceRefused(f"The App Store does not accept the key: {refusal.words}") from None
                if refusal.status in (404, 410):
                    app = mention.reply_ref["app"]
                    if app not in sees:
                        sees[app] = self._sees(app)
                    items += [gone(mention, self._clock.now())] if sees[app] else []
                continue
            except BadItem:
                continue  # it is there; what it says cannot be told
            if (now.text, now.title) != (mention.text, mention.title):
                fresh = {"text": now.text, "title": now.title, "rating": now.rating, "edited_at": self._clock.now()}
                items.append(replace(mention, **fresh))
        return items

    def _sees(self, app: str) -> bool:
        try:
            self._api.get("apps", app, "customerReviews", limit="1")
        except Declined:
            return False
        return True
