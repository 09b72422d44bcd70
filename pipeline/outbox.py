"""From the outbox to one sink: what the store wrote in the same transaction as the queue, sent until it is settled.

A sink that is down waits alone: every sink has its own rows and its own thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from pipeline.errors import SinkUnavailable
from pipeline.metrics import REFUSED, SENT, SINK_PENDING
from pipeline.patience import Interrupted, patiently
from pipeline.ports import Backoff, Clock, Delivery, Sink
from pipeline.store import Store

log = structlog.get_logger(__name__)

RETRY = Backoff(first=1.0, factor=2.0, cap=60.0)
"""Between attempts while a sink is down, seconds."""

LEASE_SECS = 60.0
"""How long claimed rows are ours: longer than a delivery may take, short enough to be sent again after a crash."""

BATCH = 200
IDLE_SECS = 0.5


class Dispatcher:
    """Sends one sink's rows, in order, at least once, each with its idempotency key."""

    def __init__(self, name: str, sink: Sink, store: Store, clock: Clock) -> None:
        self.name = name
        self._sink = sink
        self._store = store
        self._clock = clock
        self._attempt = 0

    def run(self) -> None:
        """Until the clock is stopped."""
        try:
            while not self._clock.stopping:
                if not self.step():
                    SINK_PENDING.labels(self.name).set(
                        patiently(self._clock, "store", lambda: self._store.backlog(self.name)).pending
                    )
                    self._clock.wait(IDLE_SECS)
        except Interrupted:
            return

    def step(self) -> int:
        """Send one batch; returns how many rows were settled."""
        parcels = patiently(self._clock, "store", lambda: self._store.due(self.name, BATCH, LEASE_SECS))
        if not parcels:
            return 0
        batch = [parcel.delivery for parcel in parcels]
        keys = [delivery.key for delivery in batch]
        try:
            results = self._deliver(batch)
        except SinkUnavailable as error:
            self._attempt += 1
            reason = str(error)
            delay = error.retry_after if error.retry_after is not None else RETRY.delay(self._attempt)
            if self._attempt == 1:
                log.warning("sink unavailable", sink=self.name, reason=reason)
            again = self._clock.now() + timedelta(seconds=delay)
            retry = [(key, reason, again) for key in keys]
            patiently(self._clock, "store", lambda: self._store.settle(retry=retry))
            self._clock.wait(delay)
            return 0
        if self._attempt:
            log.info("sink is back", sink=self.name, attempts=self._attempt)
        self._attempt = 0
        sent = [key for key, refusal in zip(keys, results, strict=True) if refusal is None]
        refused = [(key, refusal) for key, refusal in zip(keys, results, strict=True) if refusal is not None]
        patiently(self._clock, "store", lambda: self._store.settle(sent, refused))
        SENT.labels(self.name).inc(len(sent))
        REFUSED.labels(self.name).inc(len(refused))
        if refused:
            log.error("sink refused", sink=self.name, count=len(refused), reason=refused[0][1])
        return len(batch)

    def _deliver(self, batch: Sequence[Delivery]) -> Sequence[str | None]:
        try:
            results = self._sink.deliver(batch)
        except SinkUnavailable:
            raise
        except Exception as error:  # a sink's fault is its own: the others, and the queues, go on
            log.exception("sink failed", sink=self.name)
            raise SinkUnavailable(f"{type(error).__name__}, see the log") from error
        if len(results) != len(batch):
            raise SinkUnavailable(f"it answered {len(results)} of {len(batch)} deliveries")
        return results
