"""Drafts that were approved once, as an answer to many.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say of which draft each is a copy."""
    comment = "the draft that was approved in its stead, as an answer to many"
    op.add_column("drafts", sa.Column("copied_from", Key(), comment=comment))
    op.create_index(
        "uq_drafts_copied_from",
        "drafts",
        ["copied_from", "case_id"],
        unique=True,
        sqlite_where=sa.text("copied_from IS NOT NULL"),
        postgresql_where=sa.text("copied_from IS NOT NULL"),
    )
