"""Which detections are one incident, by rules that do not depend on the order in which they come.

1. A *strand* is a brand and a group: storm (trouble of every kind), praise, silence. Series of all facets are of the
   same strand: what is seen on two sources, or as two intents, is one incident.
2. Within a strand, detections that are no more than the cool-down (6 hours of event time) apart are one incident. The
   first one opens it; one that closes the gap between two makes the later incident part of the earlier.
3. A topic is part of its brand's incident until it is clearly apart (`apart`). That is looked at once for each topic,
   when its lateness is over, on what was said by then. From then on the topic is a strand of its own.
4. Its kind and severity are the highest seen; its onset the earliest.

The n-th incident of a strand has the id `digest(strand, n)`. Arrivals that are late by less than the cool-down cannot
change how many incidents stand before another, so the same day gives the same ids whatever the order (save after a gap
was closed, where the absorbed incident keeps the number it had).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipeline.mention import Enriched
from spikes._words import Words
from spikes.detection import Detection, Key, Severity
from spikes.incident_records import Group, Incident, State, group_of

LATENESS = timedelta(minutes=10)
"""How late in event time a mention, and so a detection, may come."""

SHARED = 0.2
"""A topic is apart if at most so much of its mentions have another topic too…"""

ALIKE = 0.1
"""…and at most so much of the words that are frequent in either is frequent in both (Jaccard)."""

FREQUENT = 30
"""How many of its most frequent words stand for a topic."""

FEWEST = 5
"""A topic of which fewer people speak is not looked at: it stays where it is."""


@dataclass(frozen=True)
class IncidentSettings:
    """`calm_minutes` without a detection, and it is calming; `close_hours`, and it is closed and another may begin."""

    calm_minutes: float = 30
    close_hours: float = 6

    @property
    def calm(self) -> timedelta:
        """The first as a duration."""
        return timedelta(minutes=self.calm_minutes)

    @property
    def cool(self) -> timedelta:
        """The second."""
        return timedelta(hours=self.close_hours)


def strand_of(brand: str, group: Group, topic: str | None = None) -> str:
    """The name of a strand; no two have the same."""
    return json.dumps([group, brand, *([topic] if topic is not None else [])], ensure_ascii=False)


def strands_of(detection: Detection) -> tuple[str, ...]:
    """Those that a detection may belong to, its brand's first."""
    key: Key = detection.key
    group = group_of(detection.kind)
    trunk = strand_of(key.brand, group)
    return (trunk, strand_of(key.brand, group, key.value)) if key.facet == "topic" else (trunk,)


def wakes(incident: Incident, detection: Detection, settings: IncidentSettings, before: Severity) -> bool:
    """Whether a detection that joined a closed incident opens it again. For as long as it takes to calm down, what is
    no worse than before is its tail."""
    if incident.state is not State.CLOSED or incident.work.into:
        return False
    upto = incident.work.closed_upto or incident.extent.first_at
    if detection.at <= upto:
        return False
    return detection.at > upto + settings.calm or detection.severity.rank > before.rank


def apart(topic: str, one: Sequence[Enriched], others: Sequence[Enriched], brand_words: Collection[str]) -> bool:
    """Whether what is said on a topic has next to nothing in common with what else is said in the incident: hardly a
    mention is about both, and the words are others."""
    if min(len({it.mention.author.id for it in group}) for group in (one, others)) < FEWEST:
        return False
    if sum(1 for it in one if set(it.tags.topics) - {topic}) > SHARED * len(one):
        return False
    words = Words(brand_words)
    mine, theirs = words.frequent(one, FREQUENT), words.frequent(others, FREQUENT)
    return len(mine & theirs) <= ALIKE * len(mine | theirs)
