"""Deliveries to test sinks with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.mention import Author, Decision, Removal, Routed, Tags
from pipeline.ports import Delivery
from tests.fixtures.shapes import mention

MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def routed(id: str = "test:1", text: str = "Acme lost my parcel", *, after: float = 0, **changes: Any) -> Delivery:
    """A routed mention as revised `after` minutes past nine; the key tells the versions apart."""
    moment = MORNING + timedelta(minutes=after)
    fields: dict[str, Any] = {"author": Author(id="ana"), "created_at": MORNING, "collected_at": moment}
    if after:
        fields["edited_at"] = moment
    decided = changes.pop("decided_at", moment)
    record = Routed(
        mention=mention(id, text, **(fields | changes)),
        tags=Tags(brand="acme"),
        decision=Decision(rule="default", rules_version="1+0", decided_at=decided, queue="marketing"),
    )
    return Delivery(f"{id}@{moment.isoformat()}@{decided.isoformat()}", record)


def removal(mention: str | None = None, *, author: str | None = None, after: float = 60) -> Delivery:
    """A removal noticed `after` minutes past nine."""
    record = Removal(
        source="test",
        reason="deleted",
        noticed_at=MORNING + timedelta(minutes=after),
        mention=mention,
        author=author,
    )
    return Delivery(f"{record.target}@{after}", record)
