"""Reviews of apps in a store, read newest first again and again: what the connectors of the two stores share.

A store shows one app's reviews a page at a time. A look goes back from the newest to what was known at the last one,
and a little further, because what was reworded or let through late stands there. What was passed on is remembered by
its wording, so that only what is new or reworded is passed on again; after a restart the lookback repeats a few.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import ClassVar, NamedTuple, Protocol

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from connectors._aside import Stopping, aside, resting
from connectors._pace import Pace
from pipeline.errors import BadItem, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Clock, Gap, Page, Rejection, Usage

log = structlog.get_logger(__name__)

KEEP_BYTES = 65_536
_REMEMBERED = 20_000
_AWAY_SECS = 3_600.0
"""Silence after which a resumed app is told as a gap that reading back has filled."""


class Shown(NamedTuple):
    """A page: its reviews as sent, newest first, and what leads to the next one (empty: nothing)."""

    reviews: Sequence[bytes]
    after: str = ""


class Store(Protocol):
    """What the two stores do differently."""

    def ask(self, app: str, after: str) -> Shown:
        """A page of this app's reviews, waiting for the store; raises SourceUnavailable and SourceRefused."""
        ...

    def pace(self, app: str) -> Pace:
        """What the requests for this app are counted in."""
        ...

    def mentions(self, payload: bytes) -> Sequence[Mention]:
        """The review in these bytes, by whose time the store sorts, and the answer to it where there is one; raises
        BadItem."""
        ...


class _Known(NamedTuple):
    """A mention as it was passed on: its wording, and when it was made."""

    wording: str
    made: datetime | None = None


class Mark(Struct, omit_defaults=True):
    """How far one app was read: its newest review's time and when the store last answered, in seconds since 1970."""

    newest: float = 0.0
    asked: float = 0.0


@dataclass(frozen=True)
class Depth:
    """How far to read back, in reviews (`deepest` after a pause, `backfill` at first) and in time: `lookback_secs`
    behind the newest known, and no further than the store shows (`shows`, None: all there are)."""

    deepest: int
    backfill: int
    lookback_secs: float
    shows: timedelta | None = None


@dataclass
class Looking:
    """Looks at each app in turn, every `poll_secs`; the cursor is JSON, a mark for each app."""

    name: str
    apps: Sequence[str]
    store: Store
    depth: Depth
    poll_secs: float
    reserve: int
    clock: Clock
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    _marks: dict[str, Mark] = field(default_factory=dict)

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """For ever, from the cursor on."""
        self._known.clear()  # what was handed over behind the cursor may be gone
        self._marks = self._load(cursor)
        # Whoever has waited longest comes first, or a limit met on the way would leave the last ones out for ever.
        order = sorted(self.apps, key=lambda app: self._marks.get(app, Mark()).asked)
        due = dict.fromkeys(order, self.clock.monotonic())
        try:
            while not self.clock.stopping:
                app = min(due, key=lambda one: due[one])
                yield from resting(due[app] - self.clock.monotonic(), self.clock)
                if self.clock.stopping:
                    return
                yield from self._walk(app)
                due[app] = self.clock.monotonic() + self.poll_secs
        except Stopping:
            return

    def _walk(self, app: str) -> Generator[Page, None, None]:
        """One app from its newest review back to what is known; its mark moves on with the last page."""
        mark, now = self._marks.get(app, Mark()), self.clock.now()
        first = not mark.asked
        floor = None if first else (mark.newest or mark.asked) - self.depth.lookback_secs
        left = self.depth.backfill if first else self.depth.deepest
        after, newest, oldest = "", mark.newest, now.timestamp()
        while True:
            shown = yield from self._ask(app, after)
            items, marks, times = self._shaped(app, shown.reviews[: max(left, 0)], floor)
            newest, oldest = max([newest, *times]), min([oldest, *times])
            left -= len(shown.reviews)
            met = floor is not None and bool(times) and min(times) <= floor
            after = shown.after
            if met or not after or not shown.reviews or left <= 0:
                break
            yield Page(items, usage=self._usage())
            self._remember(marks)
        gaps = [] if floor is None else self._gaps(app, mark, now, oldest, met or not after)
        self._marks[app] = Mark(min(newest, now.timestamp()), now.timestamp())
        cursor = msgspec.json.encode(self._marks).decode()
        yield Page(items, cursor=cursor, gaps=gaps, usage=self._usage())
        self._remember(marks)

    def _ask(self, app: str, after: str) -> Generator[Page, None, Shown]:
        yield from resting(self.store.pace(app).ready_in(self.reserve), self.clock)
        if self.clock.stopping:
            raise Stopping
        ask: Callable[[], Shown] = lambda: self.store.ask(app, after)  # noqa: E731 - typed
        return (yield from aside(ask, self.clock))

    def _shaped(
        self, app: str, raws: Sequence[bytes], floor: float | None
    ) -> tuple[list[Item | Rejection], dict[str, _Known], list[float]]:
        """What is new or reworded, oldest first; what to remember once it is durable; and the times."""
        items: list[Item | Rejection] = []
        marks: dict[str, _Known] = {}
        times: list[float] = []
        for raw in reversed(raws):
            try:
                mentions = self.store.mentions(raw)
                times.append(mentions[0].created_at.timestamp())
                for mention in mentions:
                    known, wording = self._known.get(mention.id), _wording(mention)
                    late = floor is not None and mention.created_at.timestamp() < floor
                    if (known is None and late) or (known is not None and known.wording == wording):
                        continue  # it was there when the newest of then was read, or is as it was
                    made = mention.created_at if known is None or known.made is None else known.made
                    items.append(mention if known is None else _reworded(mention, made, self.clock.now()))
                    marks[mention.id] = _Known(wording, made)
            except BadItem as error:
                key = f"bad {_hash(raw)}"
                if key not in self._known:
                    items.append(Rejection(raw[:KEEP_BYTES], f"a review of {app}", str(error)))
                    marks[key] = _Known("")
        return items, marks, times

    def _remember(self, marks: Mapping[str, _Known]) -> None:
        for key, known in marks.items():
            self._known[key] = known
            self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _gaps(self, app: str, mark: Mark, now: datetime, oldest: float, whole: bool) -> list[Gap]:
        asked = datetime.fromtimestamp(mark.asked, UTC)
        if self.depth.shows is not None and now - asked > self.depth.shows:
            note = f"the store shows the last {self.depth.shows.days} days only"
            return [Gap(asked, now - self.depth.shows, f"{app} was not read", note=note)]
        if not whole:
            since = datetime.fromtimestamp(mark.newest or mark.asked, UTC)
            until = max(since, datetime.fromtimestamp(oldest, UTC))
            note = f"only the newest {self.depth.deepest:,} were read back"
            return [Gap(since, until, f"{app} had more reviews than that", note=note)]
        if (now - asked).total_seconds() > max(_AWAY_SECS, 3 * self.poll_secs):
            return [Gap(asked, now, f"{app} was not read", repaired=True, note="read back since")]
        return []

    def _usage(self) -> list[Usage]:
        used = {one.unit: one for app in self.apps for one in self.store.pace(app).usage}
        return list(used.values())

    def _load(self, cursor: str | None) -> dict[str, Mark]:
        try:
            marks = msgspec.json.decode(cursor, type=dict[str, Mark]) if cursor is not None else {}
        except msgspec.MsgspecError:
            marks = None
        now = self.clock.now().timestamp()
        if marks is None or not all(0 <= one.newest <= one.asked <= now + 86_400 for one in marks.values()):
            log.warning("the saved cursor cannot be read: starting with the backfill", via=self.name)
            return {}
        return {app: marks[app] for app in self.apps if app in marks}


class Reading:
    """A store's connector, but for what it looks at; `close` frees what the store holds."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=5, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=3_600),
        "silent": Backoff(first=15, factor=2, cap=300),
    }

    def __init__(self, looking: Looking, close: Callable[[], None]) -> None:
        self._looking = looking
        self._close = close

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is new or reworded; from None, the newest `backfill` reviews of each app first, as far as the store
        shows them."""
        try:
            yield from self._looking.pages(cursor)
        finally:
            self._close()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept review."""
        if len(payload) >= KEEP_BYTES:
            raise BadItem(f"the review was cut at {KEEP_BYTES:,} bytes when it was rejected")
        return self._looking.store.mentions(payload)


def _reworded(mention: Mention, made: datetime, now: datetime) -> Mention:
    """The mention anew: a store that tells the time of a change tells it in the place of the time it was made."""
    return replace(mention, created_at=made, edited_at=mention.created_at if mention.created_at > made else now)


def _wording(mention: Mention) -> str:
    said = f"{mention.title}\0{mention.text}\0{mention.rating}"
    return _hash(said.encode("utf-8", "surrogatepass"))


def _hash(payload: bytes) -> str:
    return blake2b(payload, digest_size=8).hexdigest()
