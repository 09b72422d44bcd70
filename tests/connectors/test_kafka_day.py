"""A day of an existing topic: records are written at random, some of them unreadable; the way to the broker breaks off
and is down at times, the store fails, the process is killed now and then, and once the broker loses all it had."""

from __future__ import annotations

import gc
import json
import random
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import structlog
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from connectors.kafka import Config
from pipeline.collect import digest
from pipeline.ports import Connector, Page
from tests.contract.connectors import NAME, Ready
from tests.contract.jumping import JumpingClock
from tests.contract.shaky import HOW, Shaky
from tests.contract.test_day import DAY, HOUR, Process
from tests.fixtures.kafka import Tansu
from tests.fixtures.wire import Wire

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.long,
    # kafka-python 3.0 does not close a socket by which it could not connect; the collector does.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

BURSTS, CUTS, DOWN, OUTAGES, KILLS = 40, 8, 5, 4, 8
PARTITIONS = 3
STEP_SECS = 1_200.0
PATIENCE_SECS = 5.0
"""Real seconds after which the time goes on though something was not read yet."""
POISON: list[tuple[bytes, bytes | None]] = [
    (b"x", b"{half a record"),
    (b"x", b"\xff\xfe\x00"),
    (b"x", b'{"id": "8"}'),
    (b"", None),
    (b"\xff", None),
    (b"x", b"[" * 20_000),
]


class Topic:
    """A topic of somebody else's on a broker that forgets everything when it ends."""

    def __init__(self, broker: Tansu) -> None:
        self.written = 0
        self._broker = broker
        self._producer: Any = None

    def start(self) -> None:
        """The broker, and the topic without a record."""
        self._broker.start()
        self.written = 0
        admin = KafkaAdminClient(bootstrap_servers=[self._broker.bootstrap], client_id="crawler")
        admin.create_topics([NewTopic("posts", PARTITIONS, 1)])
        admin.close()
        self._producer = KafkaProducer(bootstrap_servers=[self._broker.bootstrap], client_id="crawler", linger_ms=0)

    def end(self) -> None:
        """All of it is gone."""
        self._producer.close()
        self._broker.kill()

    def write(self, key: bytes, value: bytes | None, moment: datetime, partition: int) -> None:
        """A record, and a batch of its own: the end offsets of this broker count batches."""
        stamp = round(moment.timestamp() * 1000)
        self._producer.send("posts", value, key=key, partition=partition, timestamp_ms=stamp).get(30)
        self.written += 1


class Day:
    """What happens, drawn from one seed."""

    def __init__(self, topic: Topic, wire: Wire, clock: JumpingClock, store: Shaky, seed: int) -> None:
        self.clock = clock
        self.killing: str | None = None
        self.said: dict[str, datetime] = {}
        self.poison = 0
        self._read = 0
        self._topic = topic
        self._wire = wire
        self._store = store
        self._chance = chance = random.Random(seed)  # noqa: S311 - guards nothing but this test
        for moment in (chance.uniform(0, DAY) for _ in range(BURSTS)):
            clock.at(moment, partial(self._say, chance.randint(1, 4)))
        for moment in (chance.uniform(0, DAY - HOUR) for _ in range(CUTS)):
            clock.at(moment, partial(wire.cut, chance.choice([0, 30, 300])))
            clock.at(moment, partial(self._say, 2))
        for start in (chance.uniform(0, DAY - HOUR) for _ in range(DOWN)):
            clock.at(start, wire.down)
            clock.at(start + 60, partial(self._say, 2))
            clock.at(start + chance.uniform(120, HOUR), wire.mend)
        for start in (chance.uniform(0, DAY - HOUR) for _ in range(OUTAGES)):
            clock.at(start, partial(self._away, True))
            clock.at(start, partial(self._say, 2))
            clock.at(start + chance.uniform(2, 300), partial(self._away, False))
        for number, moment in enumerate(chance.uniform(0, DAY - HOUR) for _ in range(KILLS)):
            clock.at(moment, partial(self._kill, HOW[number % len(HOW)]))
            clock.at(moment, partial(self._say, 3))
        clock.at(0.7 * DAY, self._lose)
        clock.at(DAY, wire.mend)
        clock.at(DAY, partial(self._away, False))
        clock.at(DAY + HOUR, clock.stop)

    def born(self, connector: Connector) -> None:
        """Nobody needs to know."""

    def move(self, page: Page, quiet: float) -> bool:
        """Once everything that can be read was read."""
        if page.cursor is not None:
            self._read = sum(msgspec.json.decode(page.cursor)["offsets"].values())
        if self._pending() and quiet < PATIENCE_SECS:
            return False
        moved = False
        while not (self.clock.stopping or self.killing == "now" or (moved and self._pending())):
            self.clock.step(STEP_SECS)
            moved = True
            if not self._wire.up:
                break  # so that it may notice
        return True

    def _pending(self) -> bool:
        return self._wire.up and self._read != self._topic.written

    def _say(self, number: int) -> None:
        for _ in range(number):
            moment = self.clock.now()
            if self._chance.random() < 0.15:
                self._topic.write(*self._chance.choice(POISON), moment, self._chance.randrange(PARTITIONS))
                self.poison += 1
                continue
            id = str(len(self.said))
            record = {"id": id, "text": f"late {id}", "author": "u1", "created_at": moment.isoformat()}
            self._topic.write(id.encode(), json.dumps(record).encode(), moment, self._chance.randrange(PARTITIONS))
            self.said[f"{NAME}:{id}"] = moment

    def _lose(self) -> None:
        """The broker ends with what nobody has read yet, and begins without a record."""
        self._wire.mend()
        self._wire.barred = True  # or asking for the topic would make it
        self._wire.cut()
        self._say(6)
        self._topic.end()
        self._topic.start()
        self._wire.barred = False

    def _away(self, away: bool) -> None:
        self._store.away = away

    def _kill(self, how: str) -> None:
        self.killing = how


@pytest.mark.parametrize("seed", [1])
def test_in_a_day_of_faults_every_record_comes_once_or_is_in_a_gap(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kafka._POLL_MS", 20)
    clock = JumpingClock()
    with ExitStack() as stack:
        stack.callback(gc.collect)
        wire = stack.enter_context(Wire("harken"))
        broker = Tansu(tmp_path / "broker", f"127.0.0.1:{wire.port}")
        stack.callback(broker.kill)
        wire.to = broker.port
        topic = Topic(broker)
        topic.start()
        config = Config(servers=[broker.bootstrap], topic="posts", timeout_secs=1)
        process = Process("kafka", Ready(config, NAME, frozenset(), 0), tmp_path, clock, Shaky)
        stack.callback(process.close)
        store = cast(Shaky, process.store)
        store.plan = day = Day(topic, wire, clock, store, seed)
        with structlog.testing.capture_logs() as lines:
            process.live(day)
        topic.end()
        published = process.published()
        queued = process.queued(published)
        gaps = store.gaps(open_only=True)
        dead = store.dead(1_000)
    versions = Counter((mention.id, digest(mention)) for mention in published)
    assert {one: count for one, count in versions.items() if count > 1 + store.orphans[one]} == {}
    seen = {mention.id for mention in published}
    assert queued == dict.fromkeys(seen, 1)
    lost = [moment for id, moment in day.said.items() if id not in seen]
    assert seen <= set(day.said)
    assert lost
    assert all(any(gap.since <= moment <= gap.until for gap in gaps) for moment in lost), lines
    assert len(lost) < 12
    assert day.poison - 12 < len(dead) <= day.poison
    assert process.lives > KILLS / 2
    assert store.outages
    assert store.orphans
    events = Counter(line["event"] for line in lines)
    assert events["source unavailable"]
    assert not events["connector failed"], lines
