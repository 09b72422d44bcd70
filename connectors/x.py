"""X: every post that matches the brands' rules, by the filtered stream of API v2 or by recent search asked again and
again; beside it what is said to the brands' own accounts, pushed by the Activity API. All of it is paid for.

The protocol's numbers, from docs.x.com/x-api/posts/filtered-stream (integrate: consume streaming data, handling
disconnections; rules): a heartbeat at least every 20 seconds, so that 20 seconds without a byte mean a dead
connection; reconnect after a network error at once, then 250 ms later each time up to 16 s; after an HTTP error 5 s
doubling to 320 s; after 429 one minute doubling; one connection and 50 connects in 15 minutes. Duplicates, disorder
and messages of unknown kinds are to be expected. Those of search are in `_x_poll.py`, of the webhook in
`_x_activity.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from connectors._pace import Window
from connectors._x_account import Reply
from connectors._x_activity import Activity, Hooks
from connectors._x_api import Api
from connectors._x_beside import Beside
from connectors._x_live import Limits, Live
from connectors._x_meter import Prices
from connectors._x_poll import Polls, Round
from connectors._x_posts import read
from connectors._x_recheck import Rechecks
from connectors._x_repair import Repair
from connectors._x_reply import Answers
from connectors._x_rules import MAX_CHARS, PREFIX, Rule, rules_for
from connectors._x_session import Session
from connectors._x_subscriptions import subscribe
from pipeline.errors import BadItem, SourceRefused, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Brand, Context, Page, Query, Secret, Settings


class Config(Settings):
    """Settings of the X connector.

    bearer_token        the application's bearer token
    mode                `stream`: the filtered stream; `poll`: recent search, for accounts without it
    rules               further rules, besides those made from the brands' terms and handles
    narrow              operators added to every brand's rules, such as `-"apple pie"`
    langs               take only posts in these languages (X's codes), all where empty
    reposts             whether to take (and pay for) reposts
    repair              whether to fill the stream's gaps by recent search (each post found is paid for as well)
    lookback_secs       how much earlier than the last post or line a search starts: posts reach both late
    poll_secs           seconds between two rounds of searches
    catch_up_posts      how many posts one search takes at most after an absence; older ones become a gap
    query_chars         how long a search's query may be: 512, more with an enterprise contract
    searches_per_15_min how many requests of recent search the application may make
    recheck_posts_per_day how many stored posts are looked at again a day, each of which is paid for
    activity            the webhook for what happens to the brands' own accounts (consumer_secret, accounts, and more)
    price_per_post_usd  what X bills for a post read; likewise price_per_event_usd for an event pushed,
                        price_per_answer_usd for an answer to who mentioned us, price_per_own_post_usd for another post
    monthly_cap_usd     stop reading for the rest of the month at this sum; null for no cap
    silence_secs        seconds without a byte after which the connection counts as dead
    timeout_secs        seconds to wait for an answer of X
    batch_secs          seconds a page is gathered for, at most
    api_base            where the API is
    reply               the account that answers (handle, tier, and four secrets); without it nobody does
    """

    bearer_token: Secret
    mode: Literal["stream", "poll"] = "stream"
    rules: tuple[str, ...] = ()
    narrow: str = ""
    langs: tuple[str, ...] = ()
    reposts: bool = True
    repair: bool = True
    lookback_secs: float = Field(default=30, ge=0, le=3_600)
    poll_secs: float = Field(default=60, ge=1)
    catch_up_posts: int = Field(default=2_000, ge=100)
    query_chars: int = Field(default=512, ge=128, le=MAX_CHARS)
    searches_per_15_min: int = Field(default=450, ge=1)
    recheck_posts_per_day: int = Field(default=200, ge=0)
    activity: Activity | None = None
    price_per_post_usd: float = Field(default=0.005, ge=0)
    price_per_event_usd: float = Field(default=0.005, ge=0)
    price_per_answer_usd: float = Field(default=0.010, ge=0)
    price_per_own_post_usd: float = Field(default=0.015, ge=0)
    monthly_cap_usd: float | None = Field(default=100, gt=0)
    silence_secs: float = Field(default=20, gt=0)
    timeout_secs: float = Field(default=8, gt=0)
    batch_secs: float = Field(default=0.25, gt=0, le=0.5)
    api_base: str = Field(default="https://api.x.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))")

    reply: Reply | None = None

    @field_validator("bearer_token")
    @classmethod
    def _one_word(cls, token: Secret) -> Secret:
        value = token.get_secret_value()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("a bearer token is one word of printable ASCII")
        return token


class Replier(Answers):
    """Answers posts as the account in `reply` (`_x_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, config.api_base, config.timeout_secs, context)


class Rechecker(Rechecks):
    """Asks what became of stored posts (`_x_recheck.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        most = config.recheck_posts_per_day
        super().__init__(config.bearer_token, config.api_base, config.timeout_secs, most, context)


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """The rules of the filtered stream, or the searches, for these brands; raises SourceRefused as listening would."""
    most = MAX_CHARS if config.mode == "stream" else config.query_chars
    return [
        Query(rule.value, rule.tag.removeprefix(PREFIX).rpartition(":")[0]) for rule in _rules(config, brands, (), most)
    ]


def price_usd(config: Config) -> float:
    """What X bills for a post read."""
    return config.price_per_post_usd


def _rules(config: Config, brands: Sequence[Brand], extra: Sequence[str], most: int) -> list[Rule]:
    return rules_for(brands, extra, langs=config.langs, reposts=config.reposts, narrow=config.narrow, most=most)


class Connector:
    """X as a connector; the cursor is JSON (last heard, open holes, each search's newest post, meter). `port` is where
    it listens for what X pushes, None while it does not."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=0, step=0.25, cap=16),
        "silent": Backoff(first=0, step=0.25, cap=16),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=900),  # X names no cap: its windows are 15 minutes
    }

    def __init__(self, config: Config, context: Context) -> None:
        self.port: int | None = None
        self._config = config
        self._brands = context.brands
        self._clock = context.clock
        prices = Prices(
            config.price_per_post_usd,
            config.price_per_event_usd,
            config.price_per_answer_usd,
            config.price_per_own_post_usd,
        )
        self._session = Session(prices, config.monthly_cap_usd, config.reply is not None, context)
        self._live = Live(self._session, Limits(config.silence_secs, config.batch_secs, config.repair))
        self._polls = Polls(self._session, Round(config.poll_secs, config.lookback_secs, config.catch_up_posts))

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Matching posts from now on, and those missed since `cursor` as far as recent search finds them. With
        `activity` what X pushes as well, for which the troubles of the rest are waited out in here."""
        activity = self._config.activity
        if activity is None:
            yield from self._asked(cursor)
            return
        hooks = Hooks(activity, self._session.reader, self._clock)
        seen_to = self._subscribe if activity.url else None
        try:
            with hooks.listening():
                self.port = hooks.port
                yield Page(heard=False)
                yield from Beside(self._session, hooks, self._asked, seen_to, self.backoff).pages(cursor)
        finally:
            self.port = None

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept line or event, whatever rule it matched; raises BadItem."""
        items = self._session.reader.items(read(payload), self._clock.now())
        if not items:
            raise BadItem("neither a post nor a removal")
        return items

    def _asked(self, cursor: str | None) -> Iterator[Page]:
        """What the stream or the searches bring."""
        config = self._config
        self._session.resume(cursor)
        short = _rules(config, self._brands, config.rules, config.query_chars)
        if not short:
            raise SourceRefused("no brand has a term or a handle and there are no rules: nothing to listen for")
        with closing(self._api()) as api:
            if config.mode == "poll":
                yield from self._polls.pages(api, short)
                return
            lookback = timedelta(seconds=config.lookback_secs)
            repair = Repair(api, [rule.value for rule in short], lookback, self._clock, self._session.holes)
            yield from self._live.pages(api, _rules(config, self._brands, config.rules, MAX_CHARS), repair)

    def _subscribe(self) -> None:
        if self._config.activity is not None:
            with closing(self._api()) as api:
                subscribe(api, self._config.activity)

    def _api(self) -> Api:
        config = self._config
        searches = Window(config.searches_per_15_min, 900)
        return Api(config.bearer_token, config.api_base, config.timeout_secs, self._clock, searches)
