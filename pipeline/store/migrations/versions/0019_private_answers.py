"""Answers to their author alone, and answers with pictures.

Revision ID: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those there are already are public, and words alone."""
    with op.batch_alter_table("drafts") as drafts:
        drafts.add_column(sa.Column("private", sa.Boolean(), nullable=False, server_default=sa.false()))
        drafts.add_column(sa.Column("pictures", sa.Text(), nullable=False, server_default="[]"))
    with op.batch_alter_table("drafts") as drafts:
        drafts.alter_column("private", server_default=None, comment="written to them alone, where the network has that")
        drafts.alter_column("pictures", server_default=None, comment="a JSON list of addresses and descriptions")
