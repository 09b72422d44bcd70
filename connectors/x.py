"""X, over the filtered stream of API v2: every post that matches the brands' rules, paid for by the post.

The protocol's numbers, from docs.x.com/x-api/posts/filtered-stream (integrate: consume streaming data, handling
disconnections; rules): a heartbeat at least every 20 seconds, so that 20 seconds without a byte mean a dead
connection; reconnect after a network error at once, then 250 ms later each time up to 16 s; after an HTTP error 5 s
doubling to 320 s; after 429 one minute doubling; one connection and 50 connects in 15 minutes. Duplicates, disorder
and messages of unknown kinds are to be expected.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
import structlog
from msgspec import Struct
from pydantic import Field, field_validator

from connectors._x_account import Reply
from connectors._x_api import Api
from connectors._x_meter import Meter
from connectors._x_posts import Message, Reader, read, results
from connectors._x_repair import Hole, Repair
from connectors._x_reply import Answers
from connectors._x_rules import PREFIX, Rule, difference, rules_for
from connectors._x_stream import Line, Lines
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Brand, Context, Gap, Page, Query, Rejection, Secret, Settings

_log = structlog.get_logger(__name__)

_BATCH_LINES = 200
_KEEP_BYTES = 65_536
"""What is kept of a line that cannot be read."""
_RECENT = 50_000
"""Post ids known as passed on: more than the stream's 250 a second in 3 minutes."""
_NEARLY = 0.8


class Config(Settings):
    """Settings of the X connector.

    bearer_token        the application's bearer token
    rules               further rules of the filtered stream, besides those made from the brands' terms and handles
    narrow              operators added to every brand's rules, such as `-"apple pie"`
    langs               take only posts in these languages (X's codes), all where empty
    reposts             whether to take (and pay for) reposts
    repair              whether to fill gaps by recent search (each post found is paid for as well)
    lookback_secs       how much earlier than the last line a repair starts: posts reach the stream late
    price_per_post_usd  what X bills for a post read
    monthly_cap_usd     stop reading for the rest of the month at this sum; null for no cap
    silence_secs        seconds without a byte after which the connection counts as dead
    timeout_secs        seconds to wait for an answer of X
    batch_secs          seconds a page is gathered for, at most
    api_base            where the API is
    reply               the account that answers (handle, tier, and four secrets); without it nobody does
    """

    bearer_token: Secret
    rules: tuple[str, ...] = ()
    narrow: str = ""
    langs: tuple[str, ...] = ()
    reposts: bool = True
    repair: bool = True
    lookback_secs: float = Field(default=30, ge=0)
    price_per_post_usd: float = Field(default=0.005, ge=0)
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


class _Cursor(Struct, omit_defaults=True):
    """When the stream was last heard, the holes not yet settled, and the meter."""

    heard: datetime | None = None
    holes: list[Hole] = []
    month: str = ""
    posts: int = 0


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """The rules of the filtered stream for these brands; raises SourceRefused as listening would."""
    rules = rules_for(brands, (), langs=config.langs, reposts=config.reposts, narrow=config.narrow)
    return [Query(rule.value, rule.tag.removeprefix(PREFIX).rpartition(":")[0]) for rule in rules]


def price_usd(config: Config) -> float:
    """What X bills for a post read."""
    return config.price_per_post_usd


class _Batch:
    """What one page gathers; `ids` become known as passed on once the page is durable."""

    def __init__(self) -> None:
        self.items: list[Item | Rejection] = []
        self.gaps: list[Gap] = []
        self.ids: dict[str, None] = {}
        self.heard: datetime | None = None
        self.posts = 0
        self.fault: SourceUnavailable | None = None


class Connector:
    """The filtered stream as a connector; the cursor is JSON (last heard, open holes, meter)."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=0, step=0.25, cap=16),
        "silent": Backoff(first=0, step=0.25, cap=16),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=900),  # X names no cap: its windows are 15 minutes
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._name = context.name
        self._brands = context.brands
        self._clock = context.clock
        self._reader = Reader(context.name, context.brands)
        self._meter = Meter(config.price_per_post_usd, config.monthly_cap_usd)
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._ours: frozenset[str] = frozenset()
        self._saved: str | None = None
        self._heard: datetime | None = None
        self._why = "the stream was not connected"

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Matching posts from now on, and those missed since `cursor` as far as recent search finds them."""
        saved = _load(cursor)
        if cursor != self._saved:  # not where this object left off: what it handed over since may be gone
            self._recent.clear()
        self._heard = saved.heard
        self._meter.restore(saved.month, saved.posts)
        self._meter.turn(self._clock.now())
        config = self._config
        with closing(Api(config.bearer_token, config.api_base, config.timeout_secs, self._clock)) as api:
            wanted = rules_for(
                self._brands, config.rules, langs=config.langs, reposts=config.reposts, narrow=config.narrow
            )
            repair = Repair(api, [rule.value for rule in wanted], timedelta(seconds=config.lookback_secs), self._clock)
            repair.holes += saved.holes
            if self._meter.reached:
                yield from self._stop_at_cap(repair)
            try:
                self._sync(api, wanted)
                with closing(Lines(api.stream(config.silence_secs + 5), self._clock)) as lines:
                    yield from self._listen(lines, repair)
            except SourceUnavailable as error:
                self._why = str(error)
                raise

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept line, whatever rule it matched; raises BadItem."""
        items = self._reader.items(read(payload), self._clock.now())
        if not items:
            raise BadItem("neither a post nor a removal")
        return items

    # ----------------------------------------------------------------------------------------------------- rules

    def _sync(self, api: Api, wanted: Sequence[Rule]) -> None:
        """Make X hold exactly our rules: asked first whether it would, and before the stream is opened, so that
        nothing is missed between deleting and adding."""
        if not wanted:
            raise SourceRefused("no brand has a term or a handle and there are no rules: nothing to listen for")
        present = api.rules()
        added, stale = difference(wanted, present)
        if added:
            self._refuse(api.add_rules(added, dry_run=True))
        if stale:
            api.delete_rules(stale)
        if added:
            self._refuse(api.add_rules(added))
            present = api.rules()
        if added or stale:
            _log.info("rules synchronised", added=len(added), deleted=len(stale))
        values = {rule.value for rule in wanted}
        self._ours = frozenset(rule.id for rule in present if rule.value in values)

    @staticmethod
    def _refuse(problems: Sequence[str]) -> None:
        if problems:
            raise SourceRefused(f"X does not take these rules: {' | '.join(problems)[:1_000]}")

    # --------------------------------------------------------------------------------------------------- reading

    def _listen(self, lines: Lines, repair: Repair) -> Iterator[Page]:
        now = self._clock.now()
        if self._heard is not None and self._heard < now:
            repair.holes.append(Hole(self._heard, now, self._why))
        self._heard = now
        # Not a sign of life: an answer of 200 that ends at once must not reset the backoff.
        yield Page(cursor=self._cursor(repair), heard=False)
        self._saved = self._cursor(repair)
        last = self._clock.monotonic()
        while True:
            batch = self._gather(lines)
            # Judged by what had come by now: a page that took long to become durable is not X's silence.
            silence = self._clock.monotonic() - last
            if batch.heard is None and batch.fault is None and silence >= self._config.silence_secs:
                raise SourceUnavailable(f"X sent no byte for {self._config.silence_secs:g} seconds", trouble="silent")
            if repair.holes and not self._config.repair:
                batch.gaps += repair.give_up("not repaired: repair is switched off")
            elif repair.due and batch.fault is None and not self._meter.reached:
                self._search(repair, batch)
            if batch.heard is not None:
                self._heard, last = batch.heard, self._clock.monotonic()
            changed = batch.heard is not None or batch.items or batch.gaps or batch.posts
            cursor = self._cursor(repair) if changed else None
            usage = self._meter.usage(self._clock.now()) if batch.posts else ()
            yield Page(batch.items, cursor=cursor, gaps=batch.gaps, heard=batch.heard is not None, usage=usage)
            self._saved = cursor or self._saved
            self._remember(batch)
            if self._meter.reached:
                yield from self._stop_at_cap(repair)
            if batch.fault is not None:
                raise batch.fault
            if self._clock.stopping:
                return

    def _gather(self, lines: Lines) -> _Batch:
        batch, until = _Batch(), self._clock.monotonic() + self._config.batch_secs
        for _ in range(_BATCH_LINES):
            try:
                line = lines.take(self._config.batch_secs)
                if line is None:
                    break
                self._take(line, batch)
            except SourceUnavailable as error:
                batch.fault = error
                break
            # A heartbeat says that X has nothing more for now.
            if not line.text or self._meter.reached or self._clock.monotonic() > until:
                break
        return batch

    def _take(self, line: Line, batch: _Batch) -> None:
        batch.heard = line.arrived
        if not line.text.strip():
            return
        try:
            message = read(line.text)
            if message.data is None and message.errors:
                raise _ended(message)
            if message.is_post:
                self._count(1, batch)
            elif message.data is not None:
                _log.info("a message that is no post", keys=sorted(message.data)[:10])
            if self._for_us(message):
                self._keep(message, batch)
        except BadItem as error:
            place = f"stream line of {line.arrived.isoformat()}"
            batch.items.append(Rejection(line.text[:_KEEP_BYTES], place, str(error)))

    def _for_us(self, message: Message) -> bool:
        """Whether one of our rules matched: others' rules on the same application send their posts here too."""
        return not message.matching_rules or any(
            (match.tag or "").startswith(PREFIX) or match.id in self._ours for match in message.matching_rules
        )

    def _keep(self, message: Message, batch: _Batch) -> None:
        id = str(message.data.get("id")) if message.data is not None and message.is_post else ""
        if id and (id in self._recent or id in batch.ids):
            return
        items = self._reader.items(message, self._clock.now())
        batch.items += items
        if id and items:
            batch.ids[id] = None

    def _search(self, repair: Repair, batch: _Batch) -> None:
        answer, gaps = repair.step()
        batch.gaps += gaps
        try:
            found = results(answer)
        except BadItem as error:
            batch.items.append(Rejection(msgspec.json.encode(answer)[:_KEEP_BYTES], "recent search", str(error)))
            return
        for message in found:
            self._count(1, batch)
            try:
                self._keep(message, batch)
            except BadItem as error:
                payload = msgspec.json.encode({"data": message.data})
                batch.items.append(Rejection(payload[:_KEEP_BYTES], "recent search", str(error)))

    def _remember(self, batch: _Batch) -> None:
        # Only now is the page durable: what was known before that would be lost as a duplicate if it were not.
        self._recent.update(batch.ids)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    # ----------------------------------------------------------------------------------------------------- money

    def _count(self, posts: int, batch: _Batch) -> None:
        cap, before = self._config.monthly_cap_usd, self._meter.spent
        self._meter.count(posts, self._clock.now())
        batch.posts += posts
        if cap is not None and before < _NEARLY * cap <= self._meter.spent:
            _log.warning("reading X has nearly reached the monthly cap", spent_usd=round(self._meter.spent, 2), cap=cap)

    def _stop_at_cap(self, repair: Repair) -> Iterator[Page]:
        """Say what will not be heard this month, and stop until the next. The gap runs to the month's end; where the
        cap is raised earlier, listening simply goes on earlier."""
        now = self._clock.now()
        until = self._meter.resets(now)
        reason = f"the monthly cap of {self._config.monthly_cap_usd} USD is reached"
        if self._heard is None or self._heard < until:
            gaps = repair.give_up(f"not repaired: {reason}")
            gaps.append(Gap(min(self._heard or now, now), until, reason))
            self._heard = until
            yield Page(gaps=gaps, cursor=self._cursor(repair), heard=False)
        raise SourceUnavailable(reason, trouble="rate_limited", retry_after=(until - now).total_seconds())

    def _cursor(self, repair: Repair) -> str:
        cursor = _Cursor(self._heard, repair.holes, self._meter.month, self._meter.posts)
        return msgspec.json.encode(cursor).decode()


def _ended(message: Message) -> SourceUnavailable:
    """A line of nothing but errors: X is about to disconnect (`operational-disconnect`), or cannot go on."""
    problem = message.errors[0]
    operational = bool(problem.disconnect_type) or "disconnect" in problem.title
    said = problem.detail or problem.title
    return SourceUnavailable(f"X ended the stream: {said[:200]}", trouble="network" if operational else "http")


def _load(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.MsgspecError as error:
        raise SourceRefused(f"the saved cursor is not one of X's; remove it to start from now: {error}") from error
