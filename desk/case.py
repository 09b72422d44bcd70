"""A case: what one author says in one conversation, as it follows from what happened. Pure.

new ──claim──▶ claimed ──answer──▶ replied, waiting ──customer──▶ claimed or new
 ▲                │                                                    │
 └──release───────┴──▶ snoozed ──wake──▶          resolved ◀───────────┘ ──reopen──▶ reopened
                                                  withdrawn: nothing is left to answer
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from desk import events
from desk.events import Event
from pipeline.mention import Moment, Priority


class State(StrEnum):
    """What a case waits for."""

    NEW = "new"
    CLAIMED = "claimed"
    WAITING = "waiting"
    SNOOZED = "snoozed"
    REPLIED = "replied"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"


class Standing(IntEnum):
    """What a queue is sorted by first: whether anybody may take it now."""

    READY = 0
    HELD = 1
    RESTING = 2
    CLOSED = 3


CLOSED = frozenset({State.RESOLVED, State.WITHDRAWN})
_RESTING = frozenset({State.WAITING, State.SNOOZED, State.REPLIED})


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case as it stands after `version` events.

    `author` is `source:author_id`. `routed_queue` is where the rule sent it. `mentions` counts what is left of what
    was said. `due` is when the next answer is due by the rules (None: none is, or it was given). `owner`, `token` and
    `until` are the lease on its author; `token` stays when the lease ends; `returned_by` is who let it run out, or gave
    it back, and nobody has had it since. `lead` is the case of its wave that is worked in its stead: until that is done
    with, its author says more, or somebody turns to this very case, it rests; `alone` says that it was worked so once
    and is no longer. `pending` are the keys of answers on their way, `asks` says that the last of them asks the
    customer for something. Moments of the customer are theirs (`since`, `last_said_at`), the others ours.
    """

    id: str
    author: str
    conversation: str
    queue: str
    routed_queue: str
    state: State
    priority: Priority
    opened_at: Moment
    since: Moment
    last_said_at: Moment
    brand: str | None = None
    rule: str = ""
    rules_version: str = ""
    language: str = ""
    topic: str = ""
    family: str | None = None
    lead: str | None = None
    alone: bool = False
    mentions: int = 1
    due: Moment | None = None
    owner: str | None = None
    token: int = 0
    until: Moment | None = None
    returned_by: str | None = None
    tags: tuple[str, ...] = ()
    watchers: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    asks: bool = False
    answers: int = 0
    reopenings: int = 0
    escalated: bool = False
    wakes_at: Moment | None = None
    answered_at: Moment | None = None
    closed_at: Moment | None = None
    version: int = 1

    @property
    def open(self) -> bool:
        """Whether anything may still have to be done."""
        return self.state not in CLOSED

    @property
    def standing(self) -> Standing:
        """Whether anybody may take it, somebody has it, it rests, or it is closed."""
        if self.state in CLOSED:
            return Standing.CLOSED
        if self.state in _RESTING or (self.lead and self.owner is None):
            return Standing.RESTING
        return Standing.READY if self.owner is None else Standing.HELD

    @property
    def done_at(self) -> datetime | None:
        """When it was answered or resolved; None while it is a person's turn, and where nothing was left to answer."""
        if self.state is State.RESOLVED:
            return self.closed_at
        return self.answered_at if self.state in (State.REPLIED, State.WAITING) else None

    @property
    def untouched(self) -> bool:
        """Whether no person has had to do with it: the rules may still change their mind."""
        return self.state is State.NEW and self.owner is None and self.token == 0 and not self.answers


def opened(id: str, event: events.Opened) -> Case:
    """A case at its first event."""
    return Case(
        id=id,
        author=event.author,
        conversation=event.conversation,
        brand=event.brand,
        queue=event.queue,
        routed_queue=event.queue,
        state=State.NEW,
        priority=event.priority,
        rule=event.rule,
        rules_version=event.rules_version,
        language=event.language,
        topic=event.topic,
        family=event.family,
        lead=event.lead,
        due=event.due,
        opened_at=event.at,
        since=event.created_at,
        last_said_at=event.created_at,
    )


def fold(id: str, history: Iterable[Event]) -> Case:
    """The case that follows from its events, oldest first; the first is Opened."""
    case: Case | None = None
    for event in history:
        if case is not None:
            case = apply(case, event)
        elif isinstance(event, events.Opened):
            case = opened(id, event)
        else:
            raise ValueError(f"case {id} begins with {event.kind}")
    if case is None:
        raise ValueError(f"case {id} has no events")
    return case


def apply(case: Case, event: Event) -> Case:
    """The case after one more event. It checks nothing: whoever records an event has."""
    case = replace(case, version=case.version + 1)
    match event:
        case events.MentionAdded():
            return _heard(case, event)
        case events.CustomerReplied():
            return _at_work(_heard(case, event))
        case events.MentionRemoved():
            return replace(case, mentions=max(0, case.mentions - 1))
        case events.Withdrawn():
            return _closed(case, State.WITHDRAWN, event.at)
        case events.Resolved():
            return _closed(case, State.RESOLVED, event.at)
        case events.Reopened():
            more = case.reopenings + 1
            return _at_work(replace(_alone(case), closed_at=None, reopenings=more, wakes_at=None))
        case events.FamilyJoined():
            return replace(case, family=event.family, lead=event.lead or case.lead)
        case events.Freed():
            return replace(case, lead=None) if event.leads else _alone(case)
        case events.Claimed() | events.TakenOver():
            return _led(case, event.owner, event.until, token=event.token)
        case events.LeaseExtended():
            return replace(case, until=event.until)
        case events.LeaseExpired() | events.Released():
            return replace(_led(case, None, None), returned_by=case.owner)
        case events.Transferred():
            if event.rule:
                case = replace(case, routed_queue=event.queue, rule=event.rule, rules_version=event.rules_version)
            return _at_work(replace(_alone(case), queue=event.queue, owner=None, until=None, returned_by=None))
        case events.Watched():
            others = tuple(user for user in case.watchers if user != event.user)
            return replace(case, watchers=others if event.stop else (*others, event.user))
        case events.Escalated():
            return replace(case, escalated=True)
        case events.Tagged():
            return replace(case, tags=tuple(sorted((set(case.tags) | set(event.add)) - set(event.remove))))
        case events.PriorityChanged():
            raised = event.priority.rank < case.priority.rank
            return replace(_alone(case) if raised else case, priority=event.priority)
        case events.Snoozed():
            return replace(case, state=State.SNOOZED, wakes_at=event.until)
        case events.Woken():
            return _at_work(case)
        case events.ReplyQueued():
            return replace(case, pending=(*case.pending, event.key), asks=event.awaiting)
        case events.ReplyFailed():
            return replace(case, pending=_without(case.pending, event.key))
        case events.ReplySent():
            case = replace(case, pending=_without(case.pending, event.key))
            return _answered(case, event.at, State.WAITING if event.awaiting else State.REPLIED)
        case events.AnsweredNatively():
            return _answered(case, event.at, State.REPLIED)
        case _:  # Noted, Asked, LabelCorrected, Warned, drafts: told, and nothing follows; Opened comes once
            return case


def _heard(case: Case, event: events.MentionAdded | events.CustomerReplied) -> Case:
    return replace(
        case,
        mentions=case.mentions + 1,
        priority=min(case.priority, event.priority, key=lambda it: it.rank),
        due=min((due for due in (case.due, event.due) if due), default=None),
        last_said_at=max(case.last_said_at, event.created_at),
    )


def _alone(case: Case) -> Case:
    """By itself from now on, if it was worked through another."""
    return replace(case, lead=None, alone=True) if case.lead else case


def _at_work(case: Case) -> Case:
    """In the state of a case that a person must look at."""
    resting = State.REOPENED if case.reopenings else State.NEW
    return replace(case, state=resting if case.owner is None else State.CLAIMED, wakes_at=None)


def _led(case: Case, owner: str | None, until: datetime | None, token: int | None = None) -> Case:
    case = replace(case, owner=owner, until=until, token=case.token if token is None else token, returned_by=None)
    return case if case.state in _RESTING or not case.open else _at_work(case)


def _answered(case: Case, at: datetime, state: State) -> Case:
    case = replace(_alone(case), answers=case.answers + 1, answered_at=case.answered_at or at, due=None)
    return replace(case, state=state, wakes_at=None) if case.open else case


def _closed(case: Case, state: State, at: datetime) -> Case:
    return replace(case, state=state, closed_at=at, owner=None, until=None, wakes_at=None, due=None)


def _without(keys: tuple[str, ...], key: str) -> tuple[str, ...]:
    return tuple(it for it in keys if it != key)
