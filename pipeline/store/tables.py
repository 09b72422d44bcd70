"""The tables. `intake` says what came in, `mentions`, `removed` and `dead_letters` what became of it: the ledger
compares them, so nothing here is derived from another table.

A change here needs a migration in `migrations/versions/`; a test holds the two together.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, MetaData, Table, text

from pipeline.store.columns import Key, Moment, Note, Serial

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

intake = Table(
    "intake",
    metadata,
    Column("id", Key, primary_key=True, comment="mention id, or the id of an unreadable item"),
    Column("source", Key, nullable=False),
    Column("via", Key, nullable=False, comment="the configured source that collected it"),
    Column("digest", Key, nullable=False, comment="of the content; empty when unknown or removed"),
    Column("taken_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False, comment="when it was said"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("via", Key, primary_key=True),
    Column("cursor", LargeBinary, comment="UTF-8; where the source goes on"),
    Column("saved_at", Moment, nullable=False),
    Column("last_item_at", Moment),
    Column("last_heard_at", Moment),
)

gaps = Table(
    "gaps",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of source, times and reason"),
    Column("via", Key, nullable=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("reason", Note, nullable=False),
    Column("note", Note, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("repaired_at", Moment),
)

mentions = Table(
    "mentions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source", Key, nullable=False),
    Column("via", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("conversation", Key, nullable=False),
    Column("brand", Key),
    Column("created_at", Moment, nullable=False),
    Column("known_since", Moment, nullable=False, comment="the earlier of created and collected"),
    Column("revision", Moment, nullable=False, comment="when this wording was written"),
    Column("outcome", Key, nullable=False, comment="queued or filtered"),
    Column("queue", Key),
    Column("filtered", Key, comment="the reason"),
    Column("priority", Integer, nullable=False, comment="0 urgent to 3 low"),
    Column("first_response_due", Moment, nullable=False, comment="9999-01-01 where the rule gives none"),
    Column("resolution_due", Moment),
    Column("rule", Key, nullable=False),
    Column("rules_version", Key, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("stored_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="the Routed record as on the wire"),
    Index(
        "ix_mentions_queue_order",
        "queue",
        "priority",
        "first_response_due",
        "created_at",
        "id",
        sqlite_where=text("outcome = 'queued'"),
        postgresql_where=text("outcome = 'queued'"),
    ),
    Index("ix_mentions_author", "author"),
    Index("ix_mentions_conversation", "conversation"),
    Index("ix_mentions_created_at", "created_at", "id"),
    Index("ix_mentions_outcome", "outcome", "source", "filtered"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("target", Key, primary_key=True, comment="mention:ID or author:ID"),
    Column("source", Key, nullable=False),
    Column("reason", Key, nullable=False),
    Column("noticed_at", Moment, nullable=False),
    Column("applied_at", Moment, nullable=False),
)

removed = Table(
    "removed",
    metadata,
    Column("id", Key, primary_key=True, comment="mention id"),
    Column("source", Key, nullable=False),
    Column("reason", Key, nullable=False),
    Column("removed_at", Moment, nullable=False),
    Column("conversation", Key, nullable=False, comment="the key to purge on the topics; empty when purged"),
    Column("purged_at", Moment),
    Index(
        "ix_removed_unpurged",
        "removed_at",
        sqlite_where=text("purged_at IS NULL"),
        postgresql_where=text("purged_at IS NULL"),
    ),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Key, primary_key=True),
    Column("intake_id", Key, nullable=False, index=True),
    Column("source", Key, nullable=False),
    Column("via", Key, nullable=False),
    Column("author", Key, index=True, comment="source:author_id where it could be read"),
    Column("role", Key, nullable=False),
    Column("stage", Key, nullable=False),
    Column("place", Note, nullable=False),
    Column("reason", Note, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("known_since", Moment, nullable=False, comment="when it was said where known, else when it died"),
    Column("died_at", Moment, nullable=False),
    Column("state", Key, nullable=False, comment="dead, retried, revived or discarded"),
    Column("attempts", Integer, nullable=False),
    Column("note", Note, nullable=False, comment="who discarded it and why"),
    Index("ix_dead_letters_state", "state", "died_at", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True, comment="the order of enqueueing"),
    Column("key", Key, nullable=False, unique=True, comment="the idempotency key"),
    Column("sink", Key, nullable=False),
    Column("mention_id", Key, nullable=False),
    Column("kind", Key, nullable=False, comment="routed or removal"),
    Column("payload", LargeBinary, nullable=False, comment="empty once sent"),
    Column("state", Key, nullable=False, comment="pending, sent or refused"),
    Column("attempts", Integer, nullable=False, comment="how often it was handed to the sink"),
    Column("next_attempt_at", Moment, nullable=False),
    Column("leased_until", Moment),
    Column("last_error", Note, nullable=False),
    Column("enqueued_at", Moment, nullable=False),
    Column("sent_at", Moment),
    Index(
        "ix_outbox_pending",
        "sink",
        "seq",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_outbox_refused",
        "sink",
        "seq",
        sqlite_where=text("state = 'refused'"),
        postgresql_where=text("state = 'refused'"),
    ),
    Index("ix_outbox_mention", "mention_id", "sink", "seq"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("member", Key, primary_key=True),
    Column("role", Key, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("beat_at", Moment, nullable=False),
    Column("handled", Serial, nullable=False, comment="records since it started"),
    Column("rate", Float, nullable=False, comment="records a second of late"),
)

# The desk's tables are part of this metadata: whoever has one has them all.
from pipeline.store import account_tables as account_tables  # noqa: E402 - they need `metadata`
from pipeline.store import alert_tables as alert_tables  # noqa: E402 - they need `metadata`
from pipeline.store import answer_tables as answer_tables  # noqa: E402 - they need `metadata`
from pipeline.store import case_tables as case_tables  # noqa: E402 - they need `metadata`
from pipeline.store import document_tables as document_tables  # noqa: E402 - they need `metadata`
from pipeline.store import fact_tables as fact_tables  # noqa: E402 - they need `metadata`
from pipeline.store import incident_tables as incident_tables  # noqa: E402 - they need `metadata`
from pipeline.store import search_tables as search_tables  # noqa: E402 - they need `metadata`
from pipeline.store import source_tables as source_tables  # noqa: E402 - they need `metadata`
from pipeline.store import spike_tables as spike_tables  # noqa: E402 - they need `metadata`
from pipeline.store import work_tables as work_tables  # noqa: E402 - they need `metadata`
