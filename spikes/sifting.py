"""Which of the mentions that were gathered are of the incident's matter (`heard`), and which of its time only
(`aside`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update

from pipeline.mention import Enriched
from pipeline.ports import Clock
from pipeline.store.columns import fit
from pipeline.store.database import Database, Transaction, beyond
from pipeline.store.incident_tables import MEMBERS, incident_mentions, incidents
from pipeline.store.part import Part
from pipeline.store.tables import mentions
from spikes.counting import said
from spikes.gathering import PAGE, Judge, read_enriched
from spikes.incident_records import Incident
from spikes.incident_shelf import find, hold
from spikes.matter import Matter, looked_at, matter
from spikes.telling import said_before

GATHERED = ("heard", "aside")
"""What nobody put in or took out by hand."""

_order = (incident_mentions.c.said_at, incident_mentions.c.mention)


def parts(transaction: Transaction, id: str, every: Sequence[Enriched], found: Matter | None) -> list[str]:
    """The part of each of these mentions of an incident, which are in the order of time: `heard` is what speaks of the
    matter, and what replies to such."""
    if found is None:
        return ["heard"] * len(every)
    ids = {fit(it.mention.id) for it in every}
    parents = {fit(it.mention.parent) for it in every if it.mention.parent} - ids
    there = select(incident_mentions.c.mention).where(
        incident_mentions.c.incident == id,
        incident_mentions.c.part.in_(MEMBERS),
        transaction.among(incident_mentions.c.mention, sorted(parents)),
    )
    members = set(transaction.run(there).scalars()) if parents else set()
    told = []
    for it in every:
        part = "heard" if found.speaks(it) or fit(it.mention.parent or "") in members else "aside"
        if part == "heard":
            members.add(fit(it.mention.id))
        told.append(part)
    return told


class Sifter(Part):
    """Knows the matters of incidents; each process finds the same from the same mentions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._found: dict[str, tuple[int, Matter | None]] = {}

    def judge(self, id: str) -> Judge:
        """What tells of the matter as it was found last."""
        found = self._found.get(id, (0, None))[1]
        return lambda transaction, incident, every: parts(transaction, incident, every, found)

    def keep(self, ids: Collection[str]) -> None:
        """Forget the matters of all others."""
        self._found = {id: it for id, it in self._found.items() if id in ids}

    def matter(self, incident: Incident) -> Matter | None:
        """The matter as it is to be found now; of one that was split off, and of silence, none: the topic says it."""
        return self._find(incident)[1]

    def sift(self, id: str) -> int:
        """Sort what was gathered anew where the matter is to be found anew; returns how many changed."""
        with self._db.read() as transaction:
            incident = find(transaction, incidents.c.id == id)[0]
        found = self._find(incident)
        if found == self._found.get(id, (0, None)):
            return 0
        changed = self._sort(id, found[1])
        self._found[id] = found
        return changed

    def _find(self, incident: Incident) -> tuple[int, Matter | None]:
        if incident.topic is not None or incident.group == "silence":
            return 0, None
        mine = (incident_mentions.c.incident == incident.id, incident_mentions.c.part.in_(GATHERED))
        with self._db.read() as transaction:
            counted = transaction.run(select(func.count()).where(*mine)).scalar_one()
            number = looked_at(counted)
            if number == self._found.get(incident.id, (0, None))[0]:
                return self._found.get(incident.id, (0, None))
            first = [read_enriched(row.body) for row in transaction.run(_gathered(incident.id).limit(number))]
            tone = 1 if incident.group == "praise" else -1
            before = [it for it in said_before(transaction, incident) if _tone(it) == tone]
        ours = {incident.brand} | {
            match.term for it in (*first, *before) for match in it.tags.brands if match.brand == incident.brand
        }
        return number, matter(first, before, ours, _above(incident))

    def _sort(self, id: str, found: Matter | None) -> int:
        changed = 0
        place: tuple[datetime, str] | None = None
        while True:
            query = _gathered(id).limit(PAGE)
            if place is not None:
                query = query.where(beyond(_order, place))
            with self._db.write() as transaction:
                hold(transaction, id)
                rows = transaction.run(query).all()
                told = parts(transaction, id, [read_enriched(row.body) for row in rows], found)
                for part in GATHERED:
                    these = [row.mention for row, now in zip(rows, told, strict=True) if now == part != row.part]
                    which = transaction.among(incident_mentions.c.mention, these)
                    if these:
                        transaction.run(update(incident_mentions).where(which).values(part=part))
                    changed += len(these)
            if len(rows) < PAGE:
                return changed
            place = (rows[-1].said_at, rows[-1].mention)


def _gathered(id: str) -> Select[Any]:
    query = select(*_order, incident_mentions.c.part, mentions.c.body)
    query = query.join(mentions, mentions.c.id == incident_mentions.c.mention)
    query = query.where(incident_mentions.c.incident == id, incident_mentions.c.part.in_(GATHERED))
    return query.order_by(*_order)


def _above(incident: Incident) -> float:
    """The share of what was seen at the peak that is above the usual."""
    peak = incident.extent.peak
    seen = peak.negative_authors or peak.authors
    return max(0.0, 1 - peak.expected / seen) if seen else 0.0


def _tone(it: Enriched) -> int:
    counted = said(it, it.mention.created_at)
    return counted.tone if counted else 0
