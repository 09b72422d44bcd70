"""The consumer over kafka-python's: a member of a group that commits by hand, opened on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.future import Future
from kafka.structs import MemberState

from pipeline.bus.kafka_clients import MAX_REQUEST_BYTES, TROUBLE, opened, translated
from pipeline.errors import Fenced, HarkenError, Stop
from pipeline.ports import Clock, Partition, Record

MAX_POLL_SECS = 60
"""A member that does not poll for so long leaves the group: it hangs."""

SILENCE_SECS = 5.0
"""After so long without a record, `poll` asks whether the brokers are still there."""

_FENCED = (
    kafka_errors.CommitFailedError,
    kafka_errors.FencedInstanceIdError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.UnknownMemberIdError,
)


class GroupConsumer:
    """A member of a consumer group that commits by hand.

    Assignment is cooperative-sticky: a rebalance takes from a member only what it must give up. With a `member` name
    the membership is static (KIP-345): who restarts under the name gets its partitions back without a rebalance.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        group: str,
        topics: Sequence[str],
        member: str | None,
        session_timeout: float,
        timeout: float,
        clock: Clock,
        leave: Callable[[str, str, str], None],
    ) -> None:
        self._options = {
            **options,
            "allow_auto_create_topics": False,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "group_id": group,
            "group_instance_id": member,
            # An eighth: a member hears of a rebalance from its next heartbeat.
            "heartbeat_interval_ms": int(session_timeout * 125),
            "max_partition_fetch_bytes": MAX_REQUEST_BYTES,
            "max_poll_interval_ms": MAX_POLL_SECS * 1000,
            "metrics_enabled": False,
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            "session_timeout_ms": int(session_timeout * 1000),
        }
        self._group = group
        self._topics = list(topics)
        self._member = member
        self._timeout = timeout
        self._clock = clock
        self._leave = leave
        self._client: Any = None
        self._heard = 0.0
        self._superseded = False
        # Where each partition is taken up again if what was read from it may not be committed.
        self._resume: dict[TopicPartition, int] = {}

    def poll(self, max_records: int, timeout: float) -> Sequence[Record]:
        """Up to `max_records`, in order per partition; empty after `timeout` seconds.

        Raises BusUnavailable when the brokers do not answer, and Stop when another process took this member's name.
        """
        if self._superseded:
            raise Stop(
                f"another process joined group {self._group} as {self._member}; give every process a name of its own"
            )
        try:
            client = self._opened()
            _take_up_the_rebalance(client)
            found = client.poll(timeout_ms=int(timeout * 1000), max_records=max_records)
            if not found:
                self._check_alive(client)
                return []
        except TROUBLE as error:
            self._superseded = isinstance(error, kafka_errors.FencedInstanceIdError)
            raise translated(error, f"read {', '.join(self._topics)}") from error
        self._heard = self._clock.monotonic()
        records: list[Record] = []
        for place, batch in found.items():
            self._resume.setdefault(place, batch[0].offset)
            partition = Partition(place.topic, place.partition)
            records += [
                Record(partition, record.offset, record.key or b"", record.value or b"", record.timestamp)
                for record in batch
            ]
        return records

    def commit(self, positions: Mapping[Partition, int]) -> None:
        """Save, per partition, the next offset to read.

        Raises Fenced when one is no longer ours: nothing was saved, and what is still ours of the records read since
        the last commit comes again. Raises BusUnavailable when the brokers do not answer: commit again.
        """
        if not positions:
            return
        offsets = {TopicPartition(*partition): OffsetAndMetadata(at, "", -1) for partition, at in positions.items()}
        # The brokers take a commit from any member of the group, whoever owns the partition.
        lost = sorted(offsets.keys() - self._owned())
        if lost:
            self._rewind()
            raise Fenced(f"partition {lost[0].partition} of {lost[0].topic} was handed to another member")
        try:
            self._client.commit(offsets, timeout_ms=self._timeout * 1000)
        except _FENCED as error:
            self._superseded = isinstance(error, kafka_errors.FencedInstanceIdError)
            self._rewind()
            raise Fenced(f"group {self._group} goes on without this member: {str(error)[:200]}") from error
        except TROUBLE as error:
            raise translated(error, f"commit to group {self._group}") from error
        self._resume.update({place: position.offset for place, position in offsets.items()})

    def assignment(self) -> frozenset[Partition]:
        """What this member owns now."""
        return frozenset(Partition(place.topic, place.partition) for place in self._owned())

    def close(self) -> None:
        """Leave the group at once, under a static name too."""
        client, self._client = self._client, None
        if client is None:
            return
        identity = client.group_metadata()
        with suppress(*TROUBLE):
            client.close(autocommit=False, timeout_ms=2000)
        # The library keeps a static member in its group until its session ends; nobody waits for us.
        if self._member and identity.member_id and not self._superseded:
            with suppress(HarkenError):
                self._leave(self._group, identity.member_id, self._member)

    def _opened(self) -> Any:
        if self._client is None:
            self._client = opened(KafkaConsumer, self._options)
            self._client.subscribe(self._topics, listener=_Handover(self._resume))
            self._heard = self._clock.monotonic()
        return self._client

    def _owned(self) -> set[TopicPartition]:
        return set(self._client.assignment()) if self._client else set()

    def _check_alive(self, client: Any) -> None:
        # The library's poll answers an outage and a quiet topic alike: with nothing.
        if self._clock.monotonic() - self._heard >= SILENCE_SECS:
            client.end_offsets([TopicPartition(self._topics[0], 0)], timeout_ms=2000)
            self._heard = self._clock.monotonic()

    def _rewind(self) -> None:
        for place in self._owned() & self._resume.keys():
            self._client.seek(place, self._resume[place])


def _take_up_the_rebalance(client: Any) -> None:
    """Finish a rebalance in whose midst the last poll ended.

    kafka-python 3.0.12 does not see to it: where new topic metadata was the cause it forgets the rebalance (the member
    has joined, takes up no partitions, and sends no more heartbeats), and a join that came through between two polls
    is thrown away and begun again, for the whole group where the member leads it.
    """
    if client.group_metadata().state is not MemberState.REBALANCING:
        return
    coordinator = client._coordinator
    coordinator.request_rejoin()
    joined = coordinator._join_task
    if joined is not None and joined.succeeded():
        client._net.run(_taken_up, client, joined.value)


async def _taken_up(client: Any, assignment: bytes) -> None:
    # The coordinator starts anew on a join that is done, so it is given one that is done as soon as it waits for it.
    joined = client._coordinator._join_task = Future()
    client._net.call_soon(lambda: joined.success(assignment))
    await client._coordinator.ensure_active_group_async(1000)


class _Handover(ConsumerRebalanceListener):  # type: ignore[misc]  # the library carries no types
    """Forgets where to take up a partition that is no longer ours; called inside the library's poll and close."""

    def __init__(self, resume: dict[TopicPartition, int]) -> None:
        self._resume = resume

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        for place in revoked:
            self._resume.pop(place, None)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing: a new partition begins at its committed position."""
