"""Makes concrete objects out of the configuration; nobody else names an adapter. Each part is made when first asked
for, and its module imported then, so that a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.ports import Bus, Clock, Context, Replier, Sink, StageContext, Topic
from pipeline.store import Store
from pipeline.store.database import Database

if TYPE_CHECKING:
    from fastapi import FastAPI

    from console.api.services import Services
    from desk.assignment import Assignment
    from desk.cases import Cases
    from desk.crm import Crm
    from desk.desk import Desk
    from desk.eligibility import Account
    from desk.facts import Facts
    from desk.feed import Feed
    from desk.keeper import Keeper
    from desk.presence import Agents
    from desk.replies import Outcome, Sender
    from desk.retention import Retention
    from pipeline import roles
    from pipeline.collect import Intake, Supervisor
    from pipeline.config import Config, Source
    from pipeline.ledger import Ledger
    from pipeline.outbox import Dispatcher
    from pipeline.worker import Worker
    from routing.router import Router
    from routing.rules import Rules
    from spikes._quiet import Quiet
    from spikes._target import Target
    from spikes.alerts import Alerts
    from spikes.following import Follower
    from spikes.incidents import Incidents
    from spikes.listener import Listener
    from spikes.playbooks import Playbooks
    from spikes.sending import Fate
    from spikes.sending import Sender as AlertSender
    from spikes.upkeep import Upkeep

WORKERS = ("enrich", "route", "deliver")
"""The roles that carry a mention to where the ledger counts it, in flow order."""

LOOPS = (*WORKERS, "spikes")
"""The roles that are loops over a topic."""

ROLES = ("collect", *LOOPS, "desk")


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
        from desk.cases import Cases
        from desk.hearing import CaseSettings

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
        from desk.desk import Desk

        folder = Path()  # as every path of the configuration
        vias = {source.name: _account(source) for source in self._answering}
        return Desk.from_settings(self.config.file.desk, self.rules.queues, vias, folder=folder)

    @cached_property
    def feed(self) -> Feed:
        """The events of all cases."""
        from desk.feed import Feed

        return Feed(self.database, self.clock)

    @cached_property
    def agents(self) -> Agents:
        """Who works on the desk."""
        from desk.presence import Agents

        return Agents(self.database, self.clock, self.desk)

    @cached_property
    def assignment(self) -> Assignment:
        """What gives work to people."""
        from desk.assignment import Assignment

        return Assignment(self.database, self.clock, self.desk)

    @cached_property
    def keeper(self) -> Keeper:
        """The clocks of cases."""
        from desk.keeper import Keeper

        return Keeper(self.database, self.clock, self.desk, self.feed)

    @cached_property
    def facts(self) -> Facts:
        """What figures are counted from."""
        from desk.facts import Facts

        return Facts(self.database, self.clock, self.desk)

    @cached_property
    def crm(self) -> Crm:
        """What a CRM says of customers; raises ConfigError where its table is not one that can be read."""
        from desk.crm import Crm
        from desk.crm_table import CrmTable

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
        from desk.replies import Sender

        backoffs = {source.name: source.module.Connector.backoff for source in self._answering}
        return {
            via: Sender(self.database, self.clock, self.cases, {via: replier}, {via: backoffs[via]}, told)
            for via, replier in self.repliers().items()
        }

    def retention(self) -> Retention:
        """What removes all that is past its period."""
        from desk.retention import Periods, Retention

        return Retention(self.database, self.clock, Periods(**self.config.file.retention.model_dump()))

    @property
    def _answering(self) -> list[Source]:
        """The enabled sources that may answer."""
        return [source for source in self.config.sources if getattr(source.settings, "reply", None) is not None]

    @cached_property
    def rules(self) -> Rules:
        """The routing rules in force."""
        from routing.rules import load

        return load(self.config.file.routing.rules)

    @cached_property
    def router(self) -> Router:
        """The router over the rules in force."""
        from routing.router import Router

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
        topics = self.config.file.topics
        return dict(zip(LOOPS, (topics.raw, topics.enriched, topics.routed, topics.enriched), strict=True))

    def group(self, role: str) -> str:
        """The consumer group of a role."""
        return f"harken-{self.config.file.topics.prefix}-{role}"

    def check(self) -> None:
        """Raise ConfigError with what only making the parts can show: bad rules, a queue nobody routes to, stages out
        of order."""
        problems: list[Problem] = []
        spikes = (lambda: self.alert_targets, lambda: self.playbooks, lambda: self.quiet_hours)
        for part in (lambda: self.rules, self._enrichment, lambda: self.desk, lambda: self.crm, *spikes):
            try:
                part()
            except ConfigError as error:  # the desk needs the rules too, and would tell of them again
                problems += [problem for problem in error.problems if problem not in problems]
        if problems:
            raise ConfigError(problems)

    def worker(self, role: str, member: str | None = None) -> Worker:
        """The loop of enrich, route, deliver or spikes."""
        from pipeline import roles
        from pipeline.worker import Output, Worker

        topics = self.config.file.topics
        handle: roles.EnrichHandler | roles.RouteHandler | roles.SpikesHandler | roles.DeliverHandler
        if role == "enrich":
            handle, target = roles.EnrichHandler(self._enrichment(), self.clock), topics.enriched
        elif role == "route":
            handle, target = roles.RouteHandler(self.router.route, self.clock), topics.routed
        elif role == "spikes":
            handle, target = self.spikes_handler, ""
        else:
            names = [topic.name for topic in self.topics]
            sinks = [sink.name for sink in self.config.sinks]
            also = self.cases.take_in if self.config.file.desk.cases else None
            handle, target = roles.DeliverHandler(self.store, self.bus, names, sinks, self.clock, also), ""
        output = Output(self.bus.producer(), target) if target else None
        consumer = self.bus.consumer(self.group(role), [self.inputs[role]], member)
        return Worker(role, consumer, handle, output, self.store, self.config.file.worker, self.clock)

    @cached_property
    def listener(self) -> Listener:
        """What counts and watches."""
        from spikes.counts import Counts
        from spikes.listener import Listener
        from spikes.watch import Watch

        spikes = self.config.file.spikes
        counts = Counts(self.database, self.clock, spikes.keep_hours)
        return Listener(self.database, self.clock, counts, Watch(spikes.sensitivity, self.incidents.detected))

    @cached_property
    def spikes_handler(self) -> roles.SpikesHandler:
        """What the role spikes does with a batch; it knows which partitions have more."""
        from pipeline.roles import SpikesHandler

        group, topic = self.group("spikes"), self.inputs["spikes"]
        return SpikesHandler(self.listener.take, lambda: self.bus.lag(group, topic), self.clock)

    @cached_property
    def incidents(self) -> Incidents:
        """The incidents, in the store's database."""
        from spikes.incidents import Incidents

        return Incidents(self.database, self.clock)

    @cached_property
    def alert_targets(self) -> Mapping[str, Target]:
        """Whom alerts may be sent to, by name; raises ConfigError with every problem."""
        from spikes.notify import targets_from

        return targets_from(self.config.file.alerts.targets)

    @cached_property
    def playbooks(self) -> Playbooks:
        """What is done about incidents; raises ConfigError with every problem."""
        from spikes.playbooks import load

        settings = self.config.file.alerts
        brands = [brand.name for brand in self.config.brands]
        return load(settings.playbooks, targets=list(settings.targets), brands=brands)

    @cached_property
    def quiet_hours(self) -> Quiet | None:
        """When only what cannot wait is told; raises ConfigError with every problem."""
        from spikes._quiet import quiet_from

        return quiet_from(self.config.file.alerts.quiet_hours)

    @cached_property
    def alerts(self) -> Alerts:
        """What is to be told of incidents, to whom, and when."""
        from spikes.alerts import Alerts
        from spikes.following import note

        return Alerts(self.database, self.clock, self.playbooks, self.alert_targets, self.quiet_hours, note(self.clock))

    def alert_sender(self, heard: Callable[[str, Fate], None]) -> AlertSender:
        """What sends the alerts that are due; `heard` hears what came of each."""
        from spikes.sending import Sender

        targets, quiet = self.alert_targets, self.quiet_hours
        return Sender(self.database, self.clock, self.alerts, self.playbooks, targets, quiet, heard)

    def follower(self) -> Follower:
        """What lets alerts know of incidents."""
        from spikes.following import Follower

        public = self.config.file.serve.public_url.rstrip("/")
        address = f"{public}/incidents/" if public else ""
        return Follower(self.database, self.clock, self.incidents, self.alerts, lambda id: address and f"{address}{id}")

    def upkeep(self) -> Upkeep:
        """What adds up counts and clears them away."""
        from spikes.upkeep import Upkeep

        spikes = self.config.file.spikes
        return Upkeep(self.database, self.clock, spikes.keep_hours, spikes.history_days)

    def _enrichment(self) -> roles.Enrich:
        from enrich._nlp import build
        from enrich.pipeline import Enrichment

        nlp = build()
        context = StageContext(self.config.brands, nlp)
        stages = [(stage.name, stage.module.Stage(stage.settings, context)) for stage in self.config.stages]
        return Enrichment(stages, nlp)

    def services(self) -> Services:
        """What the API works with."""
        from console.api.oidc import Provider
        from console.api.services import Services
        from desk.accounts import Accounts
        from desk.drafts import Drafts
        from desk.figures import Figures
        from desk.links import Links

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
            incidents=self.incidents,
            public_url=serve.public_url,
            provider=Provider(oidc.issuer, oidc.client_id, oidc.client_secret, serve.public_url) if oidc else None,
        )

    def application(self) -> FastAPI:
        """The application that answers HTTP."""
        from console.api.app import application

        return application(self.services())

    def intake(self, via: str) -> Intake:
        """What takes the pages of the source `via`."""
        from pipeline.collect import Intake
        from pipeline.worker import Output

        output = Output(self.bus.producer(), self.config.file.topics.raw)
        self._closing.append(output.producer.close)
        return Intake(via, output, self.store, self.config.brands, self.clock)

    def supervisor(self, source: Source) -> Supervisor:
        """A configured source under supervision."""
        from pipeline.collect import Supervisor

        connector = source.module.Connector(source.settings, Context(source.name, self.config.brands, self.clock))
        return Supervisor(connector, self.intake(source.name), self.store, self.clock, source.silence_secs)

    def dispatchers(self) -> Iterator[Dispatcher]:
        """One for every sink: they hold each other up in nothing."""
        from pipeline.outbox import Dispatcher

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
        from pipeline.ledger import read_ledger

        return read_ledger(self.store, self.lag, release)

    def close(self) -> None:
        """Free everything, last made first; what fails to close does not keep the rest open."""
        while self._closing:
            with suppress(HarkenError):
                self._closing.pop()()


def _account(source: Source) -> Account | None:
    """The account a source answers from, as far as its settings say: None for one that has no name on a network."""
    from desk.eligibility import Account

    reply = getattr(source.settings, "reply", None)
    handle = getattr(reply, "handle", "")
    if not handle:
        return None
    network = source.module.__name__.rpartition(".")[2]
    return Account(network, id="", handle=handle, tier=getattr(reply, "tier", "self_serve"))
