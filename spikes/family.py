"""The cases of an incident as one family: a person lets them follow one case, which one public answer settles.

An incident gathers what is said against its brand in its time, also what would have been said on any day. So only a
case follows whose words are those that set the incident apart (`Story.terms`): a complaint about something else is
answered by itself."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from desk.families import Followed, follow
from desk.pages import MOST
from desk.refusals import Unfit
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions
from pipeline.store.database import Database
from pipeline.store.incident_tables import incident_mentions
from pipeline.store.tables import mentions
from spikes.gathering import read_enriched
from spikes.incidents import TEXT_CHARS, Incidents


def let_follow(
    incidents: Incidents, database: Database, clock: Clock, id: str, lead: str, actor: str, note: str
) -> Followed:
    """Let the open cases of an incident that speak of its matter follow `lead`, which is one of its cases, and write
    that and the note into the timeline. Nothing is posted. Raises NoSuchIncident, NoSuchCase, Unfit, and Conflict where
    the lead is closed or follows another."""
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
    if lead not in ids:
        raise Unfit("case", "is none of the incident's cases")
    story = incidents.told(id).story
    alike = _speaking(database, id, ids, [term.text for term in story.terms] if story else [])
    done = follow(database, clock, lead, alike, actor, f"incident:{id}")
    done = Followed(done.joined, done.left + len({*ids} - {*alike, lead}))
    cases = "case follows" if done.joined == 1 else "cases follow"
    incidents.note(id, actor, f"{done.joined} {cases} case {lead}, {done.left} go on by themselves: {note}")
    return done


def _speaking(database: Database, id: str, cases: Sequence[str], terms: Sequence[str]) -> list[str]:
    """Those of these cases in which one of the terms is said in a mention of the incident."""
    said = select(case_mentions.c.case_id, mentions.c.body)
    said = said.join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
    said = said.join(mentions, mentions.c.id == case_mentions.c.mention)
    said = said.where(incident_mentions.c.incident == id, case_mentions.c.part == "said")
    found = set()
    for start in range(0, len(cases), MOST):
        with database.read() as transaction:
            some = transaction.among(case_mentions.c.case_id, cases[start : start + MOST])
            for row in transaction.run(said.where(some)):
                text = " ".join(read_enriched(row.body).mention.text.casefold().split())
                if any(term.casefold() in text for term in terms):
                    found.add(row.case_id)
    return sorted(found)
