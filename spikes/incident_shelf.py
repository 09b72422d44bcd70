"""Incidents in and out of the tables, inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, select, update

from desk.refusals import NoSuchCase
from pipeline.store.columns import NEVER
from pipeline.store.database import Transaction
from pipeline.store.incident_tables import incident_detections, incident_events, incidents
from spikes.detection import Detection
from spikes.incident_records import Event, Incident, after, read_event

_encode = msgspec.json.Encoder().encode
read_incident = msgspec.json.Decoder(Incident).decode
"""The `body` of a row of `incidents`."""
read_detection = msgspec.json.Decoder(Detection).decode
"""The `body` of a row of `incident_detections`."""

_columns = [column.name for column in incidents.c if column.name not in ("id", "gather_from")]


class NoSuchIncident(NoSuchCase):
    """No incident has this id."""


def digest(*parts: str) -> str:
    """A short id made of these."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def hold(transaction: Transaction, id: str) -> Incident:
    """Read an incident and keep others from changing it until the transaction ends; raises NoSuchIncident."""
    body = transaction.run(select(incidents.c.body).where(incidents.c.id == id).with_for_update()).scalar()
    if body is None:
        raise NoSuchIncident(f"there is no incident {id}")
    return read_incident(body)


def find(transaction: Transaction, *conditions: ColumnElement[bool]) -> list[Incident]:
    """Those of which this is true, by onset."""
    query = select(incidents.c.body).where(*conditions).order_by(incidents.c.onset, incidents.c.id)
    return [read_incident(body) for body in transaction.run(query).scalars()]


def put(transaction: Transaction, incident: Incident, heard_at: datetime | None = None) -> None:
    """Write its row. `heard_at`: a detection was recorded just now."""
    extent, work = incident.extent, incident.work
    row = {
        "id": incident.id,
        "strand": incident.strand,
        "number": incident.number,
        "brand": incident.brand,
        "kind": extent.kind.value,
        "state": work.state.value,
        "severity": extent.severity.rank,
        "onset": extent.onset,
        "first_at": extent.first_at,
        "last_at": extent.last_at,
        "heard_at": heard_at or NEVER,
        "closed_at": work.closed_at or NEVER,
        "version": work.version,
        "gather_from": extent.onset,
        "part_of": work.into or None,
        "body": _encode(incident),
    }
    changed = [name for name in _columns if name != "heard_at" or heard_at]
    transaction.insert(incidents, [row], "id", update=changed)


def record(transaction: Transaction, incident: Incident, event: Event) -> Incident:
    """Append what happened; returns the incident after it, whose row is still to be put."""
    work = after(incident.work, event)
    row = {
        "incident": incident.id,
        "number": work.version,
        "kind": event.kind,
        "at": event.at,
        "actor": event.actor,
        "text": event.text,
        "body": _encode(replace(event, text="")),
    }
    transaction.insert(incident_events, [row], "seq", stamp="xid")
    return replace(incident, work=work)


def events_of(transaction: Transaction, id: str, after: int = 0, limit: int | None = None) -> list[tuple[int, Event]]:
    """What happened to it after event number `after`, oldest first, each with its number."""
    query = select(incident_events.c.number, incident_events.c.text, incident_events.c.body)
    query = query.where(incident_events.c.incident == id, incident_events.c.number > after)
    rows = transaction.run(query.order_by(incident_events.c.number).limit(limit))
    return [(row.number, replace(read_event(row.body), text=row.text)) for row in rows]


def detections_of(transaction: Transaction, ids: Sequence[str]) -> Iterable[Detection]:
    """What the watch saw that belongs to these."""
    query = select(incident_detections.c.body).where(transaction.among(incident_detections.c.incident, ids))
    return (read_detection(body) for body in transaction.run(query).scalars())


def put_detection(transaction: Transaction, id: str, incident: str, detection: Detection) -> None:
    """Write its row, or write it anew."""
    row = {
        "id": id,
        "incident": incident,
        "facet": detection.key.facet,
        "value": detection.key.value,
        "at": detection.at,
        "score": detection.score,
        "body": _encode(detection),
    }
    transaction.insert(incident_detections, [row], "id", update=["incident", "score", "body"])


def gather_again(transaction: Transaction, id: str, since: datetime) -> None:
    """Let its mentions be gathered anew from then on."""
    earlier = (incidents.c.id == id, incidents.c.gather_from > since)
    transaction.run(update(incidents).where(*earlier).values(gather_from=since))
