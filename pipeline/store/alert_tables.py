"""The tables of alerts: what is to be told of each incident, and what became of it at each target. The rows are their
own outbox: what is due stands in `next_at`.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from pipeline.store.columns import Key, Moment, Note
from pipeline.store.tables import metadata

alerts = Table(
    "alerts",
    metadata,
    Column("incident", Key, primary_key=True),
    Column("brand", Key, nullable=False),
    Column("kind", Key, nullable=False),
    Column("state", Key, nullable=False, comment="of the incident"),
    Column("severity", Integer, nullable=False, comment="0 minor to 2 critical"),
    Column("change", Key, nullable=False, comment="what happened to it last"),
    Column("title", Text, nullable=False),
    Column("paragraph", Text, nullable=False, comment="what it is about"),
    Column("url", Text, nullable=False, comment="where our people work on it"),
    Column("opened_at", Moment),
    Column("acknowledged_at", Moment),
    Column("version", Integer, nullable=False, comment="counts every change of the above"),
    Column("playbook", Key, nullable=False, comment="its name; empty where there is none"),
    Column("step", Integer, nullable=False, comment="how many of its calls were made since it was opened"),
    Column("called_at", Moment, nullable=False, comment="when the first was made: what the minutes count from"),
    Column("next_at", Moment, nullable=False, comment="when the next is; 9999-01-01 where none is"),
    Column("changed_at", Moment, nullable=False),
    Index("ix_alerts_next_at", "next_at"),
    Index("ix_alerts_changed_at", "changed_at"),
)

alert_messages = Table(
    "alert_messages",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of incident and target, or of target and time of a summary"),
    Column("incident", Key, nullable=False, comment="empty for a summary"),
    Column("target", Key, nullable=False),
    Column("state", Key, nullable=False, comment="waiting, held, sending, told, unsure or refused"),
    Column("next_at", Moment, nullable=False, comment="when to try; sending: until when its sender has it to itself"),
    Column("version", Integer, nullable=False, comment="of the alert, handed over last; 0 for none"),
    Column("first", Integer, nullable=False, comment="version that was handed over first: an e-mail thread's root"),
    Column("attempts", Integer, nullable=False, comment="how often that version was handed over"),
    Column("doubts", Integer, nullable=False, comment="of these, how often we do not know what became of it"),
    Column("body", LargeBinary, nullable=False, comment="the message while it is under way, as JSON"),
    Column("told_version", Integer, nullable=False, comment="the target has it; 0 for none"),
    Column("last_state", Key, nullable=False, comment="of what it was told last, or could not be told"),
    Column("last_severity", Integer, nullable=False, comment="the highest so far; -1 for none"),
    Column("last_at", Moment),
    Column("said", Key, nullable=False, comment="the states it was told since it was opened, apart by spaces"),
    Column("reason", Note, nullable=False, comment="why it stands where it stands, for a person"),
    Column("since", Moment, nullable=False, comment="when the target was called"),
    Index("ix_alert_messages_due", "target", "next_at"),
    Index("ix_alert_messages_incident", "incident"),
)
