"""YouTube: comments and replies on the videos of some channels, on some videos, and on those that a search for the
brands finds, with these videos themselves.

YouTube tells nobody of a new comment: lists are read again and again through google-api-python-client
(_youtube_api.py says what of it), as often as the day's units allow. From developers.google.com/youtube/v3: 10,000
units a day and 100 searches, until midnight Pacific time; a list costs 1 unit, 100 threads or comments a page, 50
videos or comments by id. No delays between attempts are documented; "exponential backoff" is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

import structlog
from pydantic import Field, model_validator

from connectors._aside import Stopping, aside, resting
from connectors._youtube_api import Api, Declined, Exhausted
from connectors._youtube_intake import Intake, Taken
from connectors._youtube_items import Reader, created, resources, video_id
from connectors._youtube_quota import Allowance
from connectors._youtube_recheck import Rechecks
from connectors._youtube_reply import Answers, Reply
from connectors._youtube_watch import (
    DEEPEST,
    Cursor,
    Growth,
    Mark,
    Target,
    Watch,
    encoded,
    gaps_of,
    load,
    searches,
    threads_page,
)
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Brand, Context, Gap, Page, Query, Secret, Settings

log = structlog.get_logger(__name__)

_PAGE = 100
"""Threads or comments; and things by id."""
_BY_ID = 50
_REPLY_PAGES = 10
"""Pages of replies that one thread is read at most; on the first start only one."""
_CLOSED_SECS = 6 * 3_600.0
_SEARCH_BACK = timedelta(days=7)
_AT_ONCE = 20
_CLOSED = ("commentsDisabled", "videoNotFound", "commentNotFound", "forbidden")
"""Why one video's or thread's comments cannot be read, as commentThreads.list and comments.list document it."""
_KEYS = ("badRequest", "keyInvalid", "keyExpired", "accessNotConfigured", "ipRefererBlocked", "API_KEY_INVALID")

Channel = Annotated[str, Field(pattern=r"^UC[A-Za-z0-9_-]{22}$")]
VideoId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{11}$")]
Asked = Generator[Page, None, dict[str, Any]]


class Config(Settings):
    """Settings of the YouTube connector.

    api_key        the project's key
    channels       ids (`UC…`) of channels: all comments on all of their videos
    videos         ids of videos: all comments on them
    search         whether videos that name a brand are searched for
    follow         how many of the videos found, the newest, have their comments read
    follow_days    for how long after they were found
    brand          given to every mention on `channels` and `videos`: where they are the brand's own
    poll_secs      at least so long between two looks at one channel or video
    backfill       threads of each that are taken on the first start
    lookback_secs  how much further back than the newest thread known is read
    threads        how many known threads, the newest, are asked for new replies
    daily_units    what the project has a day
    reserve_units  what of it is left for answers (50 each) and, half of it at most, for checking what is kept
    daily_searches searches the project has a day
    timeout_secs   to wait for an answer
    api_base       where the API is
    reply          the channel that answers; without it nobody does
    """

    api_key: Secret = Field(min_length=1)
    channels: tuple[Channel, ...] = Field(default=(), max_length=100)
    videos: tuple[VideoId, ...] = Field(default=(), max_length=200)
    search: bool = True
    follow: int = Field(default=25, ge=0, le=200)
    follow_days: float = Field(default=14, gt=0)
    brand: str | None = None
    poll_secs: float = Field(default=60, gt=0)
    backfill: int = Field(default=_PAGE, ge=0, le=DEEPEST)
    lookback_secs: float = Field(default=300, ge=0)
    threads: int = Field(default=300, ge=0, le=2_000)
    daily_units: int = Field(default=10_000, ge=1)
    reserve_units: int = Field(default=2_000, ge=0)
    daily_searches: int = Field(default=100, ge=1)
    timeout_secs: float = Field(default=15, gt=0, le=60)
    api_base: str = Field(
        default="https://youtube.googleapis.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )
    reply: Reply | None = None

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.reserve_units >= self.daily_units:
            raise ValueError("reserve_units is all of daily_units or more: nothing is left for listening")
        return self


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """What is searched for; and that channels and videos are read whole."""
    places = [*(f"channel {id}" for id in config.channels), *(f"video {id}" for id in config.videos)]
    whole = [Query("", "", place, "all comments are read; the brand stage chooses") for place in places]
    return [*whole, *(searches(brands) if config.search else ())]


def _api(config: Config, context: Context, account: bool = False) -> Api:
    who = config.reply.account if account and config.reply is not None else None
    return Api(config.api_base.rstrip("/") + "/", config.timeout_secs, context.clock, key=config.api_key, account=who)


class Replier(Answers):
    """Answers as the channel in `reply` (`_youtube_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, _api(config, context, account=True))


class _Later(Exception):
    """What was begun is given up for today."""


class Connector:
    """Reads what it watches in turn, for ever; the cursor is JSON (`_youtube_watch.Cursor`)."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=5, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=3_600),
        "silent": Backoff(first=15, factor=2, cap=300),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._reader = _reader(config, context)
        self._intake = Intake(self._reader, context.clock)
        queries = len(searches(context.brands)) if config.search else 0
        self._units = Allowance("units", config.daily_units - config.reserve_units, _AT_ONCE)
        self._searches = Allowance("searches", config.daily_searches, max(1, queries))
        self._watch = Watch(Cursor(), config.poll_secs, 0.0)
        self._saved: str | None = None
        self._api = _api(config, context)

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is new in each channel, video and thread; from None, the newest `backfill` threads of each."""
        self._begin(cursor)
        wanted = searches(self._context.brands) if self._config.search else []
        if not wanted and not self._watch.targets:
            name = self._context.name
            raise SourceRefused(
                f"nothing to listen for: give sources.{name}.channels or .videos, or a brand terms to search for"
            )
        turn = 0
        try:
            while not self._clock.stopping:
                wait, job = self._next(bool(wanted))
                yield from resting(wait, self._clock)
                if self._clock.stopping:
                    return
                try:
                    if isinstance(job, Growth):
                        yield from self._replies(job)
                    elif job is self._watch.search:
                        yield from self._search(wanted[turn % len(wanted)])
                        turn += 1
                        job.due = self._clock.monotonic() + job.every
                    elif job is self._watch.known:
                        yield from self._grown()
                        job.due = self._clock.monotonic() + job.every
                    else:
                        yield from self._walk(job)
                except _Later:
                    yield from self._done(Taken(), heard=False)
        except Stopping:
            return
        except Declined as refusal:
            raise SourceUnavailable(f"YouTube refuses a request: {refusal.words}", trouble="http") from None
        finally:
            self._api.close()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept resource."""
        return self._reader.parse(payload, self._clock.now())

    # ---------------------------------------------------------------------------------------------------- schedule

    def _begin(self, cursor: str | None) -> None:
        saved, config, now = load(cursor), self._config, self._clock.now()
        if saved is None:
            log.warning("the saved cursor cannot be read: starting with the backfill", via=self._context.name)
            saved = Cursor()
        self._units.restore(saved.day, saved.units)
        self._searches.restore(saved.day, saved.searches)
        before, self._watch = self._watch, Watch(saved, config.poll_secs, self._clock.monotonic())
        if cursor == self._saved and cursor is not None:
            self._watch.go_on(before)
        else:  # not where this object left off: what it handed over since may be gone
            self._intake.forget()
        found_after = now.timestamp() - config.follow_days * 86_400
        self._watch.begin(config.channels, config.videos, found_after, now.timestamp())

    def _next(self, wanted: bool) -> tuple[float, Growth | Target]:
        now = self._clock.now()
        searching = self._searches.wait(now) if wanted else None
        return self._watch.next(self._clock.monotonic(), self._units.wait(now), searching)

    def _ask(self, allowance: Allowance, resource: str, **params: Any) -> Asked:
        yield from resting(allowance.wait(self._clock.now()), self._clock)
        if self._clock.stopping:
            raise Stopping
        allowance.spend(1, self._clock.now())
        call: Callable[[], dict[str, Any]] = lambda: self._api.call(resource, "list", **params)  # noqa: E731 - typed
        try:
            return (yield from aside(call, self._clock))
        except Exhausted as error:
            allowance.exhaust(self._clock.now())
            log.warning("no more today", via=self._context.name, unit=allowance.unit, wait_secs=error.retry_after)
            raise _Later from None
        except Declined as refusal:
            if refusal.reason in _KEYS or refusal.status == 401:
                raise SourceRefused(f"YouTube does not take the key or the request: {refusal.words}") from None
            raise

    # ----------------------------------------------------------------------------------------------------- reading

    def _walk(self, target: Target) -> Generator[Page, None, None]:
        """A target's threads from the newest back to what is known; its mark moves on with the last page."""
        mark, now = self._watch.cursor.marks.get(target.name, Mark()), self._clock.now()
        floor = mark.newest - self._config.lookback_secs if mark.asked else None
        left = DEEPEST if mark.asked else self._config.backfill
        token, newest, oldest, met = "", mark.newest, now.timestamp(), False
        while True:
            try:
                answer = yield from self._ask(
                    self._units, "commentThreads", **threads_page(target, token, min(_PAGE, left) or 1)
                )
            except Declined as refusal:
                self._closed(target, refusal)
                yield from self._done(Taken())
                return
            found, token = resources(answer), str(answer.get("nextPageToken") or "")
            times = [made for one in found if (made := created(one)) is not None]
            newest, oldest = max([newest, *times]), min([oldest, *times])
            taken = self._threads(found, _REPLY_PAGES if mark.asked else 1) if left else Taken()
            # Of the last alone: a comment pinned to the top is old, and not where reading ends.
            met = floor is not None and bool(times) and times[-1] <= floor
            left -= len(found)
            if met or not token or not found or left <= 0:
                break
            yield Page(taken.items, usage=self._usage())
            self._intake.remember(taken.marks)
        gaps = [] if floor is None else gaps_of(target, mark, oldest, now, met or not token)
        self._watch.cursor.marks[target.name] = Mark(min(newest, now.timestamp()), now.timestamp())
        target.due = self._clock.monotonic() + target.every
        yield from self._done(taken, gaps)

    def _replies(self, job: Growth) -> Generator[Page, None, None]:
        """A thread's replies; they count as passed on with the last page."""
        params: dict[str, Any] = {"part": "snippet", "maxResults": _PAGE, "textFormat": "plainText"}
        for number in range(job.pages):
            try:
                answer = yield from self._ask(self._units, "comments", parentId=job.where.thread, **params)
            except Declined as refusal:
                if refusal.reason not in _CLOSED:
                    raise
                log.info("a thread cannot be read", via=self._context.name, reason=refusal.reason)
                answer = {}
            taken = self._intake.replies(resources(answer), job.where)
            params["pageToken"] = answer.get("nextPageToken")
            if not params["pageToken"] or number + 1 == job.pages:
                break
            yield Page(taken.items, usage=self._usage())
            self._intake.remember(taken.marks)
        self._watch.settled(self._config.threads, self._clock.monotonic())
        yield from self._done(taken)

    def _grown(self) -> Generator[Page, None, None]:
        """Known threads once more: what was edited in them, and which have more replies than were passed on."""
        ids = ",".join(self._watch.batch(_BY_ID))
        answer = yield from self._ask(
            self._units, "commentThreads", id=ids, part="snippet,replies", textFormat="plainText"
        )
        taken = self._threads(resources(answer), _REPLY_PAGES)
        yield from self._done(taken)

    def _search(self, query: Query) -> Generator[Page, None, None]:
        """Videos that name the brand; those not known are read whole, passed on and followed."""
        now, watch = self._clock.now(), self._watch
        last = watch.cursor.searched.get(query.text)
        since = now - _SEARCH_BACK
        if last is not None:
            since = min(since, datetime.fromtimestamp(last, UTC) - timedelta(days=1))
        answer = yield from self._ask(
            self._searches,
            "search",
            q=query.text,
            part="id",
            type="video",
            order="date",
            maxResults=_BY_ID,
            publishedAfter=since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        ids = [id for one in resources(answer) if (id := video_id(one)) and not self._intake.knows(id)]
        taken, gaps = Taken(), []
        if ids:
            known = yield from self._ask(self._units, "videos", id=",".join(ids), part="snippet,statistics")
            taken = self._intake.videos(resources(known))
        made = [item for item in taken.items if isinstance(item, Mention)]
        if last is not None and len(ids) == _BY_ID and made:
            reason = f"the search for {query.text} found more than {_BY_ID} new videos"
            until = min(item.created_at for item in made)
            gaps = [Gap(min(datetime.fromtimestamp(last, UTC), until), until, reason, note="the newest were taken")]
        for item in sorted(made, key=lambda one: one.created_at):
            if item.metrics.replies is not None:  # else nobody may comment on it
                watch.follow(item.native_id, item.title, now.timestamp(), self._clock.monotonic())
        watch.shorten(self._config.follow, now.timestamp() - self._config.follow_days * 86_400)
        watch.cursor.searched[query.text] = now.timestamp()
        yield from self._done(taken, gaps)

    # -------------------------------------------------------------------------------------------------------- state

    def _threads(self, found: Sequence[Any], pages: int) -> Taken:
        return self._intake.threads(found, self._watch, pages, self._config.threads)

    def _closed(self, target: Target, refusal: Declined) -> None:
        """A target that cannot be read: a found video is left, a configured one looked at again some hours later."""
        if refusal.reason == "channelNotFound":
            raise SourceRefused(
                f"YouTube knows no channel {target.name}: look at sources.{self._context.name}.channels"
            )
        if refusal.reason not in _CLOSED:
            raise refusal
        log.warning("comments cannot be read", via=self._context.name, where=target.name, reason=refusal.reason)
        if target.found:
            self._watch.leave(target.name)
        target.due = self._clock.monotonic() + _CLOSED_SECS

    def _done(self, taken: Taken, gaps: Sequence[Gap] = (), heard: bool = True) -> Generator[Page, None, None]:
        """The last page of something, with the cursor behind it."""
        cursor = self._watch.cursor
        cursor.day, cursor.units, cursor.searches = self._units.day, self._units.used, self._searches.used
        saved = encoded(cursor)
        yield Page(taken.items, saved, gaps, heard, self._usage())
        self._saved = saved
        self._intake.remember(taken.marks)

    def _usage(self) -> tuple[Any, ...]:
        now = self._clock.now()
        return (
            self._units.usage(now, self._config.daily_units),
            self._searches.usage(now, self._config.daily_searches),
        )


class Rechecker(Rechecks):
    """Asks what became of comments and videos (`_youtube_recheck.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(_api(config, context), _reader(config, context), context.clock, config.reserve_units / 2)


def _reader(config: Config, context: Context) -> Reader:
    return Reader(context.name, config.brand, config.channels, config.videos)
