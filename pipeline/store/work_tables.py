"""The tables of work: who is there and what they can do, and the clocks of cases.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, text

from pipeline.store.columns import Key, Moment, Note
from pipeline.store.tables import metadata

agents = Table(
    "agents",
    metadata,
    Column("user", Key, primary_key=True, comment="user:ID"),
    Column("team", Key, nullable=False, comment="empty where there is none"),
    Column("queues", Note, nullable=False, comment="a JSON array; empty for every queue"),
    Column("languages", Note, nullable=False, comment="a JSON array; empty for every language"),
    Column("topics", Note, nullable=False, comment="a JSON array; empty for every topic"),
    Column("capacity", Integer, nullable=False, comment="how many customers at a time are given to them"),
    Column("presence", Key, nullable=False, comment="available or away"),
    Column("seen_at", Moment, comment="to a few seconds"),
    Column("given_at", Moment, comment="when they were last given work"),
)

case_clocks = Table(
    "case_clocks",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("next_alarm", Moment, comment="when there will be something to tell; null where there is nothing more"),
    Index(
        "ix_case_clocks_next_alarm",
        "next_alarm",
        sqlite_where=text("next_alarm IS NOT NULL"),
        postgresql_where=text("next_alarm IS NOT NULL"),
    ),
)

clock_rules = Table(
    "clock_rules",
    metadata,
    Column("name", Key, primary_key=True, comment="one row, `clocks`"),
    Column("digest", Key, nullable=False, comment="of the promises and calendars in force"),
    Column("place", Key, comment="the last open case worked out anew under them; null once all are"),
)
