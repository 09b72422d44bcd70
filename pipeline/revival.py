"""Dead letters sent through again: a mention to the topic it died on, an unreadable item to its connector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.codec import decode
from pipeline.collect import digest
from pipeline.errors import BadItem, BadRecord
from pipeline.mention import Mention, Removal
from pipeline.ports import Context
from pipeline.store import DeadLetter, Taken

if TYPE_CHECKING:
    from pipeline.wiring import Parts


class Revived(NamedTuple):
    """How many letters are on their way again, and why others are not, by their ids."""

    back: int
    left: dict[str, str]


def retry(parts: Parts, letters: Sequence[DeadLetter]) -> Revived:
    """Send these through again. Their bytes are durable on the bus before they are noted as retried; one that has died
    again meanwhile stays dead."""
    parts.bus.apply(parts.topics)
    back = _republish(parts, [letter for letter in letters if letter.role != "collect"])
    left: dict[str, str] = {}
    for letter in letters:
        if letter.role == "collect":
            if why := _revive(parts, letter):
                left[letter.id] = why
            else:
                back += 1
    return Revived(back, left)


def _republish(parts: Parts, letters: list[DeadLetter]) -> int:
    producer = parts.bus.producer()
    try:
        for letter in letters:
            topic = letter.place.partition("[")[0]
            producer.send(topic, [(_key(letter), letter.payload)])
        producer.flush()
    finally:
        producer.close()
    return parts.store.retrying(letters) if letters else 0


def _key(letter: DeadLetter) -> bytes:
    try:
        item = decode(letter.payload)
    except BadRecord:
        return letter.intake_id.encode()
    return (item if isinstance(item, Mention | Removal) else item.mention).thread.encode()


def _revive(parts: Parts, letter: DeadLetter) -> str:
    """Why it could not be read this time either; nothing where it could."""
    source = next((source for source in parts.config.sources if source.name == letter.via), None)
    if source is None:
        return f"no source {letter.via!r} is configured; correct the item and ingest it again"
    connector = source.module.Connector(source.settings, Context(source.name, parts.config.brands, parts.clock))
    try:
        items = connector.parse(letter.payload)
    except BadItem as bad:
        return f"still unreadable: {bad}"
    intake = parts.intake(letter.via)
    mentions = [intake.adopted(item) for item in items if isinstance(item, Mention)]
    intake.publish(mentions)
    taken = [Taken(mention.id, mention.source, digest(mention), mention.created_at) for mention in mentions]
    return "" if parts.store.revive(letter.id, taken) else "it is not a dead letter any more"
