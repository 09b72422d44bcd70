"""What the API of incidents answers with, and what is sent to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from console.api.bodies import Body, Text, Whole
from console.api.bodies import Said as Words
from console.api.incident_alerts import AlertsOut
from console.api.models import CaseOut, Person, Told
from spikes.detection import Facet, Kind, Severity
from spikes.growth import Course
from spikes.incident_records import State
from spikes.incidents import TEXT_CHARS
from spikes.promises import Name as Promised

# ------------------------------------------------------------------------------ answers


class EvidenceOut(Told):
    """What was counted in so many minutes, and what would be usual in them."""

    minutes: int
    mentions: int
    negative: int
    authors: int
    negative_authors: int
    reposts: int
    reach: int
    suspicious: int
    expected: float
    rare_per_week: float


class PromiseOut(Told):
    """What is promised of an incident: `acknowledge` or `statement`, by when, and when it was done. `kept` is null
    while there is time, and where the incident was closed before."""

    name: Promised
    due: datetime
    at: datetime | None
    kept: bool | None


class AnswersOut(Told):
    """How far an approved statement is: answers that were sent, that are on their way, and that were not sent; and how
    many of its cases have none."""

    draft: str
    sent: int
    waiting: int
    failed: int
    left: int


class IncidentOut(Told):
    """An incident as it stands. Times from `onset` to `peak_at` are when things were said; the others are when things
    were done. `seen` are the series in which it was noticed; `into` is the incident that it turned out to be part of.
    `lead` is the case that its cases follow, `answer` the approved draft that is being sent to each of them. `version`
    goes with a change, so that two people do not undo each other's."""

    id: str
    brand: str
    group: str
    topic: str | None
    kind: Kind
    severity: Severity
    state: State
    score: float
    onset: datetime
    first_at: datetime
    last_at: datetime
    peak_at: datetime
    peak: EvidenceOut
    seen: list[str]
    posts: int
    authors: int
    opened_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: Person | None
    statement_at: datetime | None
    calm_at: datetime | None
    closed_at: datetime | None
    closed_by: Person | None
    reopenings: int
    into: str | None
    lead: str | None
    answer: str | None
    promises: list[PromiseOut]
    version: int


class BucketOut(Told):
    """A stretch of event time; `authors` are distinct."""

    at: datetime
    minutes: int
    mentions: int
    negative: int
    authors: int
    negative_authors: int
    positive_authors: int
    reposts: int
    reach: int


class SeriesOut(Told):
    """The buckets of a series, oldest first, empty ones too."""

    brand: str
    facet: Facet
    value: str
    items: list[BucketOut]


class SpanOut(Told):
    """An estimate with the interval it lies in with a chance of nine in ten; `high` is null where there is no end."""

    middle: float
    low: float
    high: float | None


class GrowthOut(Told):
    """How it goes on: minutes to double or halve, and the posts of the hour to come."""

    course: Course
    doubling: SpanOut | None
    halving: SpanOut | None
    next_hour: SpanOut | None


class TermOut(Told):
    """A word or phrase that is said more than before: its z-score, and how many people said it, and had before."""

    text: str
    z: float
    authors: int
    before: int


class PostOut(Told):
    """A post that is shown; `quote` is its text in short, without names and links, `alike` how many say nearly so."""

    mention: str
    source: str
    account: str
    handle: str
    said_at: datetime
    reach: int
    url: str
    quote: str
    alike: int


class CrowdOut(Told):
    """Who speaks: shares of new and of suspicious accounts, of the loudest account's posts, and of copies."""

    posts: int
    authors: int
    new: float | None
    suspicious: float
    loudest: float
    copies: float


class AdvocateOut(Told):
    """Somebody who speaks well of the brand; `mention` is null for one who has before and is silent now."""

    account: str
    handle: str
    score: int
    mention: str | None


class RivalOut(Told):
    """Another brand that is named; `theirs`: it may be theirs."""

    brand: str
    posts: int
    theirs: bool


class StoryOut(Told):
    """What it is about, from what is kept now."""

    since: datetime
    posts: int
    authors: int
    crowd: CrowdOut
    terms: list[TermOut]
    topic: str | None
    places: list[str]
    links: list[tuple[str, int]]
    first: PostOut | None
    loudest: PostOut | None
    posts_shown: list[PostOut]
    advocates: list[AdvocateOut]
    rival: RivalOut | None
    sources: list[tuple[str, int]]
    sentiment: float | None
    sentiment_before: float | None


class HappenedOut(Told):
    """One event of the timeline; `text` is what a person wrote."""

    number: int
    at: datetime
    actor: Person
    kind: str
    text: str
    says: dict[str, Any]


class MemberOut(Told):
    """A case of an incident, and how many of the incident's posts are in it."""

    case: CaseOut
    mentions: int


class IncidentDetail(Told):
    """An incident with everything one needs to work on it: one paragraph that can be forwarded, what that is made of,
    the counts of its brand (or topic) from an hour before it began, how far the statement is that was sent last to its
    cases, and the first of its timeline and of its cases."""

    incident: IncidentOut
    paragraph: str
    story: StoryOut | None
    growth: GrowthOut
    series: SeriesOut
    answers: AnswersOut | None
    timeline: list[HappenedOut]
    cases: list[MemberOut]
    more_cases: bool
    alerts: AlertsOut


class ReviewOut(Told):
    """How it went. Durations are seconds from the onset, null where it did not come to that; sentiments are means from
    -1 to 1."""

    incident: str
    onset: datetime
    to_detection: float
    to_opening: float | None
    to_acknowledgement: float | None
    to_first_answer: float | None
    to_statement: float | None
    to_closing: float | None
    posts: int
    authors: int
    cases: int
    answered: int
    what: list[str]
    statements: list[str]
    before: float | None
    during: float | None
    after: float | None
    promises: list[PromiseOut]


# ------------------------------------------------------------------------------- bodies


class Changing(Body):
    """A change, with words for the timeline; `version` is the one that was read: where somebody else changed it since,
    it is a 409."""

    text: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""
    version: Annotated[int, Field(ge=0, le=2**31 - 1), Whole] | None = None


class Statement(Body):
    """What the brand has said, and where that can be read."""

    text: Words
    url: Annotated[Text, Field(max_length=TEXT_CHARS)] = ""
    version: Annotated[int, Field(ge=0, le=2**31 - 1), Whole] | None = None


class Following(Body):
    """Let the open cases of an incident follow this one of them; `note` says why, for the timeline."""

    case: Annotated[Text, Field(min_length=1, max_length=200)]
    note: Words


class Answer(Body):
    """Let this draft, which somebody approved as the answer to the case that the others follow, answer each of them."""

    draft: Annotated[Text, Field(min_length=1, max_length=200)]


class FollowedOut(Told):
    """How many cases follow that did not, and how many go on by themselves."""

    joined: int
    left: int
