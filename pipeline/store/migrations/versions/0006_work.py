"""Who works on the desk, and the clocks of cases.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "agents",
        sa.Column("user", Key(), nullable=False, comment="user:ID"),
        sa.Column("team", Key(), nullable=False, comment="empty where there is none"),
        sa.Column("queues", Note(), nullable=False, comment="a JSON array; empty for every queue"),
        sa.Column("languages", Note(), nullable=False, comment="a JSON array; empty for every language"),
        sa.Column("topics", Note(), nullable=False, comment="a JSON array; empty for every topic"),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="how many customers at a time are given to them"),
        sa.Column("presence", Key(), nullable=False, comment="available or away"),
        sa.Column("seen_at", Moment(), nullable=True, comment="to a few seconds"),
        sa.Column("given_at", Moment(), nullable=True, comment="when they were last given work"),
        sa.PrimaryKeyConstraint("user", name=op.f("pk_agents")),
    )
    op.create_table(
        "case_clocks",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column(
            "next_alarm",
            Moment(),
            nullable=True,
            comment="when there will be something to tell; null where there is nothing more",
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_clocks")),
    )
    op.create_index(
        op.f("ix_case_clocks_next_alarm"),
        "case_clocks",
        ["next_alarm"],
        unique=False,
        sqlite_where=sa.text("next_alarm IS NOT NULL"),
        postgresql_where=sa.text("next_alarm IS NOT NULL"),
    )
    op.create_table(
        "clock_rules",
        sa.Column("name", Key(), nullable=False, comment="one row, `clocks`"),
        sa.Column("digest", Key(), nullable=False, comment="of the promises and calendars in force"),
        sa.Column(
            "place", Key(), nullable=True, comment="the last open case worked out anew under them; null once all are"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clock_rules")),
    )
    op.add_column(
        "cases",
        sa.Column(
            "promised", Moment(), nullable=True, comment="due by the queue's service level; null where it has none"
        ),
    )
    op.add_column("cases", sa.Column("returned_by", Key(), nullable=True, comment="who had it last and gave it back"))
