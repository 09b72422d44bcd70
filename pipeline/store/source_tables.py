"""What each source brought by the hour, what it has used of its allowances, and how far its mentions were checked
again. Figures only: nothing here tells of a person."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, Table

from pipeline.store.columns import Key, Moment
from pipeline.store.tables import metadata

source_hours = Table(
    "source_hours",
    metadata,
    Column("id", Key, primary_key=True, comment="hour and source"),
    Column("via", Key, nullable=False, index=True),
    Column("hour", Moment, nullable=False, comment="its start"),
    Column("taken", Integer, nullable=False, comment="items taken in for the first time"),
)

source_usage = Table(
    "source_usage",
    metadata,
    Column("id", Key, primary_key=True, comment="source and unit"),
    Column("via", Key, nullable=False),
    Column("unit", Key, nullable=False, comment="requests, units, posts, USD"),
    Column("used", Float, nullable=False),
    Column("allowed", Float),
    Column("resets", Moment),
    Column("at", Moment, nullable=False, comment="when the source said so"),
)

rechecks = Table(
    "rechecks",
    metadata,
    Column("via", Key, primary_key=True),
    Column("position", Key, nullable=False, comment="the id checked last; empty at the start of a round"),
    Column("rounds", Integer, nullable=False, comment="how often all were checked"),
    Column("checked", Integer, nullable=False),
    Column("gone", Integer, nullable=False),
    Column("reworded", Integer, nullable=False),
    Column("at", Moment, nullable=False, comment="when the last ones were checked"),
)
