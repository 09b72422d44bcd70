"""The producer over kafka-python's: a flush at a time, opened on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors
from kafka.future import Future

from pipeline.bus.kafka_clients import MAX_REQUEST_BYTES, TROUBLE, opened, translated
from pipeline.bus.kafka_partitions import partitions_of
from pipeline.errors import BadRecord

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""The largest key and value together that is written."""

BATCH_BYTES = 512 * 1024
"""Room for one partition's share of a flush: a second batch would have to wait for the first one's answer."""

LINGER_MS = 100
"""Longer than it takes to queue what one flush writes, so that the sender does not start on half of it."""


class BatchProducer:
    """A producer that hands the library a whole flush at once.

    The library's producer is idempotent: its own retries, within `timeout` seconds, write nothing twice. A flush that
    fails throws it away, with all it still holds, so that nothing of that flush is written later than its repetition.
    """

    def __init__(self, options: Mapping[str, Any], compression: str | None, timeout: float) -> None:
        self._options = {
            **options,
            "acks": "all",
            "allow_auto_create_topics": False,
            "batch_size": BATCH_BYTES,
            "compression_type": compression,
            "delivery_timeout_ms": options["request_timeout_ms"] + LINGER_MS,
            "enable_idempotence": True,
            "linger_ms": LINGER_MS,
            "max_block_ms": timeout * 1000,
            "max_request_size": MAX_REQUEST_BYTES,
            "metrics_enabled": False,
        }
        self._timeout = timeout
        self._client: Any = None
        self._pending: list[tuple[str, Sequence[tuple[bytes, bytes]]]] = []

    def send(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep the records for the next flush; BadRecord, and none of them kept, when one is too large for a topic."""
        for key, value in records:
            if len(key) + len(value) > MAX_RECORD_BYTES:
                raise BadRecord(
                    f"a record of {len(key) + len(value):,} bytes under key {key[:80]!r} is larger than the "
                    f"{MAX_RECORD_BYTES:,} that {topic} takes"
                )
        self._pending.append((topic, records))

    def flush(self) -> None:
        """Write all that was sent; BusUnavailable when any of it may not be durable."""
        pending, self._pending = self._pending, []
        if not any(records for _, records in pending):
            return
        try:
            if self._client is None:
                self._client = opened(KafkaProducer, self._options)
            futures = [future for topic, records in pending for future in self._queued(topic, records)]
            self._client.flush(self._timeout)
        except TROUBLE as error:
            self._abandon()
            raise translated(error, "write to the brokers") from error
        failed = [future for future in futures if not future.succeeded()]
        if failed:
            self._abandon()
            cause = failed[0].exception or kafka_errors.KafkaTimeoutError()
            raise translated(cause, f"write {len(failed)} of {len(futures)} records") from cause

    def close(self) -> None:
        """Free what it holds; what was not flushed is lost."""
        self._pending = []
        if self._client is not None:
            self._abandon()

    def _queued(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> list[Future]:
        try:
            partitions = sorted(self._client.partitions_for(topic))
        except kafka_errors.KafkaTimeoutError as error:
            hint = f"no broker knows topic {topic}; `harken topics apply` makes it"
            raise kafka_errors.KafkaTimeoutError(hint) from error
        numbers = partitions_of([key for key, _ in records], len(partitions))
        send = self._client.send
        return [
            send(topic, value=value, key=key, partition=partitions[number])
            for (key, value), number in zip(records, numbers, strict=True)
        ]

    def _abandon(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        # close() alone waits for what is unsent, and raises without closing while the brokers are away.
        client._sender.force_close()
        with suppress(*TROUBLE):
            client.close(timeout=2)
