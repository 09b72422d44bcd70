"""The table of the search: the words of each mention, written and taken out with it.

PostgreSQL finds rows through its index over `words`. SQLite reads them, the newest first: that is soon done where a
laptop keeps all there is, costs nothing while mentions come in, and what is deleted is gone to the byte (an index of
FTS5 keeps deleted words until it is merged).

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import TSVECTOR

from pipeline.store.columns import Key
from pipeline.store.tables import metadata

searchable = Table(
    "searchable",
    metadata,
    Column("mention", Key, primary_key=True, comment="mention id"),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("at", BigInteger, nullable=False, comment="when it was said, in seconds since 1970; never in the future"),
    Column(
        "words",
        Text().with_variant(TSVECTOR(), "postgresql"),
        nullable=False,
        comment="PostgreSQL: with places, and the stretches of time it is in; SQLite: in order, between spaces",
    ),
    Index("ix_searchable_at", "at", "mention"),
    Index(
        "ix_searchable_words",
        "words",
        postgresql_using="gin",
        sqlite_where=text("mention IS NULL"),  # never: it would be of no use there
    ),
)
