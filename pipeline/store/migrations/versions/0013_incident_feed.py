"""The order in which events of incidents were committed.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Serial

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it."""
    op.add_column(
        "incident_events",
        sa.Column(
            "xid", Serial, nullable=False, server_default=sa.text("0"), comment="of the transaction; 0 on SQLite"
        ),
    )
    op.create_index("ix_incident_events_order", "incident_events", ["xid", "seq"], unique=False)
