"""A desk of which something was counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from pipeline.mention import Author, Decision, Enriched, Intent, Mention, Routed, Sentiment, Tags
from pipeline.store.tables import gaps
from spikes.counts import Counts
from spikes.upkeep import Upkeep
from tests.console.work import Work


def heard(work: Work, id: str, mood: float = 0.0, hours_ago: float = 2, intent: str = "", **more: Any) -> Enriched:
    """A mention of acme, some hours ago."""
    label: Any = "positive" if mood > 0 else "negative" if mood < 0 else "neutral"
    at = work.clock.now() - timedelta(hours=hours_ago)
    tags: dict[str, Any] = {"brand": "acme", "sentiment": Sentiment(label=label, score=mood), "topics": ("delay",)}
    if intent:
        tags["intents"] = (Intent(name=intent, score=0.9, words=(f"a {intent}",)),)
    tags |= {name: more.pop(name) for name in list(more) if name in Tags.__struct_fields__}
    author = more.pop("author", f"author-{id}")
    made = Mention(
        id=f"x:{id}",
        source="x",
        text=more.pop("text", "the train is late"),
        author=Author(id=author, handle=author),
        created_at=at,
        collected_at=at,
        **more,
    )
    return Enriched(mention=made, tags=Tags(**tags))


def count(work: Work, *said: Enriched) -> None:
    """Take them in as the pipeline does: stored, counted, rolled up."""
    database, clock = work.services.database, work.clock
    decision = Decision(rule="r", rules_version="1", decided_at=clock.now(), queue="service")
    work.room.hear(*(Routed(mention=it.mention, tags=it.tags, decision=decision) for it in said))
    with database.write() as transaction:
        Counts(database, clock).count(transaction, said)
    while Upkeep(database, clock).roll_up():
        pass


def gap(work: Work, hours_ago: float, reason: str = "disconnected") -> None:
    """An hour in which a source was not heard."""
    since = work.clock.now() - timedelta(hours=hours_ago)
    row = {"id": reason, "via": "bluesky", "since": since, "until": since + timedelta(hours=1), "reason": reason}
    rest = {"note": "", "recorded_at": work.clock.now(), "repaired_at": None}
    with work.services.database.write() as transaction:
        transaction.run(insert(gaps), [row | rest])
