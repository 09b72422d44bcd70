"""Makes concrete objects out of the configuration; nobody else names an adapter. Each part is made when first asked
for, so that a role pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property

from desk.cases import Cases
from desk.hearing import CaseSettings
from pipeline import roles
from pipeline.collect import Intake, Supervisor
from pipeline.config import Config, Source
from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.ledger import Ledger, read_ledger
from pipeline.outbox import Dispatcher
from pipeline.ports import Bus, Clock, Context, Sink, StageContext, Topic
from pipeline.store import Store
from pipeline.store.database import Database
from pipeline.worker import Output, Worker
from routing.router import Router
from routing.rules import Rules, load

WORKERS = ("enrich", "route", "deliver")
"""The roles that are loops over a topic, in flow order."""

ROLES = ("collect", *WORKERS)


class Parts:
    """The objects of one process."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def bus(self) -> Bus:
        """The configured bus."""
        module = self.config.bus.module
        name = module.__name__.rpartition(".")[2].capitalize() + "Bus"  # bus/kafka.py holds KafkaBus
        bus: Bus = getattr(module, name)(self.config.bus.settings, self.clock)
        self._closing.append(bus.close)
        return bus

    @cached_property
    def store(self) -> Store:
        """The store; not yet upgraded."""
        store = Store(self.config.file.store.url.get_secret_value(), self.clock)
        self._closing.append(store.close)
        return store

    @cached_property
    def database(self) -> Database:
        """The store's database, for what the desk keeps in it."""
        database = Database(self.config.file.store.url.get_secret_value())
        self._closing.append(database.close)
        return database

    @cached_property
    def cases(self) -> Cases:
        """The cases, in the store's database."""
        desk = self.config.file.desk
        settings = CaseSettings(
            join_hours=desk.join_hours, reopen_hours=desk.reopen_hours, lease_seconds=desk.lease_secs
        )
        return Cases(self.database, self.clock, settings)

    @cached_property
    def rules(self) -> Rules:
        """The routing rules in force."""
        return load(self.config.file.routing.rules)

    @cached_property
    def router(self) -> Router:
        """The router over the rules in force."""
        return Router(self.rules)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics as they should be, in flow order."""
        topics = self.config.file.topics
        return tuple(
            Topic(name, topics.partitions, topics.retention_hours)
            for name in (topics.raw, topics.enriched, topics.routed)
        )

    @property
    def inputs(self) -> dict[str, str]:
        """The topic each worker role reads."""
        return dict(zip(WORKERS, (topic.name for topic in self.topics), strict=True))

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"harken-{self.config.file.topics.prefix}-{role}"

    def check(self) -> None:
        """Raise ConfigError with what only making the parts can show: bad rules, stages out of order."""
        problems: list[Problem] = []
        for part in (lambda: self.rules, self._enrichment):
            try:
                part()
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)

    def worker(self, role: str, member: str | None = None) -> Worker:
        """The loop of enrich, route or deliver."""
        topics = self.config.file.topics
        handle: roles.EnrichHandler | roles.RouteHandler | roles.DeliverHandler
        if role == "enrich":
            handle, target = roles.EnrichHandler(self._enrichment(), self.clock), topics.enriched
        elif role == "route":
            handle, target = roles.RouteHandler(self.router.route, self.clock), topics.routed
        else:
            names = [topic.name for topic in self.topics]
            sinks = [sink.name for sink in self.config.sinks]
            also = self.cases.take_in if self.config.file.desk.cases else None
            handle, target = roles.DeliverHandler(self.store, self.bus, names, sinks, self.clock, also), ""
        output = Output(self.bus.producer(), target) if target else None
        consumer = self.bus.consumer(self.group(role), [self.inputs[role]], member)
        return Worker(role, consumer, handle, output, self.store, self.config.file.worker, self.clock)

    def _enrichment(self) -> roles.Enrich:
        # Imported here: spaCy takes a second to load, and only this role needs it.
        from enrich._nlp import build
        from enrich.pipeline import Enrichment

        nlp = build()
        context = StageContext(self.config.brands, nlp)
        stages = [(stage.name, stage.module.Stage(stage.settings, context)) for stage in self.config.stages]
        return Enrichment(stages, nlp)

    def intake(self, via: str) -> Intake:
        """What takes the pages of the source `via`."""
        output = Output(self.bus.producer(), self.config.file.topics.raw)
        self._closing.append(output.producer.close)
        return Intake(via, output, self.store, self.config.brands, self.clock)

    def supervisor(self, source: Source) -> Supervisor:
        """A configured source under supervision."""
        connector = source.module.Connector(source.settings, Context(source.name, self.config.brands, self.clock))
        return Supervisor(connector, self.intake(source.name), self.store, self.clock, source.silence_secs)

    def dispatchers(self) -> Iterator[Dispatcher]:
        """One for every sink: they hold each other up in nothing."""
        for configured in self.config.sinks:
            sink: Sink = configured.module.Sink(configured.settings)
            self._closing.append(sink.close)
            yield Dispatcher(configured.name, sink, self.store, self.clock)

    def lag(self, roles: Sequence[str] = WORKERS) -> list[tuple[str, int]]:
        """How many records these worker roles have yet to finish, asked in flow order."""
        return [
            (role, sum(lag.records for lag in self.bus.lag(self.group(role), topic).values()))
            for role, topic in self.inputs.items()
            if role in roles
        ]

    def ledger(self, release: bool = False) -> Ledger:
        """The ledger now, with what the bus says of records in flight; see `read_ledger`."""
        return read_ledger(self.store, self.lag, release)

    def close(self) -> None:
        """Free everything, last made first; what fails to close does not keep the rest open."""
        while self._closing:
            with suppress(HarkenError):
                self._closing.pop()()
