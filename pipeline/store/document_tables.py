"""The table of what is edited at the desk instead of in files, with all versions: rules, macros, calendars, …

No version is ever changed or taken away, so that whoever asks can see what was in force when.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, Table, Text, UniqueConstraint

from pipeline.store.columns import Key, Moment, Note
from pipeline.store.tables import metadata

documents = Table(
    "documents",
    metadata,
    Column("id", Key, primary_key=True, comment="KIND:VERSION"),
    Column("kind", Key, nullable=False, comment="rules, macros, calendars, …"),
    Column("version", Integer, nullable=False, comment="1, 2, 3, …; the highest is in force"),
    Column("at", Moment, nullable=False),
    Column("actor", Key, nullable=False, comment="user:ID or system:WHAT"),
    Column("why", Note, nullable=False, comment="in the words of whoever saved it"),
    Column("made_from", Note, nullable=False, comment="what its text was when it was opened"),
    Column("body", Text, comment="YAML as written; null: what the configuration says is in force again"),
    UniqueConstraint("kind", "version"),
)
