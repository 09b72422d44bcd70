"""What figures count, people with several accounts, and what a CRM says of them.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note, Serial

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "case_breaches",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="of the event"),
        sa.Column("due", Moment(), nullable=False, comment="when the promise was broken"),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_case_breaches")),
    )
    op.create_index("ix_case_breaches_due", "case_breaches", ["due"], unique=False)
    op.create_table(
        "case_facts",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("queue", Key(), nullable=False, comment="where it is now"),
        sa.Column("brand", Key(), nullable=False, comment="empty where it is of none"),
        sa.Column("source", Key(), nullable=False),
        sa.Column("team", Key(), nullable=False, comment="of the agent; empty where nobody says"),
        sa.Column("agent", Key(), nullable=False, comment="user:ID of who answered first; empty where nobody did"),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("answered_at", Moment(), nullable=True, comment="first"),
        sa.Column(
            "first_response_secs",
            sa.Float(),
            nullable=True,
            comment="from what the customer said, by the clock on the wall",
        ),
        sa.Column(
            "first_response_open_secs",
            sa.Float(),
            nullable=True,
            comment="the same in the open time of the queue's calendar",
        ),
        sa.Column("resolved_at", Moment(), nullable=True, comment="for good: not reopened since"),
        sa.Column("resolution_secs", sa.Float(), nullable=True),
        sa.Column("resolution_open_secs", sa.Float(), nullable=True),
        sa.Column("breaches", sa.Integer(), nullable=False),
        sa.Column("reopenings", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("macro", Key(), nullable=True, comment="of the last answer before it was resolved"),
        sa.Column(
            "sentiment_before",
            sa.Float(),
            nullable=True,
            comment="mean -1..1 of what the customer said up to our first answer",
        ),
        sa.Column("sentiment_after", sa.Float(), nullable=True, comment="and after it"),
        sa.Column("handled_secs", sa.Float(), nullable=False, comment="how long people held it"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_facts")),
    )
    op.create_index("ix_case_facts_answered_at", "case_facts", ["answered_at"], unique=False)
    op.create_index("ix_case_facts_author", "case_facts", ["author"], unique=False)
    op.create_index("ix_case_facts_opened_at", "case_facts", ["opened_at"], unique=False)
    op.create_index("ix_case_facts_resolved_at", "case_facts", ["resolved_at"], unique=False)
    op.create_table(
        "case_spans",
        sa.Column("case_id", Key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1 from its opening, 2 from its first reopening, …"),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False, comment="9999-01-01 while it is open"),
        sa.Column("ending", Key(), nullable=False, comment="resolved, withdrawn, or empty while it is open"),
        sa.Column("undone", sa.Boolean(), nullable=False, comment="whether the case was reopened after it"),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_case_spans")),
    )
    op.create_index("ix_case_spans_since", "case_spans", ["since"], unique=False)
    op.create_index("ix_case_spans_until", "case_spans", ["until"], unique=False)
    op.create_table(
        "crm",
        sa.Column("load", Serial, nullable=False, comment="the reading of the table that brought it"),
        sa.Column("account", Key(), nullable=False, comment="source:author_id or source:@handle, folded to one case"),
        sa.Column("segment", Key(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("person", Key(), nullable=True, comment="the CRM's own number of whom the account belongs to"),
        sa.PrimaryKeyConstraint("load", "account", name=op.f("pk_crm")),
    )
    op.create_index("ix_crm_person", "crm", ["load", "person"], unique=False)
    op.create_table(
        "crm_loads",
        sa.Column("load", Serial, autoincrement=True, nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("done_at", Moment(), nullable=True, comment="the latest that is done is the one that counts"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("load", name=op.f("pk_crm_loads")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "handles",
        sa.Column("handle", Key(), nullable=False, comment="source:@handle, folded to one case"),
        sa.Column("author", Key(), nullable=False, comment="source:author_id of who showed it last"),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_handles")),
    )
    op.create_index(op.f("ix_handles_author"), "handles", ["author"], unique=False)
    op.create_table(
        "links",
        sa.Column("account", Key(), nullable=False, comment="source:author_id; the lesser of the two"),
        sa.Column("other", Key(), nullable=False, comment="source:author_id; the greater"),
        sa.Column("evidence", Note(), nullable=False, comment="why they are one person"),
        sa.Column("actor", Key(), nullable=False, comment="who said so"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("ended_by", Key(), nullable=True, comment="who took it back; a CRM does not bring it again"),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("account", "other", name=op.f("pk_links")),
    )
    op.create_index("ix_links_other", "links", ["other"], unique=False)
    op.create_table(
        "persons",
        sa.Column("account", Key(), nullable=False, comment="source:author_id"),
        sa.Column("person", Key(), nullable=False, comment="random"),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_persons")),
    )
    op.create_index(op.f("ix_persons_person"), "persons", ["person"], unique=False)
