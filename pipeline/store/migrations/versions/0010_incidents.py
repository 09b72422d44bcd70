"""Incidents: what was seen, what was done about it, and which mentions it is made of.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "incident_detections",
        sa.Column("id", Key(), nullable=False, comment="digest of series and time"),
        sa.Column("incident", Key(), nullable=False),
        sa.Column("facet", Key(), nullable=False),
        sa.Column("value", Key(), nullable=False),
        sa.Column("at", Moment(), nullable=False, comment="event time"),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the detection as JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_detections")),
    )
    op.create_index("ix_incident_detections_incident", "incident_detections", ["incident", "at"], unique=False)
    op.create_table(
        "incident_events",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("incident", Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="within the incident, from 1 without a hole"),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", Key(), nullable=False),
        sa.Column("text", Note(), nullable=False, comment="what our people wrote: a note, a reason, the statement"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the rest of the event as JSON"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_incident_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_incident_events_incident_number", "incident_events", ["incident", "number"], unique=True)
    op.create_table(
        "incident_mentions",
        sa.Column("mention", Key(), nullable=False, comment="mention id"),
        sa.Column("incident", Key(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("said_at", Moment(), nullable=False),
        sa.Column("part", Key(), nullable=False, comment="heard; attached or detached by a person"),
        sa.PrimaryKeyConstraint("mention", name=op.f("pk_incident_mentions")),
    )
    op.create_index("ix_incident_mentions_author", "incident_mentions", ["author"], unique=False)
    op.create_index(
        "ix_incident_mentions_incident", "incident_mentions", ["incident", "said_at", "mention"], unique=False
    )
    op.create_table(
        "incident_strands",
        sa.Column("strand", Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="of its last incident; only grows"),
        sa.PrimaryKeyConstraint("strand", name=op.f("pk_incident_strands")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", Key(), nullable=False, comment="digest of the strand and its number"),
        sa.Column("strand", Key(), nullable=False, comment="brand, group and, where it was split off, topic"),
        sa.Column("number", sa.Integer(), nullable=False, comment="within the strand, from 1"),
        sa.Column("brand", Key(), nullable=False),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("state", Key(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False, comment="0 minor to 2 critical"),
        sa.Column("onset", Moment(), nullable=False, comment="event time, in hindsight"),
        sa.Column("first_at", Moment(), nullable=False, comment="event time of its first detection"),
        sa.Column("last_at", Moment(), nullable=False, comment="event time of its last detection"),
        sa.Column("heard_at", Moment(), nullable=False, comment="when the last detection was recorded, by our clock"),
        sa.Column("closed_at", Moment(), nullable=False, comment="by our clock; 9999-01-01 while it is not closed"),
        sa.Column("version", sa.Integer(), nullable=False, comment="the number of its last event"),
        sa.Column(
            "gather_from",
            Moment(),
            nullable=False,
            comment="event time from which its mentions are still to be gathered",
        ),
        sa.Column("part_of", Key(), nullable=True, comment="the incident that it turned out to be part of"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the whole incident as JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"], unique=False)
    op.create_index("ix_incidents_onset", "incidents", ["onset", "id"], unique=False)
    op.create_index("ix_incidents_strand", "incidents", ["strand", "last_at"], unique=False)
    op.create_index("uq_incidents_strand_number", "incidents", ["strand", "number"], unique=True)
