"""Up to where counted mentions were let go, and since when history is being counted.

Revision ID: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What was let go so far is older than the oldest that is there."""
    with op.batch_alter_table("spike_brands") as brands:
        brands.add_column(sa.Column("purged", sa.Integer(), nullable=False, server_default="-1"))
        brands.add_column(sa.Column("history_at", sa.Integer(), nullable=False, server_default="-1"))
    with op.batch_alter_table("spike_brands") as brands:
        brands.alter_column(
            "purged", server_default=None, comment="up to here mentions may be gone; the beginning of a day"
        )
        brands.alter_column(
            "history_at", server_default=None, comment="when history began to come that is still kept, or -1"
        )
    op.execute(
        "UPDATE spike_brands SET purged = 1440 * ((1439 + COALESCE("
        "(SELECT MIN(minute) FROM spike_mentions WHERE spike_mentions.brand = spike_brands.brand), edge)) / 1440)"
    )
