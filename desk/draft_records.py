"""What the desk's questions about answers are answered with."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from desk.drafting import DraftState
from desk.lengths import Length
from desk.tone import ToneWarning
from pipeline.mention import Media


class Check(Struct, frozen=True, kw_only=True):
    """A text looked at as an answer to one mention. `warnings` never block. Where it is not `eligible` to be sent from
    here, `why_not` says so and `deep_link` (None where there is none) leads to where a person can answer by hand."""

    warnings: tuple[ToneWarning, ...]
    lengths: tuple[Length, ...]
    eligible: bool
    why_not: str | None
    deep_link: str | None


class DraftView(Check, frozen=True, kw_only=True):
    """An answer as a person sees it.

    `mention` is what it answers, `via` the configured source to answer through. `version` is to be handed back with an
    edit. `attempts` counts how often it was handed to the platform since it was last sent, `next_at` is when that is
    tried again, `reason` why it stands where it stands. `native_id` and `url` are those of our answer, where the
    platform has it. `private`: it is for its author alone. What has ended has no warnings.
    """

    id: str
    case: str
    mention: str
    via: str
    state: DraftState
    text: str
    macro: str | None
    language: str
    writer: str
    approver: str | None
    version: int
    created_at: datetime
    changed_at: datetime
    attempts: int
    next_at: datetime | None
    reason: str
    native_id: str | None
    url: str | None
    private: bool
    pictures: tuple[Media, ...]


class DraftPage(NamedTuple):
    """Some drafts, and the word with which to ask for the next page; None on the last."""

    drafts: tuple[DraftView, ...]
    next: str | None


class Offer(Struct, frozen=True, kw_only=True):
    """A macro that fits a case, filled in: `score` and `reasons` say how well and why, `missing` names the variables
    that nobody knows a value for; they stand in the text in their braces."""

    macro: str
    title: str
    language: str
    score: float
    reasons: tuple[str, ...]
    text: str
    missing: tuple[str, ...]
