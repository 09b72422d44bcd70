"""The tables of what is counted and watched.

Times are counted in minutes of event time since 1970. `spike_mentions` holds what every number follows from, for as
long as late copies may come; the rows of one brand are written by one transaction at a time, under its row of
`spike_brands`, and numbered by it. A facet is `topic:delay`, `source:x`, `intent:lead`, or empty for all.

A change here needs a migration, as in `tables.py`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, SmallInteger, Table

from pipeline.store.columns import Key, Note
from pipeline.store.tables import metadata

spike_brands = Table(
    "spike_brands",
    metadata,
    Column("brand", Key, primary_key=True),
    Column("seq", BigInteger, nullable=False, comment="of the last batch that counted something"),
    Column("epoch", BigInteger, nullable=False, comment="counts what was taken back: memories are made anew"),
    Column("since", Integer, nullable=False, comment="the first minute"),
    Column("edge", Integer, nullable=False, comment="the newest minute"),
    Column("judged", Integer, nullable=False, comment="up to here (exclusive) windows were judged"),
    Column("closed", Integer, nullable=False, comment="up to here the buckets of 5 minutes are written"),
    Column("hours", Integer, nullable=False, comment="up to here those of an hour"),
    Column("days", Integer, nullable=False, comment="up to here those of a day"),
    Column("purged", Integer, nullable=False, comment="up to here mentions may be gone; the beginning of a day"),
    Column("history_at", Integer, nullable=False, comment="when history began to come that is still kept, or -1"),
)

spike_mentions = Table(
    "spike_mentions",
    metadata,
    Column("id", Key, primary_key=True, comment="mention id"),
    Column("brand", Key, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("minute", Integer, nullable=False),
    Column("author", Key, nullable=False, comment="source:author_id"),
    Column("tone", SmallInteger, nullable=False, comment="-1, 0 or 1"),
    Column("repost", Boolean, nullable=False),
    Column("reach", BigInteger, nullable=False),
    Column("suspicious", Boolean, nullable=False, comment="by a new account that nobody follows"),
    Column("copy", Boolean, nullable=False, comment="a text that was seen before"),
    Column("facets", Note, nullable=False, comment="one a line"),
    Index("ix_spike_mentions_minute", "brand", "minute"),
    Index("ix_spike_mentions_seq", "brand", "seq"),
    Index("ix_spike_mentions_author", "author"),
)

spike_buckets = Table(
    "spike_buckets",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of series, width and at"),
    Column("series", Key, nullable=False, comment="the brand, a line feed, the facet"),
    Column("width", Integer, nullable=False, comment="minutes: 5, 60 or 1440"),
    Column("at", Integer, nullable=False, comment="its first minute"),
    Column("mentions", Integer, nullable=False),
    Column("negative", Integer, nullable=False),
    Column("authors", Integer, nullable=False),
    Column("negative_authors", Integer, nullable=False),
    Column("positive_authors", Integer, nullable=False),
    Column("reposts", Integer, nullable=False),
    Column("reach", BigInteger, nullable=False),
    Index("ix_spike_buckets_series", "series", "width", "at"),
    Index("ix_spike_buckets_at", "width", "at"),
)

spike_states = Table(
    "spike_states",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of series and side"),
    Column("brand", Key, nullable=False),
    Column("facet", Key, nullable=False),
    Column("side", Key, nullable=False, comment="negative, positive or mentions"),
    Column("through", Integer, nullable=False, comment="the end of the last bucket that it knows"),
    Column("body", LargeBinary, nullable=False, comment="the detector's state"),
    Index("ix_spike_states_brand", "brand", "side"),
    Index("ix_spike_states_through", "through"),
)

spike_detections = Table(
    "spike_detections",
    metadata,
    Column("id", Key, primary_key=True, comment="digest of series, side and at"),
    Column("brand", Key, nullable=False),
    Column("facet", Key, nullable=False),
    Column("side", Key, nullable=False, comment="negative, positive or mentions"),
    Column("at", Integer, nullable=False, comment="the end of the window"),
    Column("onset", Integer, nullable=False),
    Column("kind", Key, nullable=False),
    Column("severity", Key, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="the whole detection, with what was counted"),
    Index("ix_spike_detections_brand", "brand", "at"),
    Index("ix_spike_detections_at", "at"),
)

spike_partitions = Table(
    "spike_partitions",
    metadata,
    Column("partition", Key, primary_key=True, comment="its number"),
    Column("edge", Integer, nullable=False, comment="the newest minute counted of it"),
)
