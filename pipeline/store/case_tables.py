"""The tables of the desk's cases. `case_events` is what happened, appended and never changed; `cases` is what follows
from it, one row a case, written in the same transaction. `case_authors` holds who may speak with an author.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, text

from pipeline.store.columns import Key, Moment, Note, Serial
from pipeline.store.tables import metadata

case_events = Table(
    "case_events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("xid", Serial, nullable=False, server_default=text("0"), comment="of the transaction; 0 on SQLite"),
    Column("case_id", Key, nullable=False),
    Column("number", Integer, nullable=False, comment="within the case, from 1 without a hole"),
    Column("kind", Key, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="the event as JSON"),
    Index("uq_case_events_case_number", "case_id", "number", unique=True),
    Index("ix_case_events_order", "xid", "seq"),
    sqlite_autoincrement=True,
)

cases = Table(
    "cases",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of the mention that opened it"),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("conversation", Key, nullable=False),
    Column("brand", Key),
    Column("queue", Key, nullable=False),
    Column("routed_queue", Key, nullable=False, comment="where the rule sent it"),
    Column("state", Key, nullable=False),
    Column("standing", Integer, nullable=False, comment="0 ready, 1 held, 2 resting, 3 closed"),
    Column("priority", Integer, nullable=False, comment="0 urgent to 3 low"),
    Column("due", Moment, nullable=False, comment="the next answer; 9999-01-01 where none is"),
    Column("since", Moment, nullable=False, comment="when its first mention was said"),
    Column("language", Key, nullable=False, comment="empty where it is not known"),
    Column("topic", Key, nullable=False, comment="empty where there is none"),
    Column("owner", Key),
    Column("family", Key, comment="the wave of near-duplicates it belongs to"),
    Column("lead", Key, comment="the case of its wave that is worked in its stead"),
    Column("wakes_at", Moment, comment="while it is snoozed"),
    Column("closed_at", Moment, nullable=False, comment="9999-01-01 while it is open"),
    Column("promised", Moment, comment="due by the queue's service level; null where it has none"),
    Column("returned_by", Key, comment="who had it last and gave it back"),
    Column("body", LargeBinary, nullable=False, comment="the whole case as JSON"),
    Index("ix_cases_order", "queue", "standing", "priority", "due", "since", "id", "language", "topic"),
    Index("ix_cases_author", "author", "closed_at"),
    Index("ix_cases_since", "since", "id"),
    Index(
        "ix_cases_owner",
        "owner",
        sqlite_where=text("owner IS NOT NULL"),
        postgresql_where=text("owner IS NOT NULL"),
    ),
    Index(
        "ix_cases_family",
        "family",
        "lead",
        sqlite_where=text("family IS NOT NULL"),
        postgresql_where=text("family IS NOT NULL"),
    ),
    Index(
        "ix_cases_lead",
        "standing",
        "lead",
        "since",
        "id",
        sqlite_where=text("lead IS NOT NULL"),
        postgresql_where=text("lead IS NOT NULL"),
    ),
    Index(
        "ix_cases_wakes_at",
        "wakes_at",
        sqlite_where=text("wakes_at IS NOT NULL"),
        postgresql_where=text("wakes_at IS NOT NULL"),
    ),
    Index("ix_cases_closed_at", "closed_at", sqlite_where=text("standing = 3"), postgresql_where=text("standing = 3")),
)

case_mentions = Table(
    "case_mentions",
    metadata,
    Column("mention", Key, primary_key=True, comment="mention id, or the id of our own answer"),
    Column("case_id", Key, nullable=False),
    Column("part", Key, nullable=False, comment="said, dropped (taken back or filtered), or answer"),
    Column("said_at", Moment, nullable=False),
    Index("ix_case_mentions_case", "case_id", "said_at"),
)

case_authors = Table(
    "case_authors",
    metadata,
    Column("author", Key, primary_key=True, comment="source:author_id"),
    Column("token", Serial, nullable=False, comment="of the last lease; only grows"),
    Column("owner", Key),
    Column("until", Moment, comment="when the owner's lease runs out"),
    Index(
        "ix_case_authors_until",
        "until",
        sqlite_where=text("owner IS NOT NULL"),
        postgresql_where=text("owner IS NOT NULL"),
    ),
)

case_tags = Table(
    "case_tags",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("tag", Key, primary_key=True),
    Index("ix_case_tags_tag", "tag", "case_id"),
)

corrections = Table(
    "corrections",
    metadata,
    Column("case_id", Key, primary_key=True),
    Column("mention", Key, index=True, comment="the one that opened the case"),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", Key, nullable=False),
    Column("routed_queue", Key, nullable=False),
    Column("right_queue", Key, nullable=False),
    Column("rule", Key, nullable=False),
    Column("rules_version", Key, nullable=False),
    Column("reason", Note, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="the Routed record as on the wire; empty once it is removed"),
)

label_corrections = Table(
    "label_corrections",
    metadata,
    Column("mention", Key, primary_key=True, comment="what was tagged wrong"),
    Column("label", Key, primary_key=True, comment="sentiment, or the name of an intent"),
    Column("case_id", Key, nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("actor", Key, nullable=False),
    Column("found", Key, nullable=False, comment="as it was tagged"),
    Column("right", Key, nullable=False, comment="as a person says"),
    Index("ix_label_corrections_at", "at", "mention", "label"),
)

followers = Table(
    "followers",
    metadata,
    Column("name", Key, primary_key=True, comment="who follows the events of all cases"),
    Column("xid", Serial, nullable=False),
    Column("seq", Serial, nullable=False, comment="the last event they have dealt with"),
)
