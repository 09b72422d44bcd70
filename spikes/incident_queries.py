"""What people ask about incidents. Every list is bounded; a page goes on where the one before ended."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import exists, func, select

from desk import pages
from pipeline.ports import Clock
from pipeline.store.case_tables import case_mentions
from pipeline.store.columns import NEVER
from pipeline.store.database import Database
from pipeline.store.incident_tables import MEMBERS, incident_mentions, incidents
from pipeline.store.part import Part
from spikes.detection import Detection
from spikes.incident_records import Happening, Incident, IncidentFilter, IncidentPage, State, extent, fold
from spikes.incident_shelf import NoSuchIncident, detections_of, events_of, read_incident
from spikes.playbooks import Playbooks
from spikes.promises import Promise, promises


class MemberCase(NamedTuple):
    """A case of an incident's family, and how many of its mentions are of the incident."""

    case: str
    mentions: int


class MemberPage(NamedTuple):
    """Some cases by id, and the word with which to ask for the next page; None on the last."""

    cases: tuple[MemberCase, ...]
    next: str | None


class IncidentQueries(Part):
    """Questions; none changes anything. `playbooks` say what is promised."""

    def __init__(self, database: Database, clock: Clock, playbooks: Playbooks | None = None) -> None:
        super().__init__(database, clock)
        self._playbooks = playbooks or Playbooks()

    def promises(self, incident: Incident) -> tuple[Promise, ...]:
        """What is promised of it, and whether that was kept."""
        return promises(incident, self._playbooks, self._clock.now())

    def incident(self, id: str) -> Incident:
        """The incident as it stands; raises NoSuchIncident."""
        with self._db.read() as transaction:
            body = transaction.run(select(incidents.c.body).where(incidents.c.id == id)).scalar()
        if body is None:
            raise NoSuchIncident(f"there is no incident {id}")
        return read_incident(body)

    def rebuild(self, id: str) -> Incident:
        """The same from its detections and events alone; raises NoSuchIncident."""
        known = self.incident(id)
        with self._db.read() as transaction:
            work = fold(event for _, event in events_of(transaction, id))
            detections = list(detections_of(transaction, [id]))
        return Incident(
            id=id,
            strand=known.strand,
            number=known.number,
            brand=known.brand,
            group=known.group,
            topic=known.topic,
            extent=extent(detections) if detections else known.extent,  # what was absorbed has none of its own left
            work=work,
        )

    def incidents(
        self, wanted: IncidentFilter | None = None, after: str | None = None, limit: int = 100
    ) -> IncidentPage:
        """A page of incidents, the newest onset first; `after` is the `next` of the page before. Raises Unfit."""
        wanted = wanted or IncidentFilter()
        equal = {incidents.c.brand: wanted.brand, incidents.c.kind: wanted.kind and wanted.kind.value}
        query = select(incidents.c.body, incidents.c.onset, incidents.c.id)
        query = query.where(*(column == value for column, value in equal.items() if value is not None))
        if wanted.states:
            query = query.where(incidents.c.state.in_([state.value for state in wanted.states]))
        if wanted.live is not None:
            query = query.where((incidents.c.closed_at == NEVER) if wanted.live else incidents.c.closed_at < NEVER)
        if wanted.since is not None:
            query = query.where(incidents.c.last_at >= wanted.since)
        if not wanted.absorbed:
            query = query.where(incidents.c.part_of.is_(None))
        if after is not None:
            place = pages.place(after, pages.NEWEST, "a page of incidents")
            query = query.where(pages.older(incidents.c.onset, incidents.c.id, place))
        limit = pages.bounded(limit)
        query = query.order_by(incidents.c.onset.desc(), incidents.c.id.desc()).limit(limit + 1)
        with self._db.read() as transaction:
            rows = transaction.run(query).all()
        more = pages.word((rows[limit - 1].onset, rows[limit - 1].id)) if len(rows) > limit else None
        return IncidentPage(tuple(read_incident(row.body) for row in rows[:limit]), more)

    def live(self) -> list[Incident]:
        """Every incident that is not closed, by id."""
        query = select(incidents.c.body).where(incidents.c.closed_at == NEVER).order_by(incidents.c.id)
        with self._db.read() as transaction:
            return [read_incident(body) for body in transaction.run(query).scalars()]

    def timeline(self, id: str, after: int = 0, limit: int = 100) -> list[Happening]:
        """What happened to it after event number `after`, oldest first."""
        with self._db.read() as transaction:
            found = events_of(transaction, id, after, pages.bounded(limit))
        return [Happening(number, event) for number, event in found]

    def detections(self, id: str) -> list[Detection]:
        """What the watch saw of it, oldest first."""
        with self._db.read() as transaction:
            return sorted(detections_of(transaction, [id]), key=lambda it: (it.at, it.key))

    # ------------------------------------------------------------ what it is made of

    def size(self, id: str) -> tuple[int, int]:
        """How many mentions were gathered of it, and how many authors they have."""
        authors = func.count(incident_mentions.c.author.distinct()).label("authors")
        query = select(func.count().label("said"), authors).where(incident_mentions.c.incident == id, _counts)
        with self._db.read() as transaction:
            row = transaction.run(query).one()
        return row.said, row.authors

    def cases_of(self, id: str, after: str = "", limit: int = 100) -> MemberPage:
        """The cases that its mentions are in, by id: the family that one approved statement can answer. `after` is the
        `next` of the page before."""
        limit = pages.bounded(limit)
        query = (
            select(case_mentions.c.case_id, func.count().label("counted"))
            .join(incident_mentions, incident_mentions.c.mention == case_mentions.c.mention)
            .where(incident_mentions.c.incident == id, _counts, case_mentions.c.part == "said")
            .where(case_mentions.c.case_id > after)
            .group_by(case_mentions.c.case_id)
            .order_by(case_mentions.c.case_id)
            .limit(limit + 1)
        )
        with self._db.read() as transaction:
            rows = [MemberCase(row.case_id, row.counted) for row in transaction.run(query)]
        return MemberPage(tuple(rows[:limit]), rows[limit - 1].case if len(rows) > limit else None)

    def incident_of(self, case: str) -> str | None:
        """The live incident whose family a case belongs to; of several the one that opened last."""
        query = (
            select(incidents.c.id)
            .join(incident_mentions, incident_mentions.c.incident == incidents.c.id)
            .join(case_mentions, case_mentions.c.mention == incident_mentions.c.mention)
            .where(case_mentions.c.case_id == case, _counts, incidents.c.state != State.CLOSED.value)
            .order_by(incidents.c.onset.desc(), incidents.c.id)
            .limit(1)
        )
        with self._db.read() as transaction:
            found: str | None = transaction.run(query).scalar()
        return found

    def has_mention(self, id: str, mention: str) -> bool:
        """Whether a mention is of this incident."""
        member = (incident_mentions.c.incident == id, incident_mentions.c.mention == mention, _counts)
        with self._db.read() as transaction:
            return bool(transaction.run(select(exists().where(*member))).scalar())


_counts = incident_mentions.c.part.in_(MEMBERS)
