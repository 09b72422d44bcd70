"""What the board asks the parts, each answer kept for a while for everybody."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from console.api.services import Services
from console.pages.board_asked import Asked
from console.pages.kept import kept
from pipeline.store.records import RecordedGap
from spikes.incident_records import Incident, IncidentFilter
from spikes.phrases import Hearsay, Phrases
from spikes.telling import Told
from spikes.voices import By, Listening, Voices

COUNTS_SECS = 20
"""How old counts may be: buckets are closed every five minutes."""

NAMES_SECS = 60
LISTS_SECS = 10
TOLD_SECS = 60
SAMPLED_SECS = 600
"""Of what samples of texts say."""

MARKED = 30
"""Incidents marked in a chart."""

OPEN = 10
"""Open incidents shown."""


class Counted(NamedTuple):
    """What was said, and the sums of as much time before."""

    voices: Voices
    before: Voices


def brands(given: Services) -> list[str]:
    """Those of which anything was counted."""
    return kept(given).get("brands", NAMES_SECS, lambda: Listening(given.database, given.clock).brands())


def chosen(given: Services, brand: str) -> list[str]:
    """The brands that are meant: this one, or all."""
    return [brand] if brand else brands(given)


def counted(given: Services, asked: Asked) -> Counted:
    """The lines of the charts."""

    def make() -> Counted:
        # A share of voice is one among all brands, whichever is looked at.
        names = brands(given) if asked.by == "brand" else chosen(given, asked.brand)
        before = asked.since - asked.length
        return Counted(
            _voices(given, names, asked.by, asked.since, asked.until),
            _voices(given, names, "tone", before, asked.since),
        )

    return kept(given).get(("counted", _key(asked), asked.by), COUNTS_SECS, make)


def share_of_voice(given: Services, asked: Asked) -> float | None:
    """How much of all that is said of any brand is said of this one; None where there is no other."""
    if not asked.brand or len(brands(given)) < 2:
        return None
    whole = counted(given, asked._replace(brand="", by="brand")).voices.mentions
    ours = counted(given, asked._replace(by="tone")).voices.mentions
    return min(1.0, ours / whole) if whole else None  # the two may be some seconds apart


def gaps(given: Services, since: datetime, until: datetime) -> list[RecordedGap]:
    """The stretches of this time that were not heard, and not made good since, oldest first."""
    every = kept(given).get("gaps", LISTS_SECS, lambda: given.store.gaps(open_only=True))
    return sorted((it for it in every if it.since < until and it.until > since), key=lambda it: (it.since, it.via))


def open_incidents(given: Services, brand: str) -> list[Incident]:
    """Those that are not over, the newest first."""
    wanted = IncidentFilter(brand=brand or None, live=True)
    make = lambda: list(given.incidents.incidents(wanted, limit=OPEN).incidents)  # noqa: E731 - for one call
    return kept(given).get(("open", brand), LISTS_SECS, make)


def marked(given: Services, asked: Asked) -> list[Incident]:
    """The incidents that began in this time, oldest first."""
    wanted = IncidentFilter(brand=asked.brand or None, since=asked.since)
    make = lambda: list(given.incidents.incidents(wanted, limit=MARKED * 2).incidents)  # noqa: E731 - for one call
    found = kept(given).get(("marked", _key(asked)), COUNTS_SECS, make)
    return [it for it in reversed(found) if asked.since <= it.extent.onset < asked.until][-MARKED:]


def told(given: Services, id: str) -> Told:
    """What an incident is about. Raises NoSuchIncident. Takes a second or two for a large one."""
    return kept(given).get(("told", id), TOLD_SECS, lambda: given.incidents.told(id))


def phrases(given: Services, asked: Asked) -> Phrases:
    """What customers complain of and praise, against as much time before."""
    names = chosen(given, asked.brand) if asked.brand else None
    make = lambda: Hearsay(given.database, given.clock).phrases(asked.since, asked.until, names)  # noqa: E731 - as above
    return kept(given).get(("phrases", _key(asked)), SAMPLED_SECS, make)


def _voices(given: Services, names: list[str], by: By, since: datetime, until: datetime) -> Voices:
    listening = Listening(given.database, given.clock)
    facets = None
    if by in ("intent", "topic", "source"):
        facets = kept(given).get("series", NAMES_SECS, listening.series)
    return listening.voices(names, by, since, until, facets)


def _key(asked: Asked) -> tuple[object, ...]:
    """The same for all who ask the same question at nearly the same time."""
    if asked.range:
        return asked.brand, asked.range
    return asked.brand, asked.since, asked.until.replace(second=0, microsecond=0)
