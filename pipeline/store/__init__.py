"""The store: SQLAlchemy tables, migrations and transactions."""

from pipeline.store.records import (
    Arrival,
    Backlog,
    DeadLetter,
    Delivered,
    Dispatch,
    Fault,
    Parcel,
    QueueSummary,
    RecordedGap,
    Refusal,
    SourceStatus,
    Story,
    Taken,
    Tombstone,
    Withdrawn,
    Worker,
)
from pipeline.store.store import Store

__all__ = [
    "Arrival",
    "Backlog",
    "DeadLetter",
    "Delivered",
    "Dispatch",
    "Fault",
    "Parcel",
    "QueueSummary",
    "RecordedGap",
    "Refusal",
    "SourceStatus",
    "Store",
    "Story",
    "Taken",
    "Tombstone",
    "Withdrawn",
    "Worker",
]
