"""Rules, tags and facts to test routing with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.mention import Intent, Language, Sentiment, Signal, Tags
from routing.fields import SIGNALS, Facts
from routing.rules import Rules, parse
from tests.fixtures.shapes import mention

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def tags(**scores: Any) -> Tags:
    """Tags of an English mention about acme; complaint, praise, lead, question, spam, urgency, sarcasm are scores."""
    intents = tuple(
        Intent(name=name, score=scores.pop(name), words=(f"{name} word",))
        for name in ("complaint", "praise", "lead", "question")
        if name in scores
    )
    signals: dict[str, Any] = {
        name: Signal(score=scores.pop(name), words=("loud",)) for name in SIGNALS if isinstance(scores.get(name), float)
    }
    if isinstance(label := scores.get("sentiment"), str):
        scores["sentiment"] = Sentiment(label=label, score=0.0, words=(("bad", -2.5),))  # type: ignore[arg-type]  # a test's word
    fields: dict[str, Any] = {"brand": "acme", "language": Language(code="en", confidence=0.9, by="detector")}
    return Tags(**(fields | signals | {"intents": intents} | scores))


def facts(text: str = "Acme lost my parcel", found: Tags | None = None, **changes: Any) -> Facts:
    return Facts(mention(text=text, **changes), tags() if found is None else found, NOW)


def rules(*some: dict[str, Any], queues: tuple[str, ...] = ("service", "marketing")) -> Rules:
    """Rules with these first and a default."""
    default = {"name": "default", "when": "always", "queue": queues[-1]}
    return parse({"version": "1", "queues": list(queues), "rules": [*some, default]})
