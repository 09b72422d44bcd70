"""Small records for the store's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.mention import Author, Decision, Mention, Priority, Removal, Routed, Tags
from pipeline.store import DeadLetter, Store, Taken
from tests.fixtures.shapes import mention

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def routed(id: str = "test:1", *, tags: Tags | None = None, **changes: Any) -> Routed:
    """A routed mention; what Decision has a field for goes there, the rest to the mention."""
    decision: dict[str, Any] = {
        "rule": "complaints",
        "rules_version": "v1",
        "decided_at": NOON,
        "queue": "service",
        "priority": Priority.HIGH,
    }
    names = set(Decision.__struct_fields__)
    decision |= {name: value for name, value in changes.items() if name in names}
    rest = {name: value for name, value in changes.items() if name not in names}
    if "author" in rest:
        rest["author"] = Author(id=rest["author"])
    return Routed(mention=mention(id, **rest), tags=tags or Tags(brand="acme"), decision=Decision(**decision))


def filtered(id: str = "test:1", reason: str = "noise", **changes: Any) -> Routed:
    return routed(id, queue=None, filtered=reason, **changes)


def taken(it: Mention | Routed | str, digest: str = "d1") -> Taken:
    what = mention(it) if isinstance(it, str) else it.mention if isinstance(it, Routed) else it
    return Taken(what.id, what.source, digest, what.created_at)


def removal(id: str | None = None, author: str | None = None, at: datetime = NOON, **changes: Any) -> Removal:
    return Removal(source="test", reason="deleted", noticed_at=at, mention=id, author=author, **changes)


def letter(id: str = "letter", intake_id: str = "test:1", at: datetime = NOON, **changes: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "id": id,
        "intake_id": intake_id,
        "source": "test",
        "via": "test",
        "role": "enrich",
        "stage": "sentiment",
        "place": "mentions.raw[0]@17",
        "reason": "cannot be read",
        "payload": b"\xff\x00bytes",
        "died_at": at,
    }
    return DeadLetter(**(fields | changes))


def ids(records: list[Routed]) -> list[str]:
    return [it.mention.id for it in records]


def dispatches(store: Store, id: str) -> list[tuple[str, str, str]]:
    return [(it.sink, it.kind, it.state) for it in store.story(id).dispatches]


def send_all(store: Store, sink: str) -> list[Routed | Removal]:
    """Deliver everything that is due to a sink that takes everything."""
    sent: list[Routed | Removal] = []
    while parcels := store.due(sink, 100, 60):
        store.settle(sent=[parcel.delivery.key for parcel in parcels])
        sent += [parcel.delivery.record for parcel in parcels]
    return sent
