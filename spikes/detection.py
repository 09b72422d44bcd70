"""What the watch hands on: one window of one series, in which more was said than should have been, or too little."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct

from pipeline.mention import Moment

Facet = Literal["all", "topic", "source", "intent"]


class Key(NamedTuple):
    """A series: everything said of a brand (facet `all`, value empty), or what has this topic, source or intent."""

    brand: str
    facet: Facet = "all"
    value: str = ""


class Kind(StrEnum):
    """What it looks like. Of two kinds of trouble the later one here says more: it wins where both were seen."""

    SILENCE = "silence"
    PRAISE = "praise"
    SINGLE_AUTHOR = "single_author"
    REPOST_STORM = "repost_storm"
    BOT_FLOOD = "bot_flood"
    FIRESTORM = "firestorm"

    @property
    def rank(self) -> int:
        """Its place in that order, from 0."""
        return _KINDS[self]


class Severity(StrEnum):
    """How much it matters, least first."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for minor to 2 for critical."""
        return _SEVERITIES[self]


_KINDS = {kind: rank for rank, kind in enumerate(Kind)}
_SEVERITIES = {severity: rank for rank, severity in enumerate(Severity)}


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was counted in the `minutes` before the detection's time, and how many distinct negative authors (for
    praise: authors; for silence: mentions) are usual in so long at that hour of the week. `rare_per_week`: how often a
    week chance alone would bring as much."""

    minutes: int
    mentions: int = 0
    negative: int = 0
    authors: int = 0
    negative_authors: int = 0
    reposts: int = 0
    reach: int = 0
    suspicious: int = 0
    expected: float = 0.0
    rare_per_week: float = 0.0


class Detection(Struct, frozen=True, kw_only=True):
    """At `at` (event time, the end of the window, a whole minute) this series was out of the ordinary. `onset` is, in
    hindsight, when that began. `score` is the detector's, 0..1."""

    key: Key
    at: Moment
    onset: Moment
    kind: Kind
    severity: Severity
    score: Annotated[float, Meta(ge=0, le=1)]
    evidence: Evidence
