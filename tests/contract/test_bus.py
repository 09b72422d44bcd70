"""What every bus promises (`pipeline.ports.Bus`): one suite, run by every adapter in pipeline/bus/.

Nothing here looks at how a bus keeps its promises. Topics and groups have names of their own in each test, because a
broker is shared by all of them. A topic is applied before it is used; what happens otherwise is each adapter's affair.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import Fenced, Stop
from pipeline.ports import Bus, Clock, Consumer, Partition, Record, Topic

PATIENCE = 25.0  # seconds until something that has to happen counts as not happening
TAKEOVER = 15.0  # seconds within which a dead member's partitions have to be somebody else's
AT_ONCE = 5.0  # seconds: below every adapter's lease here, so that nobody passes by waiting for it


def embedded_config(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    return {"path": str(folder / "bus.db"), "lease_secs": 6}


def kafka_config(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    return {"servers": [request.getfixturevalue("kafka_broker").bootstrap], "session_timeout_secs": 6}


class Adapter(NamedTuple):
    """The class in the adapter's module, and where the test's configuration of it comes from."""

    bus: str
    config: Callable[[pytest.FixtureRequest, Path], dict[str, Any]]


ADAPTERS: dict[str, Adapter] = {
    "embedded": Adapter("EmbeddedBus", embedded_config),
    "kafka": Adapter("KafkaBus", kafka_config),
}
"""Every adapter by its module's name; test_every_adapter_runs_its_suite.py holds this to the files there are."""


def make_bus(adapter: str, config: Mapping[str, Any], clock: Clock) -> Bus:
    module = import_module(f"pipeline.bus.{adapter}")
    bus: Bus = getattr(module, ADAPTERS[adapter].bus)(module.Config(**config), clock)
    return bus


class Rig:
    """One adapter with a topic of four partitions and a group of this test's own; closes what the test made."""

    def __init__(self, adapter: str, config: dict[str, Any], stack: ExitStack) -> None:
        self.adapter = adapter
        self.config = config
        self._stack = stack
        self.group = f"group-{uuid4().hex}"
        self.bus = self.another_bus()
        self.topic = self.new_topic()

    def another_bus(self) -> Bus:
        bus = make_bus(self.adapter, self.config, SystemClock())
        self._stack.callback(bus.close)
        return bus

    def new_topic(self, partitions: int = 4) -> str:
        name = f"topic-{uuid4().hex}"
        self.bus.apply([Topic(name, partitions, 24)])
        return name

    def write(self, *records: tuple[bytes, bytes], topic: str | None = None) -> None:
        producer = self.bus.producer()
        producer.send(topic or self.topic, records)
        producer.flush()
        producer.close()

    def member(self, group: str | None = None, name: str | None = None, topics: Sequence[str] = ()) -> Consumer:
        consumer = self.bus.consumer(group or self.group, topics or [self.topic], name)
        self._stack.callback(consumer.close)
        return consumer

    def unread(self, group: str) -> int:
        return sum(lag.records for lag in self.bus.lag(group, self.topic).values())

    @contextmanager
    def member_process(self, group: str) -> Iterator[MemberProcess]:
        spec = {"adapter": self.adapter, "config": self.config, "group": group, "topic": self.topic}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.contract.bus_member", json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=Path(__file__).parents[2],
        ) as process:
            try:
                yield MemberProcess(process)
            finally:
                process.kill()


class MemberProcess:
    """A member in another process (bus_member.py)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def answer(self) -> Any:
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], PATIENCE)[0], "the member's process does not answer"
        return json.loads(self._process.stdout.readline())

    def commit(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(b"commit\n")
        return self.answer()["commit"]

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)


@pytest.fixture(
    params=[pytest.param(name, marks=getattr(pytest.mark, name)) if name == "kafka" else name for name in ADAPTERS]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(request.param, ADAPTERS[request.param].config(request, tmp_path), stack)


@pytest.fixture
def no_stand_in(rig: Rig, request: pytest.FixtureRequest) -> None:
    """For tests of what the broker that plays Kafka where there is no Java gets wrong: ends of partitions, more
    partitions, static members, and members that come and go within seconds. With a real Kafka they all run."""
    if rig.adapter == "kafka":
        request.getfixturevalue("apache_kafka")


def numbered(count: int, keys: int = 8) -> list[tuple[bytes, bytes]]:
    return [(b"key-%d" % (number % keys), b"%d" % number) for number in range(count)]


def read(consumer: Consumer, count: int, batch: int = 100) -> list[Record]:
    """Poll until so many records came."""
    records: list[Record] = []
    until = time.monotonic() + PATIENCE
    while len(records) < count and time.monotonic() < until:
        records.extend(consumer.poll(min(batch, count - len(records)), 0.2))
    assert len(records) == count, f"{len(records)} of {count} records came"
    return records


def nothing_more(consumer: Consumer) -> bool:
    return not consumer.poll(100, 0.3)


def poll_until(done: Callable[[], bool], *members: Consumer, within: float = PATIENCE) -> list[list[Record]]:
    """Poll the members in turn until it is so; returns what each was given."""
    records: list[list[Record]] = [[] for _ in members]
    until = time.monotonic() + within
    while not done():
        assert time.monotonic() < until, f"not so within {within} s"
        for member, its in zip(members, records, strict=True):
            its.extend(member.poll(100, 0.05))
    return records


def after(records: Sequence[Record]) -> dict[Partition, int]:
    """The positions to commit once these records are done."""
    return {record.partition: record.offset + 1 for record in records}


def values(records: Sequence[Record]) -> list[bytes]:
    return [record.value for record in records]


def partitions(topic: str, count: int = 4) -> set[Partition]:
    return {Partition(topic, number) for number in range(count)}


# --------------------------------------------------------------- writing and reading


def test_one_keys_records_share_a_partition_and_keep_their_order(rig: Rig) -> None:
    sent = numbered(60)
    producer = rig.bus.producer()
    for start in range(0, 60, 20):
        producer.send(rig.topic, sent[start : start + 10])
        producer.send(rig.topic, sent[start + 10 : start + 20])
        producer.flush()
    producer.close()
    records = read(rig.member(), 60, batch=7)
    for key in {key for key, _ in sent}:
        assert values([r for r in records if r.key == key]) == [value for k, value in sent if k == key]
        assert len({r.partition for r in records if r.key == key}) == 1
    for partition in {r.partition for r in records}:
        offsets = [r.offset for r in records if r.partition == partition]
        assert offsets == list(range(len(offsets)))


def test_what_was_flushed_is_there_for_another_bus(rig: Rig) -> None:
    writer = rig.another_bus()
    producer = writer.producer()
    producer.send(rig.topic, numbered(10))
    producer.flush()
    producer.close()
    writer.close()
    assert sorted(values(read(rig.member(), 10))) == sorted(value for _, value in numbered(10))


def test_a_batch_holds_no_more_than_was_asked_for_and_ends_when_nothing_is_left(rig: Rig) -> None:
    rig.write(*numbered(30))
    member = rig.member()
    sizes: list[int] = []
    until = time.monotonic() + PATIENCE
    while sum(sizes) < 30 and time.monotonic() < until:
        sizes.append(len(member.poll(7, 0.2)))
    assert sum(sizes) == 30
    assert max(sizes) <= 7
    assert nothing_more(member)


def test_any_bytes_pass_unchanged(rig: Rig) -> None:
    large = os.urandom(1024 * 1024)
    sent = [(b"large", large), (b"", b"no key"), (b"\x00\xff", b"\x00\xfe\n"), (b"empty", b"")]
    before = time.time()
    rig.write(*sent)
    records = read(rig.member(), 4)
    assert sorted((r.key, r.value) for r in records) == sorted(sent)
    assert all(abs(r.timestamp / 1000 - before) < PATIENCE for r in records)


def test_a_member_reads_all_the_topics_it_named(rig: Rig) -> None:
    second = rig.new_topic(partitions=2)
    member = rig.member(topics=[rig.topic, second])
    rig.write((b"a", b"first"))
    rig.write((b"a", b"second"), topic=second)
    assert {(r.partition.topic, r.value) for r in read(member, 2)} == {(rig.topic, b"first"), (second, b"second")}
    assert member.assignment() == partitions(rig.topic) | partitions(second, 2)


# ------------------------------------------------------------------------- positions


def test_a_new_member_goes_on_at_the_committed_position(rig: Rig) -> None:
    rig.write(*numbered(40))
    first = rig.member()
    done = read(first, 15)
    first.commit(after(done))
    dropped = read(first, 10)
    first.close()
    again = read(rig.member(), 25)
    assert set(values(dropped)) <= set(values(again))
    assert sorted(values(done) + values(again)) == sorted(value for _, value in numbered(40))


def test_groups_do_not_know_of_each_other(rig: Rig) -> None:
    rig.write(*numbered(10))
    first = rig.member()
    first.commit(after(read(first, 10)))
    other = rig.member(group=f"{rig.group}-other")
    assert len(read(other, 10)) == 10


@pytest.mark.usefixtures("no_stand_in")
def test_lag_is_what_a_group_has_yet_to_commit_whether_or_not_somebody_reads(rig: Rig) -> None:
    rig.write(*numbered(40))
    fresh = rig.bus.lag(rig.group, rig.topic)
    assert set(fresh) == {0, 1, 2, 3}
    assert sum(lag.records for lag in fresh.values()) == 40
    member = rig.member()
    records = read(member, 40)
    assert rig.unread(rig.group) == 40
    member.commit(after(records[:30]))
    committed = after(records[:30])
    for number, lag in rig.bus.lag(rig.group, rig.topic).items():
        assert lag.committed == committed.get(Partition(rig.topic, number), 0)
        assert lag.end == sum(record.partition.number == number for record in records)
    member.commit(after(records))
    member.close()
    assert rig.unread(rig.group) == 0


# ------------------------------------------------------------------------ membership


def test_two_members_share_the_partitions_and_see_every_record_once(rig: Rig) -> None:
    one, two = rig.member(), rig.member()
    poll_until(lambda: len(one.assignment()) == len(two.assignment()) == 2, one, two)
    assert one.assignment() | two.assignment() == partitions(rig.topic)
    rig.write(*numbered(200, keys=50))
    seen: Counter[bytes] = Counter()
    until = time.monotonic() + PATIENCE
    while len(seen) < 200 and time.monotonic() < until:
        for member in (one, two):
            records = member.poll(100, 0.05)
            assert {r.partition for r in records} <= member.assignment()
            seen.update(values(records))
    assert seen == Counter(value for _, value in numbered(200))


@pytest.mark.usefixtures("no_stand_in")
def test_a_member_that_closes_hands_over_at_once(rig: Rig) -> None:
    one, two = rig.member(), rig.member()
    poll_until(lambda: len(one.assignment()) == len(two.assignment()) == 2, one, two)
    one.close()
    poll_until(lambda: two.assignment() == partitions(rig.topic), two, within=AT_ONCE)


@pytest.mark.usefixtures("no_stand_in")
def test_a_killed_and_a_stalled_member_are_taken_over_and_the_stalled_one_is_fenced(rig: Rig) -> None:
    rig.write(*numbered(20))
    killed_group, stalled_group = f"{rig.group}-killed", f"{rig.group}-stalled"
    with rig.member_process(killed_group) as killed, rig.member_process(stalled_group) as stalled:
        assert killed.answer()["got"]
        assert stalled.answer()["got"]
        killed.send(signal.SIGKILL)
        stalled.send(signal.SIGSTOP)
        # One lease for both, because waiting is all this test does.
        one, two = rig.member(killed_group), rig.member(stalled_group)
        whole = partitions(rig.topic)
        both = poll_until(lambda: one.assignment() == two.assignment() == whole, one, two, within=TAKEOVER)
        for member, records in zip((one, two), both, strict=True):
            records += read(member, 20 - len(records))
            assert sorted(values(records)) == sorted(value for _, value in numbered(20))
            member.commit(after(records))
        stalled.send(signal.SIGCONT)
        assert stalled.commit() == "fenced"
    assert rig.unread(stalled_group) == 0


@pytest.mark.usefixtures("no_stand_in")
def test_a_restart_under_a_stable_name_takes_its_place_at_once_and_fences_the_old(rig: Rig) -> None:
    rig.write(*numbered(20))
    old = rig.member(name="worker-1")
    done = read(old, 5)
    old.commit(after(done))
    dropped = read(old, 15)
    new = rig.member(name="worker-1")
    (records,) = poll_until(lambda: new.assignment() == partitions(rig.topic), new, within=AT_ONCE)
    records += read(new, 15 - len(records))
    assert sorted(values(records)) == sorted(values(dropped))
    with pytest.raises(Fenced):
        old.commit(after(dropped))
    with pytest.raises(Stop):
        poll_until(lambda: False, old)
    new.commit(after(records))


def test_a_partition_that_is_not_ours_cannot_be_committed_and_the_batch_comes_again(rig: Rig) -> None:
    rig.write(*numbered(10))
    member = rig.member()
    records = read(member, 10)
    with pytest.raises(Fenced):
        member.commit({**after(records), Partition(rig.topic, 99): 1})
    assert all(lag.committed == 0 for lag in rig.bus.lag(rig.group, rig.topic).values())
    assert sorted(values(read(member, 10))) == sorted(values(records))


# ---------------------------------------------------------------------------- topics


@pytest.mark.usefixtures("no_stand_in")
def test_apply_says_what_it_changed_and_changes_nothing_twice(rig: Rig) -> None:
    name = f"topic-{uuid4().hex}"
    assert rig.bus.apply([Topic(name, 2, 24)])
    assert not rig.bus.apply([Topic(name, 2, 24)])
    rig.write(*numbered(10), topic=name)
    assert rig.bus.apply([Topic(name, 3, 48)])
    assert not rig.bus.apply([Topic(name, 3, 48)])
    assert not rig.bus.apply([Topic(name, 1, 48)])
    lags = rig.bus.lag(rig.group, name)
    assert set(lags) == {0, 1, 2}
    assert sum(lag.records for lag in lags.values()) == 10


def test_purge_says_whether_the_records_are_gone_and_touches_no_others(rig: Rig) -> None:
    rig.write((b"a", b"keep 1"), (b"a", b"purge 2"), (b"b", b"purge under another key"), (b"a", b"keep 3"))
    outcome = rig.bus.purge(rig.topic, [b"a"], lambda value: value.startswith(b"purge"))
    kept = [b"keep 1", b"purge under another key", b"keep 3"]
    if outcome == "retention":
        kept.append(b"purge 2")
    member = rig.member()
    records = read(member, len(kept))
    assert sorted(values(records)) == sorted(kept)
    assert nothing_more(member)
    member.commit(after(records))
    assert rig.unread(rig.group) == 0


# --------------------------------------------------------------------------- the rest


def test_closing_twice_and_flushing_nothing_do_nothing(rig: Rig) -> None:
    producer, member = rig.bus.producer(), rig.member()
    producer.send(rig.topic, [])
    producer.flush()
    assert not member.poll(10, 0.1)
    for thing in (producer, member, rig.bus):
        thing.close()
        thing.close()
