"""What is special about an existing topic: its offsets, its tombstones, what its retention took. On a broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from pydantic import SecretStr

from connectors.kafka import Config, Connector, Login
from pipeline.clock import SystemClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Mention, Removal
from pipeline.ports import Context, Page
from tests.fixtures.kafka import ApacheKafka, RunningBroker


class Topic:
    """One topic, written to as somebody else would."""

    def __init__(self, bootstrap: str, partitions: int = 1) -> None:
        self.name = f"t{uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=[bootstrap])
        self.admin.create_topics([NewTopic(self.name, partitions, 1)])
        self._producer = KafkaProducer(bootstrap_servers=[bootstrap], linger_ms=0)

    def say(self, id: str, text: str | None = "late", partition: int = 0, **fields: Any) -> None:
        record = {"id": id, "text": text, "author": "u1", "created_at": "2026-01-05T09:00:00Z", **fields}
        value = None if text is None else json.dumps(record).encode()
        self._producer.send(self.name, value, key=id.encode(), partition=partition)
        self._producer.flush()

    def close(self) -> None:
        self._producer.close()
        self.admin.close()

    def connector(self, **settings: Any) -> Connector:
        config = Config(**{"servers": [self.bootstrap], "topic": self.name, **settings})
        return Connector(config, Context("suite", (), SystemClock()))


@pytest.fixture
def topic(kafka_broker: RunningBroker) -> Iterator[Topic]:
    made = Topic(kafka_broker.bootstrap, 2)
    yield made
    made.close()


def read(connector: Connector, cursor: str | None, items: int, idle: int = 2) -> list[Page]:
    """Pages until so many items came, and some idle ones more."""
    pages: list[Page] = []
    with closing(cast(Any, connector.pages(cursor))) as run:
        for page in run:
            pages.append(page)
            enough = sum(len(page.items) for page in pages) >= items
            if enough and not any(page.items for page in pages[-idle:]):
                break
            assert len(pages) < 200
    return pages


def told(pages: list[Page]) -> list[str]:
    return [it.id if isinstance(it, Mention) else cast(Removal, it).target for page in pages for it in page.items]


def last(pages: list[Page]) -> str:
    return next(page.cursor for page in reversed(pages) if page.cursor is not None)


def test_partitions_are_read_side_by_side_and_the_cursor_goes_on_in_each(topic: Topic) -> None:
    topic.say("1")
    topic.say("2", partition=1)
    pages = read(topic.connector(), None, 2)
    assert sorted(told(pages)) == ["suite:1", "suite:2"]
    topic.say("3", partition=1)
    again = read(topic.connector(), last(pages), 1)
    assert told(again) == ["suite:3"]
    assert msgspec.json.decode(last(again))["offsets"] == {"0": 1, "1": 2}


def test_latest_begins_at_the_end_once_and_never_skips_afterwards(topic: Topic) -> None:
    topic.say("old")
    connector = topic.connector(start="latest")
    run = connector.pages(None)
    next(run)
    topic.say("new")
    pages: list[Page] = []
    while not told(pages):
        pages.append(next(run))
    cast(Any, run).close()
    assert told(pages) == ["suite:new"]


def test_their_fields_are_mapped_and_a_tombstone_takes_back(topic: Topic) -> None:
    topic.say("7", payload={"user": {"id": "u9"}, "body": "lost my bag"}, text="unused")
    topic.say("7", None)
    fields = {"id": "id", "text": "payload.body", "author": "payload.user.id", "created_at": "created_at"}
    mention, removal = (it for page in read(topic.connector(map=fields, source="crm"), None, 2) for it in page.items)
    assert isinstance(mention, Mention)
    assert (mention.id, mention.text, mention.author.id) == ("crm:7", "lost my bag", "u9")
    assert isinstance(removal, Removal)
    assert (removal.mention, removal.reason) == ("crm:7", "deleted")


def test_what_retention_took_before_it_was_read_is_a_gap(apache_kafka: ApacheKafka) -> None:
    topic = Topic(apache_kafka.bootstrap)
    try:
        for number in range(5):
            topic.say(str(number))
        when = datetime(2026, 1, 5, tzinfo=UTC)
        cursor = json.dumps({"offsets": {"0": 1}, "times": {"0": round(when.timestamp() * 1000)}})
        topic.admin.delete_records({TopicPartition(topic.name, 0): 3})
        pages = read(topic.connector(), cursor, 2)
        (gap,) = (gap for page in pages for gap in page.gaps)
        assert (gap.since, gap.repaired) == (when, False)
        assert "2 records" in gap.note
        assert told(pages) == ["suite:3", "suite:4"]
    finally:
        topic.close()


def test_a_password_that_is_wrong_is_refused_and_not_shown(apache_kafka: ApacheKafka) -> None:
    topic = Topic(apache_kafka.bootstrap)
    try:
        login = Login(mechanism="PLAIN", user="harken", password=SecretStr("not-it"))
        connector = topic.connector(servers=[apache_kafka.sasl_bootstrap], login=login)
        with pytest.raises((SourceRefused, SourceUnavailable)) as failure:
            next(connector.pages(None))
        assert "not-it" not in str(failure.value)
    finally:
        topic.close()


def test_a_topic_that_is_not_there_is_refused_by_name(topic: Topic) -> None:
    with pytest.raises(SourceRefused, match="no-such-topic"):
        next(topic.connector(topic="no-such-topic").pages(None))
