"""The order in which events were committed, and how far those who follow them have come.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Serial

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.add_column(
        "case_events",
        sa.Column(
            "xid", Serial, nullable=False, server_default=sa.text("0"), comment="of the transaction; 0 on SQLite"
        ),
    )
    op.create_index("ix_case_events_order", "case_events", ["xid", "seq"], unique=False)
    op.create_table(
        "followers",
        sa.Column("name", Key(), nullable=False, comment="who follows the events of all cases"),
        sa.Column("xid", Serial, nullable=False),
        sa.Column("seq", Serial, nullable=False, comment="the last event they have dealt with"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_followers")),
    )
