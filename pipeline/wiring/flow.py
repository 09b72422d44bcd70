"""The flow as the console shows it: what it is made of, how it stands, and its ledger, read seldom enough that looking
at it costs nothing to speak of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from console.operations import Books, Configured, Layout, Standing
from pipeline.errors import HarkenError, Unavailable
from pipeline.ports import Clock
from pipeline.store import DeadLetter
from pipeline.wiring.base import LOOPS, WORKERS

if TYPE_CHECKING:
    from pipeline.wiring import Parts

log = structlog.get_logger(__name__)
T = TypeVar("T")

STANDING_SECS = 2.0
BOOKS_SECS = 60.0
SHARE = 20.0
"""Something that took a second to find out is found out again after as many seconds at the earliest."""

FIRST_SECS = 1.0
"""How long who asks first waits for it."""

GAPS = 100


class Kept(Generic[T]):
    """A value that is made anew on a thread when it is asked for and is old; who asks gets the last one at once."""

    def __init__(self, name: str, make: Callable[[], T], clock: Clock, secs: float) -> None:
        self._name = name
        self._make = make
        self._clock = clock
        self._secs = secs
        self._value: T | None = None
        self._due = float("-inf")
        self._lock = threading.Lock()
        self._making: threading.Thread | None = None

    def get(self) -> T | None:
        """The last value; None while the first one is being made, after a moment's wait for it."""
        with self._lock:
            if self._making is None and self._clock.monotonic() >= self._due:
                self._making = threading.Thread(target=self._renew, name=self._name, daemon=True)
                self._making.start()
            making = self._making
        if self._value is None and making is not None:
            making.join(FIRST_SECS)
        return self._value

    def expire(self) -> None:
        """Have it made anew the next time somebody asks."""
        self._due = float("-inf")

    def _renew(self) -> None:
        began = self._clock.monotonic()
        try:
            self._value = self._make()
        except HarkenError as error:
            log.warning("the state of the flow is not known", part=self._name, reason=str(error))
        finally:
            now = self._clock.monotonic()
            self._due = now + max(self._secs, SHARE * (now - began))
            self._making = None


class Flow:
    """`console.operations.Operations` over the parts of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._standing = Kept("standing", self._look, parts.clock, STANDING_SECS)
        self._books = Kept("ledger", self._count, parts.clock, BOOKS_SECS)
        self._seen = Kept("coverage", parts.store.seen, parts.clock, BOOKS_SECS)  # it is told by full hours

    @cached_property
    def layout(self) -> Layout:
        """What it is made of."""
        parts, file = self._parts, self._parts.config.file
        loops = LOOPS if file.spikes.enabled else WORKERS
        cases = file.desk.cases
        raw, enriched, routed = (topic.name for topic in parts.topics)
        return Layout(
            sources=tuple(_configured(file.sources, by_name=False)),
            stages=tuple(_configured(file.enrich, by_name=True)),
            sinks=tuple(_configured(file.sinks, by_name=False)),
            topics=(raw, enriched, routed),
            queues=parts.rules.queues,
            roles=("collect", *loops, *(("desk", "serve") if cases else ())),
            cases=cases,
        )

    @property
    def rules_version(self) -> str:
        """Of the routing rules that this process has in force."""
        return self._parts.rules.version

    def standing(self) -> Standing | None:
        """How it stands; see `Operations`."""
        return self._standing.get()

    def books(self) -> Books | None:
        """The ledger; see `Operations`."""
        return self._books.get()

    def count_again(self) -> None:
        """Have the ledger read anew."""
        self._books.expire()

    def retry(self, letters: Sequence[DeadLetter]) -> tuple[int, Mapping[str, str]]:
        """Send dead letters through again."""
        from pipeline.revival import retry

        self._standing.expire()
        return retry(self._parts, letters)

    def _look(self) -> Standing:
        parts, store = self._parts, self._parts.store
        return Standing(
            at=parts.clock.now(),
            lag=self._lag(),
            workers=store.workers(),
            sources={it.via: it for it in store.sources()},
            gaps=store.gaps(open_only=True, limit=GAPS),
            backlogs={it.name: store.backlog(it.name) for it in self.layout.sinks if it.enabled},
            waiting=self._waiting(),
            faults=store.faults(),
            refusals=store.refusals(),
            usages=store.usages(),
            seen=self._seen.get() or {},
            models=next((it.tags.stages for it in store.recent(1)), {}),
        )

    def _lag(self) -> dict[str, int] | None:
        try:
            return dict(self._parts.lag(LOOPS))
        except Unavailable:
            return None

    def _waiting(self) -> dict[str, int]:
        if self.layout.cases:
            return {it.queue: it.ready + it.held + it.resting for it in self._parts.cases.loads()}
        return {it.name: it.waiting for it in self._parts.store.queues()}

    def _count(self) -> Books:
        from pipeline.ledger import explained

        found = self._parts.ledger()
        return Books(self._parts.clock.now(), found.as_json(), explained(found))


def _configured(section: Mapping[str, Mapping[str, object]], by_name: bool) -> Iterator[Configured]:
    for name, settings in section.items():
        kind = settings.get("type", name if by_name else "")
        minutes = settings.get("silence_minutes")
        silence = minutes * 60 if isinstance(minutes, int | float) else None
        yield Configured(name, str(kind), settings.get("enabled", True) is True, silence)
