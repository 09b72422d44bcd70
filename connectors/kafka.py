"""Kafka: an existing topic of somebody else's, with a map from their fields to ours.

Records are JSON objects, in our wire shapes or mapped. A record without a value (a tombstone, as compacted topics have
them) takes back the mention whose id is its key. Partitions are assigned, not subscribed to: no group of the cluster is
joined and nothing is committed there, because the cursor is kept with everything else: the next offset of each
partition and the time of the last record read. An offset that retention has passed is a gap from that time on.

From kafka.apache.org/documentation: offsets of a partition only grow, are not without holes, and survive restarts of
the brokers; `auto.offset.reset` is not used, so that nothing is skipped in silence.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from msgspec import Struct
from pydantic import Field, field_validator

from connectors._mapping import MAX_PAYLOAD, FieldMap, Mapper, SourceName
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Removal
from pipeline.ports import Backoff, Context, Gap, Page, Rejection, Secret, Settings

log = structlog.get_logger(__name__)

PAGE_ITEMS = 500
_POLL_MS = 250
_LOOK_SECS = 60.0
"""So often new partitions are looked for, and where the oldest records are."""


class Login(Settings):
    """SASL: the mechanism, a user, and a password from the environment."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str
    password: Secret


class Config(Settings):
    """Which topic, and what its records mean.

    servers       some of the brokers, host:port
    topic         the topic to read; it is never written to
    start         where to begin without a cursor: `earliest`, all there is, or `latest`, what comes from now on
    tls           whether connections are encrypted, checked against the system's authorities or those in `ca_file`
    ca_file       a file of authorities in PEM
    login         SASL: mechanism, user, password; without it there is no login
    source        the front of the ids of mapped records; left out, the connector's configured name
    brand         given to every mention
    map           our field -> their key (`user.id` reaches inside); left out, our own field names
    rating_max    the best rating they give
    timeout_secs  how long to wait for the brokers before they count as away
    """

    servers: list[str] = Field(min_length=1)
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    start: Literal["earliest", "latest"] = "earliest"
    tls: bool = False
    ca_file: str | None = None
    login: Login | None = None
    source: SourceName | None = None
    brand: str | None = None
    map: FieldMap = {}
    rating_max: float = Field(default=1.0, gt=0)
    timeout_secs: float = Field(default=10, ge=1, le=60)

    @field_validator("servers")
    @classmethod
    def _are_addresses(cls, servers: list[str]) -> list[str]:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{server!r} is not an address; write host:port, for example localhost:9092")
        return servers


class _Cursor(Struct, omit_defaults=True):
    """The next offset of each partition, and the time of the last record read of it, in milliseconds since 1970."""

    offsets: dict[int, int] = {}
    times: dict[int, int] = {}


class Connector:
    """Reads every partition of the topic, for ever."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # The library's own `reconnect.backoff.max.ms` is 30 s; a cluster that is away is asked as rarely.
        "network": Backoff(first=0.5, factor=2, cap=30),
        "http": Backoff(first=0.5, factor=2, cap=30),
        "rate_limited": Backoff(first=1, factor=2, cap=30),
        "silent": Backoff(first=0.5, factor=2, cap=30),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._mapper = Mapper(
            config.source or "-".join(context.name.replace(":", " ").split()),
            config.map,
            via=context.name,
            brand=config.brand,
            rating_max=config.rating_max,
        )

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """Every record from the cursor on, a page a poll."""
        place = _restored(cursor)
        with closing(self._opened()) as consumer:
            looked = float("-inf")
            while not self._clock.stopping:
                gaps: Sequence[Gap] = ()
                if self._clock.monotonic() - looked >= _LOOK_SECS:
                    looked = self._clock.monotonic()
                    gaps = self._assigned(consumer, place)
                yield self._page(consumer, place, gaps)

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read one rejected record's value again."""
        if len(payload) >= MAX_PAYLOAD:
            raise BadItem(f"the record was cut at {MAX_PAYLOAD:,} bytes when it was rejected")
        return [self._mapper.item(payload, self._clock.now())]

    # ------------------------------------------------------------------------ inside

    def _opened(self) -> Any:
        config = self._config
        protocol = ("SASL_" if config.login else "") + ("SSL" if config.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap_servers": config.servers,
            "client_id": "harken",
            "group_id": None,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "max_poll_records": PAGE_ITEMS,
            "security_protocol": protocol,
            "request_timeout_ms": round(config.timeout_secs * 1000),
            "bootstrap_timeout_ms": round(config.timeout_secs * 1000),
        }
        if config.tls:
            try:
                options["ssl_context"] = ssl.create_default_context(cafile=config.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise SourceRefused(f"ca_file cannot be read: {error}") from error
        if config.login:
            options["sasl_mechanism"] = config.login.mechanism
            options["sasl_plain_username"] = config.login.user
            options["sasl_plain_password"] = config.login.password.get_secret_value()
        _knock(config.servers, config.timeout_secs)
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it tells of every attempt; we tell of the outage
        return _opened(options)

    def _assigned(self, consumer: Any, place: _Cursor) -> list[Gap]:
        """Every partition assigned, each at its place; what retention took before we read it is a gap."""
        config = self._config
        numbers = _asked(lambda: consumer.partitions_for_topic(config.topic), f"ask for the topic {config.topic}")
        if not numbers:
            servers = ", ".join(config.servers)
            raise SourceRefused(f"there is no topic {config.topic} at {servers}, or it is not ours to read")
        partitions = {number: TopicPartition(config.topic, number) for number in sorted(numbers)}
        firsts = _asked(lambda: consumer.beginning_offsets(list(partitions.values())), "ask for the oldest offsets")
        ends = _asked(lambda: consumer.end_offsets(list(partitions.values())), "ask for the newest offsets")
        fresh = not place.offsets  # no cursor at all: a partition that is added later is read from its beginning
        gaps: list[Gap] = []
        for number, partition in partitions.items():
            first, end = firsts[partition], ends[partition]
            wanted = place.offsets.get(number, end if fresh and config.start == "latest" else first)
            if number in place.offsets and not first <= wanted <= end:
                gaps.append(self._gap(number, wanted, first, end, place))
                wanted = first
            place.offsets[number] = wanted
        if {it.partition for it in consumer.assignment()} != set(partitions):
            consumer.assign(list(partitions.values()))
        for number, partition in partitions.items():
            consumer.seek(partition, place.offsets[number])
        return gaps

    def _gap(self, number: int, wanted: int, first: int, end: int, place: _Cursor) -> Gap:
        now = self._clock.now()
        since = datetime.fromtimestamp(place.times[number] / 1000, UTC) if number in place.times else now
        if wanted > end:  # the topic was made anew under its old name
            reason = f"{self._config.topic}[{number}] ends at {end:,} where {wanted:,} was next"
            return Gap(since, now, reason, note="it was made anew: it is read from its beginning")
        reason = f"{self._config.topic}[{number}] begins at {first:,} where {wanted:,} was next"
        return Gap(since, now, reason, note=f"its retention passed {first - wanted:,} records before they were read")

    def _page(self, consumer: Any, place: _Cursor, gaps: Sequence[Gap]) -> Page:
        polled = _asked(lambda: consumer.poll(timeout_ms=_POLL_MS, max_records=PAGE_ITEMS), "read the topic")
        items: list[Item | Rejection] = []
        now = self._clock.now()
        for partition, records in polled.items():
            for record in records:
                at = f"{partition.topic}[{partition.partition}]@{record.offset}"
                items += self._read(record, at, now)
                place.offsets[partition.partition] = record.offset + 1
                place.times[partition.partition] = max(place.times.get(partition.partition, 0), record.timestamp)
        cursor = msgspec.json.encode(place).decode() if items or polled or gaps else None
        return Page(items, cursor=cursor, gaps=gaps)

    def _read(self, record: Any, place: str, now: datetime) -> list[Item | Rejection]:
        try:
            if record.value is None:
                return [_removal(self._mapper.source, record.key, now)]
            return [self._mapper.item(record.value, now)]
        except BadItem as error:
            return [Rejection((record.value or record.key or b"")[:MAX_PAYLOAD], place, str(error))]


def _knock(servers: Sequence[str], timeout_secs: float) -> None:
    """Raise SourceUnavailable where none of the brokers takes a connection: the library would wait its whole time-out
    for them, and leave a socket behind."""
    why = ""
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout_secs / len(servers)).close()
        except OSError as error:
            why = error.strerror or type(error).__name__
        else:
            return
    raise SourceUnavailable(f"cannot reach the brokers at {', '.join(servers)}: {why}")


def _opened(options: Mapping[str, Any]) -> Any:
    """A consumer. Its constructor talks to the brokers already and, where they do not answer, leaves a thread and
    sockets behind: they are freed here."""
    made: list[KafkaNetClient] = []

    def network(**settings: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**settings))
        return made[-1]

    try:
        return _asked(lambda: KafkaConsumer(kafka_client=network, **options), "reach the brokers")
    except BaseException:
        for client in made:
            client.close()
        raise


def _removal(source: str, key: bytes | None, now: datetime) -> Removal:
    """What a tombstone takes back: its key is the id, with or without the source before it."""
    try:
        id = (key or b"").decode()
    except UnicodeDecodeError as error:
        raise BadItem("a tombstone whose key is not UTF-8: nobody knows what it takes back") from error
    if not id:
        raise BadItem("a tombstone without a key: nobody knows what it takes back")
    id = id if id.startswith(f"{source}:") else f"{source}:{id}"
    return Removal(source=source, reason="deleted", noticed_at=now, mention=id)


def _restored(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.MsgspecError as error:
        raise SourceRefused(f"the saved place is none of a Kafka topic: {error}") from error


_REFUSED = (
    kafka_errors.AuthorizationError,
    kafka_errors.InvalidTopicError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.UnsupportedVersionError,
)


def _asked(call: Any, doing: str) -> Any:
    """`call()`, with the library's errors as ours."""
    try:
        return call()
    except _REFUSED as error:
        raise SourceRefused(f"cannot {doing}: {str(error)[:300]}") from error
    except (kafka_errors.KafkaError, OSError) as error:
        raise SourceUnavailable(f"cannot {doing}: {str(error)[:300] or type(error).__name__}") from error
