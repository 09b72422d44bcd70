"""The role spikes: from the topic to detections and incidents, in a process's loop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from pipeline import config as configuration
from pipeline.clock import SystemClock
from pipeline.codec import encode
from pipeline.commands.run import _places
from pipeline.config import File
from pipeline.mention import Enriched, Removal
from pipeline.ports import Lag, Partition, Record
from pipeline.roles import SpikesHandler
from pipeline.store.spike_tables import spike_detections, spike_mentions
from pipeline.timers import spike_loops
from pipeline.wiring import Parts
from pipeline.worker import Worker
from tests.pipeline.test_commands import Shell
from tests.pipeline.test_timers import StoppingClock
from tests.spikes.days import MIDNIGHT, day, item


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"http": {"port": 0}, "worker": {"poll_secs": 0.05}}), encoding="utf-8")
    made = Parts(configuration.load(path), SystemClock())
    made.store.upgrade()
    made.bus.apply(made.topics)
    yield made
    made.close()


def publish(parts: Parts, items: Sequence[Enriched | Removal]) -> None:
    producer = parts.bus.producer()
    for start in range(0, len(items), 200):
        records = [
            ((it.mention.thread if isinstance(it, Enriched) else it.thread).encode(), encode(it))
            for it in items[start : start + 200]
        ]
        producer.send(parts.config.file.topics.enriched, records)
        producer.flush()
    producer.close()


def drain(worker: Worker) -> None:
    while worker.step():
        pass


def test_a_day_on_the_topic_becomes_detections_and_incidents(parts: Parts) -> None:
    gone = Removal(source="x", reason="deleted", noticed_at=MIDNIGHT, mention="x:acme-storm-7")
    publish(parts, [*day(per_hour=15), gone])
    drain(parts.worker("spikes", "spikes-1"))
    parts.listener.go_on()
    with parts.database.read() as transaction:
        kinds = set(transaction.run(select(spike_detections.c.kind)).scalars())
        ids = set(transaction.run(select(spike_mentions.c.id)).scalars())
    assert {"firestorm", "repost_storm", "bot_flood"} <= kinds
    assert "x:acme-storm-6" in ids
    assert "x:acme-storm-7" not in ids
    assert {it.brand for it in parts.incidents.incidents().incidents} == {"acme", "brio"}
    assert parts.lag(["spikes"]) == [("spikes", 0)]


def test_a_batch_that_comes_again_after_a_crash_changes_nothing(parts: Parts) -> None:
    items = day(per_hour=5)
    publish(parts, items)
    worker = parts.worker("spikes", "spikes-1")
    records = worker._consumer.poll(1000, 1.0)
    outcome = parts.spikes_handler(records)
    assert outcome.settle
    outcome.settle()
    with parts.database.read() as transaction:
        before = transaction.run(select(spike_mentions)).all()
    again = parts.spikes_handler(records)
    assert again.settle
    again.settle()
    with parts.database.read() as transaction:
        assert transaction.run(select(spike_mentions)).all() == before
    worker._consumer.close()


def test_the_ledger_does_not_wait_for_the_counting(parts: Parts) -> None:
    publish(parts, [item(1, MIDNIGHT)])
    assert [role for role, _ in parts.lag()] == ["enrich", "route", "deliver"]
    assert parts.lag(["spikes"]) == [("spikes", 1)]


def record(partition: int, offset: int, value: bytes) -> Record:
    return Record(Partition("t", partition), offset, b"k", value, 0)


def test_a_partition_lags_until_what_it_holds_was_counted() -> None:
    lags = {0: Lag(0, 2), 1: Lag(5, 5), 2: Lag(1, 4)}
    clock = StoppingClock()
    told: list[set[int]] = []

    class Nothing:
        outcomes: dict[str, int] = {}
        detections: tuple[tuple[str, str], ...] = ()
        series = 0

    def count(mentions: object, removals: object, lagging: set[int]) -> Nothing:
        told.append(set(lagging))
        return Nothing()

    handler = SpikesHandler(count, lambda: lags, clock)  # type: ignore[arg-type]  # a set is a collection
    settle = handler([record(0, 0, encode(item(1, MIDNIGHT))), record(0, 1, b"not a record")]).settle
    assert settle
    settle()
    assert told == [{2}]
    lags[2] = Lag(4, 4)
    assert handler.lagging() == {2}
    clock.advance(1)
    assert handler.lagging() == {0}  # nobody has committed it yet


def test_what_cannot_be_read_is_left_to_route_to_bury() -> None:
    handler = SpikesHandler(lambda *_: None, dict, StoppingClock())  # type: ignore[arg-type]  # not called
    assert handler([record(0, 0, b"not a record")]).dead == []


def test_everything_that_happens_by_itself_takes_a_turn(parts: Parts) -> None:
    loops = spike_loops(parts)
    assert {"spikes-held-back", "silence", "hours", "counts"} <= {loop.name for loop in loops}
    for loop in loops:
        parts.clock = StoppingClock()
        for stopping in spike_loops(parts):
            if stopping.name == loop.name:
                stopping.run()


def test_up_runs_the_role_unless_it_is_switched_off() -> None:
    assert ("spikes", 1) in _places(File())
    off = File.model_validate({"spikes": {"enabled": False}})
    assert "spikes" not in {role for role, _ in _places(off)}
    several = File.model_validate({"worker": {"processes": {"spikes": 2}}})
    assert ("spikes", 2) in _places(several)


def test_the_role_alone_is_refused_where_it_is_switched_off(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.configure(spikes={"enabled": False})
    assert "spikes.enabled" in shell.run("run", "spikes", status=2)
