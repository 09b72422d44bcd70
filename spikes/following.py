"""Lets alerts know of incidents: how each stands is told to `Alerts.follow` when it changes. Of what happens between
two looks the last is told; nothing is lost, since it is the state that is compared, not events that are passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select

from pipeline.ports import Clock
from pipeline.store.alert_tables import alerts as alert_table
from pipeline.store.columns import NEVER
from pipeline.store.database import Database, Transaction
from pipeline.store.incident_tables import incidents as incident_table
from pipeline.store.part import Part
from spikes.alerts import Alerts
from spikes.detection import Kind, Severity
from spikes.incident_records import Incident, Noted, State
from spikes.incident_shelf import NoSuchIncident, hold, put, read_incident, record
from spikes.incidents import Incidents
from spikes.telling import Told

ALERTS = "system:alerts"
"""Who writes into the timeline that nobody had acknowledged it."""

AGAIN = timedelta(minutes=1)
"""How often what an incident is about is told anew while only its numbers change."""

PATIENCE = timedelta(seconds=20)
"""So long a new one waits for its first mentions to be stored and gathered: they say what it is about."""

TOO_LATE = timedelta(hours=6)
"""What was over so long ago when it was noticed, in a backlog say, calls nobody."""

OVERDUE = "statement_overdue"
"""The state that is told of what somebody sees to but has made no statement on by when one was promised: as it is a
state of its own, everybody who was called hears of it at once."""

_LOOKS = {
    Kind.FIRESTORM: "people complain",
    Kind.REPOST_STORM: "a post is passed on",
    Kind.SINGLE_AUTHOR: "a few accounts are loud",
    Kind.BOT_FLOOD: "copies by new accounts",
    Kind.PRAISE: "people are pleased",
    Kind.SILENCE: "nobody says anything",
}


@dataclass(frozen=True)
class Matter:
    """What of an incident is told (`spikes.alerts.Subject`)."""

    id: str
    brand: str
    kind: str
    state: str
    severity: Severity
    title: str
    paragraph: str
    url: str
    opened_at: datetime | None
    acknowledged_at: datetime | None


class Follower(Part):
    """Looks at incidents and lets alerts follow them; used by one thread at a time, several processes may have one.
    `url` gives the address of an incident, empty where there is none."""

    def __init__(
        self, database: Database, clock: Clock, incidents: Incidents, alerts: Alerts, url: Callable[[str], str]
    ) -> None:
        super().__init__(database, clock)
        self._incidents = incidents
        self._alerts = alerts
        self._url = url
        self._told: dict[str, tuple[Incident, datetime]] = {}

    def step(self) -> int:
        """Let alerts follow what has changed; returns how many incidents that concerned. For a timer."""
        with self._db.read() as transaction:
            waiting = [read_incident(body) for body in transaction.run(_waiting(self._clock.now())).scalars()]
        self._told = {it.id: self._told[it.id] for it in waiting if it.id in self._told}
        return sum(self._followed(it) for it in waiting if self._is_news(it))

    def _is_news(self, incident: Incident) -> bool:
        now = self._clock.now()
        last, at = self._told.get(incident.id, (None, now))
        if last is None:
            return True
        if last == incident:
            return False
        marks = (last.version, last.kind, last.severity) != (incident.version, incident.kind, incident.severity)
        return marks or now - at >= AGAIN

    def _followed(self, incident: Incident) -> bool:
        try:
            return self._follow(incident)
        except NoSuchIncident:  # past its period meanwhile, its alerts with it
            return False

    def _follow(self, incident: Incident) -> bool:
        now = self._clock.now()
        if incident.id not in self._told and self._is_too_soon(incident, now):
            return False
        told = self._incidents.told(incident.id)
        last = self._incidents.timeline(incident.id, max(0, told.incident.version - 1), 1)
        change = last[-1].event.kind if last else "opened"
        with self._db.write() as transaction:
            if hold(transaction, incident.id).version != told.incident.version:
                return False  # it is looked at again the next time
            self._alerts.follow(transaction, self._matter(told), change)
        self._told[incident.id] = (incident, now)
        return True

    def _is_too_soon(self, incident: Incident, now: datetime) -> bool:
        opened = incident.work.opened_at
        young = opened is not None and now - opened < PATIENCE
        return young and incident.group != "silence" and self._incidents.size(incident.id)[0] == 0

    def _matter(self, told: Told) -> Matter:
        incident = told.incident
        late = "statement" in incident.overdue
        return Matter(
            id=incident.id,
            brand=incident.brand,
            kind=incident.kind.value,
            state=OVERDUE if late and incident.state is State.ACKNOWLEDGED else incident.state.value,
            severity=incident.severity,
            title=f"{' and '.join(incident.overdue)} overdue: {title(told)}" if incident.overdue else title(told),
            paragraph=told.paragraph,
            url=self._url(incident.id),
            opened_at=incident.work.opened_at,
            acknowledged_at=incident.work.acknowledged_at,
        )


def title(told: Told) -> str:
    """An incident in one line: `75 people complain: guard looks, wexley`."""
    incident, story = told.incident, told.story
    looks = _LOOKS[incident.kind]
    if story is not None and incident.kind in (Kind.FIRESTORM, Kind.PRAISE):
        looks = f"{story.authors:,} {looks}"
    about = [term.text for term in story.terms[:3]] if story else []
    return f"{looks}: {', '.join(about)}" if about else looks


def note(clock: Clock) -> Callable[[Transaction, str, str], None]:
    """What writes a sentence of the alerts into an incident's timeline."""

    def write(transaction: Transaction, id: str, sentence: str) -> None:
        incident = hold(transaction, id)
        put(transaction, record(transaction, incident, Noted(at=clock.now(), actor=ALERTS, text=sentence)))

    return write


def _waiting(now: datetime) -> Select[Any]:
    """Those that are not closed (unless it was all over before anybody was called), and those that alerts still take
    for open."""
    incident, alert = incident_table.c, alert_table.c
    known = incident_table.outerjoin(alert_table, alert.incident == incident.id)
    begun = and_(alert.incident.is_not(None), or_(alert.state != State.CLOSED.value, incident.closed_at == NEVER))
    fresh = and_(alert.incident.is_(None), incident.closed_at == NEVER, incident.last_at >= now - TOO_LATE)
    query = select(incident.body).select_from(known).where(or_(begun, fresh))
    return query.order_by(incident.id)
