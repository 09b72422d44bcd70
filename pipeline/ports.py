"""What an adapter promises, in prose. The loops know these ports and never an adapter.

A port's promises are held by its suite in `tests/contract/`, which every adapter runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from pipeline.errors import Trouble
from pipeline.mention import (
    BrandMatch,
    Cluster,
    Intent,
    Item,
    Language,
    Media,
    Mention,
    Removal,
    Routed,
    Sentiment,
    Signal,
    Target,
)

# ---------------------------------------------------------------- configuration


class Settings(BaseModel):
    """Base of every adapter's `Config`: unknown keys are refused, values are frozen, secrets never print."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FromEnvironment(str):
    """A string of the configuration that came, at least in part, from the environment; it never shows itself."""

    def __repr__(self) -> str:
        return "'**********'"


def _from_environment(value: object) -> object:
    if value is None or isinstance(value, FromEnvironment | SecretStr):
        return value
    raise ValueError("a secret is written as ${NAME} and taken from the environment")


Secret = Annotated[SecretStr, BeforeValidator(_from_environment)]
"""A setting that only the environment may hold: `${NAME}` in the file."""


@dataclass(frozen=True)
class Brand:
    """What makes a mention one about this brand.

    `terms` are words and phrases, matched whole and without regard to case; `handles` are accounts without `@`;
    `exclude` are phrases in which a term does not count (`apple pie`); `own_accounts` maps a source to the author ids
    or handles the brand itself posts from; `competitors` maps the name of each to the terms and handles by which it is
    known. Where there is `context`, a term counts only in a text that has one of these words, or a handle, as well;
    where there are `languages` (ISO 639-1), only in a text that is not known to be in another.
    """

    name: str
    terms: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    own_accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    competitors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


# ------------------------------------------------------------------------ clock


class Clock(Protocol):
    """Time, handed in, so that a test can move it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait so long or until the process is asked to stop; True when it was asked to stop."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the process was asked to stop."""
        ...


# ------------------------------------------------------------------- connectors


@dataclass(frozen=True)
class Rejection:
    """A source's item that could not be read: its bytes, where it stood (`line 17`), and why it was refused.

    `payload` is what the connector's `parse` takes, so that it can be tried again by a later version.
    """

    payload: bytes
    place: str
    reason: str


@dataclass(frozen=True)
class Gap:
    """A stretch of a source's time that was not heard: visible until repaired, and after.

    `repaired` says whether another request filled it (`note` says how well).
    """

    since: datetime
    until: datetime
    reason: str
    repaired: bool = False
    note: str = ""


@dataclass(frozen=True)
class Usage:
    """How much of an allowance a source has used: `used` of `limit` (None: no limit) in `unit` (requests, units, posts,
    USD), until it starts anew at `resets`."""

    unit: str
    used: float
    limit: float | None = None
    resets: datetime | None = None


@dataclass(frozen=True)
class Page:
    """What a connector took in at once, and the cursor from which to go on once it is durable.

    `cursor` None leaves the saved cursor as it is. An empty page says: listening, nothing new. `heard` is True when
    the source gave a sign of life (an item, a heartbeat, an empty answer); silence is measured from the last. `usage`
    is what is known to be left of the source's allowances, one a unit; those not named stay as they were.
    """

    items: Sequence[Item | Rejection] = ()
    cursor: str | None = None
    gaps: Sequence[Gap] = ()
    heard: bool = True
    usage: Sequence[Usage] = ()


@dataclass(frozen=True)
class Query:
    """What a brand's terms become at a platform: its own query, for which brand (empty: for all), where it is asked
    (a server, a subreddit), and what it leaves to the brand stage or cannot say."""

    text: str
    brand: str = ""
    place: str = ""
    note: str = ""


@dataclass(frozen=True)
class Backoff:
    """Delays between attempts, in seconds: `first`, then `+ step` or `* factor`, never over `cap`."""

    first: float
    cap: float
    factor: float = 1.0
    step: float = 0.0

    def delay(self, attempt: int) -> float:
        """The delay before attempt number `attempt` (1 is the first retry)."""
        if self.factor == 1.0:
            return min(self.cap, self.first + self.step * (attempt - 1))
        return float(min(self.cap, self.first * self.factor ** min(attempt - 1, 64)))


@dataclass(frozen=True)
class Context:
    """What a connector is handed: its configured name, the brands, and the clock (which also tells it to stop)."""

    name: str
    brands: Sequence[Brand]
    clock: Clock


class Connector(Protocol):
    """One source of mentions. A connector's module holds its `Config` (a Settings) and its class `Connector`, built
    as `Connector(config, context)`; building opens nothing.

    `pages` yields from the cursor on, for ever (a finite source returns at its end). Control comes back to the
    generator only when the page it yielded is durable on the bus and its cursor is saved: a connector that must
    answer its sender (a webhook) answers then. It is at least once: after a crash it is called with the last saved
    cursor and may repeat items. It yields, if need be an empty page, at least once a second, so that it can be told
    to stop; it is closed by `generator.close()`, upon which it frees what it holds.

    It raises SourceUnavailable when the source fails (the supervisor waits as `backoff` says for that trouble and
    calls `pages` again with the saved cursor; a page with items or `heard` resets the attempt count), and
    SourceRefused when nothing but the operator can help. One bad item is a Rejection in its page, never an exception.
    A loss it can know of is a Gap in its page.

    A module whose platform is asked by queries also holds `queries(config, brands) -> Sequence[Query]`, and one whose
    platform bills what is read `price_usd(config) -> float`, the US dollars of one mention read.
    """

    backoff: ClassVar[Mapping[Trouble, Backoff]]

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Yield pages from `cursor` (None: from the source's documented start)."""
        ...

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read one payload (as kept in a Rejection) again; raises BadItem."""
        ...


class Replier(Protocol):
    """A connector that can also answer where the question was asked. The connector's module holds the class
    `Replier`, built as `Replier(config, context)` from the same Config, whose field `reply` (a Settings, or None: this
    source may not answer) says with which account; without it building raises ValueError. Building opens nothing.

    One Replier is used by one thread at a time. Its calls wait for the platform no longer than the settings allow.
    `pictures` says how many pictures a reply may carry; 0 where it can carry none.
    """

    pictures: ClassVar[int]

    def eligible(self, mention: Mention) -> str | None:
        """None when this account may answer this mention here, as far as the connector knows without asking anybody;
        else the reason why not, a sentence for a person."""
        ...

    def reply(self, mention: Mention, text: str, key: str, media: Sequence[Media] = ()) -> str:
        """Post the reply, `text` as it stands, with these pictures (fetched from their addresses, with their
        descriptions; no more than `pictures`), and return its native id.

        The same `key` twice posts once and returns the same id, also from a new Replier after a crash in the middle;
        where a platform leaves a gap in this, the connector's documentation says which. `key` is any text of up to
        200 characters, another one for every reply.

        Raises SourceUnavailable when it cannot be sent now: whether it was posted may be unknown, and the same key
        comes again after the delay that the connector's `backoff` states for the trouble, or `retry_after`. Raises
        ReplyRefused when the platform will not take it, however often it is sent.
        """
        ...


Action = Literal["like", "hide", "message"]
"""What can be done with a mention besides answering it in public: approve of it, hide it on a page of one's own, write
to its author in private."""


class Actor(Replier, Protocol):
    """A Replier that can do more than reply, as far as `actions` says. An action done twice under one key, or on what
    is so already, has no second effect. Errors are those of `reply`.

    Where the platform lets an action be done only once to a mention, in whatever words, the class also holds it in
    `once`, a frozenset of actions."""

    actions: ClassVar[frozenset[Action]]

    def may(self, action: Action, mention: Mention) -> str | None:
        """None when this account may do it as far as is known without asking; else why not, a sentence for a
        person."""
        ...

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:
        """Do it (`text` is the private message, else empty) and return the native id of what was made, or of the
        mention."""
        ...


class Rechecker(Protocol):
    """Asks a platform that sends no deletes what became of stored mentions. A connector's module that can holds the
    class `Rechecker`, built as `Rechecker(config, context)`; building opens nothing."""

    source: str
    """Whose mentions: the front of their ids."""

    batch: ClassVar[int]
    """How many mentions one call takes at most: what the platform answers in one request."""

    per_hour: float
    """About how many mentions an hour may be asked at most, by what the platform documents and what listening and
    answering need of it; infinity where it sets no limit. No more are asked about, whatever is configured."""

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """A Removal for each that is gone or hidden, the Mention anew for each that was reworded, nothing for the
        others. Raises SourceUnavailable and SourceRefused as a connector does; what cannot be told is left out."""
        ...


# ----------------------------------------------------------------------- stages


@dataclass(slots=True)
class Draft:
    """One mention on its way through the stages: each fills the fields it provides.

    `doc` is the spaCy Doc of the mention's text (the tokenizer's, shared by all stages), there for every stage.
    A stage that cannot read this one mention sets `rejected` to the reason; it is then dead-lettered.
    """

    mention: Mention
    doc: Any
    brand: str | None = None
    brands: tuple[BrandMatch, ...] = ()
    language: Language | None = None
    sentiment: Sentiment | None = None
    intents: tuple[Intent, ...] = ()
    topics: tuple[str, ...] = ()
    topic_words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    spam: Signal | None = None
    repost: bool = False
    cluster: Cluster | None = None
    reach: int = 0
    urgency: Signal | None = None
    sarcasm: Signal | None = None
    target: Target | None = None
    shadow: tuple[str, ...] = ()
    rejected: str | None = None


@dataclass(frozen=True)
class StageContext:
    """What a stage is handed besides its settings: the brands and the shared spaCy pipeline (`nlp`)."""

    brands: Sequence[Brand]
    nlp: Any


class Stage(Protocol):
    """One step of enrichment. Its module holds `Config` and `Stage(config, context)`; loading happens once, there.

    `needs` and `provides` are names of Draft's fields; the pipeline refuses an order in which a need is not yet
    provided. A stage that needs what it provides does it again, better. `annotate` works on a whole batch, fills
    exactly what it provides, and depends on nothing but the batch (and memory it declares in its docstring). One
    mention it cannot read is `rejected`; an exception means the stage is broken. `version` changes whenever its
    results could.
    """

    needs: ClassVar[frozenset[str]]
    provides: ClassVar[frozenset[str]]
    version: str

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill the provided fields of every draft in place."""
        ...


# ------------------------------------------------------------------------ sinks


@dataclass(frozen=True)
class Delivery:
    """One thing for a sink, with a key that is the same on every retry of the same thing."""

    key: str
    record: Routed | Removal


class Sink(Protocol):
    """A destination. Its module holds `Config` and `Sink(config)`; building opens nothing.

    `deliver` takes a batch in order and returns, for each, None (it has it, durably) or the reason it refuses that
    one for good. A Routed seen before (same mention id) replaces what it held; a Removal takes it away. It raises
    SinkUnavailable for the whole batch when the destination is down: the same batch comes again later with the same
    keys, and must then have no second effect.
    """

    def deliver(self, batch: Sequence[Delivery]) -> Sequence[str | None]:
        """Deliver the batch; one result per delivery."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


# -------------------------------------------------------------------------- bus


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record as read from a topic; `timestamp` is when it was written, in milliseconds since 1970."""

    partition: Partition
    offset: int
    key: bytes
    value: bytes
    timestamp: int


class Lag(NamedTuple):
    """A group's place in one partition: the next offset it will read, the end, and what lies between."""

    committed: int
    end: int

    @property
    def records(self) -> int:
        """How many records the group has yet to finish."""
        return max(0, self.end - self.committed)


@dataclass(frozen=True)
class Topic:
    """A topic as it should be: its name, how many partitions, and how long a record is kept."""

    name: str
    partitions: int
    retention_hours: float


class Producer(Protocol):
    """Writes records. `send` may buffer; only `flush` promises."""

    def send(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Queue (key, value) pairs; one key's records keep their order and share a partition."""
        ...

    def flush(self) -> None:
        """Return when all that was sent is durable; raise BusUnavailable when it may not be (then send it again)."""
        ...

    def close(self) -> None:
        """Free what it holds; what was not flushed may be lost."""
        ...


class Consumer(Protocol):
    """One member of a group. The group's partitions are shared out among its live members; a member that dies loses
    its own to the others, which go on from the committed position: at least once.

    Partitions are handed over only inside `poll` or `close`, so that a loop of poll, work, commit never works on what
    it has lost; a member that stalls for too long is told at `commit` by Fenced.
    """

    def poll(self, max_records: int, timeout: float) -> Sequence[Record]:
        """Up to `max_records`, in order per partition; empty after `timeout` seconds. Raises BusUnavailable, and Stop
        when it can never work: a topic that does not exist, another process that works under our name."""
        ...

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Save, per partition, the next offset to read. Raises Fenced when one is no longer ours."""
        ...

    def assignment(self) -> frozenset[Partition]:
        """What this member owns now."""
        ...

    def close(self) -> None:
        """Leave the group at once, so that others need not wait for a time-out."""
        ...


class Bus(Protocol):
    """Topics, groups and positions. Kafka in production, a SQLite file on one machine: the same promises."""

    def producer(self) -> Producer:
        """A new producer."""
        ...

    def consumer(self, group: str, topics: Sequence[str], member: str | None = None) -> Consumer:
        """A new member of `group`. `member`, where given, is a stable name: a restart under it takes its place back
        at once instead of waiting for the dead one to time out."""
        ...

    def apply(self, topics: Sequence[Topic]) -> Sequence[str]:
        """Make the topics as stated; returns what was changed, in words; nothing on the second call. A topic is never
        shrunk or deleted."""
        ...

    def lag(self, group: str, topic: str) -> Mapping[int, Lag]:
        """Each partition's lag for the group, whether or not a member is alive."""
        ...

    def purge(self, topic: str, keys: Sequence[bytes], matches: Callable[[bytes], bool]) -> Literal["now", "retention"]:
        """Take the records under these keys whose value `matches` out of the topic: `now` when they are gone on
        return, `retention` when only the topic's retention will do it."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...
