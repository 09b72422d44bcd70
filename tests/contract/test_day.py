"""A day of each connector in seconds: items are said at random moments, the platform and the way to it fail at random,
the process is killed now and then; through the real supervisor, intake, bus and store. In the end every item is on the
bus exactly once, or a gap says that it may be missing.

Time stands still while something is under way and jumps when nothing is, and at every wait.
"""

from __future__ import annotations

import importlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import pytest
import structlog

from pipeline.bus.embedded import Config as BusConfig
from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import SystemClock
from pipeline.codec import decode
from pipeline.collect import Intake, Supervisor, digest
from pipeline.errors import Trouble
from pipeline.mention import Item, Mention, Routed, Tags
from pipeline.ports import Backoff, Connector, Context, Page, Topic
from pipeline.store import Store
from pipeline.worker import Output
from tests.contract.connectors import NAME, Fronted, Ready
from tests.contract.faults import FAULTS, Fault
from tests.contract.hostile import Hostile
from tests.contract.jumping import JumpingClock
from tests.contract.shaky import Killed
from tests.contract.test_connector import ADAPTERS
from tests.contract.test_hostile import CONNECTORS, FOR_GOOD
from tests.fixtures.postgres import migrated_file
from tests.store.samples import routed

ELSEWHERE: Mapping[str, str] = {
    "email": "tests/connectors/test_email.py::test_in_a_day_of_faults_every_mail_comes_once_or_is_in_a_gap",
    "feedback": "tests/contract/test_day_of_senders.py::test_what_is_sent_through_a_day_of_faults_arrives_exactly_once",
    "kafka": "tests/connectors/test_kafka_day.py::test_in_a_day_of_faults_every_record_comes_once_or_is_in_a_gap",
    "meta": "tests/contract/test_day_of_senders.py::test_what_is_sent_through_a_day_of_faults_arrives_exactly_once",
    "replay": "tests/connectors/test_replay_day.py::test_in_a_day_of_faults_every_row_of_a_growing_file_comes_once",
    "webhook": "tests/contract/test_day_of_senders.py::test_what_is_sent_through_a_day_of_faults_arrives_exactly_once",
}
"""Connectors that are sent to, or behind which nothing of HTTP stands, and where the day of each is."""

NOT_IN_A_DAY: Mapping[str, str] = {
    "late clock": "rewords every item, which then rightly comes as an edit",
    "early clock": "the same",
    "invalid UTF-8": "the same",
    "wrong charset": "the same",
    "disorder": "a stream that counts its events keeps their order, or a cursor would mean nothing",
}
"""Faults of the suite that a day leaves out, and why."""

HOUR = 3_600.0
DAY = 24 * HOUR
ITEMS, TROUBLES, KILLS = 60, 30, 6
STEP_SECS = 1_200.0
SETTLE_SECS = 0.06
"""Real seconds between two moves of the time."""

DAYS = [name for name in CONNECTORS if name not in ELSEWHERE]


class Plan(Protocol):
    """What happens to a connector in a day: the clock, how it is to be killed next, and when the time moves."""

    clock: JumpingClock
    killing: str | None

    def born(self, connector: Connector) -> None:
        """A process begins."""

    def move(self, page: Page, quiet: float) -> bool:
        """Move the time, where nothing is under way any more: the page is durable, and for so many real seconds the
        time stood still. Whether it was moved."""
        ...


class Day:
    """Everything that happens, from midnight to an hour after the next, drawn from one seed."""

    def __init__(self, name: str, ready: Ready, hostile: Hostile, clock: JumpingClock, seed: int) -> None:
        self.clock = clock
        self.said: dict[str, datetime] = {}
        self.killing: str | None = None
        self._ready = ready
        self._hostile = hostile
        chance = random.Random(seed)  # noqa: S311 - guards nothing but this test
        faults = [fault for fault in FAULTS if fault not in NOT_IN_A_DAY and (name, fault) not in FOR_GOOD]
        for moment in sorted(chance.uniform(0, DAY) for _ in range(ITEMS)):
            clock.at(moment, self._say)
        for start in sorted(chance.uniform(0, DAY - HOUR) for _ in range(TROUBLES)):
            clock.at(start, partial(self._fail, chance.choice(faults)))
            clock.at(start + chance.choice([1, 10, 60, 600]) * chance.random(), self._mend)
        for moment in (chance.uniform(0, DAY) for _ in range(KILLS)):
            clock.at(moment, partial(self._kill, chance.choice(["now", "before"])))
        clock.at(DAY, self._mend)
        clock.at(DAY + HOUR, clock.stop)

    def born(self, connector: Connector) -> None:
        """Nobody needs to know."""

    def move(self, page: Page, quiet: float) -> bool:
        """What is on its way arrives first, or it would be taken for something that came later."""
        if page.items or quiet <= SETTLE_SECS:
            return False
        self.clock.step(STEP_SECS)
        self._ready.time(self.clock.now())
        return True

    def _say(self) -> None:
        assert self._ready.add is not None
        moment = self.clock.now()
        self._ready.time(moment)
        self.said[self._ready.add(moment)] = moment

    def _fail(self, fault: str) -> None:
        self._hostile.fault = FAULTS[fault]()

    def _mend(self) -> None:
        self._hostile.fault = Fault()

    def _kill(self, how: str) -> None:
        self.killing = how


class Living:
    """A connector whose time goes on while it idles, and which may be killed: `now`, `before` its next items are taken
    in, or `after`, when they are saved and it has not heard of it."""

    def __init__(self, connector: Connector, day: Plan, ready: Ready) -> None:
        self.backoff: Mapping[Trouble, Backoff] = connector.backoff
        self._connector = connector
        self._day = day
        self._ready = ready

    def parse(self, payload: bytes) -> Sequence[Item]:
        return self._connector.parse(payload)

    def pages(self, cursor: str | None) -> Iterator[Page]:
        self._ready.time(self._day.clock.now())
        moved = time.monotonic()
        with closing(cast(Any, self._connector.pages(cursor))) as run:
            for page in run:
                if page.items:
                    self._die("before", "now")
                yield page
                if page.items:
                    self._die("after")
                if self._day.move(page, time.monotonic() - moved):
                    moved = time.monotonic()
                self._die("now")

    def _die(self, *how: str) -> None:
        if self._day.killing in how:
            self._day.killing = None
            raise Killed


class Process:
    """What a process is made of, and what is left of it."""

    def __init__(
        self,
        name: str,
        ready: Ready,
        folder: Path,
        clock: JumpingClock,
        store: Callable[[str, JumpingClock], Store] = Store,
    ) -> None:
        self._module = importlib.import_module(f"connectors.{name}")
        self._ready = ready
        self._clock = clock
        self._bus = EmbeddedBus(BusConfig(path=folder / "bus.db"), SystemClock())
        self._bus.apply([Topic("raw", 1, 240)])
        (folder / "store.db").write_bytes(migrated_file())
        self.store = store(f"sqlite:///{folder}/store.db", clock)
        self.lives = 0
        self.rest_secs = 60.0

    def live(self, day: Plan) -> None:
        """Until the day is over; killed, refused or at its end, it is started again after `rest_secs`."""
        while not self._clock.stopping:
            self.lives += 1
            connector = self._module.Connector(self._ready.config, Context(NAME, (), self._clock))
            day.born(connector)
            producer = self._bus.producer()
            intake = Intake(NAME, Output(producer, "raw"), self.store, (), self._clock)
            try:
                living = cast(Connector, Living(connector, day, self._ready))
                Supervisor(living, intake, self.store, self._clock).run()
            except Killed:
                pass
            finally:
                producer.close()
            self._clock.wait(self.rest_secs)

    def published(self) -> list[Mention]:
        consumer = self._bus.consumer("reader", ["raw"], "me")
        found: list[Mention] = []
        while records := consumer.poll(1_000, 0.3):
            found += [item for record in records if isinstance(item := decode(record.value), Mention)]
        consumer.close()
        return found

    def queued(self, published: Sequence[Mention]) -> Counter[str]:
        """How often a sink hears of each, once all of this was routed as it stands on the bus: by id, those that wait
        in the queue."""
        told: Counter[str] = Counter()
        for mention in published:
            decided = Routed(mention=mention, tags=Tags(), decision=routed().decision)
            told[mention.id] += self.store.deliver([decided], sinks=["file"]).enqueued
        return Counter({it.mention.id: told[it.mention.id] for it in self.store.queue("service", 10_000)})

    def close(self) -> None:
        self._bus.close()
        self.store.close()


def test_every_fault_that_a_day_leaves_out_has_its_reason() -> None:
    assert set(NOT_IN_A_DAY) <= set(FAULTS)
    assert all(NOT_IN_A_DAY.values())


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("name", DAYS)
def test_in_a_day_of_faults_every_item_arrives_exactly_once_or_is_in_a_gap(
    name: str, seed: int, tmp_path: Path
) -> None:
    harness = cast(Fronted, ADAPTERS[name]())
    with ExitStack() as stack:
        hostile = stack.enter_context(Hostile().running())
        ready = stack.enter_context(harness.ready(tmp_path, hostile.front))
        assert ready.add is not None, "a harness without `add` needs a day ELSEWHERE"
        clock = JumpingClock()
        day = Day(name, ready, hostile, clock, seed)
        process = Process(name, ready, tmp_path, clock)
        stack.callback(process.close)
        with structlog.testing.capture_logs() as lines:
            process.live(day)
        published = process.published()
        gaps = process.store.gaps(open_only=True)
    assert process.lives > 1
    assert len(day.said) == ITEMS
    versions = Counter((mention.id, digest(mention)) for mention in published)
    assert [version for version, count in versions.items() if count > 1] == []
    seen = {mention.id for mention in published}
    assert {id for id in ready.expected if id.startswith(f"{ready.source}:")} <= seen
    lost = [(id, moment) for id, moment in day.said.items() if id not in seen]
    accounted = [id for id, moment in lost if any(gap.since <= moment <= gap.until for gap in gaps)]
    assert [id for id, _ in lost] == accounted, lines
