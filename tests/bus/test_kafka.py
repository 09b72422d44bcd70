"""What the contract of the bus cannot say of Kafka: its settings, its topics as the brokers see them, its outages."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner.default import murmur2 as murmur2_of_the_library
from pydantic import SecretStr, ValidationError

from pipeline.bus.kafka import Config, KafkaBus, library_options
from pipeline.bus.kafka_partitions import murmur2, partitions_of
from pipeline.bus.kafka_producer import MAX_RECORD_BYTES
from pipeline.errors import BadRecord, BusUnavailable, ConfigError, Fenced
from pipeline.ports import Consumer, Partition, Record, Topic
from tests.fixtures.kafka import SASL_PASSWORD, SASL_USER, ApacheKafka, RunningBroker

NOBODY = "127.0.0.1:9"  # the discard port: nobody listens there
PATIENCE = 30.0


def refusal(**settings: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Config(**settings)
    return "\n".join(error["msg"] for error in refused.value.errors())


def ends(records: list[Record]) -> dict[Partition, int]:
    return {record.partition: record.offset + 1 for record in records}


# -------------------------------------------------------------------- configuration


def test_sasl_without_a_login_is_refused_with_all_that_is_missing() -> None:
    said = refusal(security={"protocol": "SASL_SSL", "mechanism": "PLAIN"})
    assert "SASL_SSL needs username and password; set them" in said


def test_a_login_that_would_not_be_used_is_refused() -> None:
    said = refusal(security={"username": "ana", "password": SecretStr("hush")})
    assert "PLAINTEXT does not use username and password; take SASL_SSL, or remove them" in said
    assert "hush" not in said


def test_all_that_is_wrong_with_the_security_is_said_at_once(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch()
    said = refusal(security={"protocol": "SASL_PLAINTEXT", "username": "ana", "keyfile": key})
    assert "needs mechanism and password" in said
    assert "does not use keyfile" in said
    assert "keyfile needs certfile" in said


def test_a_certificate_that_is_not_there_is_refused() -> None:
    assert "file" in refusal(security={"protocol": "SSL", "cafile": "no/such.pem"})


def test_a_password_is_not_written_in_the_file() -> None:
    login = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "ana"}
    assert "${NAME}" in refusal(security={**login, "password": "hush"})
    config = Config.model_validate({"security": {**login, "password": SecretStr("hush")}})
    assert "hush" not in repr(config)


@pytest.mark.parametrize("server", ["broker", "broker:", ":9092", "broker:port", "broker:70000"])
def test_an_address_without_host_or_port_is_refused(server: str) -> None:
    assert "write host:port" in refusal(servers=[server])


def test_security_reaches_the_library_in_its_own_words(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("cafile", "certfile", "keyfile")}
    for file in files.values():
        file.touch()
    security: dict[str, Any] = {
        "mechanism": "SCRAM-SHA-512",
        "username": "ana",
        "password": SecretStr("hush"),
        "check_hostname": False,
    }
    options = library_options(Config.model_validate({"security": {"protocol": "SASL_SSL", **security, **files}}))
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "ana"
    assert options["sasl_plain_password"] == security["password"].get_secret_value()
    assert options["ssl_check_hostname"] is False
    assert [options[f"ssl_{name}"] for name in files] == [str(file) for file in files.values()]
    for client in (KafkaProducer, KafkaConsumer, KafkaAdminClient):
        assert options.keys() <= client.DEFAULT_CONFIG.keys()


def test_a_member_needs_a_name_that_kafka_takes() -> None:
    bus = KafkaBus(Config())
    with pytest.raises(ConfigError, match="letters, digits"):
        bus.consumer("group", ["topic"], "enrich on host 1")


# ----------------------------------------------------------------------- partitions


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=30), st.integers(1, 12))
def test_a_key_belongs_where_every_kafka_producer_puts_it(keys: list[bytes], count: int) -> None:
    hashes = [murmur2_of_the_library(key) for key in keys]
    assert murmur2(keys).tolist() == hashes
    assert partitions_of(keys, count) == [(number & 0x7FFFFFFF) % count for number in hashes]


# --------------------------------------------------------------- without any broker


def test_a_record_too_large_for_a_topic_is_refused_before_any_of_its_batch_is_kept() -> None:
    producer = KafkaBus(Config(servers=[NOBODY])).producer()
    with pytest.raises(BadRecord, match=r"4,194,305 bytes under key b'k'"):
        producer.send("topic", [(b"a", b"fine"), (b"k", bytes(MAX_RECORD_BYTES))])
    producer.flush()  # would fail, had it kept something


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library drops the sockets of refused connections
def test_brokers_that_do_not_answer_are_unavailable_and_nothing_is_opened_before() -> None:
    bus = KafkaBus(Config(servers=[NOBODY], timeout_secs=1))
    producer, consumer = bus.producer(), bus.consumer("group", ["topic"])
    producer.send("topic", [(b"key", b"value")])
    for call in (producer.flush, lambda: consumer.poll(1, 0.1), bus.brokers, lambda: bus.lag("group", "topic")):
        with pytest.raises(BusUnavailable, match=NOBODY):
            call()
    for thing in (producer, consumer, bus):
        thing.close()
    gc.collect()


# ------------------------------------------------------------------------- a broker


def topic_settings(bootstrap: str, topic: str) -> dict[str, str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        settings = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        return {name: setting["value"] for name, setting in settings.items()}
    finally:
        admin.close()


@pytest.mark.kafka
def test_the_broker_keeps_a_topic_for_as_long_as_was_applied(kafka_broker: RunningBroker, kafka_bus: KafkaBus) -> None:
    name = f"retention-{time.time_ns()}"
    assert kafka_bus.apply([Topic(name, 2, 0.5)]) == [f"{name}: made, 2 partitions, kept 0.5 hours"]
    settings = topic_settings(kafka_broker.bootstrap, name)
    assert (settings["retention.ms"], settings["segment.ms"]) == ("1800000", "450000")
    assert kafka_bus.apply([Topic(name, 2, 96)]) == [
        f"{name}: retention.ms 1800000, now 345600000",
        f"{name}: segment.ms 450000, now 86400000",
    ]
    assert topic_settings(kafka_broker.bootstrap, name)["retention.ms"] == "345600000"


@pytest.mark.kafka
def test_a_topic_with_more_room_than_we_need_keeps_it(kafka_broker: RunningBroker, kafka_bus: KafkaBus) -> None:
    name = f"room-{time.time_ns()}"
    kafka_bus.apply([Topic(name, 1, 1)])
    admin = KafkaAdminClient(bootstrap_servers=kafka_broker.bootstrap)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "20000000"})])
    admin.close()
    assert kafka_bus.apply([Topic(name, 1, 1)]) == []
    assert topic_settings(kafka_broker.bootstrap, name)["max.message.bytes"] == "20000000"


@pytest.mark.kafka
def test_a_member_that_polls_briefly_takes_up_a_topic_made_after_it_came(
    apache_kafka: ApacheKafka, kafka_bus: KafkaBus
) -> None:
    name = f"late-{time.time_ns()}"
    consumer = kafka_bus.consumer(name, [name])
    consumer.poll(1, 1)
    kafka_bus.apply([Topic(name, 3, 1)])
    until = time.monotonic() + PATIENCE
    while len(consumer.assignment()) < 3:
        consumer.poll(1, 0.001)
        assert time.monotonic() < until, "the member never takes up the partitions"
    consumer.close()


@pytest.mark.kafka
def test_the_largest_record_passes(kafka_bus: KafkaBus, new_topic: Callable[..., str]) -> None:
    topic = new_topic(partitions=1)
    value = bytes(range(256)) * (MAX_RECORD_BYTES // 256)
    producer, consumer = kafka_bus.producer(), kafka_bus.consumer(topic, [topic])
    producer.send(topic, [(b"", value), (b"", b"small")])
    producer.flush()
    assert [record.value for record in read(consumer, 2)] == [value, b"small"]
    producer.close()
    consumer.close()


@pytest.mark.kafka
def test_a_topic_nobody_made_is_named_with_the_remedy(apache_kafka: ApacheKafka) -> None:
    bus = KafkaBus(Config(servers=[apache_kafka.bootstrap], timeout_secs=1))
    assert bus.lag("group", "nobody-made-this") == {}
    producer = bus.producer()
    producer.send("nobody-made-this", [(b"key", b"value")])
    with pytest.raises(BusUnavailable, match="nobody-made-this; `harken topics apply` makes it"):
        producer.flush()
    producer.close()
    bus.close()


@pytest.mark.kafka
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_login_opens_the_guarded_listener_and_a_wrong_one_does_not(apache_kafka: ApacheKafka) -> None:
    def bus(password: str) -> KafkaBus:
        security = {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN", "username": SASL_USER}
        settings = {"servers": [apache_kafka.sasl_bootstrap], "timeout_secs": 2}
        return KafkaBus(Config.model_validate({**settings, "security": {**security, "password": SecretStr(password)}}))

    known, unknown = bus(SASL_PASSWORD), bus("guessed")
    assert known.brokers() == 1
    with pytest.raises(BusUnavailable) as refused:
        unknown.brokers()
    assert "guessed" not in str(refused.value)
    known.close()
    unknown.close()
    gc.collect()


# -------------------------------------------------------------------------- outages


def read(consumer: Consumer, count: int) -> list[Record]:
    records: list[Record] = []
    until = time.monotonic() + PATIENCE
    while len(records) < count and time.monotonic() < until:
        records += patiently(partial(consumer.poll, count - len(records), 0.2))
    assert len(records) == count, f"{len(records)} of {count} records came"
    return records


def patiently(call: Callable[[], Any]) -> Any:
    """The call's result, once the bus is available."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except BusUnavailable:
            assert time.monotonic() < until, f"the bus is still not available after {PATIENCE} s"


@pytest.mark.kafka
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_nothing_is_lost_when_the_broker_is_killed_and_comes_back(
    apache_kafka: ApacheKafka, new_topic: Callable[..., str]
) -> None:
    topic = new_topic()
    bus = KafkaBus(Config(servers=[apache_kafka.bootstrap], session_timeout_secs=6, timeout_secs=1))
    producer, consumer = bus.producer(), bus.consumer("group-" + topic, [topic], "worker-1")

    def write(start: int) -> None:
        producer.send(topic, [(b"key-%d" % (number % 7), b"%d" % number) for number in range(start, start + 100)])
        producer.flush()

    write(0)
    held = read(consumer, 40)
    apache_kafka.kill()
    with pytest.raises(BusUnavailable):
        write(100)
    with pytest.raises(BusUnavailable):
        consumer.commit(ends(held))
    with pytest.raises(BusUnavailable):
        bus.lag("group-" + topic, topic)
    apache_kafka.start()

    patiently(lambda: write(100))
    finished: list[Record] = []
    try:
        patiently(lambda: consumer.commit(ends(held)))
        finished += held
    except Fenced:
        pass  # then the batch comes again
    while len({record.value for record in finished}) < 200:
        batch = read(consumer, 1) + list(patiently(partial(consumer.poll, 50, 0.2)))
        patiently(partial(consumer.commit, ends(batch)))
        finished += batch
    assert {int(record.value) for record in finished} == set(range(200))
    assert sum(lag.records for lag in bus.lag("group-" + topic, topic).values()) == 0
    for thing in (producer, consumer, bus):
        thing.close()
    gc.collect()


MEMBER = """
import sys
from pipeline.bus.kafka import Config, KafkaBus
bootstrap, group, topic, name = sys.argv[1:]
consumer = KafkaBus(Config(servers=[bootstrap], session_timeout_secs=60)).consumer(group, [topic], name)
while True:
    consumer.poll(10, 0.1)
    if consumer.assignment():
        print(sorted(partition.number for partition in consumer.assignment()), flush=True)
        consumer.poll(10, 3600)
"""


@pytest.mark.kafka
def test_a_killed_member_takes_its_place_back_long_before_its_session_ends(
    apache_kafka: ApacheKafka, new_topic: Callable[..., str]
) -> None:
    topic = new_topic()
    command = [sys.executable, "-c", MEMBER, apache_kafka.bootstrap, f"group-{topic}", topic, "worker-1"]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                # Without its name it would wait for its predecessor's minute to end, and the test with it.
                assert process.stdout.readline().strip() == "[0, 1, 2, 3]"
            finally:
                process.send_signal(signal.SIGKILL)
