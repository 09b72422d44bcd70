"""The tables of answers: drafts and deeds, which are their own outbox.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, text

from pipeline.store.columns import Key, Moment, Note, Serial
from pipeline.store.tables import metadata

drafts = Table(
    "drafts",
    metadata,
    Column("id", Key, primary_key=True, comment="random"),
    Column("case_id", Key, nullable=False),
    Column("author", Key, nullable=False, comment="whom it answers: source:author_id"),
    Column("mention", Key, nullable=False, comment="what it answers"),
    Column("via", Key, nullable=False, comment="the configured source to answer through"),
    Column("state", Key, nullable=False),
    Column("text", Text, nullable=False, comment="empty once it is withdrawn or discarded"),
    Column("macro", Key),
    Column("language", Key, nullable=False, comment="empty where it is not known"),
    Column("writer", Key, nullable=False, comment="who wrote these words last"),
    Column("hands", Text, nullable=False, comment="everybody who wrote at it, a JSON list: none of them approves it"),
    Column("approver", Key),
    Column("version", Integer, nullable=False, comment="counts every change"),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("key", Key, comment="of the attempt to send whose outcome is open, or of the answer that was sent"),
    Column("sender", Key, comment="who sent it"),
    Column("token", Serial, nullable=False, comment="of their lease"),
    Column("awaiting", Boolean, nullable=False, comment="it asks the customer for something"),
    Column("attempts", Integer, nullable=False, comment="how often this key was handed to the platform"),
    Column("next_at", Moment, comment="queued: when to try; sending: until when its sender has it to itself"),
    Column("reason", Note, nullable=False, comment="why it stands where it stands, for a person"),
    Column("answer", Key, comment="the id of our answer: source:native_id"),
    Column("gone_at", Moment, comment="when what it answers was taken back while it was being sent"),
    Column("private", Boolean, nullable=False, comment="written to them alone, where the network has that"),
    Column("pictures", Text, nullable=False, comment="a JSON list of addresses and descriptions"),
    Column("copied_from", Key, comment="the draft that was approved in its stead, as an answer to many"),
    Index("ix_drafts_case", "case_id", "created_at", "id"),
    Index("ix_drafts_author", "author"),
    Index("ix_drafts_state", "state", "created_at", "id"),
    Index("ix_drafts_created_at", "created_at", "id"),
    Index(
        "uq_drafts_copied_from",
        "copied_from",
        "case_id",
        unique=True,
        sqlite_where=text("copied_from IS NOT NULL"),
        postgresql_where=text("copied_from IS NOT NULL"),
    ),
    Index(
        "uq_drafts_key",
        "key",
        unique=True,
        sqlite_where=text("key IS NOT NULL"),
        postgresql_where=text("key IS NOT NULL"),
    ),
    Index(
        "ix_drafts_due",
        "via",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
)

deeds = Table(
    "deeds",
    metadata,
    Column("id", Key, primary_key=True, comment="action and mention: each is done once"),
    Column("case_id", Key, nullable=False, index=True),
    Column("author", Key, nullable=False, comment="whose mention it is: source:author_id"),
    Column("mention", Key, nullable=False),
    Column("via", Key, nullable=False, comment="the configured source to do it through"),
    Column("action", Key, nullable=False, comment="like or hide"),
    Column("state", Key, nullable=False, comment="waiting, done or failed"),
    Column("actor", Key, nullable=False, comment="who asked for it"),
    Column("why", Note, nullable=False, comment="their reason, where one is asked for"),
    Column("asked_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Moment, comment="when to try, or until when somebody is trying"),
    Column("reason", Note, nullable=False, comment="why it failed or waits, in the platform's or our words"),
    Index(
        "ix_deeds_due",
        "via",
        "next_at",
        sqlite_where=text("next_at IS NOT NULL"),
        postgresql_where=text("next_at IS NOT NULL"),
    ),
)
