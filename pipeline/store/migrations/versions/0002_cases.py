"""The desk's cases.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "case_authors",
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("token", Serial, nullable=False, comment="of the last lease; only grows"),
        sa.Column("owner", Key(), nullable=True),
        sa.Column("until", Moment(), nullable=True, comment="when the owner's lease runs out"),
        sa.PrimaryKeyConstraint("author", name=op.f("pk_case_authors")),
    )
    op.create_index(
        "ix_case_authors_until",
        "case_authors",
        ["until"],
        unique=False,
        sqlite_where=sa.text("owner IS NOT NULL"),
        postgresql_where=sa.text("owner IS NOT NULL"),
    )
    op.create_table(
        "case_events",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="within the case, from 1 without a hole"),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the event as JSON"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_case_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_case_events_case_number", "case_events", ["case_id", "number"], unique=True)
    op.create_table(
        "case_mentions",
        sa.Column("mention", Key(), nullable=False, comment="mention id, or the id of our own answer"),
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("part", Key(), nullable=False, comment="said, dropped (taken back or filtered), or answer"),
        sa.Column("said_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("mention", name=op.f("pk_case_mentions")),
    )
    op.create_index("ix_case_mentions_case", "case_mentions", ["case_id", "said_at"], unique=False)
    op.create_table(
        "case_tags",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("tag", Key(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "tag", name=op.f("pk_case_tags")),
    )
    op.create_index("ix_case_tags_tag", "case_tags", ["tag", "case_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", Key(), nullable=False, comment="digest of the mention that opened it"),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("conversation", Key(), nullable=False),
        sa.Column("brand", Key(), nullable=True),
        sa.Column("queue", Key(), nullable=False),
        sa.Column("routed_queue", Key(), nullable=False, comment="where the rule sent it"),
        sa.Column("state", Key(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False, comment="0 ready, 1 held, 2 resting, 3 closed"),
        sa.Column("priority", sa.Integer(), nullable=False, comment="0 urgent to 3 low"),
        sa.Column("due", Moment(), nullable=False, comment="the next answer; 9999-01-01 where none is"),
        sa.Column("since", Moment(), nullable=False, comment="when its first mention was said"),
        sa.Column("language", Key(), nullable=False, comment="empty where it is not known"),
        sa.Column("topic", Key(), nullable=False, comment="empty where there is none"),
        sa.Column("owner", Key(), nullable=True),
        sa.Column("family", Key(), nullable=True, comment="the wave of near-duplicates it belongs to"),
        sa.Column("wakes_at", Moment(), nullable=True, comment="while it is snoozed"),
        sa.Column("closed_at", Moment(), nullable=False, comment="9999-01-01 while it is open"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the whole case as JSON"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_author", "cases", ["author", "closed_at"], unique=False)
    op.create_index(
        "ix_cases_closed_at",
        "cases",
        ["closed_at"],
        unique=False,
        sqlite_where=sa.text("standing = 3"),
        postgresql_where=sa.text("standing = 3"),
    )
    op.create_index(
        "ix_cases_family",
        "cases",
        ["family", "id"],
        unique=False,
        sqlite_where=sa.text("family IS NOT NULL"),
        postgresql_where=sa.text("family IS NOT NULL"),
    )
    op.create_index(
        "ix_cases_order",
        "cases",
        ["queue", "standing", "priority", "due", "since", "id", "language", "topic"],
        unique=False,
    )
    op.create_index(
        "ix_cases_owner",
        "cases",
        ["owner"],
        unique=False,
        sqlite_where=sa.text("owner IS NOT NULL"),
        postgresql_where=sa.text("owner IS NOT NULL"),
    )
    op.create_index("ix_cases_since", "cases", ["since", "id"], unique=False)
    op.create_index(
        "ix_cases_wakes_at",
        "cases",
        ["wakes_at"],
        unique=False,
        sqlite_where=sa.text("wakes_at IS NOT NULL"),
        postgresql_where=sa.text("wakes_at IS NOT NULL"),
    )
    op.create_table(
        "corrections",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("mention", Key(), nullable=True, comment="the one that opened the case"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", Key(), nullable=False),
        sa.Column("routed_queue", Key(), nullable=False),
        sa.Column("right_queue", Key(), nullable=False),
        sa.Column("rule", Key(), nullable=False),
        sa.Column("rules_version", Key(), nullable=False),
        sa.Column("reason", Note(), nullable=False),
        sa.Column(
            "body",
            sa.LargeBinary(),
            nullable=False,
            comment="the Routed record as on the wire; empty once it is removed",
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_corrections")),
    )
    op.create_index(op.f("ix_corrections_at"), "corrections", ["at"], unique=False)
    op.create_index(op.f("ix_corrections_mention"), "corrections", ["mention"], unique=False)
