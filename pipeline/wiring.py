"""Makes concrete objects out of the configuration; nobody else names an adapter. Each part is made when first asked
for, so that a role pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from desk.accounts import Accounts
from desk.assignment import Assignment
from desk.cases import Cases
from desk.crm import Crm
from desk.crm_table import CrmTable
from desk.desk import Desk
from desk.drafts import Drafts
from desk.eligibility import Account
from desk.facts import Facts
from desk.feed import Feed
from desk.figures import Figures
from desk.hearing import CaseSettings
from desk.keeper import Keeper
from desk.links import Links
from desk.presence import Agents
from desk.replies import Outcome, Sender
from desk.retention import Periods, Retention
from pipeline import roles
from pipeline.collect import Intake, Supervisor
from pipeline.config import Config, Source
from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.ledger import Ledger, read_ledger
from pipeline.outbox import Dispatcher
from pipeline.ports import Bus, Clock, Context, Replier, Sink, StageContext, Topic
from pipeline.store import Store
from pipeline.store.database import Database
from pipeline.worker import Output, Worker
from routing.router import Router
from routing.rules import Rules, load

if TYPE_CHECKING:
    from fastapi import FastAPI

    from console.api.services import Services

WORKERS = ("enrich", "route", "deliver")
"""The roles that are loops over a topic, in flow order."""

ROLES = ("collect", *WORKERS, "desk")


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
            join_hours=desk.join_hours,
            reopen_hours=desk.reopen_hours,
            wave_hours=desk.wave_hours,
            wave_words=desk.wave_words,
            lease_seconds=desk.lease_secs,
        )
        return Cases(self.database, self.clock, settings)

    @cached_property
    def desk(self) -> Desk:
        """What the configuration says about the desk; raises ConfigError with every problem. `vias` are those of the
        enabled sources that may answer, where the configuration was loaded with its sources."""
        folder = Path()  # as every path of the configuration
        vias = {source.name: _account(source) for source in self._answering}
        return Desk.from_settings(self.config.file.desk, self.rules.queues, vias, folder=folder)

    @cached_property
    def feed(self) -> Feed:
        """The events of all cases."""
        return Feed(self.database, self.clock)

    @cached_property
    def agents(self) -> Agents:
        """Who works on the desk."""
        return Agents(self.database, self.clock, self.desk)

    @cached_property
    def assignment(self) -> Assignment:
        """What gives work to people."""
        return Assignment(self.database, self.clock, self.desk)

    @cached_property
    def keeper(self) -> Keeper:
        """The clocks of cases."""
        return Keeper(self.database, self.clock, self.desk, self.feed)

    @cached_property
    def facts(self) -> Facts:
        """What figures are counted from."""
        return Facts(self.database, self.clock, self.desk)

    @cached_property
    def crm(self) -> Crm:
        """What a CRM says of customers; raises ConfigError where its table is not one that can be read."""
        given = self.config.file.desk.crm
        if given is None:
            return Crm(self.database, self.clock)
        table = CrmTable(given.csv, given.url, given.query)
        return Crm(self.database, self.clock, table, timedelta(minutes=given.refresh_minutes))

    def repliers(self) -> dict[str, Replier]:
        """What answers for each configured source that may, by its name; made anew for each caller, since one is used
        by one thread at a time."""
        return {
            source.name: source.module.Replier(source.settings, Context(source.name, self.config.brands, self.clock))
            for source in self._answering
        }

    def senders(self, told: Callable[[str, Outcome], None]) -> dict[str, Sender]:
        """What sends the answers that are due, one for each source that may answer, so that they hold each other up in
        nothing; `told` hears of every outcome."""
        backoffs = {source.name: source.module.Connector.backoff for source in self._answering}
        return {
            via: Sender(self.database, self.clock, self.cases, {via: replier}, {via: backoffs[via]}, told)
            for via, replier in self.repliers().items()
        }

    def retention(self) -> Retention:
        """What removes all that is past its period."""
        return Retention(self.database, self.clock, Periods(**self.config.file.retention.model_dump()))

    @property
    def _answering(self) -> list[Source]:
        """The enabled sources that may answer."""
        return [source for source in self.config.sources if getattr(source.settings, "reply", None) is not None]

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
        """Raise ConfigError with what only making the parts can show: bad rules, a queue nobody routes to, stages out
        of order."""
        problems: list[Problem] = []
        for part in (lambda: self.rules, self._enrichment, lambda: self.desk, lambda: self.crm):
            try:
                part()
            except ConfigError as error:  # the desk needs the rules too, and would tell of them again
                problems += [problem for problem in error.problems if problem not in problems]
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

    def services(self) -> Services:
        """What the API works with."""
        # Imported here, as in `application`: FastAPI and what it brings take a second to load.
        from console.api.oidc import Provider
        from console.api.services import Services

        serve = self.config.file.serve
        oidc = serve.oidc
        return Services(
            database=self.database,
            store=self.store,
            clock=self.clock,
            accounts=Accounts(self.database, self.clock),
            cases=self.cases,
            feed=self.feed,
            desk=self.desk,
            drafts=Drafts(self.database, self.clock, self.cases, self.desk),
            agents=self.agents,
            keeper=self.keeper,
            figures=Figures(self.database, self.clock, self.config.file.desk.agent_hour_cost),
            links=Links(self.database, self.clock),
            public_url=serve.public_url,
            provider=Provider(oidc.issuer, oidc.client_id, oidc.client_secret, serve.public_url) if oidc else None,
        )

    def application(self) -> FastAPI:
        """The application that answers HTTP."""
        from console.api.app import application

        return application(self.services())

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


def _account(source: Source) -> Account | None:
    """The account a source answers from, as far as its settings say: None for one that has no name on a network."""
    reply = getattr(source.settings, "reply", None)
    handle = getattr(reply, "handle", "")
    if not handle:
        return None
    network = source.module.__name__.rpartition(".")[2]
    return Account(network, id="", handle=handle, tier=getattr(reply, "tier", "self_serve"))
