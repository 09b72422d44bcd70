"""The broker and the database that are measured on: those of the tests."""

from __future__ import annotations

from functools import cached_property
from itertools import count
from pathlib import Path

from benchmarks.machine import BenchError
from deploy.kafka.broker import BrokerError
from pipeline.bus.kafka import Config, KafkaBus
from pipeline.ports import Topic
from tests.fixtures.kafka import RunningBroker, start_broker
from tests.fixtures.postgres import PostgresServer

PARTITIONS = 4


class DurablePostgres(PostgresServer):
    """With the disk's word for every commit, as in production; the tests do without."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", str(self._folder / "log"), "-o", options)


class Servers:
    """Each is started when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    @cached_property
    def bootstrap(self) -> str:
        """Kafka's address."""
        return self._kafka.bootstrap

    @property
    def kind(self) -> str:
        """`kafka`, or what stands in for it."""
        return self._kafka.kind

    def database(self) -> str:
        """The URL of a new, empty PostgreSQL database."""
        name = f"bench_{next(self._numbers)}"
        self._postgres.execute(f"CREATE DATABASE {name}")
        return self._postgres.database_url(name)

    def topic(self, name: str) -> str:
        """A new topic; returns its name."""
        bus = KafkaBus(Config(servers=[self.bootstrap]))
        try:
            bus.apply([Topic(name, PARTITIONS, 24)])
        finally:
            bus.close()
        return name

    def close(self) -> None:
        """Stop what was started."""
        if "_kafka" in self.__dict__:
            self._kafka.kill()
        if "_postgres" in self.__dict__:
            self._postgres.remove()

    @cached_property
    def _kafka(self) -> RunningBroker:
        try:
            return start_broker(self._folder)
        except BrokerError as error:
            raise BenchError(str(error)) from error

    @cached_property
    def _postgres(self) -> DurablePostgres:
        try:
            return DurablePostgres()
        except RuntimeError as error:
            raise BenchError(str(error)) from error
