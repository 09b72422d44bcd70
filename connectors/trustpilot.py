"""Trustpilot: the service reviews of one business, told by webhooks and by looking at the newest.

`GET private/business-units/ID/reviews` shows them by `createdat.desc`, 100 a page (developers.trustpilot.com, "Business
Units API"). Its limits stand in _trustpilot_api.py, the webhooks in _trustpilot_hooks.py; Trustpilot asks for webhooks
first. Looking finds what a webhook lost, notices edits among the newest 100 reviews, and no deletion: the Rechecker
asks for those. "Common error messages" says to try again 5 to 15 minutes after a 500; no other delay is documented.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, model_validator

from connectors._aside import Stopping, aside, resting
from connectors._inbox import Inbox
from connectors._pushed import Endpoint, Pushed, hear
from connectors._trustpilot_api import Api, Declined
from connectors._trustpilot_hooks import KEEP_BYTES, Webhook, endpoint
from connectors._trustpilot_reply import Answers, Reply
from connectors._trustpilot_reviews import REVIEW, Review, Shaper, read
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Context, Gap, Page, Rejection, Secret, Settings

log = structlog.get_logger(__name__)

PAGE = 100
DEEPEST = 2_000
"""Reviews that are read back at most after a pause."""
_RESERVE = 30
"""Requests of every window that looking leaves for answers and checks with the same key."""
_REMEMBERED = 5_000
_LOOKBACK_SECS = 3_600.0
"""How much further back than the newest review known is read: one appears when Trustpilot has looked at it."""
_AWAY_SECS = 900.0
_HOURS_A_YEAR = 8_766


class Config(Settings):
    """Settings of the Trustpilot connector.

    business_unit  the id of the business at Trustpilot
    api_key        the application's key
    api_secret     the application's secret
    webhook        where Trustpilot's webhooks arrive (secret, host, port, path); left out, there are none
    reply          who answers (business_user, replace); left out, nobody does
    brand          given to every mention
    poll_secs      between two looks at the newest reviews; 0: never, only webhooks
    backfill       reviews that are taken on the first start
    calls_a_year   what the plan allows; a quarter of it is spent on asking what became of reviews
    timeout_secs   to wait for an answer of Trustpilot
    api_base       where the API is
    """

    business_unit: str = Field(pattern=r"^[0-9A-Za-z]{8,64}$")
    api_key: Secret = Field(min_length=1)
    api_secret: Secret = Field(min_length=1)
    webhook: Webhook | None = None
    reply: Reply | None = None
    brand: str | None = None
    poll_secs: float = Field(default=600, ge=0)
    backfill: int = Field(default=PAGE, ge=0, le=DEEPEST)
    calls_a_year: int = Field(default=200_000, ge=0)
    timeout_secs: float = Field(default=15, gt=0, le=60)
    api_base: str = Field(
        default="https://api.trustpilot.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )

    @model_validator(mode="after")
    def _hears_something(self) -> Config:
        if not self.poll_secs and self.webhook is None:
            raise ValueError("with poll_secs 0 there must be a webhook, or nothing is heard")
        return self


def _api(config: Config, context: Context) -> Api:
    return Api(config.api_base, config.api_key, config.api_secret, config.timeout_secs, context.clock)


class Replier(Answers):
    """Answers as the user in `reply` (`_trustpilot_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, _api(config, context), config.business_unit)


class _Mark(Struct, omit_defaults=True):
    """How far was read: the time of the newest review, and when Trustpilot last answered; seconds since 1970."""

    newest: float = 0.0
    asked: float = 0.0


class Connector:
    """Listens and looks for ever; the cursor is JSON, how far the looking came."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=10, factor=2, cap=600),
        "http": Backoff(first=300, step=300, cap=900),
        "rate_limited": Backoff(first=300, factor=2, cap=3600),
        "silent": Backoff(first=60, factor=2, cap=600),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._name = context.name
        self._shaper = Shaper(config.business_unit, context.name, config.brand)
        self._api = _api(config, context)
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._mark = _Mark()
        self._pushed = Pushed("trustpilot", config.webhook, self._receive, "/{secret}")

    @property
    def port(self) -> int | None:
        """Where webhooks arrive; None when nobody listens."""
        return self._pushed.port

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is pushed and what is new; from None, the newest `backfill` reviews first."""
        mark = self._load(cursor)
        if mark != self._mark:
            self._seen.clear()  # what was remembered went with another place
        self._mark = mark
        try:
            with self._pushed as pushed:
                yield from hear(pushed, self._walk, self._config.poll_secs, self._clock)
        except Stopping:
            return
        except Declined as refusal:
            raise self._refused(refusal) from None
        finally:
            self._api.close()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept review."""
        if len(payload) >= KEEP_BYTES:
            raise BadItem(f"the review was cut at {KEEP_BYTES:,} bytes when it was rejected")
        return [self._shaper.mention(read(payload), self._clock.now())]

    def _receive(self, webhook: Webhook, inbox: Inbox) -> Endpoint:
        return endpoint(webhook, self._shaper, inbox, self._clock.now)

    def _walk(self) -> Generator[Page, None, None]:
        """The reviews from the newest back to what is known; the mark moves on with the last page."""
        mark, now = self._mark, self._clock.now()
        floor = mark.newest - _LOOKBACK_SECS
        left = DEEPEST if mark.asked else self._config.backfill
        newest, oldest, number, met = mark.newest, now.timestamp(), 1, False
        while True:
            found = yield from self._ask(number)
            items, seen, times = self._shaped(found, left)
            newest, oldest = max([newest, *times]), min([oldest, *times])
            left -= len(found)
            met = len(found) < PAGE or bool(mark.asked and times and oldest <= floor)
            if met or left <= 0:
                break
            yield Page(items, usage=self._api.pace.usage)
            self._remember(seen)
            number += 1
        # A wrong clock of theirs would hide all that comes until then.
        self._mark = _Mark(min(newest, now.timestamp()), now.timestamp())
        gaps = self._gaps(mark, met, oldest, now) if mark.asked else []
        yield Page(items, msgspec.json.encode(self._mark).decode(), gaps, usage=self._api.pace.usage)
        self._remember(seen)

    def _ask(self, number: int) -> Generator[Page, None, Sequence[bytes]]:
        yield from resting(self._api.pace.ready_in(_RESERVE), self._clock)
        if self._clock.stopping:
            raise Stopping
        params = {"orderBy": "createdat.desc", "perPage": str(PAGE), "page": str(number)}
        path = f"business-units/{self._config.business_unit}/reviews"
        answer: Any = yield from aside(lambda: self._api.get(path, params), self._clock)
        reviews = answer.get("reviews") if isinstance(answer, dict) else None
        if not isinstance(reviews, list):
            raise SourceUnavailable("Trustpilot's answer holds no reviews", trouble="http")
        return [msgspec.json.encode(review) for review in reviews[:PAGE]]

    def _shaped(self, found: Sequence[bytes], left: int) -> tuple[list[Item | Rejection], dict[str, str], list[float]]:
        """What is new or changed, oldest first, what to remember of it once it is durable, and when each was
        written."""
        items: list[Item | Rejection] = []
        seen: dict[str, str] = {}
        times: list[float] = []
        for number, payload in reversed(list(enumerate(found))):
            try:
                review = read(payload)
                times.append(review.created.timestamp())
                before = self._seen.get(review.id)
                if number >= left or before == review.wording:
                    continue
                seen[review.id] = review.wording
                items.append(self._shaper.mention(review, self._clock.now(), edited=before is not None))
            except BadItem as error:
                key = blake2b(payload, digest_size=8).hexdigest()
                if number < left and key not in self._seen:
                    items.append(Rejection(payload[:KEEP_BYTES], f"review {number + 1} of a page", str(error)))
                    seen[key] = ""
        return items, seen, times

    def _remember(self, seen: Mapping[str, str]) -> None:
        # Only now is the page durable: what was remembered before would be lost as known if it were not.
        for key, wording in seen.items():
            self._seen[key] = wording
            self._seen.move_to_end(key)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _gaps(self, mark: _Mark, met: bool, oldest: float, now: datetime) -> list[Gap]:
        asked = datetime.fromtimestamp(mark.asked, UTC)
        if not met:
            since = datetime.fromtimestamp(mark.newest or mark.asked, UTC)
            until = max(since, datetime.fromtimestamp(oldest, UTC))
            note = f"only the newest {DEEPEST:,} reviews were read back"
            return [Gap(since, until, "Trustpilot had more reviews than that", note=note)]
        if (now - asked).total_seconds() > max(_AWAY_SECS, 3 * self._config.poll_secs):
            return [Gap(asked, now, "Trustpilot was not read", repaired=True, note="read back since")]
        return []

    def _refused(self, refusal: Declined) -> Exception:
        source = f"sources.{self._name}"
        if refusal.status == 401:
            return SourceRefused(
                f"Trustpilot does not accept the key or the secret: {refusal.words}; look at {source}.api_key"
            )
        if refusal.status in (403, 404, 410):
            return SourceRefused(
                f"Trustpilot does not show the reviews of this business unit ({refusal.status}): {refusal.words}; "
                f"look at {source}.business_unit, and at what the API plan allows"
            )
        return SourceUnavailable(f"Trustpilot answered {refusal.status}: {refusal.words}", trouble="http")

    def _load(self, cursor: str | None) -> _Mark:
        try:
            return msgspec.json.decode(cursor or "{}", type=_Mark)
        except msgspec.MsgspecError:
            log.warning("the saved cursor cannot be read: starting with the backfill", via=self._name)
            return _Mark()


class Rechecker:
    """Asks for reviews one by one (`GET private/reviews/ID`): which are gone, and which were reworded."""

    source = "trustpilot"
    batch: ClassVar[int] = 5

    def __init__(self, config: Config, context: Context) -> None:
        self._api = _api(config, context)
        self.per_hour = config.calls_a_year / 4 / _HOURS_A_YEAR
        self._unit = config.business_unit
        self._shaper = Shaper(config.business_unit, context.name, config.brand)
        self._clock = context.clock

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals, and the mentions that say something else by now. Where the limit is met the rest is left out."""
        items: list[Item] = []
        for number, mention in enumerate(mentions):
            id = mention.native_id
            if mention.source != self.source or not REVIEW.fullmatch(id):
                continue
            if mention.reply_ref.get("unit", self._unit) != self._unit:
                continue
            if number and self._api.pace.ready_in():
                break
            items += self._became(mention, id)
        return items

    def _became(self, mention: Mention, id: str) -> list[Item]:
        now = self._clock.now()
        try:
            review: Review = read(msgspec.json.encode(self._api.get(f"reviews/{id}")))
            found = self._shaper.mention(review, now, edited=True)
        except Declined as refusal:
            if refusal.status in (404, 410):
                return [self._shaper.removal(id, now)]
            if refusal.status == 401:
                raise SourceRefused(f"Trustpilot does not accept the key or the secret: {refusal.words}") from None
            return []  # 403: the plan may not allow it; what became of the review cannot be told
        except BadItem:
            return []  # it is there; what it says cannot be told
        if (found.text, found.title, found.rating) == (mention.text, mention.title, mention.rating):
            return []
        return [
            replace(mention, text=found.text, title=found.title, rating=found.rating, edited_at=found.edited_at or now)
        ]
