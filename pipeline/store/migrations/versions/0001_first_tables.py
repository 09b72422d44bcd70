"""The first tables.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "cursors",
        sa.Column("via", Key(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(), nullable=True, comment="UTF-8; where the source goes on"),
        sa.Column("saved_at", Moment(), nullable=False),
        sa.Column("last_item_at", Moment(), nullable=True),
        sa.Column("last_heard_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("via", name=op.f("pk_cursors")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", Key(), nullable=False),
        sa.Column("intake_id", Key(), nullable=False),
        sa.Column("source", Key(), nullable=False),
        sa.Column("via", Key(), nullable=False),
        sa.Column("author", Key(), nullable=True, comment="source:author_id where it could be read"),
        sa.Column("role", Key(), nullable=False),
        sa.Column("stage", Key(), nullable=False),
        sa.Column("place", Note(), nullable=False),
        sa.Column("reason", Note(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("known_since", Moment(), nullable=False, comment="when it was said where known, else when it died"),
        sa.Column("died_at", Moment(), nullable=False),
        sa.Column("state", Key(), nullable=False, comment="dead, retried, revived or discarded"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("note", Note(), nullable=False, comment="who discarded it and why"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index(op.f("ix_dead_letters_author"), "dead_letters", ["author"], unique=False)
    op.create_index(op.f("ix_dead_letters_intake_id"), "dead_letters", ["intake_id"], unique=False)
    op.create_index("ix_dead_letters_state", "dead_letters", ["state", "died_at", "id"], unique=False)
    op.create_table(
        "gaps",
        sa.Column("id", Key(), nullable=False, comment="digest of source, times and reason"),
        sa.Column("via", Key(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("reason", Note(), nullable=False),
        sa.Column("note", Note(), nullable=False),
        sa.Column("recorded_at", Moment(), nullable=False),
        sa.Column("repaired_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gaps")),
    )
    op.create_table(
        "intake",
        sa.Column("id", Key(), nullable=False, comment="mention id, or the id of an unreadable item"),
        sa.Column("source", Key(), nullable=False),
        sa.Column("via", Key(), nullable=False, comment="the configured source that collected it"),
        sa.Column("digest", Key(), nullable=False, comment="of the content; empty when unknown or removed"),
        sa.Column("taken_at", Moment(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False, comment="when it was said"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intake")),
    )
    op.create_table(
        "mentions",
        sa.Column("id", Key(), nullable=False),
        sa.Column("source", Key(), nullable=False),
        sa.Column("via", Key(), nullable=False),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("conversation", Key(), nullable=False),
        sa.Column("brand", Key(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("known_since", Moment(), nullable=False, comment="the earlier of created and collected"),
        sa.Column("revision", Moment(), nullable=False, comment="when this wording was written"),
        sa.Column("outcome", Key(), nullable=False, comment="queued or filtered"),
        sa.Column("queue", Key(), nullable=True),
        sa.Column("filtered", Key(), nullable=True, comment="the reason"),
        sa.Column("priority", sa.Integer(), nullable=False, comment="0 urgent to 3 low"),
        sa.Column("first_response_due", Moment(), nullable=False, comment="9999-01-01 where the rule gives none"),
        sa.Column("resolution_due", Moment(), nullable=True),
        sa.Column("rule", Key(), nullable=False),
        sa.Column("rules_version", Key(), nullable=False),
        sa.Column("decided_at", Moment(), nullable=False),
        sa.Column("stored_at", Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the Routed record as on the wire"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentions")),
    )
    op.create_index("ix_mentions_author", "mentions", ["author"], unique=False)
    op.create_index("ix_mentions_conversation", "mentions", ["conversation"], unique=False)
    op.create_index("ix_mentions_created_at", "mentions", ["created_at", "id"], unique=False)
    op.create_index("ix_mentions_outcome", "mentions", ["outcome", "source", "filtered"], unique=False)
    op.create_index(
        "ix_mentions_queue_order",
        "mentions",
        ["queue", "priority", "first_response_due", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("outcome = 'queued'"),
        postgresql_where=sa.text("outcome = 'queued'"),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", Serial, autoincrement=True, nullable=False, comment="the order of enqueueing"),
        sa.Column("key", Key(), nullable=False, comment="the idempotency key"),
        sa.Column("sink", Key(), nullable=False),
        sa.Column("mention_id", Key(), nullable=False),
        sa.Column("kind", Key(), nullable=False, comment="routed or removal"),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="empty once sent"),
        sa.Column("state", Key(), nullable=False, comment="pending, sent or refused"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often it was handed to the sink"),
        sa.Column("next_attempt_at", Moment(), nullable=False),
        sa.Column("leased_until", Moment(), nullable=True),
        sa.Column("last_error", Note(), nullable=False),
        sa.Column("enqueued_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_mention", "outbox", ["mention_id", "sink", "seq"], unique=False)
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["sink", "seq"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "removed",
        sa.Column("id", Key(), nullable=False, comment="mention id"),
        sa.Column("source", Key(), nullable=False),
        sa.Column("reason", Key(), nullable=False),
        sa.Column("removed_at", Moment(), nullable=False),
        sa.Column("conversation", Key(), nullable=False, comment="the key to purge on the topics; empty when purged"),
        sa.Column("purged_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removed")),
    )
    op.create_index(
        "ix_removed_unpurged",
        "removed",
        ["removed_at"],
        unique=False,
        sqlite_where=sa.text("purged_at IS NULL"),
        postgresql_where=sa.text("purged_at IS NULL"),
    )
    op.create_table(
        "tombstones",
        sa.Column("target", Key(), nullable=False, comment="mention:ID or author:ID"),
        sa.Column("source", Key(), nullable=False),
        sa.Column("reason", Key(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.Column("applied_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "workers",
        sa.Column("member", Key(), nullable=False),
        sa.Column("role", Key(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("beat_at", Moment(), nullable=False),
        sa.Column("handled", Serial, nullable=False, comment="records since it started"),
        sa.Column("rate", sa.Float(), nullable=False, comment="records a second of late"),
        sa.PrimaryKeyConstraint("member", name=op.f("pk_workers")),
    )
