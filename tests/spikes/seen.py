"""Detections and mentions to test incidents with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.mention import Author, Decision, Enriched, Mention, Routed, Sentiment, Tags
from pipeline.store import Store
from spikes.detection import Detection, Evidence, Facet, Key, Kind, Severity

START = datetime(2026, 3, 12, 8, 40, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def seen(
    minute: float = 0,
    *,
    brand: str = "acme",
    facet: Facet = "all",
    value: str = "",
    kind: Kind = Kind.FIRESTORM,
    severity: Severity = Severity.MAJOR,
    onset: float | None = None,
    score: float = 0.9,
    **evidence: Any,
) -> Detection:
    counted = {"minutes": 15, "mentions": 20, "authors": 18, "negative_authors": 15, "expected": 2.0} | evidence
    return Detection(
        key=Key(brand, facet, value),
        at=at(minute),
        onset=at(minute - 5 if onset is None else onset),
        kind=kind,
        severity=severity,
        score=score,
        evidence=Evidence(**counted),
    )


def saying(
    id: str,
    text: str = "acme threw a guide dog off the train at Ashmere, shame",
    minute: float = 0,
    *,
    author: str = "",
    score: float = -0.6,
    author_fields: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None,
    **fields: Any,
) -> Enriched:
    label = "negative" if score < -0.05 else "positive" if score > 0.05 else "neutral"
    made = Mention(
        id=f"x:{id}",
        source="x",
        text=text,
        author=Author(id=author or f"author-{id}", **(author_fields or {})),
        created_at=at(minute),
        collected_at=at(minute),
        **fields,
    )
    found: dict[str, Any] = {"brand": "acme", "sentiment": Sentiment(label=label, score=score)}  # type: ignore[arg-type]
    return Enriched(mention=made, tags=Tags(**(found | (tags or {}))))


def keep(store: Store, *said: Enriched, also: Any = None) -> None:
    """Store them as deliver does, in the queue `service`."""
    decision = Decision(rule="r", rules_version="1", decided_at=at(0), queue="service")
    store.deliver([Routed(mention=it.mention, tags=it.tags, decision=decision) for it in said], also=also)


def crowd(number: int, text: str = "", since: float = 0, until: float = 30, **fields: Any) -> Sequence[Enriched]:
    """So many people, evenly over that time."""
    step = (until - since) / max(1, number)
    if text:
        fields["text"] = text
    return [saying(f"crowd{since}-{n}", minute=since + n * step, **fields) for n in range(number)]
