"""What the desk's questions about cases are answered with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from desk.case import Case, State
from desk.dossier import Lease
from desk.events import Event
from pipeline.mention import Priority, Routed


class Held(NamedTuple):
    """A case as it stands for the one who has just taken it, and their lease on its author."""

    case: Case
    lease: Lease


class Happening(NamedTuple):
    """One event with its place in the log (`seq`, over all cases) and in its case (`number`, from 1)."""

    seq: int
    case: str
    number: int
    event: Event


@dataclass(frozen=True)
class CaseFilter:
    """Which cases; what is None does not matter. `due_before` finds what is, or soon will be, late."""

    queue: str | None = None
    states: tuple[State, ...] = ()
    owner: str | None = None
    author: str | None = None
    brand: str | None = None
    family: str | None = None
    lead: str | None = None
    tag: str | None = None
    priority: Priority | None = None
    due_before: datetime | None = None
    open: bool | None = None


Order = Literal["urgency", "newest", "oldest"]
"""urgency: in one queue, what is ready first, then what is held, rests, is closed; in each by priority, due, age."""


class CasePage(NamedTuple):
    """Some cases, and the word with which to ask for the next page; None on the last."""

    cases: tuple[Case, ...]
    next: str | None


class Family(NamedTuple):
    """A wave: the case through which it is worked, how many follow it, and some of these, oldest first."""

    lead: Case
    copies: int
    page: CasePage


class Said(NamedTuple):
    """One mention of a case: `part` is said, dropped (taken back or filtered) or answer (ours). `routed` is None where
    it is not kept."""

    mention: str
    part: str
    said_at: datetime
    routed: Routed | None


class Correction(NamedTuple):
    """The rules sent a case to the wrong queue, as a person says, with the record as it was routed."""

    case: str
    at: datetime
    actor: str
    routed_queue: str
    right_queue: str
    rule: str
    rules_version: str
    reason: str
    routed: Routed | None


class Confusion(NamedTuple):
    """How many cases the rules sent to `routed_queue` that belonged into `right_queue`."""

    routed_queue: str
    right_queue: str
    cases: int


@dataclass(frozen=True)
class Load:
    """How a queue stands: open cases by standing, the ready ones by priority rank, and what is due first of these."""

    queue: str
    ready: int
    held: int
    resting: int
    ready_by_rank: tuple[int, int, int, int]
    first_due: datetime | None
