"""Reviews in Google Play, of one's own apps, by the Play Developer API v3 (_googleplay_api.py has its limits).

`reviews.list` shows the reviews with words that were written or changed in the last week, the last changed first, at
most 100 a page ("Reply to Reviews", Retrieving a set of reviews). What is older is not to be had: a longer absence is a
gap that stays. Nothing tells of a deletion: the Rechecker asks, within the week. No delays between attempts are
documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

import msgspec
from msgspec.structs import replace
from pydantic import Field, SecretStr, field_validator

from connectors._exchange import sendable
from connectors._gone import gone
from connectors._googleplay_api import Api, Declined, service_account
from connectors._googleplay_reviews import Reader
from connectors._html import text_of
from connectors._pace import Pace
from connectors._pictures import few_enough
from connectors._store_reviews import Depth, Looking, Reading, Shown
from connectors._wording import comparable
from pipeline.errors import BadItem, ReplyRefused, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Kind, Media, Mention
from pipeline.ports import Context, Secret, Settings

PAGE = 100
"""Reviews in one answer, the most Google allows."""
SHOWN = timedelta(days=7)
"""How far back reviews are shown."""
DEEPEST = 5_000
"""Reviews of an app that are read back at most: 50 requests of the hour's 200."""
_CHECKS_AN_HOUR = 50
"""Requests an hour about each app that are left to checks and answers."""

Package = Annotated[str, Field(pattern=r"^[A-Za-z]\w*(\.[A-Za-z]\w*)+$", max_length=150)]


class Reply(Settings):
    """That this source answers; the service account needs the permission to reply to reviews."""


class Config(Settings):
    """Settings of the Google Play connector.

    service_account  the content of the service account's key file
    apps             the apps' package names
    brand            given to every mention
    poll_secs        between two looks at one app
    backfill         reviews of each app that are taken on the first start, as far as the last week has them
    lookback_secs    how much further back than the newest review known is read
    timeout_secs     to wait for an answer
    api_base         where the API is
    reply            that this source answers; left out, it does not
    """

    service_account: Secret
    apps: tuple[Package, ...] = Field(min_length=1, max_length=200)
    brand: str | None = None
    poll_secs: float = Field(default=300, gt=0)
    backfill: int = Field(default=1_000, ge=0, le=DEEPEST)
    lookback_secs: float = Field(default=3_600, ge=0)
    timeout_secs: float = Field(default=20, gt=0, le=60)
    api_base: str = Field(
        default="https://androidpublisher.googleapis.com",
        pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$",
        max_length=200,
    )
    reply: Reply | None = None

    @field_validator("service_account")
    @classmethod
    def _is_one(cls, content: SecretStr) -> SecretStr:
        service_account(content.get_secret_value())
        return content


def _api(config: Config, context: Context, gets_an_hour: int) -> Api:
    account = service_account(config.service_account.get_secret_value())
    return Api(config.api_base, account, config.timeout_secs, context.clock, gets_an_hour)


class _Play:
    """Google Play as something to look at (`_store_reviews.Store`)."""

    def __init__(self, api: Api, reader: Reader, name: str) -> None:
        self._api = api
        self._reader = reader
        self._name = name

    def ask(self, app: str, after: str) -> Shown:
        """A page; raises SourceUnavailable and SourceRefused."""
        try:
            answer = self._api.list(app, after, PAGE)
        except Declined as refusal:
            moved = refusal.status < 400
            setting = "api_base" if moved else "apps" if refusal.status == 404 else "service_account"
            raise SourceRefused(
                f"Google Play does not show the reviews of {app}: {refusal.words}; "
                f"look at sources.{self._name}.{setting}"
            ) from None
        reviews, paging = answer.get("reviews", []), answer.get("tokenPagination")
        if not isinstance(reviews, list):
            raise SourceUnavailable("Google Play answered something that is not a list of reviews", trouble="http")
        next = paging.get("nextPageToken") if isinstance(paging, dict) else None
        rows = [{**one, "app": app} if isinstance(one, dict) else one for one in reviews]
        return Shown([msgspec.json.encode(row) for row in rows], next if isinstance(next, str) else "")

    def pace(self, app: str) -> Pace:
        """Each app has its own."""
        return self._api.pace(app)

    def mentions(self, payload: bytes) -> Sequence[Mention]:
        """As the reader."""
        return self._reader.mentions(self._reader.read(payload))


class Connector(Reading):
    """Looks at each app for ever; the cursor is JSON, how far each was read."""

    def __init__(self, config: Config, context: Context) -> None:
        api = _api(config, context, 200)
        store = _Play(api, Reader(context.name, config.brand, context.clock), context.name)
        depth = Depth(DEEPEST, config.backfill, config.lookback_secs, SHOWN)
        looking = Looking(context.name, config.apps, store, depth, config.poll_secs, _CHECKS_AN_HOUR, context.clock)
        super().__init__(looking, api.close)


class Replier:
    """Answers reviews (`reviews.reply`). A review has one answer: a second one takes the place of the first, and the
    same one twice is the same. HTML tags are stripped by Google."""

    pictures: ClassVar[int] = 0

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        self._apps = config.apps
        self._api = _api(config, context, _CHECKS_AN_HOUR)
        self._reader = Reader(context.name, config.brand, context.clock)

    def eligible(self, mention: Mention) -> str | None:
        """Whether it is a review of one of these apps."""
        if mention.source != "googleplay" or mention.kind is not Kind.REVIEW:
            return "It is not a review in Google Play."
        if mention.reply_ref.get("app") not in self._apps or not mention.reply_ref.get("review"):
            return "It is not a review of one of the apps that are answered here."
        return None

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:  # noqa: ARG002 - Google takes no key
        """Post it, in the place of a former answer; return its native id."""
        if reason := self.eligible(mention):
            raise ReplyRefused(reason)
        few_enough(media, self.pictures)
        sendable(text)
        app, review = mention.reply_ref["app"], mention.reply_ref["review"]
        try:
            if not self._there(app, review, text):
                self._api.reply(app, review, text)
        except Declined as refusal:
            if refusal.key or refusal.status == 403:
                raise ReplyRefused(f"Google Play does not let this service account answer: {refusal.words}") from None
            raise ReplyRefused(f"Google Play refuses the answer: {refusal.words}") from None
        return f"{app}/{review}/reply"

    def _there(self, app: str, review: str, text: str) -> bool:
        """Whether the answer that is there has these words already."""
        try:
            answer = self._reader.read(msgspec.json.encode(self._api.get(app, review))).answer
        except BadItem:
            return False
        except Declined as refusal:
            if refusal.status == 404:
                return False  # the answer to the reply says what became of the review
            raise
        return answer is not None and _words(answer.text) == _words(text)


class Rechecker:
    """Asks for reviews one by one (`reviews.get`): what is gone or was changed. Only within the week in which Google
    shows them, and while it shows the app's: else it cannot be told whether one is gone."""

    source = "googleplay"
    batch: ClassVar[int] = 10
    per_hour = 40.0
    """Of the 50 requests that looking leaves; the others are for answers."""

    def __init__(self, config: Config, context: Context) -> None:
        self._api = _api(config, context, _CHECKS_AN_HOUR)
        self._reader = Reader(context.name, config.brand, context.clock)
        self._clock = context.clock
        self._apps = config.apps

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and rewordings. A call that meets the limit leaves the rest for another time."""
        items: list[Item] = []
        sees: dict[str, bool] = {}
        for number, mention in enumerate(mentions):
            app, review = mention.reply_ref.get("app", ""), mention.reply_ref.get("review", "")
            recent = self._clock.now() - mention.revision < SHOWN
            if mention.source != self.source or app not in self._apps or not review or not recent:
                continue
            if number and self._api.pace(app).ready_in():
                continue
            try:
                found = self._reader.read(msgspec.json.encode(self._api.get(app, review) | {"app": app}))
                now = self._reader.mentions(found)[0]
            except Declined as refusal:
                if refusal.key or refusal.status == 403:
                    raise SourceRefused(f"Google Play does not accept the account: {refusal.words}") from None
                if refusal.status in (404, 410):
                    if app not in sees:
                        sees[app] = self._sees(app)
                    items += [gone(mention, self._clock.now())] if sees[app] else []
                continue
            except BadItem:
                continue  # it is there; what it says cannot be told
            if (now.text, now.title) != (mention.text, mention.title):
                edited = max(now.created_at, mention.revision)
                items.append(replace(mention, text=now.text, title=now.title, rating=now.rating, edited_at=edited))
        return items

    def _sees(self, app: str) -> bool:
        try:
            self._api.list(app, "", 1)
        except Declined:
            return False
        return True


def _words(text: str) -> str:
    return comparable(text_of(text))
