"""A desk with its configuration: what a test writes is what an administrator writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from desk.assignment import Assignment
from desk.desk import Desk
from desk.feed import Feed
from desk.hearing import CaseSettings
from desk.keeper import Keeper, Told
from desk.presence import Agent, Agents
from pipeline.clock import ManualClock
from pipeline.config import DeskSettings
from pipeline.store import Store
from tests.desk.build import Room
from tests.desk.staff import accounts_of, person

OFFICE: dict[str, Any] = {"timezone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-17:00"]}}
QUEUES = ("service", "marketing", "press")


def desk_of(**settings: Any) -> Desk:
    return Desk.from_settings(DeskSettings.model_validate(settings), QUEUES)


class Shop(Room):
    """Cases with their clocks, agents and assignment, as the role desk has them."""

    def __init__(self, store: Store, clock: ManualClock, **settings: Any) -> None:
        super().__init__(store, clock, CaseSettings())
        self.clock = clock
        self.accounts = accounts_of(store, clock)
        self.configure(**settings)

    def configure(self, **settings: Any) -> None:
        """Start again with other settings."""
        database = self.store._db
        self.desk = desk_of(**settings)
        self.keeper = Keeper(database, self.clock, self.desk, Feed(database, self.clock))
        self.agents = Agents(database, self.clock, self.desk)
        self.assignment = Assignment(database, self.clock, self.desk)
        self.keeper.take_charge()

    def keep(self) -> list[Told]:
        """Let the keeper do everything there is to do now."""
        told: list[Told] = []
        for _ in range(20):
            more = self.keeper.refresh() + self.keeper.follow()
            news = self.keeper.fire()
            told += news
            if not more and not news:
                return told
        raise AssertionError("the keeper finds no end")

    def hire(self, name: str, *, there: bool = True, role: str = "agent", **changes: Any) -> Agent:
        """Somebody with an account, set up, and available."""
        user = person(self.accounts, name, role).actor
        agent = self.agents.set(user, "user:lead", **changes)
        return self.agents.present(user, "available") if there else agent

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
