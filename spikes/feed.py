"""What happens to incidents, in the order in which it was committed: to follow, and to resume (see `desk/feed.py`)."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import select

from desk.feed import START, Place, settled
from pipeline.store.database import beyond
from pipeline.store.incident_tables import incident_events, incidents
from pipeline.store.part import Part
from spikes.detection import Severity

_order = (incident_events.c.xid, incident_events.c.seq)


class Change(Struct, frozen=True, kw_only=True):
    """One event of an incident, without the words that somebody wrote: `what` happened as the `number`th, and how the
    incident stands now."""

    incident: str
    number: int
    what: str
    at: datetime
    actor: str
    brand: str
    kind: str
    severity: str
    state: str


class IncidentFeed(Part):
    """The events of all incidents, in order."""

    def end(self) -> Place:
        """The place of the newest event."""
        query = select(*_order).order_by(*(column.desc() for column in _order)).limit(1)
        with self._db.read() as transaction:
            row = transaction.run(settled(transaction, query, incident_events.c.xid)).first()
        return Place(row.xid, row.seq) if row else START

    def after(self, place: Place, limit: int = 500) -> list[tuple[Place, Change]]:
        """The events beyond this place, oldest first."""
        event, incident = incident_events.c, incidents.c
        stands = (incident.brand, incident.kind, incident.severity, incident.state)
        query = (
            select(*_order, event.incident, event.number, event.kind.label("what"), event.at, event.actor, *stands)
            .join(incidents, incident.id == event.incident)
            .where(beyond(_order, place))
            .order_by(*_order)
            .limit(limit)
        )
        with self._db.read() as transaction:
            rows = transaction.run(settled(transaction, query, event.xid)).all()
        return [
            (
                Place(row.xid, row.seq),
                Change(
                    incident=row.incident,
                    number=row.number,
                    what=row.what,
                    at=row.at,
                    actor=row.actor,
                    brand=row.brand,
                    kind=row.kind,
                    severity=list(Severity)[row.severity].value,
                    state=row.state,
                ),
            )
            for row in rows
        ]
