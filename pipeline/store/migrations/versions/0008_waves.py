"""Waves of near-duplicates, worked through one case.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a case name the one that is worked in its stead."""
    op.add_column("cases", sa.Column("lead", Key(), comment="the case of its wave that is worked in its stead"))
    op.drop_index("ix_cases_family", table_name="cases")
    for name, columns, where in (
        ("ix_cases_family", ["family", "lead"], sa.text("family IS NOT NULL")),
        ("ix_cases_lead", ["standing", "lead", "since", "id"], sa.text("lead IS NOT NULL")),
    ):
        op.create_index(name, "cases", columns, unique=False, sqlite_where=where, postgresql_where=where)
