"""The search: what stands in each mention, by word; filled from the mentions that are there.

Revision ID: 0017
"""

from datetime import UTC, datetime
from typing import cast

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store import search_index
from pipeline.store.columns import Key
from pipeline.store.database import Transaction

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None

BATCH = 1000


def upgrade() -> None:
    """Create it, and write every mention into it."""
    op.create_table(
        "searchable",
        sa.Column("mention", Key(), nullable=False, comment="mention id"),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column(
            "at",
            sa.BigInteger(),
            nullable=False,
            comment="when it was said, in seconds since 1970; never in the future",
        ),
        sa.Column(
            "words",
            sa.Text().with_variant(TSVECTOR(), "postgresql"),
            nullable=False,
            comment="PostgreSQL: with places, and the stretches of time it is in; SQLite: in order, between spaces",
        ),
        sa.PrimaryKeyConstraint("mention", name=op.f("pk_searchable")),
    )
    _fill(Transaction(op.get_bind()))
    op.create_index("ix_searchable_at", "searchable", ["at", "mention"], unique=False)
    op.create_index(
        "ix_searchable_words",
        "searchable",
        ["words"],
        unique=False,
        postgresql_using="gin",
        sqlite_where=sa.text("mention IS NULL"),
    )


def _fill(transaction: Transaction) -> None:
    now, last = datetime.now(UTC), ""
    page = sa.text("SELECT id, body FROM mentions WHERE id > :last ORDER BY id LIMIT :batch")
    while rows := transaction.connection.execute(page, {"last": last, "batch": BATCH}).all():
        search_index.add(transaction, [cast(Routed, decode(bytes(row.body))) for row in rows], now)
        last = rows[-1].id
