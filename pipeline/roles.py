"""What enrich, route, deliver and spikes do with a batch: decode, transform, encode. Removals pass through all of them,
in order with the mentions they take back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Protocol

import structlog

from pipeline.codec import decode, encode
from pipeline.errors import BadRecord
from pipeline.mention import Decision, Enriched, Mention, Removal, Routed, Tags
from pipeline.metrics import COUNTED, DECISIONS, DETECTIONS, PURGED_SECONDS, QUEUED_SECONDS, SPIKE_SERIES
from pipeline.ports import Bus, Clock, Lag, Record
from pipeline.store import DeadLetter, Store
from pipeline.store.deliveries import Also
from pipeline.worker import Outcome

log = structlog.get_logger(__name__)


class Refused(Protocol):
    """A mention that a stage could not read: which stage, and why."""

    @property
    def stage(self) -> str:
        """The stage's name."""
        ...

    @property
    def reason(self) -> str:
        """Why, for a person."""
        ...


Enrich = Callable[[Sequence[Mention]], Sequence[Any]]
"""Mentions to, for each, an Enriched or a Refused."""

Route = Callable[[Mention, Tags, datetime], Decision]
"""The router: total, pure."""


class EnrichHandler:
    """mentions.raw to mentions.enriched."""

    def __init__(self, enrich: Enrich, clock: Clock) -> None:
        self._enrich = enrich
        self._clock = clock

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """Tag the mentions of a batch in one pass; what cannot be read dies alone."""
        outcome = Outcome()
        items = _decoded(records, (Mention, Removal), "enrich", outcome, self._clock)
        enriched = iter(self._enrich([item for _, item in items if isinstance(item, Mention)]))
        for record, item in items:
            if isinstance(item, Removal):
                outcome.publish.append((record.key, record.value))
                continue
            result = next(enriched)
            if isinstance(result, Enriched):
                outcome.publish.append((record.key, encode(result)))
            else:
                outcome.dead.append(_letter(record, item, "enrich", result.stage, result.reason, self._clock))
        return outcome


class RouteHandler:
    """mentions.enriched to mentions.routed."""

    def __init__(self, route: Route, clock: Clock) -> None:
        self._route = route
        self._clock = clock

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """Decide for each mention of a batch."""
        outcome = Outcome()
        now = self._clock.now()
        for record, item in _decoded(records, (Enriched, Removal), "route", outcome, self._clock):
            if isinstance(item, Removal):
                outcome.publish.append((record.key, record.value))
                continue
            decision = self._route(item.mention, item.tags, now)
            routed = Routed(mention=item.mention, tags=item.tags, decision=decision)
            outcome.publish.append((record.key, encode(routed)))
            DECISIONS.labels(decision.queue or "filtered", decision.rule).inc()
        return outcome


class Heard(Protocol):
    """What the counting made of a batch."""

    @property
    def outcomes(self) -> Mapping[str, int]:
        """Mentions by what became of them."""
        ...

    @property
    def detections(self) -> Sequence[tuple[str, str]]:
        """Kind and severity of what was found to be out of the ordinary."""
        ...

    @property
    def series(self) -> int:
        """How many series are in memory."""
        ...


Count = Callable[[Sequence[tuple[int, Enriched]], Sequence[Removal], Collection[int]], Heard]
"""Counts mentions, each with the number of its partition, then what was removed, in one transaction; told which
partitions have records beyond these."""

LAG_SECS = 0.5
"""How old what is known of the other partitions may be."""


class SpikesHandler:
    """mentions.enriched to the counts in the store, and whatever is found to be out of the ordinary there."""

    def __init__(self, count: Count, lag: Callable[[], Mapping[int, Lag]], clock: Clock) -> None:
        self._count = count
        self._lag = lag
        self._clock = clock
        self._ends: Mapping[int, int] = {}
        self._done: dict[int, int] = {}
        self._asked: float | None = None

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """The outcome whose `settle` counts the batch. What cannot be read is route's to bury: it is on its topic."""
        outcome = Outcome()
        found = _decoded(records, (Enriched, Removal), "spikes", outcome, self._clock)
        outcome.dead.clear()
        mentions = [(record.partition.number, item) for record, item in found if isinstance(item, Enriched)]
        removals = [item for _, item in found if isinstance(item, Removal)]
        ends = {record.partition.number: record.offset + 1 for record in records}
        outcome.settle = lambda: noted(self._count(mentions, removals, self.lagging(ends)))
        return outcome

    def lagging(self, ends: Mapping[int, int] = MappingProxyType({})) -> set[int]:
        """The partitions that have records which nobody has counted yet, where those before `ends` are being
        counted."""
        now = self._clock.monotonic()
        if self._asked is None or now - self._asked >= LAG_SECS:
            lags = self._lag()
            self._asked = now
            self._ends = {number: lag.end for number, lag in lags.items()}
            self._done = {number: lag.committed for number, lag in lags.items()}
        self._done |= ends
        return {number for number, end in self._ends.items() if end > self._done.get(number, 0)}


def noted(heard: Heard) -> None:
    """Count what came of it."""
    for outcome, number in heard.outcomes.items():
        COUNTED.labels(outcome).inc(number)
    for kind, severity in heard.detections:
        DETECTIONS.labels(kind, severity).inc()
    SPIKE_SERIES.set(heard.series)


class DeliverHandler:
    """mentions.routed to the store: queues, ledger, and the outbox of every sink, in one transaction a batch, in which
    `also` (the desk's cases) has its part."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        topics: Sequence[str],
        sinks: Sequence[str],
        clock: Clock,
        also: Also | None = None,
    ) -> None:
        self._store = store
        self._also = also
        self._bus = bus
        self._topics = topics
        self._sinks = sinks
        self._clock = clock
        self._unpurged = True

    def __call__(self, records: Sequence[Record]) -> Outcome:
        """The outcome whose `settle` stores the batch; removals then leave the topics too."""
        outcome = Outcome()
        items = [item for _, item in _decoded(records, (Routed, Removal), "deliver", outcome, self._clock)]
        outcome.settle = lambda: self._settle(items)
        return outcome

    def _settle(self, items: Sequence[Any]) -> None:
        removals = [item for item in items if isinstance(item, Removal)]
        delivered = self._store.deliver(
            [item for item in items if isinstance(item, Routed)], removals, self._sinks, self._also
        )
        now = self._clock.now()
        for item in items:
            if isinstance(item, Routed) and item.decision.queue and item.mention.collected_at:
                QUEUED_SECONDS.observe((now - item.mention.collected_at).total_seconds())
        for removal in removals:
            PURGED_SECONDS.observe((now - removal.noticed_at).total_seconds())
        if delivered.withdrawn or self._unpurged:
            self._unpurged = True
            self._purge()
            self._unpurged = False

    def _purge(self) -> None:
        """Take what was removed out of the topics; what a crash interrupts is found again by the next process."""
        while gone := self._store.to_purge():
            ids = {one.id for one in gone}
            keys = sorted({(one.conversation or one.id).encode() for one in gone})
            for topic in self._topics:
                self._bus.purge(topic, keys, lambda value: _id_of(value) in ids)  # noqa: B023 - called before it changes
            self._store.purged(sorted(ids))
            log.info("withdrawn", mentions=len(ids))


def _id_of(value: bytes) -> str | None:
    try:
        item = decode(value)
    except BadRecord:
        return None
    if isinstance(item, Removal):
        return None
    return item.id if isinstance(item, Mention) else item.mention.id


def _decoded(
    records: Sequence[Record], expected: tuple[type, ...], role: str, outcome: Outcome, clock: Clock
) -> list[tuple[Record, Any]]:
    items: list[tuple[Record, Any]] = []
    for record in records:
        try:
            item = decode(record.value)
            if not isinstance(item, expected):
                raise BadRecord(f"a {type(item).__name__} does not belong on {record.partition.topic}")
        except BadRecord as bad:
            outcome.dead.append(_letter(record, None, role, "decode", str(bad), clock))
        else:
            items.append((record, item))
    return items


def _letter(record: Record, mention: Mention | None, role: str, stage: str, reason: str, clock: Clock) -> DeadLetter:
    identity = mention.id if mention else "unreadable:" + blake2b(record.value, digest_size=12).hexdigest()
    return DeadLetter(
        id=f"{role}:{identity}",
        intake_id=identity,
        source=mention.source if mention else "unreadable",
        via=mention.via if mention else "",
        role=role,
        stage=stage,
        place=f"{record.partition.topic}[{record.partition.number}]@{record.offset}",
        reason=reason,
        payload=record.value,
        died_at=clock.now(),
        author=f"{mention.source}:{mention.author.id}" if mention else None,
        created_at=mention.created_at if mention else None,
    )
