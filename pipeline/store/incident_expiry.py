"""Incidents that were closed long ago go, with all that hangs on them: what was seen of them, their timeline, which
mentions they were made of, and what was told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.database import Transaction
from pipeline.store.expiry import Step
from pipeline.store.incident_tables import incident_detections, incident_events, incident_mentions, incidents

_HANGING = (alerts, alert_messages, incident_mentions, incident_detections, incident_events)


def expire_incidents(transaction: Transaction, _place: Any, before: datetime, _now: datetime, limit: int) -> Step:
    """Those that were closed before then, a fifth of `limit` at most: each has many rows. What is locked by somebody
    who reopens it waits for the next time. Numbers of a strand go on from where they were."""
    few = max(1, limit // 5)
    query = select(incidents.c.id).where(incidents.c.closed_at < before).order_by(incidents.c.closed_at)
    ids = list(transaction.run(query.limit(few).with_for_update(skip_locked=True)).scalars())
    for table in _HANGING:
        transaction.run(delete(table).where(transaction.among(table.c.incident, ids)))
    transaction.run(delete(incidents).where(transaction.among(incidents.c.id, ids)))
    return Step(len(ids), True if len(ids) == few else None)
