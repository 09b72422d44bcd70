"""Reddit: new comments and submissions of some subreddits, submissions anywhere that a search for the brands finds, and
what is said to the brand's own account.

Reddit has no stream: its listings are read again and again, through praw (_reddit_api.py says what of it). From the
Reddit Data API Wiki (support.reddithelp.com) and www.reddit.com/dev/api: 100 queries a minute for a client id, told in
`X-Ratelimit-*`; 100 things a page, 1,000 a listing; a unique user agent. No delays between attempts are documented.
Since November 2025 an app needs Reddit's approval, and matching Reddit's users to people elsewhere is prohibited.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, ClassVar

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace
from pydantic import Field, SecretStr, field_validator

from connectors._aside import Stopping, aside, resting
from connectors._gone import gone
from connectors._reddit_api import Api, Declined
from connectors._reddit_listings import DEEPEST, PAGE, Listing, listings, searches
from connectors._reddit_posts import FULLNAME, Reader, Thing, read, things
from connectors._reddit_reply import Answers, Reply
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Backoff, Brand, Context, Gap, Page, Query, Rejection, Secret, Settings

log = structlog.get_logger(__name__)

_KEEP_BYTES = 65_536
_REMEMBERED = 20_000
_RESERVE = 50
"""Queries of the 10 minutes' 1,000 that listening leaves for answers and for checking what is kept."""
_AWAY_SECS = 300.0
"""Silence after which a resumed listing is told as a gap that reading back has filled."""

Subreddit = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{2,21}$")]


class Config(Settings):
    """Settings of the Reddit connector.

    client_id      the app's id
    client_secret  the app's secret
    user_agent     who we are, as Reddit asks: `platform:app:version (by /u/name)`
    subreddits     all new comments and submissions of these are taken, and the brand stage chooses
    search         whether submissions that name a brand are searched for, in all of Reddit
    brand          given to every mention in `subreddits`: where they are the brand's own
    poll_secs      between two looks at one listing
    backfill       things of each listing that are taken on the first start
    lookback_secs  how much further back than the newest thing known a listing is read
    timeout_secs   to wait for an answer
    oauth_base     where the API is
    token_base     where tokens are given
    reply          the account that answers (username, password), whose inbox is then read; without it nobody does
    """

    client_id: str = Field(min_length=1)
    client_secret: Secret = Field(min_length=1)
    user_agent: str = Field(min_length=12, max_length=200, pattern=r"^[ -~]+$")
    subreddits: tuple[Subreddit, ...] = Field(default=(), max_length=100)
    search: bool = True
    brand: str | None = None
    poll_secs: float = Field(default=30, gt=0)
    backfill: int = Field(default=PAGE, ge=0, le=DEEPEST)
    lookback_secs: float = Field(default=120, ge=0)
    timeout_secs: float = Field(default=15, gt=0, le=60)
    oauth_base: str = Field(
        default="https://oauth.reddit.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )
    token_base: str = Field(
        default="https://www.reddit.com", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )
    reply: Reply | None = None

    @field_validator("user_agent")
    @classmethod
    def _names_us(cls, agent: str) -> str:
        if not any(sign in agent for sign in ("u/", "@", "http")):
            raise ValueError("say who you are: platform:app:version (by /u/name)")
        return agent


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """What is searched for; and that subreddits are read whole."""
    place = "r/" + "+".join(config.subreddits)
    whole = [Query("", "", place, "all that is new is read; the brand stage chooses")] if config.subreddits else []
    return [*whole, *(searches(brands) if config.search else ())]


def _api(config: Config, context: Context) -> Api:
    app = {
        "client_id": config.client_id,
        "user_agent": config.user_agent,
        "oauth_url": config.oauth_base.rstrip("/"),
        "reddit_url": config.token_base.rstrip("/"),
    }
    secrets: dict[str, SecretStr] = {"client_secret": config.client_secret}
    if config.reply is not None:
        app["username"] = config.reply.username
        secrets["password"] = config.reply.password
    return Api(app, secrets, config.timeout_secs, context.clock)


class Replier(Answers):
    """Answers as the account in `reply` (`_reddit_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, _api(config, context))


class _Mark(Struct, omit_defaults=True):
    """How far a listing was read: its newest thing, and when it last answered; seconds since 1970."""

    newest: float = 0.0
    asked: float = 0.0


class Connector:
    """Reads its listings in turn for ever; the cursor is JSON, a mark for each of them."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # Reddit documents none; it answers 500 and 503 in bursts of a minute or so.
        "network": Backoff(first=5, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=600),
        "silent": Backoff(first=15, factor=2, cap=300),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._context = context
        self._clock = context.clock
        self._reader = _reader(config, context)
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._marks: dict[str, _Mark] = {}
        self._saved: str | None = None
        self._api = _api(config, context)

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is new in each listing, its newest page first; from None, the newest `backfill` things of each."""
        wanted = listings(
            self._config.subreddits,
            searches(self._context.brands) if self._config.search else (),
            inbox=self._config.reply is not None,
        )
        if not wanted:
            raise SourceRefused(
                f"nothing to listen for: give sources.{self._context.name}.subreddits, or a brand terms to search for"
            )
        if cursor != self._saved:  # not where this object left off: what it handed over since may be gone
            self._seen.clear()
        saved = _load(cursor)
        self._marks = {listing.key: saved.get(listing.key, _Mark()) for listing in wanted}
        due = {key: self._due(mark) for key, mark in self._marks.items()}
        try:
            while not self._clock.stopping:
                listing = min(wanted, key=lambda one: due[one.key])
                yield from resting(due[listing.key] - self._clock.monotonic(), self._clock)
                if self._clock.stopping:
                    return
                yield from self._walk(listing)
                due[listing.key] = self._clock.monotonic() + self._config.poll_secs
        except Stopping:
            return
        except Declined as refusal:
            raise self._refused(listing, refusal) from None

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept thing."""
        return [self._reader.item(read(payload), self._clock.now())]

    def _due(self, mark: _Mark) -> float:
        """When to look, by the monotonic clock: what waited longest comes first, also after a restart."""
        late = self._clock.now().timestamp() - mark.asked
        return self._clock.monotonic() + self._config.poll_secs - max(0.0, late)

    def _walk(self, listing: Listing) -> Generator[Page, None, None]:
        """One listing from its newest thing back to what is known; its mark moves on with the last page."""
        mark, now = self._marks[listing.key], self._clock.now()
        floor = mark.newest - self._config.lookback_secs if mark.asked else None
        left = DEEPEST if mark.asked else self._config.backfill
        after, taken, newest, oldest, met = "", 0, mark.newest, now.timestamp(), False
        while True:
            found, after = yield from self._ask(listing, after, min(PAGE, left) or 1)
            if left:
                items, marks = self._shaped(listing, found)
            else:
                items, marks = [], {}
            times = [made for one in found if isinstance(one, Thing) and (made := one.created) is not None]
            newest, oldest = max([newest, *times]), min([oldest, *times])
            met = met or (floor is not None and any(made <= floor for made in times))
            taken, left = taken + len(found), left - len(found)
            if met or not after or not found or left <= 0:
                break
            yield Page(items, usage=self._api.usage)
            self._remember(marks)
        gaps = [] if floor is None else self._gaps(listing, mark, taken, oldest, now, met)
        # A wrong clock of theirs would hide all that comes until then.
        self._marks[listing.key] = _Mark(min(newest, now.timestamp()), now.timestamp())
        saved = msgspec.json.encode(self._marks).decode()
        yield Page(items, saved, gaps, usage=self._api.usage)
        self._saved = saved
        self._remember(marks)

    def _ask(self, listing: Listing, after: str, limit: int) -> Generator[Page, None, tuple[list[Thing | bytes], str]]:
        yield from resting(self._api.ready_in(_RESERVE), self._clock)
        if self._clock.stopping:
            raise Stopping
        params = listing.params | {"limit": limit} | ({"after": after} if after else {})
        answer: Any = yield from aside(lambda: self._api.get(listing.path, params), self._clock)
        try:
            return things(answer)
        except BadItem as error:
            raise SourceUnavailable(f"{listing.name}: {error}", trouble="http") from error

    def _shaped(
        self, listing: Listing, found: Sequence[Thing | bytes]
    ) -> tuple[list[Item | Rejection], dict[str, str]]:
        """What is new or changed, oldest first, and what to remember of it once it is durable."""
        items: list[Item | Rejection] = []
        marks: dict[str, str] = {}
        for one in reversed(found):
            if isinstance(one, Thing) and one.kind not in ("t1", "t3"):
                continue  # messages of the inbox are private
            payload = one if isinstance(one, bytes) else msgspec.json.encode(one)
            key = (one.name if isinstance(one, Thing) else "") or blake2b(payload, digest_size=6).hexdigest()
            item: Item | Rejection
            try:
                item = self._reader.item(read(payload), self._clock.now())
                stamp = f"{item.edited_at}" if isinstance(item, Mention) else item.reason
            except BadItem as error:
                item, stamp = Rejection(payload[:_KEEP_BYTES], f"{key} in {listing.name}", str(error)), "bad"
            if self._seen.get(key) != stamp:
                items.append(item)
                marks[key] = stamp
        return items, marks

    def _remember(self, marks: Mapping[str, str]) -> None:
        # Only now is the page durable: what was remembered before would be lost as known if it were not.
        for key, stamp in marks.items():
            self._seen[key] = stamp
            self._seen.move_to_end(key)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _gaps(self, listing: Listing, mark: _Mark, taken: int, oldest: float, now: datetime, met: bool) -> list[Gap]:
        since = datetime.fromtimestamp(mark.newest or mark.asked, UTC)
        if not met and listing.whole(taken):
            until = max(since, datetime.fromtimestamp(oldest, UTC))
            note = f"Reddit shows no more than {listing.shows:,} of it; nothing known was left among them"
            return [Gap(since, until, f"{listing.name} turned over between two looks", note=note)]
        if now.timestamp() - mark.asked > max(_AWAY_SECS, 3 * self._config.poll_secs):
            reason = f"not read: {listing.name}"
            return [Gap(datetime.fromtimestamp(mark.asked, UTC), now, reason, repaired=True, note="read back since")]
        return []

    def _refused(self, listing: Listing, refusal: Declined) -> Exception:
        if refusal.status == 401:
            return SourceRefused(f"Reddit does not accept the app or the account: {refusal.words}")
        if refusal.status in (302, 403, 404, 451):
            return SourceRefused(f"Reddit does not show {listing.name} ({refusal.status}): {refusal.words}")
        return SourceUnavailable(f"Reddit answered {refusal.status}: {refusal.words}", trouble="http")


class Rechecker:
    """Asks `api/info` what became of comments and submissions: 100 fullnames a query."""

    source = "reddit"
    batch: ClassVar[int] = 100
    per_hour = 30_000.0
    """A tenth of the 100 queries a minute, though what is missing is asked for twice."""

    def __init__(self, config: Config, context: Context) -> None:
        self._api = _api(config, context)
        self._clock = context.clock
        self._reader = _reader(config, context)

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals and rewordings. What Reddit leaves out is asked for once more, and gone if it is left out again."""
        ours = [one for one in mentions if one.source == self.source]
        asked = {one.native_id: one for one in ours if FULLNAME.fullmatch(one.native_id)}
        found = self._info(list(asked))
        if missing := [name for name in asked if name not in found]:
            found |= self._info(missing)
        items: list[Item] = []
        for name, mention in asked.items():
            if name not in found:
                items.append(gone(mention, self._clock.now()))
                continue
            try:
                now = self._reader.item(found[name], self._clock.now())
            except BadItem:
                continue  # it is there; what it says cannot be told
            if isinstance(now, Removal):
                items.append(now)
            elif now.text != mention.text:
                items.append(replace(mention, text=now.text, edited_at=now.edited_at or self._clock.now()))
        return items

    def _info(self, names: Sequence[str]) -> dict[str, Thing]:
        found: dict[str, Thing] = {}
        for at in range(0, len(names), self.batch):
            try:
                listing = self._api.get("api/info", {"id": ",".join(names[at : at + self.batch])})
                found |= {one.name: one for one in things(listing)[0] if isinstance(one, Thing)}
            except Declined as refusal:
                raise SourceRefused(f"Reddit does not say what became of things: {refusal.words}") from None
            except BadItem as error:
                raise SourceUnavailable(f"Reddit's answer is no listing: {error}", trouble="http") from error
        return found


def _reader(config: Config, context: Context) -> Reader:
    return Reader(context.name, config.brand, frozenset(name.lower() for name in config.subreddits))


def _load(cursor: str | None) -> dict[str, _Mark]:
    try:
        return msgspec.json.decode(cursor or "{}", type=dict[str, _Mark])
    except msgspec.MsgspecError:
        log.warning("the saved cursor cannot be read: starting with the backfill")
        return {}
