"""The loop between two topics: read a batch, transform it, make the result durable, then commit.

It is at least once, and every output is idempotent downstream; so a process may be killed anywhere in here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from pipeline.config import WorkerSettings
from pipeline.errors import BrokenStage, DeadLetterLimit, Fenced, Unavailable
from pipeline.logs import unquoted
from pipeline.metrics import BATCH_SECONDS, DEAD, FENCED, HANDLED
from pipeline.patience import Interrupted, patiently
from pipeline.ports import Clock, Consumer, Partition, Producer, Record
from pipeline.store import DeadLetter, Store

log = structlog.get_logger(__name__)

BEAT_SECS = 5.0
"""How often a worker says that it is alive."""


@dataclass
class Outcome:
    """What became of a batch: records to publish and mentions that died. `settle`, where given, makes a durable
    effect elsewhere (the store) and is tried again while it raises Unavailable."""

    publish: list[tuple[bytes, bytes]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    settle: Callable[[], None] | None = None


class Handler(Protocol):
    """What a role does with a batch. Pure but for its own memory; it may raise BrokenStage or Unavailable."""

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """The outcome of a batch, in order."""
        ...


@dataclass(frozen=True)
class Output:
    """Where a role publishes: a producer and a topic."""

    producer: Producer
    topic: str

    def write(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Return when the records are durable; raises BusUnavailable, upon which they are written again whole."""
        self.producer.send(self.topic, records)
        self.producer.flush()


class Worker:
    """One role's loop over one consumer."""

    def __init__(
        self,
        role: str,
        consumer: Consumer,
        handle: Handler,
        output: Output | None,
        store: Store,
        settings: WorkerSettings,
        clock: Clock,
    ) -> None:
        self.role = role
        self.handled = 0
        self._consumer = consumer
        self._handle = handle
        self._output = output
        self._store = store
        self._settings = settings
        self._clock = clock
        self._recent = DeadLetterRatio(settings.dead_letter_ratio, settings.dead_letter_window)

    def run(self) -> None:
        """Work until the clock is stopped; finishes the batch in hand, then leaves the group."""
        try:
            while not self._clock.stopping:
                self.step()
        except Interrupted:
            log.info("stopped while waiting", role=self.role)
        finally:
            self._consumer.close()
            if self._output:
                self._output.producer.close()

    def step(self) -> int:
        """One batch, if there is one within the poll time; returns how many records it handled."""
        settings = self._settings
        records = patiently(self._clock, "bus", lambda: self._consumer.poll(settings.batch_size, settings.poll_secs))
        if not records:
            return 0
        with BATCH_SECONDS.labels(self.role).time():
            outcome = self._transformed(records)
            self._recent.add(len(records), len(outcome.dead))
            self._make_durable(outcome)
            try:
                positions = ends(records)
                patiently(self._clock, "bus", lambda: self._consumer.commit(positions))
            except Fenced as fenced:
                FENCED.labels(self.role).inc()
                log.warning("batch handed over", role=self.role, records=len(records), reason=str(fenced))
                return 0
        HANDLED.labels(self.role).inc(len(records))
        self.handled += len(records)
        return len(records)

    def _transformed(self, records: Sequence[Record]) -> Outcome:
        attempt = 0
        while True:
            try:
                return patiently(self._clock, "store", lambda: self._handle(records))
            except BrokenStage as broken:
                attempt += 1
                if attempt > self._settings.retries:
                    raise
                log.error("stage fails", role=self.role, attempt=attempt, reason=str(broken))
                if self._clock.wait(min(0.2 * 2**attempt, 5.0)):
                    raise Interrupted("stopped while a stage fails") from broken

    def _make_durable(self, outcome: Outcome) -> None:
        if outcome.publish and (output := self._output):
            patiently(self._clock, "bus", lambda: output.write(outcome.publish))
        if outcome.settle:
            patiently(self._clock, "store", outcome.settle)
        if outcome.dead:
            patiently(self._clock, "store", lambda: self._store.bury(outcome.dead))
            for letter in outcome.dead:
                DEAD.labels(self.role, letter.stage).inc()
            first = unquoted(outcome.dead[0].reason)
            log.warning("dead-lettered", role=self.role, count=len(outcome.dead), first=first)


def ends(records: Sequence[Record]) -> dict[Partition, int]:
    """The next offset to read in each partition after these records."""
    return {record.partition: record.offset + 1 for record in records}


class DeadLetterRatio:
    """Stops a worker that dead-letters too large a share: likelier a bad deploy than bad data.

    It looks at the last `window` records and speaks only when a tenth of the window has died, so that a few bad
    mentions at the start of a quiet topic do not stop it.
    """

    def __init__(self, limit: float, window: int) -> None:
        self._limit = limit
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()

    def add(self, records: int, dead: int) -> None:
        """Count a batch; raises DeadLetterLimit, before anything of it is written."""
        self._batches.append((records, dead))
        while sum(records for records, _ in self._batches) - self._batches[0][0] >= self._window:
            self._batches.popleft()
        seen = sum(records for records, _ in self._batches)
        died = sum(dead for _, dead in self._batches)
        if died >= max(2, self._window // 10) and died > self._limit * seen:
            raise DeadLetterLimit(
                f"{died} of the last {seen} records would be dead-lettered, over the limit of {self._limit:.0%}; "
                "nothing of the last batch was written: mend the cause and start again, or raise "
                "worker.dead_letter_ratio"
            )


class Beat:
    """Tells the store, every few seconds, that a member is alive and what it has done, for `harken status`."""

    def __init__(self, store: Store, member: str, role: str, handled: Callable[[], int], clock: Clock) -> None:
        self._store = store
        self._member = member
        self._role = role
        self._handled = handled
        self._clock = clock

    def run(self) -> None:
        """Until the clock is stopped; then says goodbye, if the store hears it."""
        started_at, before, at = self._clock.now(), 0, self._clock.monotonic()
        try:
            while True:
                handled, now = self._handled(), self._clock.monotonic()
                rate = (handled - before) / (now - at) if now > at else 0.0
                beat = partial(self._store.beat, self._member, self._role, started_at, handled, rate)
                patiently(self._clock, "store", beat)
                before, at = handled, now
                if self._clock.wait(BEAT_SECS):
                    break
            self._store.leave(self._member)
        except (Interrupted, Unavailable):
            return
