"""Membership of the embedded bus: fair shares, dead members, clocks, and nothing skipped whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.bus.embedded import Config, EmbeddedBus
from pipeline.bus.embedded_consumer import EmbeddedConsumer
from pipeline.bus.embedded_share import share
from pipeline.clock import ManualClock
from pipeline.errors import Fenced
from pipeline.ports import Partition, Record, Topic

TOPIC = "mentions"
ALL = frozenset(Partition(TOPIC, number) for number in range(4))


@pytest.fixture
def bus(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(Config(path=tmp_path / "bus.db"), clock)
    bus.apply([Topic(TOPIC, 4, 24)])
    yield bus
    bus.close()


def test_by_default_a_silent_member_is_taken_over_within_15_seconds(bus: EmbeddedBus, clock: ManualClock) -> None:
    dead, heir = bus.consumer("enrich", [TOPIC]), bus.consumer("enrich", [TOPIC])
    dead.poll(1, 0)
    assert dead.assignment() == ALL
    del dead  # dropped without a word: its heart stops, its rows stay
    clock.advance(5)
    heir.poll(1, 0)
    assert heir.assignment() == frozenset()
    clock.advance(10)
    heir.poll(1, 0)
    assert heir.assignment() == ALL
    heir.close()


def test_a_clock_set_back_does_not_keep_the_dead_alive(bus: EmbeddedBus, clock: ManualClock) -> None:
    dead, heir = bus.consumer("enrich", [TOPIC]), bus.consumer("enrich", [TOPIC])
    clock.advance(3600)
    dead.poll(1, 0)
    del dead
    clock.advance(-3600)
    heir.poll(1, 0)
    assert heir.assignment() == ALL
    heir.close()


def test_one_that_was_given_up_is_fenced_and_joins_again(bus: EmbeddedBus, clock: ManualClock) -> None:
    late, heir = bus.consumer("enrich", [TOPIC]), bus.consumer("enrich", [TOPIC])
    late.poll(1, 0)
    late._heart.stop()  # a process that does not run has no heartbeat
    clock.advance(11)
    heir.poll(1, 0)
    with pytest.raises(Fenced):
        late.commit({Partition(TOPIC, 0): 0})
    assert late.assignment() == frozenset()
    late.poll(1, 0)
    heir.poll(1, 0)
    late.poll(1, 0)
    assert len(late.assignment()) == len(heir.assignment()) == 2
    late.close()
    heir.close()


def test_one_that_was_given_up_reads_on_where_the_group_is_not_where_it_was(
    bus: EmbeddedBus, clock: ManualClock
) -> None:
    producer = bus.producer()
    producer.send(TOPIC, [(b"key", b"%d" % number) for number in range(6)])
    producer.flush()
    producer.close()
    late, heir = bus.consumer("enrich", [TOPIC]), bus.consumer("enrich", [TOPIC])
    assert len(late.poll(4, 0)) == 4
    late._heart.stop()
    clock.advance(11)
    (first,) = heir.poll(1, 0)
    heir.commit({first.partition: 1})
    heir.close()
    assert [record.offset for record in late.poll(10, 0)] == [1, 2, 3, 4, 5]
    late.close()


def test_a_member_in_a_batch_keeps_its_partitions_until_it_polls_again(bus: EmbeddedBus) -> None:
    working, newcomer = bus.consumer("enrich", [TOPIC]), bus.consumer("enrich", [TOPIC])
    working.poll(1, 0)
    newcomer.poll(1, 0)
    newcomer.poll(1, 0)
    assert newcomer.assignment() == frozenset()
    working.commit(dict.fromkeys(ALL, 0))
    working.poll(1, 0)
    newcomer.poll(1, 0)
    assert working.assignment() | newcomer.assignment() == ALL
    assert len(newcomer.assignment()) == 2
    working.close()
    newcomer.close()


def test_added_partitions_reach_a_running_member(bus: EmbeddedBus) -> None:
    member = bus.consumer("enrich", [TOPIC])
    member.poll(1, 0)
    bus.apply([Topic(TOPIC, 6, 24)])
    member.poll(1, 0)
    assert len(member.assignment()) == 6
    member.close()


def test_a_busy_partition_does_not_starve_the_others(bus: EmbeddedBus) -> None:
    producer = bus.producer()
    producer.send(TOPIC, [(b"busy", b"%d" % number) for number in range(100)])
    producer.send(TOPIC, [(b"key-%d" % number, b"quiet") for number in range(20)])
    producer.flush()
    member = bus.consumer("enrich", [TOPIC])
    seen = {record.partition for _ in range(4) for record in member.poll(5, 0)}
    assert seen == ALL
    producer.close()
    member.close()


# ---------------------------------------------------------------------------- shares

MEMBERS = st.sets(st.sampled_from("abcdef"), min_size=1)


@given(st.integers(1, 12), MEMBERS, st.dictionaries(st.integers(1, 12), st.sampled_from("abcdefxy")), st.randoms())
def test_shares_are_total_fair_and_reached_one_member_at_a_time(
    count: int, names: set[str], owners: dict[int, str], random: object
) -> None:
    partitions = dict.fromkeys(range(1, count + 1), TOPIC)
    members = dict.fromkeys(names, frozenset({TOPIC}))
    owners = {id: name for id, name in owners.items() if id in partitions and name in names}
    for _ in range(3):  # each acts on the answer for itself, as in a poll, on whatever state the others left
        for name in sorted(names, key=lambda name: random.random()):  # type: ignore[attr-defined]  # a Random
            target = share(partitions, owners, members)
            owners = {id: owner for id, owner in owners.items() if owner != name or target[id] == name}
            owners |= {id: to for id, to in target.items() if to == name and id not in owners}
    sizes = [list(owners.values()).count(name) for name in names]
    assert owners.keys() == partitions.keys()
    assert max(sizes) - min(sizes) <= 1
    assert share(partitions, owners, members) == owners


def test_a_partition_goes_only_to_members_that_read_its_topic() -> None:
    partitions = {1: "raw", 2: "raw", 3: "routed", 4: "unread"}
    members = {"a": frozenset({"raw", "routed"}), "b": frozenset({"raw"})}
    assert share(partitions, {3: "b"}, members) == {1: "a", 2: "b", 3: "a"}


# -------------------------------------------------------------- nothing lost, whatever


class Interleaved(RuleBasedStateMachine):
    """Any order of writing, reading, committing, dying and restarting. A crash forgets everything but the file."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.clock = ManualClock()
        self.bus = EmbeddedBus(Config(path=Path(self.folder.name) / "bus.db"), self.clock)
        self.bus.apply([Topic(TOPIC, 3, 24)])
        self.members: dict[str, EmbeddedConsumer] = {}
        self.batches: dict[str, list[Record]] = {}
        self.sent: dict[bytes, list[int]] = {}
        self.done: dict[bytes, list[int]] = {}

    @rule(keys=st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), min_size=1, max_size=6))
    def send(self, keys: list[bytes]) -> None:
        producer = self.bus.producer()
        for key in keys:
            numbers = self.sent.setdefault(key, [])
            producer.send(TOPIC, [(key, b"%d" % len(numbers))])
            numbers.append(len(numbers))
        producer.flush()
        producer.close()

    @rule(name=st.sampled_from("xyz"), size=st.integers(1, 4))
    def poll(self, name: str, size: int) -> None:
        if name not in self.members:
            self.members[name] = self.bus.consumer("group", [TOPIC], name)
            self.batches[name] = []
        if not self.batches[name]:  # as a worker: poll, work, commit
            self.batches[name].extend(self.members[name].poll(size, 0))

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.members)))
        batch, self.batches[name] = self.batches[name], []
        try:
            self.members[name].commit({record.partition: record.offset + 1 for record in batch})
        except Fenced:
            return
        for record in batch:
            self.done.setdefault(record.key, []).append(int(record.value))

    @precondition(lambda self: self.members)
    @rule(data=st.data(), how=st.sampled_from(["close", "crash", "crash for long"]))
    def leave(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.members)))
        member = self.members.pop(name)
        del self.batches[name]
        if how == "close":
            member.close()
        member._heart.stop()
        member._file.close()
        if how == "crash for long":
            self.clock.advance(11)

    @rule()
    def silence(self) -> None:
        self.clock.advance(11)

    @invariant()
    def what_is_committed_came_once_and_in_order(self) -> None:
        # A position is committed at most once, by whoever owned the partition: no order is broken, nothing skipped.
        for key, numbers in getattr(self, "done", {}).items():
            assert numbers == self.sent[key][: len(numbers)]

    def teardown(self) -> None:
        if not hasattr(self, "bus"):
            return
        for member in self.members.values():
            member.close()
        self.clock.advance(11)
        last = self.bus.consumer("group", [TOPIC])
        while records := last.poll(5, 0):
            last.commit({record.partition: record.offset + 1 for record in records})
            for record in records:
                self.done.setdefault(record.key, []).append(int(record.value))
        last.close()
        assert self.done == self.sent
        assert all(lag.records == 0 for lag in self.bus.lag("group", TOPIC).values())
        self.bus.close()
        self.folder.cleanup()


TestInterleaved = Interleaved.TestCase
TestInterleaved.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
