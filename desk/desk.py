"""What the configuration says about the desk, made ready: the rules of each queue, calendars, macros, our accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from desk import macros
from desk._validated import nearest
from desk.calendar import Calendar, NoOpenHours
from desk.calendar_settings import calendars_from
from desk.eligibility import Account, Powers
from desk.macros import Macros
from desk.policies import Policy, policy_from
from pipeline.errors import ConfigError, Problem

T = TypeVar("T")
Assign = Literal["pull", "push"]
Approval = Literal["draft_only", "always"]


class QueueChoices(Protocol):
    """One queue, as written in the settings."""

    @property
    def service_level(self) -> str | None:
        """The name of its promises."""

    @property
    def assign(self) -> Assign:
        """Whether people take its cases or are given them."""

    @property
    def approval(self) -> Approval:
        """Whose drafts somebody else must approve."""


class DeskChoices(Protocol):
    """The desk, as written in the settings; calendars, promises and macros not yet looked into."""

    @property
    def queues(self) -> Mapping[str, QueueChoices]:
        """By name."""

    @property
    def calendars(self) -> Mapping[str, Any]:
        """By name."""

    @property
    def service_levels(self) -> Mapping[str, Any]:
        """By name."""

    @property
    def macros(self) -> Path | None:
        """A file of macros."""

    @property
    def away_secs(self) -> float:
        """Who was not seen for so long is away."""

    @property
    def lease_secs(self) -> float:
        """How long a claim lasts."""

    @property
    def agent_hour_cost(self) -> float:
        """What an hour of an agent costs."""


@dataclass(frozen=True)
class QueueRules:
    """How one queue is worked. `policy` is None where nothing is promised; `assign` says whether people take its cases
    or are given them; `approval` whose drafts somebody else must approve: of those who may not send, or everybody's."""

    policy: Policy | None = None
    assign: Assign = "pull"
    approval: Approval = "draft_only"


_USUAL = QueueRules()

_REACH = datetime(2100, 1, 1, tzinfo=UTC)
"""A calendar must have the time promised after this too: holidays of files are read up to 2099."""


@dataclass(frozen=True)
class Desk:
    """What the configuration says, made ready. The defaults are those of an empty configuration.

    `queues` has every queue of the routing rules. `away` is how long somebody may be unseen and still be there;
    `term` how long a lease lasts; `hour_cost` what an hour of an agent costs. `vias` are the configured sources that
    may answer, and the account each answers from; None where only its connector knows.
    """

    queues: Mapping[str, QueueRules] = field(default_factory=dict)
    macros: Macros = field(default_factory=Macros)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    away: timedelta = timedelta(seconds=120)
    term: timedelta = timedelta(seconds=300)
    hour_cost: float = 0.0
    vias: Mapping[str, Account | None] = field(default_factory=dict)
    powers: Mapping[str, Powers] = field(default_factory=dict)

    @classmethod
    def from_settings(
        cls,
        settings: DeskChoices,
        queues: Iterable[str],
        vias: Mapping[str, Account | None] | None = None,
        *,
        folder: Path | None = None,
        path: str = "desk",
    ) -> Desk:
        """Make everything ready; `queues` are those that the routing rules name, `folder` is where files of holidays
        are looked for. Raises ConfigError with every problem, its path below `path` and its remedy."""
        problems: list[Problem] = []
        named = tuple(queues)
        none: dict[str, Calendar] = {}
        place = f"{path}.calendars"
        calendars = _made(lambda: calendars_from(settings.calendars, path=place, folder=folder), none, problems)
        # A promise on a calendar that is wrong itself is not wrong twice.
        broken = settings.calendars.keys() - calendars.keys()
        policies: dict[str, Policy | None] = {}
        for name, values in settings.service_levels.items():
            here: list[Problem] = []
            place = f"{path}.service_levels.{name}"
            policies[name] = _made(lambda: policy_from(name, values, calendars, path=place), None, here)  # noqa: B023 - called at once
            problems += [it for it in here if not any(it.message == f"there is no calendar {one!r}" for one in broken)]
        for name, choices in settings.queues.items():
            if name not in named:
                problems.append(Problem(f"{path}.queues.{name}", "there is no such queue", nearest(name, named)))
            level = choices.service_level
            if level is not None and level not in policies:
                place = f"{path}.queues.{name}.service_level"
                problems.append(Problem(place, f"there is no service level {level!r}", nearest(level, policies)))
        problems += _out_of_reach(policies, f"{path}.service_levels")
        file = settings.macros
        answers = _made(lambda: macros.load(file), Macros(), problems) if file else Macros()
        if problems:
            raise ConfigError(problems)
        return cls(
            queues={name: _rules(settings.queues.get(name), policies) for name in named},
            macros=answers,
            calendars=calendars,
            away=timedelta(seconds=settings.away_secs),
            term=timedelta(seconds=settings.lease_secs),
            hour_cost=settings.agent_hour_cost,
            vias=dict(vias or {}),
        )

    def rules(self, queue: str) -> QueueRules:
        """The rules of this queue; those of a queue nobody says anything about where it is not known (any more)."""
        return self.queues.get(queue, _USUAL)

    @property
    def pushed(self) -> tuple[str, ...]:
        """The queues whose cases are given to people."""
        return tuple(name for name, rules in self.queues.items() if rules.assign == "push")

    @property
    def digest(self) -> str:
        """Changes with whatever could change a clock: a promise, a calendar, a holiday, which queue has which."""
        promised = {name: rules.policy for name, rules in sorted(self.queues.items()) if rules.policy}
        written = [[name, *_policy(policy)] for name, policy in promised.items()]
        written += [_calendar(calendar) for _, calendar in sorted(self.calendars.items())]
        return hashlib.sha256(repr(written).encode()).hexdigest()


def _out_of_reach(policies: Mapping[str, Policy | None], path: str) -> Iterable[Problem]:
    """Promises that a calendar with next to no open time never comes to, so that nothing could be due."""
    for name, policy in policies.items():
        last = max(policy.escalate, default=timedelta(0)) if policy else timedelta(0)
        for (clock, _), promise in policy.promises.items() if policy else ():
            try:
                promise.calendar.add(_REACH, promise.span + last)
            except NoOpenHours as error:
                yield Problem(f"{path}.{name}.{clock}", str(error), f"calendars.{promise.calendar.name} is too short")
                break


def _made(make: Callable[[], T], otherwise: T, problems: list[Problem]) -> T:
    try:
        return make()
    except ConfigError as error:
        problems += error.problems
        return otherwise


def _rules(choices: QueueChoices | None, policies: Mapping[str, Policy | None]) -> QueueRules:
    if choices is None:
        return _USUAL
    policy = policies[choices.service_level] if choices.service_level is not None else None
    return QueueRules(policy, choices.assign, choices.approval)


def _policy(policy: Policy) -> list[Any]:
    """Everything in it in one order, which a set does not have."""
    promises = [
        (clock, priority.value, promise.span, promise.calendar.name)
        for (clock, priority), promise in sorted(policy.promises.items())
    ]
    pauses = [sorted(policy.waiting_pauses), sorted(policy.snoozing_pauses)]
    return [promises, *pauses, policy.restart, [str(it) for it in policy.warn], policy.escalate]


def _calendar(calendar: Calendar) -> list[Any]:
    days = [sorted(calendar.holidays.items()), sorted(calendar.yearly.items())]
    return [calendar.name, calendar.timezone.key, calendar.week, *days]
