"""Alerts: what is to be told of each incident, and what became of it at each target.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Moment, Note

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "alerts",
        sa.Column("incident", Key(), nullable=False),
        sa.Column("brand", Key(), nullable=False),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("state", Key(), nullable=False, comment="of the incident"),
        sa.Column("severity", sa.Integer(), nullable=False, comment="0 minor to 2 critical"),
        sa.Column("change", Key(), nullable=False, comment="what happened to it last"),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("paragraph", sa.Text(), nullable=False, comment="what it is about"),
        sa.Column("url", sa.Text(), nullable=False, comment="where our people work on it"),
        sa.Column("opened_at", Moment()),
        sa.Column("acknowledged_at", Moment()),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts every change of the above"),
        sa.Column("playbook", Key(), nullable=False, comment="its name; empty where there is none"),
        sa.Column("step", sa.Integer(), nullable=False, comment="how many of its calls were made since it was opened"),
        sa.Column(
            "called_at", Moment(), nullable=False, comment="when the first was made: what the minutes count from"
        ),
        sa.Column("next_at", Moment(), nullable=False, comment="when the next is; 9999-01-01 where none is"),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("incident", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_next_at", "alerts", ["next_at"], unique=False)
    op.create_index("ix_alerts_changed_at", "alerts", ["changed_at"], unique=False)
    op.create_table(
        "alert_messages",
        sa.Column(
            "id", Key(), nullable=False, comment="digest of incident and target, or of target and time of a summary"
        ),
        sa.Column("incident", Key(), nullable=False, comment="empty for a summary"),
        sa.Column("target", Key(), nullable=False),
        sa.Column("state", Key(), nullable=False, comment="waiting, held, sending, told, unsure or refused"),
        sa.Column(
            "next_at", Moment(), nullable=False, comment="when to try; sending: until when its sender has it to itself"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the alert, handed over last; 0 for none"),
        sa.Column(
            "first",
            sa.Integer(),
            nullable=False,
            comment="version that was handed over first: an e-mail thread's root",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often that version was handed over"),
        sa.Column(
            "doubts", sa.Integer(), nullable=False, comment="of these, how often we do not know what became of it"
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the message while it is under way, as JSON"),
        sa.Column("told_version", sa.Integer(), nullable=False, comment="the target has it; 0 for none"),
        sa.Column("last_state", Key(), nullable=False, comment="of what it was told last, or could not be told"),
        sa.Column("last_severity", sa.Integer(), nullable=False, comment="the highest so far; -1 for none"),
        sa.Column("last_at", Moment()),
        sa.Column("said", Key(), nullable=False, comment="the states it was told since it was opened, apart by spaces"),
        sa.Column("reason", Note(), nullable=False, comment="why it stands where it stands, for a person"),
        sa.Column("since", Moment(), nullable=False, comment="when the target was called"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_messages")),
    )
    op.create_index("ix_alert_messages_due", "alert_messages", ["target", "next_at"], unique=False)
    op.create_index("ix_alert_messages_incident", "alert_messages", ["incident"], unique=False)
