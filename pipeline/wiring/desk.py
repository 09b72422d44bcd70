"""The parts of the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pipeline.ports import Actor, Context, Replier
from pipeline.wiring.base import Base
from pipeline.wiring.documents import macros_of

if TYPE_CHECKING:
    from desk.accounts import Accounts
    from desk.assignment import Assignment
    from desk.cases import Cases
    from desk.crm import Crm
    from desk.deeds import Deeds, Doer
    from desk.desk import Desk
    from desk.drafts import Drafts
    from desk.eligibility import Account, Powers
    from desk.facts import Facts
    from desk.feed import Feed
    from desk.figures import Figures
    from desk.keeper import Keeper
    from desk.links import Links
    from desk.presence import Agents
    from desk.replies import Outcome, Sender
    from desk.retention import Retention
    from pipeline.config import Source


class DeskParts(Base):
    """What people at the desk work with, and what the desk does by itself."""

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
        powers = {source.name: _powers(source) for source in self._answering}
        settings, saved = self.config.file.desk, macros_of(self.config)
        if saved is None:
            return replace(Desk.from_settings(settings, self.rules.queues, vias, folder=folder), powers=powers)
        alone = settings.model_copy(update={"macros": None})
        made = Desk.from_settings(alone, self.rules.queues, vias, folder=folder)
        return replace(made, macros=saved, powers=powers)

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

    @cached_property
    def deeds(self) -> Deeds:
        """What is done with mentions besides answering them."""
        from desk.deeds import Deeds

        return Deeds(self.database, self.clock, self.desk)

    def doers(self) -> dict[str, Doer]:
        """What does it, for each source that can."""
        from desk.deeds import KINDS, Doer

        able = [source for source in self._answering if _powers(source).actions & set(KINDS)]
        repliers = self.repliers()
        return {
            source.name: Doer(
                self.database,
                self.clock,
                source.name,
                cast(Actor, repliers[source.name]),
                source.module.Connector.backoff,
            )
            for source in able
        }

    def retention(self) -> Retention:
        """What removes all that is past its period."""
        from desk.retention import Periods, Retention

        return Retention(self.database, self.clock, Periods(**self.config.file.retention.model_dump()))

    @cached_property
    def accounts(self) -> Accounts:
        """People, their rights, and the audit log."""
        from desk.accounts import Accounts

        return Accounts(self.database, self.clock)

    @cached_property
    def drafts(self) -> Drafts:
        """The answers; what can be sent is known where the configuration was loaded with its sources."""
        from desk.drafts import Drafts

        return Drafts(self.database, self.clock, self.cases, self.desk)

    @cached_property
    def figures(self) -> Figures:
        """How the desk does."""
        from desk.figures import Figures

        return Figures(self.database, self.clock, self.config.file.desk.agent_hour_cost)

    @cached_property
    def links(self) -> Links:
        """Who has several accounts."""
        from desk.links import Links

        return Links(self.database, self.clock)

    @property
    def _answering(self) -> list[Source]:
        """The enabled sources that may answer."""
        return [source for source in self.config.sources if getattr(source.settings, "reply", None) is not None]


def _powers(source: Source) -> Powers:
    """What can be done through a source besides answering in public."""
    from desk.eligibility import Powers

    replier = source.module.Replier
    actions, once = (frozenset(getattr(replier, name, ())) for name in ("actions", "once"))
    return Powers(actions, replier.pictures, once)


def _account(source: Source) -> Account | None:
    """The account a source answers from, as far as its settings say: None for one that has no name on a network."""
    from desk.eligibility import Account

    reply = getattr(source.settings, "reply", None)
    handle = getattr(reply, "handle", "")
    if not handle:
        return None
    network = source.module.__name__.rpartition(".")[2]
    return Account(network, id="", handle=handle, tier=getattr(reply, "tier", "self_serve"))
