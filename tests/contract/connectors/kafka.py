"""A topic on a broker in memory: two partitions with good records, a tombstone and two that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer
from pydantic import SecretStr

from connectors.kafka import Config, Login
from tests.contract.connectors import NAME, Ready
from tests.fixtures.kafka import Tansu

GOOD = [
    {
        "id": str(number),
        "text": f"Acme is late, day {number}",
        "author": "u1",
        "created_at": f"2026-01-0{number}T09:00:00Z",
    }
    for number in range(1, 8)
]
SECRET = "kept-by-the-broker"  # noqa: S105 - it guards nothing


class Topic:
    finite = False

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        broker = Tansu(folder / "broker")
        broker.start()
        try:
            fill(broker.bootstrap, "mentions")
            config = Config(servers=[broker.bootstrap], topic="mentions", timeout_secs=2)
            login = Login(mechanism="PLAIN", user="harken", password=SecretStr(SECRET))
            yield Ready(
                config=config,
                source=NAME,
                expected=frozenset([*(f"{NAME}:{it['id']}" for it in GOOD), f"mention:{NAME}:9"]),
                bad=2,
                secrets=(SECRET,),
                failing=Config(servers=["127.0.0.1:9"], topic="mentions", timeout_secs=1, login=login),
            )
        finally:
            broker.kill()


def fill(bootstrap: str, topic: str) -> None:
    """Write what the suite expects."""
    producer = KafkaProducer(bootstrap_servers=[bootstrap], acks="all", linger_ms=0)

    def send(key: bytes, value: bytes | None) -> None:
        producer.send(topic, value, key=key, partition=0)
        producer.flush()  # a batch a record: the broker's end offsets count batches

    for number, record in enumerate(GOOD):
        send(record["id"].encode(), json.dumps(record).encode())
        if number == 3:
            send(b"bad", b"{half a record")
            send(b"9", None)
            send(b"8", b'{"id": "8"}')
    producer.close()


harness = Topic()
