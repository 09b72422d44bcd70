"""What the API of work answers with. Everything is bounded, every time is in UTC, every user is an id with a name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from desk.case import State
from desk.drafting import DraftState
from pipeline.mention import Kind, Priority

T = TypeVar("T")


class Told(BaseModel):
    """Part of an answer; read from an object's attributes of the same names."""

    model_config = ConfigDict(from_attributes=True)


class Page(Told, Generic[T]):
    """Some of a list, and the word with which to ask for what follows (`after`); null on the last page."""

    items: list[T]
    next: str | None = None


class Person(Told):
    """A user by id and the name they sign in with; what the system did has an id with `system:` before it."""

    id: str
    name: str


# --------------------------------------------------------------------------------- cases


class CaseOut(Told):
    """A case as it stands. `standing` says whether anybody may take it (ready), somebody has it (held), it rests, or
    it is closed. `author` is a customer's id. `pending` counts answers on their way; `lead` is the case of its wave
    that is worked in its stead."""

    id: str
    author: str
    conversation: str
    brand: str | None
    queue: str
    routed_queue: str
    state: State
    standing: Annotated[str, Field(pattern="^(ready|held|resting|closed)$")]
    priority: Priority
    opened_at: datetime
    since: datetime
    last_said_at: datetime
    language: str
    topic: str
    family: str | None
    lead: str | None
    mentions: int
    due: datetime | None
    owner: Person | None
    until: datetime | None
    tags: list[str]
    watchers: list[Person]
    pending: int
    answers: int
    reopenings: int
    escalated: bool
    wakes_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    version: int


class LeaseOut(Told):
    """Who may speak with the case's author, until when; `token` is shown to the holder alone."""

    holder: Person | None
    until: datetime | None
    token: int | None


class HeldCase(Told):
    """A case that the caller holds now."""

    case: CaseOut
    lease: LeaseOut


class AuthorOut(Told):
    """Who said it, as the network described them then; `id` is the customer's id."""

    id: str
    handle: str
    name: str
    followers: int | None
    verified: bool
    url: str


class SentimentOut(Told):
    """From -1 to 1, and the words that carried it with their valence."""

    label: str
    score: float
    words: list[tuple[str, float]]


class Scored(Told):
    """A name with a score from 0 to 1 and the words for it."""

    name: str
    score: float
    words: list[str]


class TagsOut(Told):
    """What was found in a mention."""

    brand: str | None
    language: str | None
    sentiment: SentimentOut | None
    intents: list[Scored]
    topics: list[str]
    urgency: float | None
    spam: float | None
    repost: bool
    reach: int


class DecisionOut(Told):
    """Where the rules sent a mention, and what they saw."""

    queue: str | None
    filtered: str | None
    rule: str
    rules_version: str
    priority: Priority
    evidence: list[str]


class EligibilityOut(Told):
    """Whether this can be answered from here; if not, why not, and where a person can answer by hand."""

    eligible: bool
    why_not: str | None
    deep_link: str | None


class MediaOut(Told):
    """A picture, video or sound, by address."""

    url: str
    alt: str


class MentionOut(Told):
    """One utterance. `part` is said, dropped (taken back or filtered), answer (ours) or context (of the same thread,
    by others); `actions` what can be done with it besides answering: like, hide, message. Where its words are no
    longer kept, everything from `kind` on is null or empty."""

    id: str
    part: str
    said_at: datetime
    kept: bool
    source: str
    via: str = ""
    kind: Kind | None = None
    author: AuthorOut | None = None
    title: str = ""
    text: str = ""
    url: str = ""
    parent: str | None = None
    own: bool = False
    rating: float | None = None
    edited_at: datetime | None = None
    media: list[MediaOut] = []
    tags: TagsOut | None = None
    decision: DecisionOut | None = None
    answerable: EligibilityOut | None = None
    actions: list[str] = []


class DeedOut(Told):
    """A like, or something hidden on a page of ours: `state` is waiting, done or failed, `reason` why it waits or
    failed, `why` what its asker said."""

    mention: str
    action: str
    state: str
    actor: Person
    why: str
    asked_at: datetime
    changed_at: datetime
    reason: str


class FamilyOut(Told):
    """A wave of near-duplicates: its open cases, up to `most`, and whether there are more."""

    id: str
    open: int
    more: bool


class ClockOut(Told):
    """One promise to the customer; `why` explains it in sentences that can be checked against a calendar."""

    name: str
    number: int
    state: str
    priority: Priority
    calendar: str
    timezone: str
    target_secs: float
    elapsed_secs: float
    remaining_secs: float
    started: datetime
    due: datetime | None
    ended: datetime | None
    why: list[str]


class OfferOut(Told):
    """A macro that fits, filled in: how well, and why. What nobody knows stands in braces and is named in `missing`."""

    macro: str
    title: str
    language: str
    score: float
    reasons: list[str]
    text: str
    missing: list[str]


class WarningOut(Told):
    """One thing to look at in a draft; `spans` are characters of its text, end exclusive."""

    code: str
    sentence: str
    suggestion: str
    spans: list[tuple[int, int]]
    words: list[str]


class LengthOut(Told):
    """How much of a network's limit a text uses."""

    used: int
    limit: int | None
    unit: str
    over: int


class CheckOut(EligibilityOut):
    """What a text looks like as an answer; it warns and never blocks."""

    warnings: list[WarningOut]
    lengths: list[LengthOut]


class PictureOut(Told):
    """A picture that goes with an answer."""

    url: str
    alt: str


class DraftOut(CheckOut):
    """An answer, from its first word until the network has it. `reason` says why it was refused, failed or waits."""

    id: str
    case: str
    mention: str
    via: str
    state: DraftState
    text: str
    macro: str | None
    language: str
    writer: Person
    approver: Person | None
    version: int
    created_at: datetime
    changed_at: datetime
    attempts: int
    next_at: datetime | None
    reason: str
    native_id: str | None
    url: str | None
    private: bool
    pictures: list[PictureOut]


class CaseDetail(Told):
    """A case with everything one needs to work on it."""

    case: CaseOut
    lease: LeaseOut
    mentions: list[MentionOut]
    context: list[MentionOut]
    others: list[CaseOut]
    family: FamilyOut | None
    drafts: list[DraftOut]
    deeds: list[DeedOut]
    clocks: list[ClockOut]
    offers: list[OfferOut]


class HappeningOut(Told):
    """One event of a case: its number in the case, when, who, its kind, and what it says."""

    number: int
    at: datetime
    actor: Person
    kind: str
    says: dict[str, Any]


# -------------------------------------------------------------------------------- queues


class QueueOut(Told):
    """How a queue stands: open cases that are ready, held or rest; the ready ones by priority; the first due of them;
    and how it is worked."""

    name: str
    ready: int
    held: int
    resting: int
    urgent: int
    high: int
    normal: int
    low: int
    first_due: datetime | None
    assign: str
    approval: str


class CorrectionOut(Told):
    """The rules sent a case to the wrong queue, somebody said; with the words and what was found in them, where they
    are kept."""

    case: str
    at: datetime
    actor: Person
    routed_queue: str
    right_queue: str
    rule: str
    rules_version: str
    reason: str
    mention: str | None
    text: str | None
    tags: TagsOut | None


class LabelCorrectionOut(Told):
    """What was found in a mention does not hold, somebody said: `label` is sentiment or an intent, `found` how it was
    tagged (empty where it was not), `right` what holds; with the words, and everything that was found in them."""

    case: str
    at: datetime
    actor: Person
    label: str
    found: str
    right: str
    mention: str
    text: str
    tags: TagsOut


class ConfusionOut(Told):
    """How many cases the rules sent to `routed_queue` that belonged into `right_queue`."""

    routed_queue: str
    right_queue: str
    cases: int


# --------------------------------------------------------------------------------- macros


class MacroOut(Told):
    """An answer written once; `variables` are the names it asks for."""

    name: str
    title: str
    texts: dict[str, str]
    intents: list[str]
    topics: list[str]
    networks: list[str]
    variables: list[str]


class FilledOut(Told):
    """A macro's text for one case; what could not be filled in stands in braces and is named in `missing`."""

    macro: str
    language: str
    text: str
    missing: list[str]


# --------------------------------------------------------------------------------- people


class AgentOut(Told):
    """What somebody does on the desk; empty lists mean any. `presence` is what they said, `there` whether they were
    seen of late besides; `seen_at` is null before they first came."""

    user: Person
    team: str
    queues: list[str]
    languages: list[str]
    topics: list[str]
    capacity: int
    presence: str
    there: bool
    seen_at: datetime | None


class AuditOut(Told):
    """One row of the audit log; `about` and `facts` are null once a customer was erased."""

    seq: int
    at: datetime
    actor: Person
    action: str
    about: str | None
    facts: dict[str, Any] | None
