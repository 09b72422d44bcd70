"""What an incident is about and how it went, read from what is kept when somebody asks: nothing of it is stored, so
that what was taken back or erased is in no story from then on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import ColumnElement, func, select

from pipeline.mention import Enriched, Moment
from pipeline.store.case_tables import case_events, case_mentions
from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.incident_tables import MEMBERS, incident_mentions
from pipeline.store.tables import mentions
from spikes.gathering import read_enriched, said_in
from spikes.growth import Growth, growth
from spikes.incident_queries import IncidentQueries
from spikes.incident_records import Acknowledged, Incident, State, StatementOut
from spikes.incident_shelf import events_of
from spikes.joining import IncidentSettings
from spikes.paragraph import paragraph
from spikes.promises import Promise
from spikes.story import MOST, Story, chance, mean_sentiment, story

DAYS = 7
"""Days before the onset that an incident is compared with, each with the same number of mentions at most."""

WIDTH = timedelta(minutes=5)
"""Of the buckets in which growth is counted."""

LOOK_BACK = timedelta(hours=3)
"""How far back growth is looked at."""

_ANSWERS = ("reply_sent", "answered_natively")


class Told(NamedTuple):
    """An incident, what it is about, how it goes on, and all that in one paragraph."""

    incident: Incident
    story: Story | None
    growth: Growth
    paragraph: str


class Review(Struct, frozen=True, kw_only=True):
    """How it went. Durations are from the onset, None where it did not come to that; sentiment is a mean of -1..1:
    `before` in the week before, `during` what was said of the brand from the onset until the statement (or until it
    calmed down), `after` from then on, for a day. `what` are the terms that set it apart; `promises` what the
    playbook promises."""

    incident: str
    onset: Moment
    to_detection: timedelta
    to_opening: timedelta | None
    to_acknowledgement: timedelta | None
    to_first_answer: timedelta | None
    to_statement: timedelta | None
    to_closing: timedelta | None
    posts: int
    authors: int
    cases: int
    answered: int
    what: tuple[str, ...]
    statements: tuple[str, ...]
    before: float | None
    during: float | None
    after: float | None
    promises: tuple[Promise, ...] = ()


class Telling(IncidentQueries):
    """Questions that read what was said."""

    def told(self, id: str, now: datetime | None = None, *, name: str | None = None) -> Told:
        """The incident as it stands at `now` in event time (by our clock, where it is not given, but no later than
        half an hour after it was last seen). `name` is how the brand is written. Raises NoSuchIncident."""
        incident = self.incident(id)
        posts, authors = self.size(id)
        last = incident.extent.last_at + IncidentSettings().calm
        now = min(utc(now) if now else max(self._clock.now(), incident.extent.last_at), last)
        with self._db.read() as transaction:
            said = list(_sampled(transaction, id))
            before = list(said_before(transaction, incident))
            around = list(_around(transaction, incident, now))
            growing = _growth(transaction, incident, now)
        found = story(incident.brand, said, before, around=around, total=(posts, authors))
        return Told(incident, found, growing, paragraph(incident, found, growing, now, name=name))

    def review(self, id: str) -> Review:
        """How it went; best asked for when it is closed. Raises NoSuchIncident."""
        told = self.told(id)
        incident, extent = told.incident, told.incident.extent
        posts, authors = self.size(id)
        with self._db.read() as transaction:
            events = [event for _, event in events_of(transaction, id)]
            cases, answered, first_answer = _answers(transaction, incident)
            turn = incident.work.statement_at or incident.work.calm_at or extent.last_at
            turn = min(turn, extent.last_at) if turn < extent.onset else turn
            during = mean_sentiment(_between(transaction, incident.brand, extent.onset, turn, MOST))
            later = turn + timedelta(days=1)
            after = mean_sentiment(_between(transaction, incident.brand, turn, later, MOST))
            before = mean_sentiment(said_before(transaction, incident))
        acknowledged = min((it.at for it in events if isinstance(it, Acknowledged | StatementOut)), default=None)
        statements = [it for it in events if isinstance(it, StatementOut)]

        def since_onset(at: datetime | None) -> timedelta | None:
            return None if at is None else at - extent.onset

        return Review(
            incident=id,
            onset=extent.onset,
            to_detection=extent.first_at - extent.onset,
            to_opening=since_onset(incident.work.opened_at),
            to_acknowledgement=since_onset(acknowledged),
            to_first_answer=since_onset(first_answer),
            to_statement=since_onset(statements[0].at if statements else None),
            to_closing=since_onset(incident.work.closed_at if incident.state is State.CLOSED else None),
            posts=posts,
            authors=authors,
            cases=cases,
            answered=answered,
            what=tuple(term.text for term in told.story.terms) if told.story else (),
            statements=tuple(it.text for it in statements),
            before=before,
            during=during,
            after=after,
            promises=self.promises(incident),
        )


def _sampled(transaction: Transaction, id: str) -> Iterator[Enriched]:
    """The mentions of an incident, or so many of them as are looked at, always the same."""
    ids = select(incident_mentions.c.mention).where(incident_mentions.c.incident == id, _counts)
    chosen = nsmallest(MOST, transaction.run(ids).scalars(), key=chance)
    for start in range(0, len(chosen), 500):
        yield from said_in(transaction, chosen[start : start + 500])


def said_before(transaction: Transaction, incident: Incident) -> Iterator[Enriched]:
    """What was said of the brand in the week before: the last of each day, day by day back from the onset; nothing
    that is itself of an incident."""
    seen = select(incident_mentions.c.mention).where(incident_mentions.c.mention == mentions.c.id, _counts).exists()
    for day in range(DAYS):
        until = incident.extent.onset - timedelta(days=day)
        since = until - timedelta(days=1)
        yield from _between(transaction, incident.brand, since, until, MOST // DAYS, ~seen)


def _around(transaction: Transaction, incident: Incident, now: datetime) -> Iterator[Enriched]:
    """What else was said of the brand while it went on."""
    ours = (incident_mentions.c.mention == mentions.c.id, incident_mentions.c.incident == incident.id, _counts)
    other = ~select(incident_mentions.c.mention).where(*ours).exists()
    return _between(transaction, incident.brand, incident.extent.onset, now, MOST // 2, other)


def _between(
    transaction: Transaction, brand: str, since: datetime, until: datetime, most: int, *conditions: ColumnElement[bool]
) -> Iterator[Enriched]:
    query = select(mentions.c.body).where(mentions.c.brand == brand, *conditions)
    query = query.where(mentions.c.created_at >= since, mentions.c.created_at < until)
    newest = query.order_by(mentions.c.created_at.desc(), mentions.c.id.desc()).limit(most)
    for body in transaction.run(newest).scalars():
        yield read_enriched(body)


def _growth(transaction: Transaction, incident: Incident, now: datetime) -> Growth:
    since = max(incident.extent.onset, now - LOOK_BACK)
    query = select(incident_mentions.c.said_at).where(incident_mentions.c.incident == incident.id, _counts)
    query = query.where(incident_mentions.c.said_at >= since, incident_mentions.c.said_at <= now)
    whole, rest = divmod(now - since, WIDTH)
    counts = [0.0] * (whole + 1)
    for at in transaction.run(query).scalars():
        counts[(at - since) // WIDTH] += 1
    share = rest / WIDTH
    return growth(counts, WIDTH, share) if share >= 0.2 or counts[-1] else growth(counts[:-1], WIDTH)


def _answers(transaction: Transaction, incident: Incident) -> tuple[int, int, datetime | None]:
    """How many cases it has, how many were answered since its onset, and when the first was."""
    members = (
        select(case_mentions.c.case_id)
        .join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
        .where(incident_mentions.c.incident == incident.id, _counts)
        .distinct()
        .subquery()
    )
    number = transaction.run(select(func.count()).select_from(members)).scalar_one()
    answers = (
        select(func.count(case_events.c.case_id.distinct()).label("cases"), func.min(case_events.c.at).label("first"))
        .join(members, members.c.case_id == case_events.c.case_id)
        .where(case_events.c.kind.in_(_ANSWERS), case_events.c.at >= incident.extent.onset)
    )
    row = transaction.run(answers).one()
    return number, row.cases, row.first


_counts = incident_mentions.c.part.in_(MEMBERS)
