"""Mastodon and servers that speak its API: several at once, over hashtags, lists, the account's notifications and the
live feed; and answers to what is found.

Numbers, from docs.joinmastodon.org and github.com/mastodon/mastodon (see the parts, `_mastodon_*.py`): 300 requests in
5 minutes, 40 posts a page, a heartbeat every 15 seconds; streaming needs a token since 4.2 and replays nothing, so that
a gap is filled by asking each timeline for what came after its last post (`min_id`). No delay between attempts is
documented: those below are ours.

Servers fail alone. Where all of them do, the connector does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import structlog
from pydantic import Field, StringConstraints, field_validator

from connectors._bluesky_watch import Watch
from connectors._mastodon_crew import Crew
from connectors._mastodon_cursor import Cursor, Place, load
from connectors._mastodon_found import Deleted, Failed, Filled, Found, Heard, Opened, Post, Unreadable
from connectors._mastodon_memory import Known, Seen
from connectors._mastodon_posts import SOURCE, Posted, Status, full, read, to_mention
from connectors._mastodon_recheck import Rechecks
from connectors._mastodon_reply import Answers, Reply
from connectors._mastodon_station import Plan, Station
from connectors._mastodon_streams import Wire
from connectors._mastodon_timelines import asked, searches, tag_of, tags
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Backoff, Brand, Context, Gap, Page, Query, Rejection, Secret, Settings

_log = structlog.get_logger(__name__)

_BATCH = 500
_KEEP_BYTES = 65_536
"""What is kept of something that cannot be read."""
_RECENT = 50_000
_SETTLED_SECS = 30.0
"""A server that streamed for so long starts again with a fresh count of failures."""

Wires: Mapping[str, tuple[Wire, ...]] = {
    "auto": ("websocket", "sockets", "sse"),
    "websocket": ("websocket", "sockets"),
    "sse": ("sse",),
}


class Server(Settings):
    """One server: its address, a token of an account there (scopes `read:accounts`, `read:notifications`,
    `read:statuses`, `read:lists`, `read:search`), the ids of the account's lists to follow, and its live feed."""

    url: str = Field(pattern=r"^(https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?)$")
    access_token: Secret
    lists: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$")], ...] = ()
    feed: Literal["none", "local", "all"] = "none"

    @field_validator("access_token")
    @classmethod
    def _one_word(cls, token: Secret) -> Secret:
        value = token.get_secret_value()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError("an access token is one word of printable ASCII")
        return token


class Config(Settings):
    """Settings of the Mastodon connector.

    servers             the servers to listen on
    hashtags            hashtags to follow besides those made of the brands' terms
    brand_hashtags      whether to follow those
    terms               words and phrases to listen for in feeds and searches besides the brands' own
    reposts             whether to take reposts (of lists and of the home feed)
    transport           websocket, sse, or auto: WebSocket where the server has it
    search_secs         seconds between two searches for the terms; 0 for none
    fill_pages          pages of 40 posts asked of a timeline after a gap, at most
    lookback_secs       seconds to go back before the last post seen, for posts that reached the server late
    silence_secs        seconds without any sign of life after which a stream counts as dead
    timeout_secs        seconds to wait for an answer
    max_message_bytes   larger events end the connection
    batch_secs          seconds a page is gathered for, at most
    memory              file that remembers which post is behind an id, so that deletions are understood after a restart
    reply               the account that answers; without it nobody does
    """

    servers: tuple[Server, ...] = Field(min_length=1)
    hashtags: tuple[str, ...] = ()
    brand_hashtags: bool = True
    terms: tuple[str, ...] = ()
    reposts: bool = False
    transport: Literal["auto", "websocket", "sse"] = "auto"
    search_secs: float = Field(default=900, ge=0)
    fill_pages: int = Field(default=25, ge=1)
    lookback_secs: float = Field(default=60, ge=0)
    silence_secs: float = Field(default=45, gt=0)
    timeout_secs: float = Field(default=10, gt=0)
    max_message_bytes: int = Field(default=1_000_000, ge=10_000)
    batch_secs: float = Field(default=0.25, gt=0, le=0.5)
    memory: Path | None = None
    reply: Reply | None = None

    @field_validator("servers")
    @classmethod
    def _once(cls, servers: tuple[Server, ...]) -> tuple[Server, ...]:
        if len({server.url for server in servers}) < len(servers):
            raise ValueError("a server is named twice")
        return servers

    @field_validator("hashtags")
    @classmethod
    def _tags(cls, hashtags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in hashtags:
            if not tag_of(tag):
                raise ValueError(f"{tag!r} is no hashtag: it needs a letter")
        return hashtags


class Replier(Answers):
    """Answers posts as the account in `reply` (`_mastodon_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, context)


class Rechecker(Rechecks):
    """Asks the servers for what became of stored mentions (`_mastodon_recheck.py`): deletions and edits that happened
    while nobody listened, or that no stream tells."""

    def __init__(self, config: Config, context: Context) -> None:
        tokens = {server.url: server.access_token for server in config.servers}
        super().__init__(tokens, config.timeout_secs, context)


def queries(config: Config, brands: Sequence[Brand]) -> Sequence[Query]:
    """The hashtags and searches that the brands' terms become on each server."""
    places = [server.url for server in config.servers]
    return list(asked(brands, places, by_tag=config.brand_hashtags, by_search=config.search_secs > 0))


class _State:
    """One server in this process: since when it streams, and how often it failed before."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.listening = False
        self.opened: float | None = None
        self.failures = 0
        self.due = 0.0
        self.search_due = 0.0
        self.error: SourceUnavailable | SourceRefused | None = None


class _Batch:
    """What one page gathers; `keys` become known as passed on once the page is durable."""

    def __init__(self) -> None:
        self.items: list[Item | Rejection] = []
        self.gaps: list[Gap] = []
        self.keys: dict[str, None] = {}
        self.known: dict[tuple[str, str], Known] = {}
        self.heard = False


class Connector:
    """The servers as one connector; the cursor is JSON (per server: when last heard, and its timelines' last ids)."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=1, factor=2, cap=60),
        "silent": Backoff(first=1, factor=2, cap=60),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=300),  # a window of 5 minutes
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._name = context.name
        self._clock = context.clock
        self._brands = context.brands
        handles = [handle for brand in context.brands for handle in brand.handles]
        terms = [term for brand in context.brands for term in brand.terms]
        self._watch = Watch((), [*terms, *handles, *config.terms])
        self._phrases = searches(context.brands, config.terms) if config.search_secs else []
        self._accounts = {
            account.lstrip("@").lower(): brand.name
            for brand in context.brands
            for account in brand.own_accounts.get(SOURCE, ())
        }
        self._seen = Seen(config.memory)
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._cursor = Cursor()
        self._saved: str | None = None
        self._crew: Crew[Found] = Crew()
        self._states = {server.url: _State(self._station(server)) for server in config.servers}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is said from now on, after the newest page of each timeline; and what was missed since `cursor`."""
        self._cursor = load(cursor)
        if cursor != self._saved:  # not where this object left off: what it handed over since may be gone
            self._recent.clear()
        for state in self._states.values():
            state.listening, state.opened, state.error = False, None, None
        self._seen.open()
        with closing(self._seen), Crew[Found]() as self._crew:
            while True:
                self._begin()
                batch = _Batch()
                for found in self._crew.take(_BATCH, self._config.batch_secs):
                    self._take(found, self._states[found.server], batch)
                self._seen.put(batch.known)
                changed = batch.heard or batch.items or batch.gaps
                saved = msgspec.json.encode(self._cursor).decode() if changed else None
                usage = [state.station.allowance.usage for state in self._states.values()]
                yield Page(batch.items, saved, batch.gaps, batch.heard, [one for one in usage if one])
                self._saved = saved or self._saved
                # Only now is the page durable: what was known before that would be lost as a duplicate if it were not.
                self._recent.update(batch.keys)
                while len(self._recent) > _RECENT:
                    self._recent.popitem(last=False)
                if self._clock.stopping:
                    return
                self._raise_where_nobody_answers()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A status that was kept; raises BadItem."""
        try:
            posted = msgspec.json.decode(payload, type=Posted)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadItem(f"not a status as this connector keeps them: {error}") from error
        return [self._mention(posted, read(bytes(posted.status)))]

    # ------------------------------------------------------------------------------------------------- the servers

    async def _hand_over(self, found: Found) -> None:
        await self._crew.put(found)

    def _station(self, server: Server) -> Station:
        config = self._config
        plan = Plan(
            url=server.url,
            token=server.access_token,
            tags=tags(self._brands if config.brand_hashtags else (), config.hashtags),
            lists=server.lists,
            feed=server.feed,
            wires=Wires[config.transport],
            timeout_secs=config.timeout_secs,
            silence_secs=config.silence_secs,
            max_bytes=config.max_message_bytes,
            lookback_secs=config.lookback_secs,
            fill_pages=config.fill_pages,
            reposts=config.reposts,
            backoff=self.backoff["http"],
            hears=self._watch.hears,
        )
        return Station(plan, self._clock, self._hand_over)

    def _begin(self) -> None:
        now = self._clock.monotonic()
        for url, state in self._states.items():
            place = self._cursor.servers.get(url) or Place()
            if not state.listening and now >= state.due and not isinstance(state.error, SourceRefused):
                state.listening = True
                self._crew.start(state.station.listen(dict(place.last) | place.behind))
            elif state.opened is not None and self._phrases and now >= state.search_due:
                state.search_due = now + self._config.search_secs
                self._crew.start(state.station.search(self._phrases, dict(place.last)))

    def _raise_where_nobody_answers(self) -> None:
        states = [state for state in self._states.values() if state.error and not state.listening]
        errors = [state.error for state in states if state.error]
        if len(errors) < len(self._states):
            return
        if len(errors) == 1:
            raise errors[0]
        said = "; ".join(map(str, errors))[:500]
        waits = [state.due for state in states if isinstance(state.error, SourceUnavailable)]
        if not waits:
            raise SourceRefused(said)
        raise SourceUnavailable(said, retry_after=max(0.0, min(waits) - self._clock.monotonic()))

    def _failed(self, failed: Failed, state: _State, place: Place) -> None:
        state.listening, state.opened = False, None
        state.error, state.failures = failed.error, state.failures + 1
        place.why = str(failed.error)[:300]
        if isinstance(failed.error, SourceRefused):
            _log.error("a server refuses us", via=self._name, server=failed.server, said=str(failed.error))
            return
        delay = failed.error.retry_after
        delay = self.backoff[failed.error.trouble].delay(state.failures) if delay is None else delay
        state.due = self._clock.monotonic() + delay
        _log.warning(
            "a server is not heard",
            via=self._name,
            server=failed.server,
            said=str(failed.error),
            again_secs=round(delay),
        )

    # ---------------------------------------------------------------------------------------------- what they bring

    def _take(self, found: Found, state: _State, batch: _Batch) -> None:
        place = self._cursor.servers.setdefault(found.server, Place())
        if isinstance(found, Failed):
            self._failed(found, state, place)
            return
        now = self._clock.now()
        if isinstance(found, Opened):
            state.error, state.opened = None, self._clock.monotonic()
            place.begin(found.keys, now)
        elif state.opened is not None:
            batch.heard = True
            if self._clock.monotonic() - state.opened >= _SETTLED_SECS:
                state.failures = 0
        if state.opened is not None:  # one stream of several is not yet listening
            place.heard = now
        match found:
            case Post():
                if state.opened is not None:  # else what came before it would be taken for heard
                    place.advance(found.key, found.id)
                self._post(found, batch)
            case Deleted():
                self._deleted(found, batch)
            case Unreadable():
                batch.items.append(Rejection(found.payload[:_KEEP_BYTES], found.place, found.reason))
            case Heard() if state.opened is not None:
                place.advance(found.key, found.id)
            case Filled():
                batch.gaps += place.fill(found)

    def _post(self, post: Post, batch: _Batch) -> None:
        try:
            mention = self._mention(post.posted, post.status)
        except BadItem as error:
            payload = msgspec.json.encode(post.posted)[:_KEEP_BYTES]
            batch.items.append(Rejection(payload, f"{post.key} of {post.server}, {post.status.id}", str(error)))
            return
        batch.known[(post.server, post.status.id)] = Known(mention.id, mention.thread)
        key = f"{mention.id} {post.status.edited_at or ''}"
        if key not in self._recent and key not in batch.keys:
            batch.keys[key] = None
            batch.items.append(mention)

    def _deleted(self, deleted: Deleted, batch: _Batch) -> None:
        at = (deleted.server, deleted.id)
        known = batch.known.get(at) or self._seen.get(*at)
        if known is None:  # not a post of ours
            return
        key = f"{known.mention} deleted"
        if key not in self._recent and key not in batch.keys:
            batch.keys[key] = None
            batch.items.append(
                Removal(
                    source=SOURCE,
                    reason="deleted",
                    noticed_at=self._clock.now(),
                    mention=known.mention,
                    conversation=known.thread,
                    via=self._name,
                )
            )

    def _mention(self, posted: Posted, status: Status) -> Mention:
        spoken_to = {self._accounts.get(full(one.acct, posted.domain).lower()) for one in status.mentions} - {None}
        brand = spoken_to.pop() if len(spoken_to) == 1 else None
        return to_mention(posted, status, via=self._name, now=self._clock.now(), brand=brand)
