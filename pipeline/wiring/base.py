"""What every other part is made of: the configuration, the bus, the store, the rules, and the names of things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, HarkenError, Problem
from pipeline.ports import Bus, Clock, Topic
from pipeline.store import Store
from pipeline.store.database import Database

if TYPE_CHECKING:
    from pipeline.config import Config
    from routing.router import Router
    from routing.rules import Rules

WORKERS = ("enrich", "route", "deliver")
"""The roles that carry a mention to where the ledger counts it, in flow order."""

LOOPS = (*WORKERS, "spikes")
"""The roles that are loops over a topic."""

ROLES = ("collect", *LOOPS, "desk")


def problems_of(made: Iterable[Callable[[], object]]) -> list[Problem]:
    """What these find wrong when they are made, each problem once: some are made of the same."""
    found: list[Problem] = []
    for make in made:
        try:
            make()
        except ConfigError as error:
            found += [problem for problem in error.problems if problem not in found]
    return found


class Base:
    """The parts that others need."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = self.configured = config
        self.in_force: Mapping[str, int] = {}
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
    def rules(self) -> Rules:
        """The routing rules in force."""
        from routing.documents import parsed
        from routing.rules import load, parse

        text = self.config.texts.get("rules")
        return load(self.config.file.routing.rules) if text is None else parse(parsed(text, "rules"))

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

    def close(self) -> None:
        """Free everything, last made first; what fails to close does not keep the rest open."""
        while self._closing:
            with suppress(HarkenError):
                self._closing.pop()()
