"""Makes concrete objects out of the configuration; nobody else names an adapter. Each part is made when first asked
for, and its module imported then, so that a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError
from pipeline.ports import Context, Sink, StageContext
from pipeline.wiring.base import LOOPS as LOOPS
from pipeline.wiring.base import ROLES as ROLES
from pipeline.wiring.base import WORKERS as WORKERS
from pipeline.wiring.base import problems_of
from pipeline.wiring.desk import DeskParts
from pipeline.wiring.documents import DocumentParts
from pipeline.wiring.spikes import SpikeParts

if TYPE_CHECKING:
    from fastapi import FastAPI

    from console.api.services import Services
    from pipeline import roles
    from pipeline.collect import Intake, Supervisor
    from pipeline.config import Source
    from pipeline.ledger import Ledger
    from pipeline.outbox import Dispatcher
    from pipeline.recheck import Rechecking
    from pipeline.wiring.relevance import Terms
    from pipeline.worker import Worker
    from spikes.answering import Answering


class Parts(DeskParts, SpikeParts, DocumentParts):
    """The objects of one process."""

    def check(self) -> None:
        """Raise ConfigError with what only making the parts can show: bad rules, a queue nobody routes to, stages out
        of order."""
        others = (self._enrichment, lambda: self.crm, lambda: self.alert_targets, lambda: self.quiet_hours)
        if problems := [*self.problems(), *problems_of(others)]:
            raise ConfigError(problems)

    def statements(self) -> Answering:
        """What sends one approved statement to the cases of an incident."""
        from spikes.answering import Answering

        return Answering(self.database, self.clock, self.incidents, self.desk, self.playbooks)

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

    def _enrichment(self) -> roles.Enrich:
        from enrich._nlp import build
        from enrich.pipeline import Enrichment

        nlp = build()
        context = StageContext(self.config.brands, nlp)
        stages = [(stage.name, stage.module.Stage(stage.settings, context)) for stage in self.config.stages]
        return Enrichment(stages, nlp)

    @cached_property
    def terms(self) -> Terms:
        """What brands are listened for by, and what other terms would have found."""
        from pipeline.wiring.relevance import Terms

        return Terms(self.database, self.store, self.clock, self.config.brands, self.config.sources)

    def services(self) -> Services:
        """What the API works with."""
        from console.api.oidc import Provider
        from console.api.services import Services
        from pipeline.wiring.flow import Flow

        serve = self.config.file.serve
        oidc = serve.oidc
        return Services(
            database=self.database,
            store=self.store,
            clock=self.clock,
            accounts=self.accounts,
            cases=self.cases,
            feed=self.feed,
            desk=self.desk,
            drafts=self.drafts,
            agents=self.agents,
            keeper=self.keeper,
            figures=self.figures,
            links=self.links,
            incidents=self.incidents,
            documents=self.documents,
            operations=Flow(self),
            listening=self.terms,
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

    def rechecking(self, source: Source) -> Rechecking | None:
        """What checks the stored mentions of a configured source again; None where its connector cannot, or it is
        switched off."""
        from pipeline.recheck import Rechecking

        if not hasattr(source.module, "Rechecker") or not source.recheck.per_hour:
            return None
        rechecker = source.module.Rechecker(source.settings, Context(source.name, self.config.brands, self.clock))
        backoff = source.module.Connector.backoff
        return Rechecking(rechecker, self.intake(source.name), self.store, self.clock, backoff, source.recheck)

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
