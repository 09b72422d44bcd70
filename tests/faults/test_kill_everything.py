"""Any process may be killed at any moment, and the broker and the database may vanish: nothing is lost or doubled."""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from pipeline.clock import SystemClock
from pipeline.config import load
from pipeline.wiring import ROLES, Parts
from tests.faults.household import Household

MENTIONS = 4000
SECONDS = 40
"""How long the file takes at its original pace: the kills fall within it."""

SAYINGS = (
    "my parcel is three weeks late and nobody answers",
    "love the new app, well done",
    "does anyone know if they ship to Norway?",
    "thinking of switching, any recommendations?",
    "RT @someone: win a free phone, click the link in bio",
    "they charged me twice. I want a refund",
)


@pytest.fixture
def mentions(tmp_path: Path) -> Path:
    """A file with a few unreadable rows, threads, repeated ids and a time on every row."""
    path = tmp_path / "mentions.csv"
    start = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "author", "created_at", "parent"])
        for number in range(MENTIONS):
            text = "" if number % 400 == 7 else f"{SAYINGS[number % len(SAYINGS)]} acme #{number}"
            parent = str(number - 3) if number % 5 == 4 else ""
            at = start + timedelta(seconds=number * SECONDS / MENTIONS)
            writer.writerow([number, text, f"a{number % 700}", at.isoformat(), parent])
            if number % 100 == 50:
                writer.writerow([number, text, f"a{number % 700}", at.isoformat(), parent])
    return path


@pytest.fixture
def config(tmp_path: Path, kafka_broker: Any, postgres_url: str, mentions: Path) -> Path:
    """Kafka, PostgreSQL, the file at its own pace, and a sink."""
    path = tmp_path / "config.yaml"
    # JSON is YAML: nothing to escape
    path.write_text(
        json.dumps(
            {
                "brands": {"acme": {"terms": ["acme"]}},
                "bus": {"type": "kafka", "servers": [kafka_broker.bootstrap]},
                "topics": {"prefix": f"t{uuid4().hex[:8]}", "partitions": 4},
                "store": {"url": postgres_url},
                "sources": {"file": {"type": "replay", "path": str(mentions), "speed": 1, "page_size": 50}},
                "sinks": {"archive": {"type": "jsonl", "path": str(tmp_path / "archive" / "{day}.jsonl")}},
                "log": {"format": "text"},
            }
        )
    )
    load(path, {})
    return path


@pytest.fixture
def household(config: Path, tmp_path: Path) -> Iterator[Household]:
    logs = tmp_path / "logs"
    logs.mkdir()
    made = Household(config, logs)
    yield made
    made.close()


def until(condition: Callable[[], bool], seconds: float, household: Household, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds} s\n{household.logs()}")
        time.sleep(0.3)


@pytest.mark.kafka
@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_whatever_is_killed(
    household: Household, config: Path, kafka_broker: Any, postgres_server: Any, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311 - the same kills in every run
    for role in ROLES:
        household.start(role)
    began = time.monotonic()
    stopped: list[str] = []
    while (elapsed := time.monotonic() - began) < SECONDS + 4:
        time.sleep(2)
        victim = chance.choice(ROLES)
        household.kill(victim)
        household.start(victim)
        # A broker that keeps nothing on disk cannot show what a stop does to it.
        if elapsed > 10 and "broker" not in stopped and kafka_broker.durable:
            stopped.append("broker")
            kafka_broker.stop()
            time.sleep(10)
            kafka_broker.start()
        if elapsed > 26 and "database" not in stopped:
            stopped.append("database")
            postgres_server.stop()
            time.sleep(10)
            postgres_server.start()

    parts = Parts(load(config, {}), SystemClock())
    try:
        until(lambda: _drained(parts), 120, household, "draining")
        ledger = parts.ledger().as_json()
    finally:
        parts.close()

    rejected = sum(1 for number in range(MENTIONS) if number % 400 == 7)
    expected = {f"mentions:{number}" for number in range(MENTIONS) if number % 400 != 7}
    assert ledger["balanced"], ledger
    assert ledger["dead"] == rejected
    assert ledger["taken_in"] == MENTIONS
    assert ledger["queued"] + ledger["filtered"] == len(expected)
    engine = sa.create_engine(parts.config.file.store.url.get_secret_value())
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, queue, filtered FROM mentions")).all()
    engine.dispose()
    assert len(rows) == len(expected)
    assert {row.id for row in rows} == expected
    assert all((row.queue is None) != (row.filtered is None) for row in rows)
    archived = [
        json.loads(line)["mention"]["id"]
        for path in (tmp_path / "archive").glob("*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert sorted(archived) == sorted(expected)
    for role in ROLES[1:]:
        assert household.terminate(role) == 0


def _drained(parts: Parts) -> bool:
    taken = parts.store.cursor("file")
    if taken is None or any(records > 0 for _, records in parts.lag()):
        return False
    figures = parts.ledger().as_json()
    sent = parts.store.backlog("archive").pending == 0
    return bool(figures["taken_in"] >= MENTIONS and figures["in_flight"] == 0 and sent)


@pytest.mark.parametrize("bus", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_the_other_worker_takes_over_within_fifteen_seconds(
    bus: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, Any] = {"type": "embedded", "path": str(tmp_path / "bus.db")}
    if bus == "kafka":
        broker = request.getfixturevalue("kafka_broker")
        if broker.kind != "kafka":
            pytest.skip("the stand-in does not reliably notice that a member is dead")
        settings = {"type": "kafka", "servers": [broker.bootstrap]}
    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "bus": settings,
                "topics": {"prefix": f"t{uuid4().hex[:8]}", "partitions": 4},
                "store": {"url": f"sqlite:///{tmp_path / 'store.db'}"},
            }
        )
    )
    household = Household(config, tmp_path)
    household.start("one", "enrich", slot="1")
    household.start("two", "enrich", slot="2")
    parts = Parts(load(config, {}), SystemClock())
    topic = parts.topics[0].name

    def shared() -> bool:
        _say(parts, 20)
        return sum(worker.handled > 0 for worker in parts.store.workers()) == 2

    try:
        parts.store.upgrade()
        parts.bus.apply(parts.topics)
        until(shared, 60, household, "both workers handling mentions")
        household.kill("one")
        _say(parts, 200)
        until(lambda: _lag(parts, topic) == 0, 15, household, "the take-over")
        assert household.alive("two")
    finally:
        household.close()
        parts.close()


def _say(parts: Parts, count: int) -> None:
    from pipeline.codec import encode
    from tests.fixtures.shapes import mention

    producer = parts.bus.producer()
    topic = parts.topics[0].name
    said = [mention(f"t:{uuid4().hex}") for _ in range(count)]
    producer.send(topic, [(one.thread.encode(), encode(one)) for one in said])
    producer.flush()
    producer.close()


def _lag(parts: Parts, topic: str) -> int:
    return sum(lag.records for lag in parts.bus.lag(parts.group("enrich"), topic).values())
