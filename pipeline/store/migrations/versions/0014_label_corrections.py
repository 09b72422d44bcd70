"""Which labels of mentions people corrected.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "label_corrections",
        sa.Column("mention", Key(), nullable=False, comment="what was tagged wrong"),
        sa.Column("label", Key(), nullable=False, comment="sentiment, or the name of an intent"),
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", Key(), nullable=False),
        sa.Column("found", Key(), nullable=False, comment="as it was tagged"),
        sa.Column("right", Key(), nullable=False, comment="as a person says"),
        sa.PrimaryKeyConstraint("mention", "label", name=op.f("pk_label_corrections")),
    )
    op.create_index("ix_label_corrections_at", "label_corrections", ["at", "mention", "label"], unique=False)
    op.create_index(op.f("ix_label_corrections_case_id"), "label_corrections", ["case_id"], unique=False)
