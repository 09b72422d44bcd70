"""Apache Kafka as the bus: for production, and for more than one machine.

See docs/bus.md for what an operator chooses here.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeVar

from kafka import KafkaAdminClient, OffsetSpec, TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove
from pydantic import Field, FilePath, field_validator, model_validator

from pipeline.bus.kafka_clients import MAX_REQUEST_BYTES, TROUBLE, opened, translated
from pipeline.bus.kafka_consumer import GroupConsumer
from pipeline.bus.kafka_producer import BatchProducer
from pipeline.clock import SystemClock
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Clock, Consumer, Lag, Producer, Secret, Settings, Topic

T = TypeVar("T")

DAY_MS = 86_400_000
"""The longest a topic's segment stays open. Kafka deletes closed segments whole: a record outlives its topic's
retention by the time its segment stays open, which without this is a week."""

METADATA_MAX_AGE_MS = 10_000
"""How soon a new partition or a moved leader is noticed where no request fails because of it."""


class Security(Settings):
    """How the brokers know us and we them; validated as a whole, so that nothing is set in vain."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="SSL encrypts, SASL logs in, SASL_SSL does both."
    )
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(None, description="How SASL logs in.")
    username: str | None = Field(None, description="Who SASL logs in as.")
    password: Secret | None = Field(None, description="Its password, as ${NAME}.")
    cafile: FilePath | None = Field(
        None, description="PEM file of the authorities that sign the brokers' certificates (null: the system's)."
    )
    certfile: FilePath | None = Field(None, description="PEM file of our own certificate, where brokers ask for one.")
    keyfile: FilePath | None = Field(None, description="PEM file of its key, unless that stands in certfile.")
    check_hostname: bool = Field(True, description="Whether a broker's certificate must name the broker's host.")

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> Security:
        problems = []
        sasl = {"mechanism": self.mechanism, "username": self.username, "password": self.password}
        missing = [name for name, value in sasl.items() if not value]
        if self.protocol.startswith("SASL") and missing:
            problems.append(f"{self.protocol} needs {_listed(missing)}; set them, or take a protocol without SASL")
        if not self.protocol.startswith("SASL") and len(missing) < len(sasl):
            unused = [name for name in sasl if name not in missing]
            problems.append(f"{self.protocol} does not use {_listed(unused)}; take SASL_SSL, or remove them")
        tls = {"cafile": self.cafile, "certfile": self.certfile, "keyfile": self.keyfile}
        given = [name for name, value in tls.items() if value]
        if not self.protocol.endswith("SSL") and given:
            problems.append(f"{self.protocol} does not use {_listed(given)}; take SSL or SASL_SSL, or remove them")
        if self.keyfile and not self.certfile:
            problems.append("keyfile needs certfile, the certificate it belongs to")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Config(Settings):
    """The brokers, and how to treat them."""

    servers: list[str] = Field(
        ["localhost:9092"], min_length=1, description="Some of the brokers, host:port; the rest is learned from them."
    )
    client_id: str = Field("harken", description="What the brokers' logs and quotas call us.")
    security: Security = Field(Security(), description="Encryption and login.")
    compression: Literal["lz4", "gzip", "none"] = Field("lz4", description="How records are compressed.")
    replication_factor: int | None = Field(
        None, ge=1, description="Copies of each partition of a topic that is made (null: the brokers' default)."
    )
    session_timeout_secs: float = Field(
        8.0, ge=6, le=60, description="A member not heard of for so long loses its partitions to the others."
    )
    timeout_secs: float = Field(
        5.0, ge=1, le=60, description="How long one call waits before the bus counts as unavailable."
    )

    @field_validator("servers")
    @classmethod
    def _are_addresses(cls, servers: list[str]) -> list[str]:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{server!r} is not an address; write host:port, for example localhost:9092")
        return servers


class KafkaBus:
    """The bus over a Kafka cluster. Building it opens nothing; clients connect on first use."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._options = library_options(config)
        self._admin: Any = None
        self._lock = threading.Lock()
        # The library reports every attempt of an outage; our caller reports the outage, from our errors.
        logger = logging.getLogger("kafka")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)

    def producer(self) -> Producer:
        """A new producer: idempotent, acknowledged by all replicas in sync, compressed."""
        compression = None if self._config.compression == "none" else self._config.compression
        return BatchProducer(self._options, compression, self._config.timeout_secs)

    def consumer(self, group: str, topics: Sequence[str], member: str | None = None) -> Consumer:
        """A new member of `group`; `member` is its static name there, unique among the group's live members."""
        if member is not None and not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", member):
            remedy = "use letters, digits, dot, dash and underscore, 249 at most"
            raise ConfigError([Problem("member", f"{member!r} is no name for a member of a group", remedy)])
        return GroupConsumer(
            self._options,
            group,
            topics,
            member,
            self._config.session_timeout_secs,
            self._config.timeout_secs,
            self._clock,
            self._remove_member,
        )

    def apply(self, topics: Sequence[Topic]) -> Sequence[str]:
        """Make missing topics, add missing partitions, set the retention; returns what was changed, in words."""
        changes: list[str] = []
        for topic in topics:
            changes += self._ask(f"apply topic {topic.name}", partial(self._applied, topic=topic))
        return changes

    def lag(self, group: str, topic: str) -> Mapping[int, Lag]:
        """Each partition's lag for the group, without joining it; empty for a topic that does not exist."""
        return self._ask(f"read the lag of {group}", lambda admin: _lag(admin, group, topic))

    def brokers(self) -> int:
        """How many brokers answer for the cluster; raises BusUnavailable when none does. One request."""
        return self._ask("reach the brokers", lambda admin: len(admin.describe_cluster()["brokers"]))

    def purge(
        self,
        topic: str,  # noqa: ARG002  # the port's, and the next two
        keys: Sequence[bytes],  # noqa: ARG002
        matches: Callable[[bytes], bool],  # noqa: ARG002
    ) -> Literal["now", "retention"]:
        """Kafka cannot take single records out of a log: they go when the topic's retention has passed."""
        return "retention"

    def close(self) -> None:
        """Free what it holds itself; producers and consumers are closed by their owners."""
        with self._lock:
            self._close_admin()

    def _ask(self, doing: str, call: Callable[[Any], T]) -> T:
        # Retried within the timeout: a cluster that just started answers some calls with "not yet".
        deadline = self._clock.monotonic() + self._config.timeout_secs
        with self._lock:
            while True:
                try:
                    if self._admin is None:
                        self._admin = opened(KafkaAdminClient, self._options)
                    return call(self._admin)
                except TROUBLE as error:
                    self._close_admin()
                    again = isinstance(error, kafka_errors.RetriableError) and self._clock.monotonic() < deadline
                    if not again or self._clock.wait(0.2):
                        raise translated(error, doing) from error

    def _close_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(*TROUBLE):
                admin.close()

    def _applied(self, admin: Any, topic: Topic) -> list[str]:
        retention = round(topic.retention_hours * 3_600_000)
        wanted = {
            "retention.ms": str(retention),
            "segment.ms": str(min(retention // 4, DAY_MS)),
            "max.message.bytes": str(MAX_REQUEST_BYTES),
        }
        described = admin.describe_topics([topic.name])[0]
        if described["error_code"] == kafka_errors.UnknownTopicOrPartitionError.errno:
            new = {
                "num_partitions": topic.partitions,
                "replication_factor": self._config.replication_factor or -1,
                "configs": wanted,
            }
            with suppress(kafka_errors.TopicAlreadyExistsError):
                admin.create_topics({topic.name: new}, wait_for_metadata=True)
                return [f"{topic.name}: made, {topic.partitions} partitions, kept {topic.retention_hours:g} hours"]
            described = admin.describe_topics([topic.name])[0]
        changes = []
        count = len(described["partitions"])
        if count < topic.partitions:
            admin.create_partitions({topic.name: topic.partitions})
            changes.append(f"{topic.name}: {count} partitions, now {topic.partitions}")
        return changes + _configured(admin, topic.name, wanted)

    def _remove_member(self, group: str, member_id: str, name: str) -> None:
        # With its member id, so that a process which has taken the name meanwhile stays.
        leaver = MemberToRemove(member_id=member_id, group_instance_id=name)
        self._ask(f"leave group {group}", lambda admin: admin.remove_group_members(group, [leaver]))


def library_options(config: Config) -> dict[str, Any]:
    """The settings that every client of the library takes, in its words."""
    security = config.security
    timeout_ms = int(config.timeout_secs * 1000)
    options: dict[str, Any] = {
        "bootstrap_servers": list(config.servers),
        "bootstrap_timeout_ms": timeout_ms,
        "client_id": config.client_id,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        # An outage ends when the brokers are back, not up to half a minute later.
        "reconnect_backoff_max_ms": 1000,
        "request_timeout_ms": int(timeout_ms * 0.8),
        "security_protocol": security.protocol,
    }
    if security.protocol.startswith("SASL"):
        options["sasl_mechanism"] = security.mechanism
        options["sasl_plain_username"] = security.username
        options["sasl_plain_password"] = security.password.get_secret_value() if security.password else None
    if security.protocol.endswith("SSL"):
        options["ssl_check_hostname"] = security.check_hostname
        for name in ("cafile", "certfile", "keyfile"):
            path = getattr(security, name)
            options[f"ssl_{name}"] = str(path) if path else None
    return options


def _lag(admin: Any, group: str, topic: str) -> dict[int, Lag]:
    described = admin.describe_topics([topic])[0]
    if described["error_code"] == kafka_errors.UnknownTopicOrPartitionError.errno:
        return {}
    places = [TopicPartition(topic, partition["partition_index"]) for partition in described["partitions"]]
    starts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    committed = admin.list_group_offsets({group: places})[group]
    # A group without a position, or with one that retention has passed, begins at what is left.
    return {
        place.partition: Lag(max(committed[place].offset, starts[place].offset), ends[place].offset)
        for place in sorted(places)
    }


def _configured(admin: Any, topic: str, wanted: Mapping[str, str]) -> list[str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    now = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    different = {name: value for name, value in wanted.items() if name in now and now[name]["value"] != value}
    # An operator may have given a topic more room than we need.
    if "max.message.bytes" in different and int(now["max.message.bytes"]["value"]) > MAX_REQUEST_BYTES:
        del different["max.message.bytes"]
    if not different:
        return []
    answer = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, different)])["topic"][topic]
    if answer != "OK":
        raise kafka_errors.InvalidConfigurationError(answer)
    return [f"{topic}: {name} {now[name]['value']}, now {value}" for name, value in different.items()]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
