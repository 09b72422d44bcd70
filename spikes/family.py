"""The cases of an incident as one family: a person lets them follow one case, which one public answer settles; those
that are gathered later join by themselves.

An incident gathers what is said against its brand in its time. So only a case follows whose words are those that set
the incident apart: a complaint about something else is answered by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from desk.case import Standing
from desk.families import Followed, follow
from desk.pages import MOST
from desk.refusals import Conflict, NoSuchCase, Unfit
from desk.shelf import read_case
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.database import Database
from pipeline.store.incident_tables import MEMBERS, incident_mentions
from pipeline.store.part import Part
from pipeline.store.tables import mentions
from spikes.gathering import read_enriched
from spikes.incident_records import Event, FamilyJoined, FamilyLed, Incident
from spikes.incidents import TEXT_CHARS, WATCH, Incidents

log = structlog.get_logger(__name__)

AGAIN = timedelta(minutes=1)
"""How often cases are looked at again that did not speak of the matter: what sets it apart becomes clearer."""


def let_follow(
    incidents: Incidents, database: Database, clock: Clock, id: str, lead: str, actor: str, note: str
) -> Followed:
    """Let the open cases of an incident that speak of its matter follow `lead`, which is one of its cases, from now on
    those that come later too, and write that and the note into the timeline. Nothing is posted. Raises NoSuchIncident,
    NoSuchCase, Unfit, and Conflict where the incident or the lead is closed, or the lead follows another."""
    if len(note) > TEXT_CHARS - 200:
        raise Unfit("note", f"is longer than {TEXT_CHARS - 200} characters")
    ids: list[str] = []
    after = ""
    while True:
        page = incidents.cases_of(id, after, MOST)
        ids += [it.case for it in page.cases]
        if page.next is None:
            break
        after = page.next
    if not incidents.incident(id).live:
        raise Conflict("it is closed; open it again first")
    if lead not in ids:
        raise Unfit("case", "is none of the incident's cases")
    alike = _speaking(incidents, database, id, ids)
    done = follow(database, clock, lead, alike, actor, _name(id))
    done = Followed(done.joined, done.left + len({*ids} - {*alike, lead}))
    cases_follow = "case follows" if done.joined == 1 else "cases follow"
    text = f"{done.joined} {cases_follow} case {lead}, {done.left} go on by themselves: {note}"
    incidents.change(id, None, lambda _, now: FamilyLed(at=now, actor=actor, text=text, lead=lead), text)
    return done


class Family(Part):
    """Lets later cases join; used by one thread at a time, several processes may have one."""

    def __init__(self, database: Database, clock: Clock, incidents: Incidents) -> None:
        super().__init__(database, clock)
        self._incidents = incidents
        self._looked: dict[str, tuple[frozenset[str], datetime]] = {}

    def step(self) -> int:
        """Let those cases of each incident that is not closed follow its lead, while that is open, which were gathered
        since and speak of its matter; returns how many do now that did not. The timeline says so once for all of them.
        For a timer."""
        live = [it for it in self._incidents.live() if it.work.lead]
        self._looked = {it.id: self._looked[it.id] for it in live if it.id in self._looked}
        return sum(self._join(it) for it in live)

    def _join(self, incident: Incident) -> int:
        id, lead, now = incident.id, incident.work.lead, self._clock.now()
        found = self._candidates(id, lead)
        known, at = self._looked.get(id, (frozenset(), now))
        if not found or (found == known and now - at < AGAIN):
            return 0
        self._looked[id] = (found, now)
        alike = _speaking(self._incidents, self._db, id, sorted(found))
        try:
            joined = follow(self._db, self._clock, lead, alike, WATCH, _name(id)).joined
        except (Conflict, NoSuchCase):  # the lead was closed between our look and our lock
            return 0
        if not joined:
            return 0

        def change(_: Incident, at: datetime) -> Event:
            return FamilyJoined(at=at, actor=WATCH, joined=joined)

        self._incidents.change(id, None, change, closed=True)
        log.info("more cases follow", incident=id, cases=joined)
        return joined

    def _candidates(self, id: str, lead: str) -> frozenset[str]:
        """The cases of an incident that nobody has, none follows and none is answered in; none while its lead is closed
        or follows another."""
        query = select(cases.c.id).join(case_mentions, case_mentions.c.case_id == cases.c.id)
        query = query.join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
        query = query.where(incident_mentions.c.incident == id, incident_mentions.c.part.in_(MEMBERS))
        query = query.where(case_mentions.c.part == "said", cases.c.lead.is_(None), cases.c.id != lead)
        query = query.where(cases.c.standing == Standing.READY.value)
        with self._db.read() as transaction:
            body = transaction.run(select(cases.c.body).where(cases.c.id == lead)).scalar()
            first = read_case(body) if body else None
            if first is None or not first.open or first.lead:
                return frozenset()
            return frozenset(transaction.run(query.distinct()).scalars())


def _name(id: str) -> str:
    return f"incident:{id}"


def _speaking(incidents: Incidents, database: Database, id: str, ids: Sequence[str]) -> list[str]:
    """Those of these cases in which a mention of the incident is of its matter; while that is not known, says one of
    the words of its story."""
    known = incidents.matter(id) is not None
    story = None if known else incidents.told(id).story
    words = [term.text.casefold() for term in story.terms] if story else []
    said = select(case_mentions.c.case_id, incident_mentions.c.part, mentions.c.body)
    said = said.join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
    said = said.join(mentions, mentions.c.id == case_mentions.c.mention)
    said = said.where(incident_mentions.c.incident == id, incident_mentions.c.part.in_(MEMBERS))
    said = said.where(case_mentions.c.part == "said")
    found = set()
    for start in range(0, len(ids), MOST):
        with database.read() as transaction:
            some = transaction.among(case_mentions.c.case_id, ids[start : start + MOST])
            for row in transaction.run(said.where(some)):
                text = " ".join(read_enriched(row.body).mention.text.casefold().split())
                if (known and row.part == "heard") or any(word in text for word in words):
                    found.add(row.case_id)
    return sorted(found)
