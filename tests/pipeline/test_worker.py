"""The loop between two topics, on the embedded bus and a SQLite store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.bus.embedded import Config as BusConfig
from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import ManualClock, SystemClock
from pipeline.codec import encode
from pipeline.config import WorkerSettings
from pipeline.errors import BrokenStage, BusUnavailable, DeadLetterLimit, StoreUnavailable
from pipeline.mention import Enriched, Mention, Tags
from pipeline.ports import Record, Topic
from pipeline.roles import EnrichHandler
from pipeline.worker import Handler, Outcome, Output, Worker
from tests.fixtures.postgres import store_in
from tests.fixtures.shapes import mention


class Bench:
    """A bus with an input and an output topic, a store, and workers between them."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.bus = EmbeddedBus(BusConfig(path=path / "bus.db"), SystemClock())
        self.bus.apply([Topic("in", 2, 24), Topic("out", 2, 24)])
        self.store = store_in(path, self.clock)

    def say(self, *mentions: Mention) -> None:
        self.put([(one.thread.encode(), encode(one)) for one in mentions])

    def put(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        producer = self.bus.producer()
        producer.send("in", records)
        producer.flush()
        producer.close()

    def worker(self, handle: Handler, **settings: float) -> Worker:
        return Worker(
            "enrich",
            self.bus.consumer("g", ["in"], "one"),
            handle,
            Output(self.bus.producer(), "out"),
            self.store,
            WorkerSettings.model_validate({"poll_secs": 0.05, "retries": 2, **settings}),
            self.clock,
        )

    def out(self) -> list[bytes]:
        consumer = self.bus.consumer("reader", ["out"])
        found = [record.value for record in consumer.poll(10_000, 0.5)]
        consumer.close()
        return found

    def lag(self) -> int:
        return sum(lag.records for lag in self.bus.lag("g", "in").values())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.bus.close()
    made.store.close()


def echo(records: Sequence[Record]) -> Outcome:
    return Outcome(publish=[(record.key, record.value) for record in records])


def drain(worker: Worker) -> None:
    while worker.step():
        pass


def test_a_batch_is_published_then_committed(bench: Bench) -> None:
    bench.say(mention("t:1"), mention("t:2"))
    drain(bench.worker(echo))
    assert len(bench.out()) == 2
    assert bench.lag() == 0


def test_what_was_not_committed_is_done_again_by_the_next_worker(bench: Bench) -> None:
    def dies(records: Sequence[Record]) -> Outcome:
        raise RuntimeError("killed here")

    bench.say(mention("t:1"))
    with pytest.raises(RuntimeError):
        drain(bench.worker(dies))
    assert bench.lag() == 1
    drain(bench.worker(echo))
    assert len(bench.out()) == 1


def enrich(refuse: Callable[[Mention], bool]) -> EnrichHandler:
    class Refused:
        stage, reason = "stage", "cannot read this"

    return EnrichHandler(
        lambda mentions: [Refused() if refuse(one) else Enriched(mention=one, tags=Tags()) for one in mentions],
        ManualClock(),
    )


def test_one_bad_mention_dies_alone_with_its_reason_and_bytes(bench: Bench) -> None:
    bench.say(*(mention(f"t:{number}") for number in range(10)))
    bench.put([(b"k", b"\xff not json")])
    drain(bench.worker(enrich(lambda one: one.id == "t:3")))
    letters = {letter.stage: letter for letter in bench.store.dead()}
    assert letters["stage"].intake_id == "t:3"
    assert letters["stage"].reason == "cannot read this"
    assert letters["stage"].payload == encode(mention("t:3"))
    assert letters["decode"].payload == b"\xff not json"
    assert len(bench.out()) == 9
    assert bench.lag() == 0


def test_a_broken_stage_stops_the_worker_after_its_retries_and_commits_nothing(bench: Bench) -> None:
    tries = []

    def broken(records: Sequence[Record]) -> Outcome:
        tries.append(len(records))
        raise BrokenStage("sentiment fails on everything")

    bench.say(mention("t:1"))
    with pytest.raises(BrokenStage, match="sentiment"):
        drain(bench.worker(broken))
    assert len(tries) == 3
    assert bench.lag() == 1


def test_too_many_dead_letters_stop_it_before_they_drain_the_topic(bench: Bench) -> None:
    bench.say(*(mention(f"t:{number}") for number in range(100)))
    worker = bench.worker(enrich(lambda one: True), dead_letter_window=10, batch_size=10)
    with pytest.raises(DeadLetterLimit, match="over the limit"):
        drain(worker)
    assert bench.store.dead() == []
    assert bench.lag() == 100


def test_a_few_bad_mentions_on_a_quiet_topic_do_not_stop_it(bench: Bench) -> None:
    bench.say(mention("t:1"), mention("t:2"))
    drain(bench.worker(enrich(lambda one: True)))
    assert len(bench.store.dead()) == 2


def test_a_bus_that_vanishes_is_waited_for_and_said_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.say(mention("t:1"))
    worker = bench.worker(echo)
    output = worker._output
    assert output is not None
    flush, failures = output.producer.flush, iter([True] * 5)

    def fails() -> None:
        if next(failures, False):
            raise BusUnavailable("no broker")
        flush()

    output.producer.flush = fails  # type: ignore[method-assign] # the real producer, failing five times
    assert worker.step() == 1
    assert bench.clock.waits == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert bench.lag() == 0


def test_a_database_that_vanishes_is_waited_for(bench: Bench) -> None:
    failures = iter([True, True])

    def settle() -> None:
        if next(failures, False):
            raise StoreUnavailable("no database")

    bench.say(mention("t:1"))
    worker = bench.worker(lambda records: Outcome(settle=settle))
    assert worker.step() == 1
    assert len(bench.clock.waits) == 2


def test_asked_to_stop_during_an_outage_it_leaves_and_commits_nothing(bench: Bench) -> None:
    def settle() -> None:
        bench.clock.stop()
        raise StoreUnavailable("no database")

    bench.say(mention("t:1"))
    bench.worker(lambda records: Outcome(settle=settle)).run()
    assert bench.lag() == 1
