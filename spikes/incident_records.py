"""An incident: what follows from what the watch saw (its detections) and from what was done about it (its events).

Both are pure here: `extent` is the same for detections in whatever order they came, and `after` is the whole state
machine. Event time is when things were said; `at` of an event is when it was done, by our clock.

    open -> acknowledged -> statement_out -> calming -> closed, and from calming or closed back: reopened
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pipeline.mention import Moment
from spikes.detection import Detection, Evidence, Kind, Severity

Group = Literal["storm", "praise", "silence"]
"""What may be one incident: trouble of every kind; praise; silence."""


class State(StrEnum):
    """Where the work on an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    STATEMENT_OUT = "statement_out"
    CALMING = "calming"
    CLOSED = "closed"
    REOPENED = "reopened"


def group_of(kind: Kind) -> Group:
    """The group of a kind."""
    if kind is Kind.SILENCE:
        return "silence"
    return "praise" if kind is Kind.PRAISE else "storm"


# ------------------------------------------------------------------------------ events


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag=_kind):
    """`actor` is `user:ID` or `system:WHAT`; `text` is what a person wrote, kept in a column of its own."""

    at: Moment
    actor: str
    text: str = ""

    @property
    def kind(self) -> str:
        """Its name on disk: `statement_out`."""
        return str(type(self).__struct_config__.tag)


class Opened(_Event, frozen=True):
    """The watch saw something that belongs to no incident of late; it was this severe."""

    severity: Severity = Severity.MINOR


class Grew(_Event, frozen=True):
    """It turned out to be of another kind, or to matter more."""

    now: Kind
    severity: Severity


class Acknowledged(_Event, frozen=True):
    """Somebody sees to it."""


class StatementOut(_Event, frozen=True):
    """The brand has spoken: `text` is what it said, `url` where. `draft`: the approved answer with these words is sent
    to each of its cases that follow one."""

    url: str = ""
    draft: str = ""


class AnswersStopped(_Event, frozen=True):
    """The statement is sent to no more of its cases."""


class FamilyLed(_Event, frozen=True):
    """Its cases follow this one, also those that come later."""

    lead: str


class FamilyJoined(_Event, frozen=True):
    """So many more cases follow."""

    joined: int


class PromiseMissed(_Event, frozen=True):
    """What the playbook promises was not done by then."""

    promise: str
    due: Moment


class Calming(_Event, frozen=True):
    """It is getting less."""


class Flared(_Event, frozen=True):
    """It was calming, and is not any more."""


class Closed(_Event, frozen=True):
    """It is over. `upto`: what had been seen by then, in event time. `into`: it turned out to be part of this other
    incident."""

    upto: Moment
    into: str = ""


class Reopened(_Event, frozen=True):
    """It was over, and is not any more: somebody must acknowledge it anew."""


class Noted(_Event, frozen=True):
    """A line in the timeline."""


class SplitOff(_Event, frozen=True):
    """What is said on this topic is another matter: it is that incident from now on."""

    topic: str
    into: str


Event = (
    Opened
    | Grew
    | Acknowledged
    | StatementOut
    | AnswersStopped
    | FamilyLed
    | FamilyJoined
    | PromiseMissed
    | Calming
    | Flared
    | Closed
    | Reopened
    | Noted
    | SplitOff
)
"""Everything that can happen to an incident."""

read_event = msgspec.json.Decoder(Event).decode
"""The `body` of a row of `incident_events`, without its text."""


class Work(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was done about an incident: what follows from its events, of which `version` is the number of the last.

    `closed_upto` is the last event time that was known when it was closed. `lead` is the case that its cases follow,
    `answer` the draft that is being sent to each of them, as `answer_by` chose, `answered` the last that was.
    `due_from` is since when somebody has to see to it: since it was opened, or opened again; `severe_at` when it became
    minor, major, critical; `missed` are the promises that were not kept since.
    """

    state: State = State.OPEN
    version: int = 0
    opened_at: Moment | None = None
    acknowledged_at: Moment | None = None
    acknowledged_by: str = ""
    statement_at: Moment | None = None
    calm_at: Moment | None = None
    closed_at: Moment | None = None
    closed_by: str = ""
    closed_upto: Moment | None = None
    reopenings: int = 0
    into: str = ""
    split_off: tuple[str, ...] = ()
    lead: str = ""
    answer: str = ""
    answer_by: str = ""
    answered: str = ""
    due_from: Moment | None = None
    severe_at: tuple[Moment, ...] = ()
    missed: tuple[str, ...] = ()


def after(work: Work, event: Event) -> Work:
    """The work once this has happened to it."""
    work = replace(work, version=work.version + 1)
    match event:
        case Opened():
            return _severe(replace(work, opened_at=event.at, due_from=event.at), event.severity, event.at)
        case Acknowledged():
            state = State.CALMING if work.state is State.CALMING else State.ACKNOWLEDGED
            return replace(work, state=state, acknowledged_at=event.at, acknowledged_by=event.actor)
        case StatementOut():
            if not work.acknowledged_by:
                work = replace(work, acknowledged_at=event.at, acknowledged_by=event.actor)
            if event.draft:
                work = replace(work, answer=event.draft, answer_by=event.actor, answered=event.draft)
            return replace(work, state=State.STATEMENT_OUT, statement_at=work.statement_at or event.at)
        case AnswersStopped():
            return replace(work, answer="", answer_by="")
        case FamilyLed():
            return replace(work, lead=event.lead)
        case PromiseMissed():
            return replace(work, missed=(*work.missed, event.promise))
        case Calming():
            return replace(work, state=State.CALMING, calm_at=event.at)
        case Flared():
            return replace(work, state=_before_calm(work), calm_at=None)
        case Closed():
            how = {"closed_at": event.at, "closed_by": event.actor, "closed_upto": event.upto, "into": event.into}
            return replace(work, state=State.CLOSED, answer="", answer_by="", **how)
        case Reopened():
            fresh = {"acknowledged_at": None, "acknowledged_by": "", "statement_at": None, "calm_at": None}
            gone = {"closed_at": None, "closed_by": "", "closed_upto": None, "into": ""}
            work = replace(work, due_from=event.at, missed=())
            return replace(work, state=State.REOPENED, reopenings=work.reopenings + 1, **fresh, **gone)
        case SplitOff():
            return replace(work, split_off=tuple(sorted({*work.split_off, event.topic})))
        case Grew():
            return _severe(work, event.severity, event.at)
        case FamilyJoined() | Noted():
            return work


def fold(events: Iterable[Event]) -> Work:
    """The work after these, from the first."""
    work = Work()
    for event in events:
        work = after(work, event)
    return work


def _severe(work: Work, severity: Severity, at: datetime) -> Work:
    reached = severity.rank + 1 - len(work.severe_at)
    return replace(work, severe_at=(*work.severe_at, *[at] * reached)) if reached > 0 else work


def _before_calm(work: Work) -> State:
    if work.statement_at:
        return State.STATEMENT_OUT
    if work.acknowledged_by:
        return State.ACKNOWLEDGED
    return State.REOPENED if work.reopenings else State.OPEN


# -------------------------------------------------------------------------- detections


class Extent(Struct, frozen=True, kw_only=True):
    """How far it goes: what follows from its detections. `seen` are the series, as `facet=value`; `peak` is the most
    that was counted in one window above what is usual, which ended at `peak_at`."""

    kind: Kind
    severity: Severity
    score: float
    onset: Moment
    first_at: Moment
    last_at: Moment
    peak_at: Moment
    peak: Evidence
    seen: tuple[str, ...]


def extent(detections: Iterable[Detection]) -> Extent:
    """Of all these, of which there is at least one; their order does not matter."""
    found: Extent | None = None
    for it in detections:
        found = alone(it) if found is None else joined(found, alone(it))
    assert found is not None, "an incident has a detection"  # noqa: S101 - by its making
    return found


def alone(it: Detection) -> Extent:
    """Of one."""
    return Extent(
        kind=it.kind,
        severity=it.severity,
        score=it.score,
        onset=it.onset,
        first_at=it.at,
        last_at=it.at,
        peak_at=it.at,
        peak=it.evidence,
        seen=(it.key.facet if it.key.facet == "all" else f"{it.key.facet}={it.key.value}",),
    )


def joined(one: Extent, other: Extent) -> Extent:
    """Of both together; the same whichever comes first."""
    highest = max(one, other, key=_height)
    return Extent(
        kind=max(one.kind, other.kind, key=lambda kind: kind.rank),
        severity=max(one.severity, other.severity, key=lambda severity: severity.rank),
        score=max(one.score, other.score),
        onset=min(one.onset, other.onset),
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
        peak_at=highest.peak_at,
        peak=highest.peak,
        seen=tuple(sorted({*one.seen, *other.seen})),
    )


def _height(it: Extent) -> tuple[float, ...]:
    peak = it.peak
    surplus = (peak.negative_authors or peak.authors) - peak.expected
    counted = (peak.negative_authors, peak.authors, peak.mentions, peak.negative, peak.reposts, peak.reach)
    rest = (peak.suspicious, -peak.expected, -peak.rare_per_week, -peak.minutes)
    return (surplus, *counted, *rest, -it.peak_at.timestamp())


# ---------------------------------------------------------------------------- together


class Incident(Struct, frozen=True, kw_only=True):
    """One incident as it stands. `topic` is set where it was split off from another. `strand` is what it is the
    `number`th of, in event time: its id is a digest of both, so that the same day gives the same ids in whatever order
    it arrives."""

    id: str
    strand: str
    number: int
    brand: str
    group: Group
    topic: str | None
    extent: Extent
    work: Work

    @property
    def kind(self) -> Kind:
        """What it looks like."""
        return self.extent.kind

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.extent.severity

    @property
    def state(self) -> State:
        """Where the work on it stands."""
        return self.work.state

    @property
    def version(self) -> int:
        """To be given back with a change, so that two people do not undo each other's."""
        return self.work.version

    @property
    def overdue(self) -> tuple[str, ...]:
        """What was promised, not done in time, and is not done yet."""
        done = {"acknowledge": self.work.acknowledged_at, "statement": self.work.statement_at}
        return tuple(name for name in self.work.missed if done.get(name) is None)

    @property
    def live(self) -> bool:
        """Whether it is not closed."""
        return self.work.state is not State.CLOSED


class Happening(NamedTuple):
    """One event of the timeline, with its number in its incident."""

    number: int
    event: Event


class IncidentPage(NamedTuple):
    """Some incidents, and the word with which to ask for the next page; None on the last."""

    incidents: tuple[Incident, ...]
    next: str | None


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents; what is None does not matter. Those that turned out to be part of another are left out, unless
    `absorbed`."""

    brand: str | None = None
    kind: Kind | None = None
    states: tuple[State, ...] = ()
    live: bool | None = None
    since: datetime | None = None
    absorbed: bool = False
