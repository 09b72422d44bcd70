"""What sources bring by the hour, what they have used, and how far their mentions were checked again.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "source_hours",
        sa.Column("id", Key(), nullable=False, comment="hour and source"),
        sa.Column("via", Key(), nullable=False),
        sa.Column("hour", Moment(), nullable=False, comment="its start"),
        sa.Column("taken", sa.Integer(), nullable=False, comment="items taken in for the first time"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_hours")),
    )
    op.create_index(op.f("ix_source_hours_via"), "source_hours", ["via"], unique=False)
    op.create_table(
        "source_usage",
        sa.Column("id", Key(), nullable=False, comment="source and unit"),
        sa.Column("via", Key(), nullable=False),
        sa.Column("unit", Key(), nullable=False, comment="requests, units, posts, USD"),
        sa.Column("used", sa.Float(), nullable=False),
        sa.Column("allowed", sa.Float()),
        sa.Column("resets", Moment()),
        sa.Column("at", Moment(), nullable=False, comment="when the source said so"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_usage")),
    )
    op.create_table(
        "rechecks",
        sa.Column("via", Key(), nullable=False),
        sa.Column("position", Key(), nullable=False, comment="the id checked last; empty at the start of a round"),
        sa.Column("rounds", sa.Integer(), nullable=False, comment="how often all were checked"),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("gone", sa.Integer(), nullable=False),
        sa.Column("reworded", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False, comment="when the last ones were checked"),
        sa.PrimaryKeyConstraint("via", name=op.f("pk_rechecks")),
    )
