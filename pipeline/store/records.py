"""What goes into the store and comes out of it, besides the shapes of `pipeline.mention`. Times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from pipeline.mention import Routed
from pipeline.ports import Delivery

LetterState = Literal["dead", "retried", "revived", "discarded"]
"""dead: waits for a person. retried: back on the bus, its outcome is due. revived: an unreadable item that a later
version read; the mentions in it stand for it. discarded: a person wants it no more; it counts as filtered."""


class Taken(NamedTuple):
    """One mention that collect took in; `digest` is short and changes when the content does."""

    id: str
    source: str
    digest: str
    created_at: datetime


@dataclass(frozen=True)
class DeadLetter:
    """One item that could not be handled, with all that is needed to understand it and to try again.

    `id` is the same when the same bytes die in the same place again. `intake_id` is the mention's id or, for an item
    nobody could read, an id of its own. `place` says where it stood (`line 17`, `mentions.raw[2]@1041`). `author`
    (`source:author_id`) and `created_at` are given where the bytes could be read that far: only then does the removal
    of an account reach the letter. `state`, `attempts` (how often it died) and `note` are the store's.
    """

    id: str
    intake_id: str
    source: str
    via: str
    role: str
    stage: str
    place: str
    reason: str
    payload: bytes
    died_at: datetime
    author: str | None = None
    created_at: datetime | None = None
    state: LetterState = "dead"
    attempts: int = 1
    note: str = ""


class Fault(NamedTuple):
    """Why so many dead letters wait: where they died and of what, and when the newest did."""

    role: str
    stage: str
    reason: str
    newest: datetime
    letters: int


class Withdrawn(NamedTuple):
    """A mention that was removed: its text may still stand on the topics under the key `conversation` (empty where
    it is not known; then the mention comes by `deliver` once more and is withdrawn with its key)."""

    id: str
    conversation: str


class Delivered(NamedTuple):
    """What one `deliver` did. `unchanged` were there already; `withdrawn` must now be purged from the topics."""

    queued: int
    filtered: int
    unchanged: int
    enqueued: int
    withdrawn: tuple[Withdrawn, ...]


@dataclass(frozen=True)
class Parcel:
    """One outbox row that was claimed for sending; this is attempt number `attempt`, 1 the first."""

    delivery: Delivery
    attempt: int


@dataclass(frozen=True)
class Backlog:
    """What a sink has yet to get: how many rows, since when the oldest waits, and how many it refused for good."""

    pending: int
    oldest: datetime | None
    refused: int


@dataclass(frozen=True)
class Refusal:
    """One delivery that a sink refused for good, and what it said."""

    sink: str
    mention_id: str
    kind: Literal["routed", "removal"]
    last_error: str
    enqueued_at: datetime


@dataclass(frozen=True)
class QueueSummary:
    """How a queue stands: what waits, by priority rank, and the most urgent first response."""

    name: str
    waiting: int
    by_rank: tuple[int, int, int, int]
    first_due: datetime | None


@dataclass(frozen=True)
class RecordedGap:
    """A stretch of a source's time that was not heard."""

    id: str
    via: str
    since: datetime
    until: datetime
    reason: str
    note: str
    recorded_at: datetime
    repaired_at: datetime | None


@dataclass(frozen=True)
class SourceStatus:
    """When a source last saved its place, brought something, and gave any sign of life."""

    via: str
    saved_at: datetime
    last_item_at: datetime | None
    last_heard_at: datetime | None


@dataclass(frozen=True)
class Worker:
    """One process at work, as it last said."""

    member: str
    role: str
    started_at: datetime
    beat_at: datetime
    handled: int
    rate: float


@dataclass(frozen=True)
class Arrival:
    """The intake row of one id."""

    id: str
    source: str
    via: str
    taken_at: datetime
    created_at: datetime


@dataclass(frozen=True)
class Tombstone:
    """What was taken back at the source, when that was noticed and when it was done here."""

    target: str
    source: str
    reason: str
    noticed_at: datetime
    applied_at: datetime


@dataclass(frozen=True)
class Dispatch:
    """What the outbox knows about one delivery of one mention to one sink."""

    sink: str
    kind: Literal["routed", "removal"]
    state: Literal["pending", "sent", "refused"]
    attempts: int
    enqueued_at: datetime
    sent_at: datetime | None
    next_attempt_at: datetime
    last_error: str


@dataclass(frozen=True)
class Story:
    """All the store knows about one id; a field is None or empty where there is nothing."""

    arrival: Arrival | None
    routed: Routed | None
    stored_at: datetime | None
    removed_at: datetime | None
    tombstone: Tombstone | None
    letters: tuple[DeadLetter, ...]
    dispatches: tuple[Dispatch, ...]
