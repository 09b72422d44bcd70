"""What cannot wait: danger, crime, law, the press, an outage, people in need, money gone, a customer about to leave.

Each group of phrases that is found (`vocabulary/urgency.yaml`, English) and each signal (negative wording, reach, a
verified author) adds its weight to what is still missing to certainty: score = 1 - (1 - w1)(1 - w2)... The signals
count in every language.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from enrich import _cues
from enrich._version import trace
from pipeline.mention import Signal
from pipeline.ports import Draft, Settings, StageContext

_FULL_REACH = 6.0
"""The power of ten of the reach that counts in full: a million."""


class Config(Settings):
    """Nothing to set."""


class Stage:
    """Provides `urgency`: a score in 0..1, with the phrases and, where they count, `verified author`, `reach N`."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "language", "sentiment", "reach"})
    provides: ClassVar[frozenset[str]] = frozenset({"urgency"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        vocabulary = _cues.load("urgency")
        self._signals = vocabulary.signals
        self._cues = _cues.Cues(context.nlp, {"urgency": vocabulary})
        self.version = trace("1", vocabulary)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `urgency` of every draft."""
        for draft in batch:
            english = draft.language is None or draft.language.code in ("en", "und")
            found = self._cues.find(draft.doc) if english else ()
            calm, words = self._calm(draft)
            for cue in {hit.cue for hit in found}:
                calm *= 1.0 - cue.weight
            if found:
                words = (*_cues.quoted(draft.doc, [(hit.start, hit.end) for hit in found]), *words)
            draft.urgency = Signal(score=round(1.0 - calm, 3), words=words)

    def _calm(self, draft: Draft) -> tuple[float, tuple[str, ...]]:
        calm = 1.0
        words: tuple[str, ...] = ()
        if draft.sentiment is not None and draft.sentiment.score < 0:
            calm *= 1.0 + self._signals["negative"] * draft.sentiment.score
        if draft.reach >= 1_000:
            share = min(1.0, math.log10(draft.reach) / _FULL_REACH)
            calm *= 1.0 - self._signals["reach"] * share
            words = (f"reach {draft.reach}",)
        if draft.mention.author.verified:
            calm *= 1.0 - self._signals["verified"]
            words = (*words, "verified author")
        return calm, words
