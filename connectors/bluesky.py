"""Bluesky, over Jetstream v2 or v1: the network's public posts, those that may concern a brand; and answers to them.

Protocol numbers, from the README and lexicons of github.com/bluesky-social/jetstream:
- v2 (`network.bsky.jetstream.subscribeEvents`): the cursor is a `seq`, inclusive, of one host only; a cursor of 1e15 or
  more is a time in microseconds, good on every host. Too old a seq is answered 400 `CursorTooOld`, too old a time is
  raised to the oldest event with an `#info OutdatedCursor`, a seq of another archive gives `#info FutureCursor`.
- v1 (`/subscribe`): the cursor is a time in microseconds; a few seconds of rewind make a reconnect gapless; a cursor
  older than the 36 hours kept is raised without a word.
- both deliver at least once, so that what was passed on lately is recognised by repository, record and revision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import structlog
from msgspec import Struct
from pydantic import Field, StringConstraints
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from connectors._bluesky_intake import Intake, Recent
from connectors._bluesky_jetstream import (
    CursorTooOld,
    Event,
    FutureCursor,
    Unsupported,
    Version,
    address,
    from_us,
    read,
    subscribe,
    to_us,
)
from connectors._bluesky_memory import Authors
from connectors._bluesky_posts import POSTS, REPOSTS
from connectors._bluesky_reply import Answers, Reply
from connectors._bluesky_watch import Watch
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Brand, Context, Gap, Page, Query, Rejection, Settings

_log = structlog.get_logger(__name__)

_BATCH_FRAMES = 1_000
_KEEP_BYTES = 65_536
"""What is kept of a frame that cannot be read."""
_RECENT = 50_000
_FAILURES_A_HOST = 2
"""After so many failures in a row without a frame the next host is tried."""

Host = Annotated[str, StringConstraints(pattern=r"^wss?://[^/?#]+$")]


class Config(Settings):
    """Settings of the Bluesky connector. To listen it needs no account and no key.

    hosts               Jetstream hosts, tried in turn: `wss://name` (`ws://` for one of your own)
    version             2, 1, or auto: 2 where the host has it
    terms               words and phrases to listen for besides the brands' own
    reposts             whether to take reposts of mentions just seen and of the brands' own posts
    silence_secs        seconds without any event after which the connection counts as dead
    rewind_secs         seconds to go back when resuming by time
    kept_hours          how far back a host can replay; what is older is recorded as a gap
    max_message_bytes   larger events are left out by the server (a post is a few thousand bytes)
    connect_secs        seconds a connection may take to open
    batch_secs          seconds a page is gathered for, at most
    memory              file that remembers whose posts were passed on, so that after a restart only their deletions
                        are; without it deletions of posts older than the restart are all passed on
    reply               the account that answers (handle, password, service, and more); without it nobody does
    """

    hosts: tuple[Host, ...] = Field(
        default=("wss://jetstream.us-east.bsky.network", "wss://jetstream.us-west.bsky.network"), min_length=1
    )
    version: Literal["auto", 1, 2] = "auto"
    terms: tuple[str, ...] = ()
    reposts: bool = False
    silence_secs: float = Field(default=30, gt=0)
    rewind_secs: float = Field(default=5, ge=0)
    kept_hours: float = Field(default=36, gt=0)
    max_message_bytes: int = Field(default=1_000_000, ge=10_000)
    connect_secs: float = Field(default=10, gt=0)
    batch_secs: float = Field(default=0.25, gt=0, le=0.5)
    memory: Path | None = None
    reply: Reply | None = None


class Replier(Answers):
    """Answers posts as the account in `reply` (`_bluesky_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, context)


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """That every new post is read: Jetstream can be asked for kinds of records and for accounts, not for words."""
    kinds = f"{POSTS}, {REPOSTS}" if config.reposts else POSTS
    heard = sum(len({*brand.terms, *brand.handles, *brand.own_accounts.get("bluesky", ())}) for brand in brands)
    note = f"every new post is read and compared here with {heard + len(config.terms)} terms; the brand stage decides"
    return [Query(kinds, "", "Jetstream", note)]


class _Position(Struct, omit_defaults=True):
    """The cursor: the last event seen, on which host, and what the memory of authors must hold for it."""

    version: int = 0
    host: str = ""
    seq: int = 0
    time_us: int = 0
    authors: int = 0
    complete_since: int = 0


class _Batch:
    """What one page gathers; `keys` become known as passed on once the page is durable."""

    def __init__(self) -> None:
        self.items: list[Item | Rejection] = []
        self.gaps: list[Gap] = []
        self.keys: dict[str, None] = {}
        self.frames = 0
        self.events = 0
        self.fault: Exception | None = None


@dataclass
class _Plan:
    """Which host to ask in which version, and whether to resume by time instead of by seq."""

    host: str
    version: Version
    by_time: bool = False


class Connector:
    """Jetstream as a connector; the cursor is JSON (host, seq, time)."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # Jetstream documents no delays; the first reconnect is at once because the cursor makes it cheap.
        "network": Backoff(first=0, step=1, cap=30),
        "silent": Backoff(first=0, step=1, cap=30),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=900),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._watch = Watch(context.brands, config.terms)
        self._authors = Authors(config.memory)
        self._intake = Intake(context.name, self._watch, self._authors, context.clock)
        self._recent: Recent[str, None] = Recent(_RECENT)
        self._host: int | None = None
        self._failures = 0
        self._position = _Position()
        self._saved: str | None = None
        self._hole = ""
        self._hole_from = 0

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Events after `cursor`, for ever; from None on, what is said from now on."""
        if not self._watch:
            raise SourceRefused("neither a brand nor `terms` names a word or an account: nothing to listen for")
        for handle in self._watch.handles:
            _log.warning("an own account is a handle: give its did, or replies to it are not seen", account=handle)
        self._position = _load(cursor)
        if cursor != self._saved:  # not where this object left off: what it handed over since may be gone
            self._recent.clear()
        now_us = to_us(self._clock.now())
        self._authors.resume(self._position.authors, self._position.complete_since, now_us)
        self._hole, self._hole_from = "", self._position.time_us
        if 0 < self._hole_from < now_us - int(self._config.kept_hours * 3_600_000_000):
            self._hole = f"away for longer than the {self._config.kept_hours:g} hours that Jetstream replays"
        plan = _Plan(self._choose_host(), 1 if self._config.version == 1 else 2)
        while True:
            try:
                with self._open(plan) as link:
                    yield from self._listen(plan, link)
                return
            except Unsupported:
                if self._config.version == 2:
                    raise SourceRefused(f"{plan.host} has no Jetstream v2: set version to auto or 1") from None
                plan.version = 1
            except CursorTooOld:
                if plan.by_time:
                    self._failures += 1
                    raise SourceUnavailable(f"{plan.host} takes no cursor of ours", trouble="http") from None
                self._hole, plan.by_time = "Jetstream no longer had the last event seen (CursorTooOld)", True
            except FutureCursor:
                plan.by_time = True
            except SourceUnavailable:
                self._failures += 1
                raise

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept frame of either version, whatever it concerns; raises BadItem."""
        try:
            event = read(payload, 2)
        except BadItem:
            event = read(payload, 1)
        return self._intake.take(event, choose=False)

    def _choose_host(self) -> str:
        hosts = self._config.hosts
        if self._host is None:  # a seq is good only where it came from
            self._host = hosts.index(self._position.host) if self._position.host in hosts else 0
        elif self._failures >= _FAILURES_A_HOST:
            self._host, self._failures = (self._host + 1) % len(hosts), 0
        return hosts[self._host]

    def _open(self, plan: _Plan) -> ClientConnection:
        last, resume = self._position, None
        if plan.version == 2 and last.seq and last.host == plan.host and not plan.by_time:
            resume = last.seq
        elif last.time_us:
            resume = max(0, last.time_us - int(self._config.rewind_secs * 1_000_000))
        collections = (POSTS, REPOSTS) if self._config.reposts else (POSTS,)
        url = address(plan.host, plan.version, collections, self._config.max_message_bytes, resume)
        link = subscribe(
            url, plan.version, self._config.max_message_bytes, self._config.connect_secs, self._clock.now()
        )
        _log.info("listening to Jetstream", host=plan.host, version=plan.version, resumed=resume is not None)
        return link

    def _listen(self, plan: _Plan, link: ClientConnection) -> Iterator[Page]:
        heard_at = self._clock.monotonic()
        while True:
            batch = self._gather(plan, link)
            # Judged by what had come by now: a page that took long to become durable is not Jetstream's silence.
            silence = self._clock.monotonic() - heard_at
            if not batch.frames and batch.fault is None and silence >= self._config.silence_secs:
                raise SourceUnavailable(
                    f"Jetstream sent nothing for {self._config.silence_secs:g} seconds", trouble="silent"
                )
            if batch.events:
                heard_at, self._failures = self._clock.monotonic(), 0
            position = msgspec.structs.replace(
                self._position, authors=len(self._authors), complete_since=self._authors.complete_since
            )
            cursor = msgspec.json.encode(position).decode() if batch.events else None
            yield Page(batch.items, cursor=cursor, gaps=batch.gaps, heard=batch.events > 0)
            self._saved = cursor or self._saved
            # Only now is the page durable: what was passed on before that would be lost as a duplicate if it were not.
            for key in batch.keys:
                self._recent[key] = None
            if batch.gaps:
                self._hole = ""
            if batch.fault is not None:
                raise batch.fault
            if self._clock.stopping:
                return

    def _gather(self, plan: _Plan, link: ClientConnection) -> _Batch:
        batch, until = _Batch(), self._clock.monotonic() + self._config.batch_secs
        while batch.frames < _BATCH_FRAMES and self._clock.monotonic() <= until:
            try:
                frame = link.recv(timeout=self._config.batch_secs, decode=False)
            except TimeoutError:
                break
            except ConnectionClosed as error:
                batch.fault = SourceUnavailable(f"Jetstream closed the connection: {error}")
                break
            batch.frames += 1
            try:
                self._take(plan, frame, batch)
            except BadItem as error:
                place = f"after seq {self._position.seq}, time_us {self._position.time_us} on {plan.host}"
                batch.items.append(Rejection(frame[:_KEEP_BYTES], place, str(error)))
            except (SourceUnavailable, FutureCursor) as error:
                batch.fault = error
                break
        return batch

    def _take(self, plan: _Plan, frame: bytes, batch: _Batch) -> None:
        event = read(frame, plan.version)
        if event.kind == "info":
            if event.name == "FutureCursor" and not plan.by_time:
                raise FutureCursor
            if event.name == "OutdatedCursor":
                self._hole = self._hole or "Jetstream no longer had the time to resume from (OutdatedCursor)"
            _log.warning("Jetstream sent a notice", name=event.name[:100])
        if not event.time_us:
            return
        self._advance(plan, event, batch)
        if event.key in self._recent or event.key in batch.keys:
            return
        items = self._intake.take(event)
        if items:
            batch.items += items
            batch.keys[event.key] = None
            if event.kind == "commit" and event.operation != "delete":
                self._authors.add((event.did,))

    def _advance(self, plan: _Plan, event: Event, batch: _Batch) -> None:
        batch.events += 1
        if self._hole and not batch.gaps:
            if event.time_us > self._hole_from:
                batch.gaps.append(Gap(from_us(self._hole_from), event.time, self._hole))
            else:  # it was still there after all
                self._hole = ""
        # A rewind must not move the cursor's time back: the memory of duplicates may be gone by the next one.
        time_us = max(self._position.time_us, event.time_us)
        self._position = _Position(plan.version, plan.host, event.seq, time_us)


def _load(cursor: str | None) -> _Position:
    if cursor is None:
        return _Position()
    try:
        return msgspec.json.decode(cursor, type=_Position)
    except msgspec.MsgspecError as error:
        raise SourceRefused(
            f"the saved cursor is not one of Bluesky's; remove it to start from now: {error}"
        ) from error
