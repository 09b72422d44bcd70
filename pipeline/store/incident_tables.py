"""The tables of incidents. `incident_detections` is what the watch saw, `incident_events` what people and the machine
did about it, appended and never changed but for erasure; `incidents` is what follows from both, one row an incident,
written in the same transaction.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Table, text

from pipeline.store.columns import Key, Moment, Note, Serial
from pipeline.store.tables import metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of the strand and its number"),
    Column("strand", Key, nullable=False, comment="brand, group and, where it was split off, topic"),
    Column("number", Integer, nullable=False, comment="within the strand, from 1"),
    Column("brand", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("state", Key, nullable=False),
    Column("severity", Integer, nullable=False, comment="0 minor to 2 critical"),
    Column("onset", Moment, nullable=False, comment="event time, in hindsight"),
    Column("first_at", Moment, nullable=False, comment="event time of its first detection"),
    Column("last_at", Moment, nullable=False, comment="event time of its last detection"),
    Column("heard_at", Moment, nullable=False, comment="when the last detection was recorded, by our clock"),
    Column("closed_at", Moment, nullable=False, comment="by our clock; 9999-01-01 while it is not closed"),
    Column("version", Integer, nullable=False, comment="the number of its last event"),
    Column(
        "gather_from", Moment, nullable=False, comment="event time from which its mentions are still to be gathered"
    ),
    Column("part_of", Key, comment="the incident that it turned out to be part of"),
    Column("body", LargeBinary, nullable=False, comment="the whole incident as JSON"),
    Index("uq_incidents_strand_number", "strand", "number", unique=True),
    Index("ix_incidents_closed_at", "closed_at"),
    Index("ix_incidents_onset", "onset", "id"),
    Index("ix_incidents_strand", "strand", "last_at"),
)

incident_strands = Table(
    "incident_strands",
    metadata,
    Column("strand", Key, primary_key=True),
    Column("number", Integer, nullable=False, comment="of its last incident; only grows"),
)

incident_detections = Table(
    "incident_detections",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of series and time"),
    Column("incident", Key, nullable=False),
    Column("facet", Key, nullable=False),
    Column("value", Key, nullable=False),
    Column("at", Moment, nullable=False, comment="event time"),
    Column("score", Float, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="the detection as JSON"),
    Index("ix_incident_detections_incident", "incident", "at"),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("xid", Serial, nullable=False, server_default=text("0"), comment="of the transaction; 0 on SQLite"),
    Column("incident", Key, nullable=False),
    Column("number", Integer, nullable=False, comment="within the incident, from 1 without a hole"),
    Column("kind", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", Key, nullable=False),
    Column("text", Note, nullable=False, comment="what our people wrote: a note, a reason, the statement"),
    Column("body", LargeBinary, nullable=False, comment="the rest of the event as JSON"),
    Index("uq_incident_events_incident_number", "incident", "number", unique=True),
    Index("ix_incident_events_order", "xid", "seq"),
    sqlite_autoincrement=True,
)

MEMBERS = ("heard", "attached")
"""The parts of what an incident is made of. What is `aside` was said against its brand in its time, but of another
matter; what is `detached` a person took out."""

incident_mentions = Table(
    "incident_mentions",
    metadata,
    Column("mention", Key, primary_key=True, comment="mention id"),
    Column("incident", Key, nullable=False),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("said_at", Moment, nullable=False),
    Column("part", Key, nullable=False, comment="heard; attached or detached by a person"),
    Index("ix_incident_mentions_incident", "incident", "said_at", "mention"),
    Index("ix_incident_mentions_author", "author"),
)
