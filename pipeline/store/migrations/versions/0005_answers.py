"""Drafts, and the answers on their way.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "drafts",
        sa.Column("id", Key(), nullable=False, comment="random"),
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="whom it answers: source:author_id"),
        sa.Column("mention", Key(), nullable=False, comment="what it answers"),
        sa.Column("via", Key(), nullable=False, comment="the configured source to answer through"),
        sa.Column("state", Key(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="empty once it is withdrawn or discarded"),
        sa.Column("macro", Key(), nullable=True),
        sa.Column("language", Key(), nullable=False, comment="empty where it is not known"),
        sa.Column("writer", Key(), nullable=False, comment="who wrote these words last"),
        sa.Column(
            "hands",
            sa.Text(),
            nullable=False,
            comment="everybody who wrote at it, a JSON list: none of them approves it",
        ),
        sa.Column("approver", Key(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts every change"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column(
            "key",
            Key(),
            nullable=True,
            comment="of the attempt to send whose outcome is open, or of the answer that was sent",
        ),
        sa.Column("sender", Key(), nullable=True, comment="who sent it"),
        sa.Column("token", Serial, nullable=False, comment="of their lease"),
        sa.Column("awaiting", sa.Boolean(), nullable=False, comment="it asks the customer for something"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often this key was handed to the platform"),
        sa.Column(
            "next_at",
            Moment(),
            nullable=True,
            comment="queued: when to try; sending: until when its sender has it to itself",
        ),
        sa.Column("reason", Note(), nullable=False, comment="why it stands where it stands, for a person"),
        sa.Column("answer", Key(), nullable=True, comment="the id of our answer: source:native_id"),
        sa.Column(
            "gone_at",
            Moment(),
            nullable=True,
            comment="when what it answers was taken back while it was being sent",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drafts")),
    )
    op.create_index("ix_drafts_case", "drafts", ["case_id", "created_at", "id"], unique=False)
    op.create_index("ix_drafts_author", "drafts", ["author"], unique=False)
    op.create_index("ix_drafts_state", "drafts", ["state", "created_at", "id"], unique=False)
    op.create_index("ix_drafts_created_at", "drafts", ["created_at", "id"], unique=False)
    op.create_index(
        "uq_drafts_key",
        "drafts",
        ["key"],
        unique=True,
        sqlite_where=sa.text("key IS NOT NULL"),
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_index(
        "ix_drafts_due",
        "drafts",
        ["via", "next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
