"""How the author of a mention feels about the brand: by a trained model, by a review's stars, else by VADER.

The model judges in the languages that it was trained in, with VADER's score among what it sees. VADER's lexicon is
English; its words are false friends elsewhere (German `die`). So a text in a language that neither knows is scored by
its emoji and emoticons alone, and `by` says that VADER did. A rating is the author's own verdict and weighs
`rating_weight` against the wording: score = weight * (2 * rating - 1) + (1 - weight) * the wording's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from enrich._hearing.chosen import Choice, Opinion, chosen, loaded
from enrich._hearing.features import Reader
from enrich._hearing.linear import SENTIMENTS, Model, Mood
from enrich._version import trace
from pipeline.mention import Sentiment
from pipeline.ports import Draft, Settings, StageContext

_EDGE = 0.05
"""The package's own thresholds: at least +0.05 is positive, at most -0.05 negative (vaderSentiment README)."""

_WORDS = 20
"""No more words than this are told."""


class Config(Settings):
    """Who judges, and how a review's stars count."""

    model: Choice = None
    """The folder of a trained model; without one, what ships; `none`: VADER alone."""

    shadow: Path | None = None
    """The folder of a model that is scored beside it and changes nothing but `shadow`, where it decides otherwise."""

    rating_weight: float = Field(default=0.7, ge=0.0, le=1.0)
    """The share of the stars in the score of a review, 0 to 1; the rest is the wording's."""


class Stage:
    """Provides `sentiment`, and adds to `shadow` where one is set. Links and handles' names are not read."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "brands", "language"})
    provides: ClassVar[frozenset[str]] = frozenset({"sentiment"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del context
        self._model = chosen(config.model, "sentiment")
        self._shadow = loaded(config.shadow, "sentiment") if config.shadow is not None else None
        self._weight = config.rating_weight
        versions = [model.version if model else "" for model in (self._model, self._shadow)]
        self.version = trace("2", config.rating_weight, versions, packages=("vaderSentiment",))

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `sentiment` of every draft."""
        if not batch:
            return
        judged = self._judged(self._model, batch)
        for draft, found in zip(batch, judged, strict=True):
            draft.sentiment = found or self._by_vader(draft)
        if self._shadow is not None:
            for draft, found in zip(batch, self._judged(self._shadow, batch), strict=True):
                used = draft.sentiment
                if found is not None and used is not None and found.label != used.label:
                    told = f"sentiment: {used.label} {used.score:.2f} -> {found.label} {found.score:.2f}"
                    draft.shadow = (*draft.shadow, told)

    def scores(self, batch: Sequence[Draft]) -> list[dict[str, float]]:
        """For each draft the probability of each label, of the wording alone; nothing where no model knows the
        language."""
        if not batch or self._model is None:
            return [{} for _ in batch]
        shares = Opinion(self._model, batch).shares
        return [{} if np.isnan(row[0]) else dict(zip(SENTIMENTS, row.tolist(), strict=True)) for row in shares]

    def _judged(self, model: Model | None, batch: Sequence[Draft]) -> list[Sentiment | None]:
        if model is None:
            return [None] * len(batch)
        opinion = Opinion(model, batch)
        known = np.flatnonzero(~np.isnan(opinion.shares[:, 0])).tolist()
        labels = (opinion.shares / opinion.thresholds).argmax(axis=1).tolist()
        scores = (opinion.shares[:, 2] - opinion.shares[:, 0]).tolist()
        decided = {
            number: self._with_stars(batch[number], scores[number], SENTIMENTS[labels[number]]) for number in known
        }
        telling = [number for number, (_, label) in decided.items() if label != "neutral"]
        words = dict(zip(telling, opinion.leaning(telling), strict=True)) if telling else {}
        found: list[Sentiment | None] = [None] * len(batch)
        for number, (score, label) in decided.items():
            found[number] = Sentiment(label=label, score=score, words=words.get(number, ()), by="model")
        return found

    def _by_vader(self, draft: Draft) -> Sentiment:
        reading = Reader.shared().reading(draft, english=_is_english(draft))
        score, label = self._with_stars(draft, reading.compound, None)
        return Sentiment(label=label, score=score, words=reading.valences[:_WORDS], by="vader")

    def _with_stars(self, draft: Draft, score: float, label: Mood | None) -> tuple[float, Mood]:
        rating = draft.mention.rating
        if rating is not None:
            stars = 2.0 * max(0.0, min(1.0, rating)) - 1.0
            score, label = self._weight * stars + (1.0 - self._weight) * score, None
        score = round(score, 4) + 0.0  # + 0.0: never minus zero
        return score, label or _by_edge(score)


def _is_english(draft: Draft) -> bool:
    return draft.language is None or draft.language.code in ("en", "und")


def _by_edge(score: float) -> Mood:
    if score >= _EDGE:
        return "positive"
    return "negative" if score <= -_EDGE else "neutral"
