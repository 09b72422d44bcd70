"""Documents: what is edited at the desk, version by version. What sinks refused is found by an index.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "documents",
        sa.Column("id", Key(), nullable=False, comment="KIND:VERSION"),
        sa.Column("kind", Key(), nullable=False, comment="rules, macros, calendars, …"),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, 3, …; the highest is in force"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", Key(), nullable=False, comment="user:ID or system:WHAT"),
        sa.Column("why", Note(), nullable=False, comment="in the words of whoever saved it"),
        sa.Column("made_from", Note(), nullable=False, comment="what its text was when it was opened"),
        sa.Column("body", sa.Text(), comment="YAML as written; null: what the configuration says is in force again"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("kind", "version", name=op.f("uq_documents_kind_version")),
    )
    refused = sa.text("state = 'refused'")
    op.create_index("ix_outbox_refused", "outbox", ["sink", "seq"], sqlite_where=refused, postgresql_where=refused)
