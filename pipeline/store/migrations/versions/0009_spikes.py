"""What is said, counted in event time; what detectors know of it; and what they found.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

from pipeline.store.columns import Key, Note

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "spike_brands",
        sa.Column("brand", Key(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="of the last batch that counted something"),
        sa.Column(
            "epoch", sa.BigInteger(), nullable=False, comment="counts what was taken back: memories are made anew"
        ),
        sa.Column("since", sa.Integer(), nullable=False, comment="the first minute"),
        sa.Column("edge", sa.Integer(), nullable=False, comment="the newest minute"),
        sa.Column("judged", sa.Integer(), nullable=False, comment="up to here (exclusive) windows were judged"),
        sa.Column("closed", sa.Integer(), nullable=False, comment="up to here the buckets of 5 minutes are written"),
        sa.Column("hours", sa.Integer(), nullable=False, comment="up to here those of an hour"),
        sa.Column("days", sa.Integer(), nullable=False, comment="up to here those of a day"),
        sa.PrimaryKeyConstraint("brand", name=op.f("pk_spike_brands")),
    )
    op.create_table(
        "spike_buckets",
        sa.Column("id", Key(), nullable=False, comment="digest of series, width and at"),
        sa.Column("series", Key(), nullable=False, comment="the brand, a line feed, the facet"),
        sa.Column("width", sa.Integer(), nullable=False, comment="minutes: 5, 60 or 1440"),
        sa.Column("at", sa.Integer(), nullable=False, comment="its first minute"),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("negative_authors", sa.Integer(), nullable=False),
        sa.Column("positive_authors", sa.Integer(), nullable=False),
        sa.Column("reposts", sa.Integer(), nullable=False),
        sa.Column("reach", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spike_buckets")),
    )
    op.create_index("ix_spike_buckets_at", "spike_buckets", ["width", "at"], unique=False)
    op.create_index("ix_spike_buckets_series", "spike_buckets", ["series", "width", "at"], unique=False)
    op.create_table(
        "spike_detections",
        sa.Column("id", Key(), nullable=False, comment="digest of series, side and at"),
        sa.Column("brand", Key(), nullable=False),
        sa.Column("facet", Key(), nullable=False),
        sa.Column("side", Key(), nullable=False, comment="negative, positive or mentions"),
        sa.Column("at", sa.Integer(), nullable=False, comment="the end of the window"),
        sa.Column("onset", sa.Integer(), nullable=False),
        sa.Column("kind", Key(), nullable=False),
        sa.Column("severity", Key(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the whole detection, with what was counted"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spike_detections")),
    )
    op.create_index("ix_spike_detections_at", "spike_detections", ["at"], unique=False)
    op.create_index("ix_spike_detections_brand", "spike_detections", ["brand", "at"], unique=False)
    op.create_table(
        "spike_mentions",
        sa.Column("id", Key(), nullable=False, comment="mention id"),
        sa.Column("brand", Key(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("author", Key(), nullable=False, comment="source:author_id"),
        sa.Column("tone", sa.SmallInteger(), nullable=False, comment="-1, 0 or 1"),
        sa.Column("repost", sa.Boolean(), nullable=False),
        sa.Column("reach", sa.BigInteger(), nullable=False),
        sa.Column("suspicious", sa.Boolean(), nullable=False, comment="by a new account that nobody follows"),
        sa.Column("copy", sa.Boolean(), nullable=False, comment="a text that was seen before"),
        sa.Column("facets", Note(), nullable=False, comment="one a line"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spike_mentions")),
    )
    op.create_index("ix_spike_mentions_author", "spike_mentions", ["author"], unique=False)
    op.create_index("ix_spike_mentions_minute", "spike_mentions", ["brand", "minute"], unique=False)
    op.create_index("ix_spike_mentions_seq", "spike_mentions", ["brand", "seq"], unique=False)
    op.create_table(
        "spike_partitions",
        sa.Column("partition", Key(), nullable=False, comment="its number"),
        sa.Column("edge", sa.Integer(), nullable=False, comment="the newest minute counted of it"),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_spike_partitions")),
    )
    op.create_table(
        "spike_states",
        sa.Column("id", Key(), nullable=False, comment="digest of series and side"),
        sa.Column("brand", Key(), nullable=False),
        sa.Column("facet", Key(), nullable=False),
        sa.Column("side", Key(), nullable=False, comment="negative, positive or mentions"),
        sa.Column("through", sa.Integer(), nullable=False, comment="the end of the last bucket that it knows"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the detector's state"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spike_states")),
    )
    op.create_index("ix_spike_states_brand", "spike_states", ["brand", "side"], unique=False)
    op.create_index("ix_spike_states_through", "spike_states", ["through"], unique=False)
