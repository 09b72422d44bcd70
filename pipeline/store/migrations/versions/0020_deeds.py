"""What is done with mentions besides answering them: likes, and what is hidden on pages of our own.

Revision ID: 0020
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "deeds",
        sa.Column("id", Key(), nullable=False, comment="action and mention: each is done once"),
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="whose mention it is: source:author_id"),
        sa.Column("mention", Key(), nullable=False),
        sa.Column("via", Key(), nullable=False, comment="the configured source to do it through"),
        sa.Column("action", Key(), nullable=False, comment="like or hide"),
        sa.Column("state", Key(), nullable=False, comment="waiting, done or failed"),
        sa.Column("actor", Key(), nullable=False, comment="who asked for it"),
        sa.Column("why", Note(), nullable=False, comment="their reason, where one is asked for"),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", Moment(), comment="when to try, or until when somebody is trying"),
        sa.Column("reason", Note(), nullable=False, comment="why it failed or waits, in the platform's or our words"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deeds")),
    )
    op.create_index(op.f("ix_deeds_case_id"), "deeds", ["case_id"], unique=False)
    op.create_index(
        "ix_deeds_due",
        "deeds",
        ["via", "next_at"],
        unique=False,
        sqlite_where=sa.text("next_at IS NOT NULL"),
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
