"""How positive or negative a mention is: VADER for English, its emoji for every language, a review's stars where given.

VADER's lexicon is English; its words are false friends elsewhere (German `die`). So a text known to be in another
language is scored by its emoji and emoticons alone. A rating is the author's own verdict and weighs `rating_weight`
against the wording: score = weight * (2 * rating - 1) + (1 - weight) * compound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from enrich import _nlp
from enrich._vader import Vader
from enrich._version import trace
from pipeline.mention import Sentiment
from pipeline.ports import Draft, Settings, StageContext

_EDGE = 0.05
"""The package's own thresholds: at least +0.05 is positive, at most -0.05 negative (vaderSentiment README)."""

_WORDS = 20
"""No more words than this are told."""


class Config(Settings):
    """How a review's stars count."""

    rating_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    """The share of the stars in the score of a review, 0 to 1; the rest is the wording's."""


class Stage:
    """Provides `sentiment`. Links, e-mail addresses and handles are not read. A wording that comes again in the batch
    is scored once."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "language"})
    provides: ClassVar[frozenset[str]] = frozenset({"sentiment"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del context
        self._vader = Vader()
        self._weight = config.rating_weight
        self.version = trace("1", config, packages=("vaderSentiment",))

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `sentiment` of every draft."""
        seen: dict[tuple[str, bool, float | None], Sentiment] = {}
        for draft in batch:
            english = draft.language is None or draft.language.code in ("en", "und")
            key = (_nlp.plain(draft.doc), english, draft.mention.rating)
            found = seen.get(key)
            if found is None:
                found = seen[key] = self._score(*key)
            draft.sentiment = found

    def _score(self, text: str, english: bool, rating: float | None) -> Sentiment:
        score, words = self._vader.compound(text if english else self._vader.emoji(text))
        if rating is not None:
            stars = 2.0 * max(0.0, min(1.0, rating)) - 1.0
            score = round(self._weight * stars + (1.0 - self._weight) * score, 4)
        return Sentiment(label=_label(score), score=score, words=words[:_WORDS])


def _label(score: float) -> Literal["positive", "neutral", "negative"]:
    if score >= _EDGE:
        return "positive"
    return "negative" if score <= -_EDGE else "neutral"
