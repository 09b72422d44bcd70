"""What the author wants: complaint, praise, lead, question. Several may hold.

Each is a logistic sum that can be read off: a bias, the weight of each group of phrases that is found (once a group),
and the weights of signals (sentiment, a question mark, a review's stars). Weights and phrases are data, in
`vocabulary/*.yaml`; nothing is trained. The phrases are English: a text known to be in another language is judged by
its question mark and its stars alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from enrich import _cues, _nlp
from enrich._version import trace
from pipeline.mention import Intent
from pipeline.ports import Draft, Settings, StageContext

NAMES = ("complaint", "praise", "lead", "question")

_QUESTION_MARKS = "?\u037e\u055e\u061f\uff1f"  # Latin, Greek, Armenian, Arabic, full width
_ASKING = frozenset({"who", "what", "when", "where", "why", "which", "whose", "how"})
_AUXILIARY = frozenset(
    {"do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would", "should", "may", "have", "has"}
)
_OPENERS = frozenset({"hi", "hello", "hey", "so", "and", "but", "ok", "@", ",", ".", "!", "#", '"', "-", ":"})


class Config(Settings):
    """From when on an intent holds."""

    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    """An intent with at least this score is tagged."""


class Stage:
    """Provides `intents`: those that hold, strongest first, each with its score in 0..1 and the words for it."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "brands", "language", "sentiment"})
    provides: ClassVar[frozenset[str]] = frozenset({"intents"})

    def __init__(self, config: Config, context: StageContext) -> None:
        vocabularies = {name: _cues.load(name) for name in NAMES}
        self._cues = _cues.Cues(context.nlp, vocabularies)
        # A score is at least the threshold when its sum is at least the threshold's log-odds.
        self._least = math.log(config.threshold / (1.0 - config.threshold))
        self._sums = {name: vocabulary.bias for name, vocabulary in vocabularies.items()}
        self._weights: dict[str, list[tuple[str, float]]] = {}
        for name, vocabulary in vocabularies.items():
            for signal, weight in vocabulary.signals.items():
                self._weights.setdefault(signal, []).append((name, weight))
        self.version = trace("1", config, vocabularies)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `intents` of every draft."""
        for draft in batch:
            english = draft.language is None or draft.language.code in ("en", "und")
            draft.intents = self._judge(draft, self._cues.find(draft.doc) if english else (), english)

    def _judge(self, draft: Draft, found: Sequence[_cues.Found], english: bool) -> tuple[Intent, ...]:
        sums = self._sums.copy()
        for signal, value in _signals(draft, english).items():
            for name, weight in self._weights.get(signal, ()):
                sums[name] += weight * value
        for cue in {hit.cue for hit in found}:
            sums[cue.vocabulary] += cue.weight
        intents = [
            Intent(name=name, score=round(1.0 / (1.0 + math.exp(-total)), 3), words=_words(name, draft.doc, found))
            for name, total in sums.items()
            if total >= self._least
        ]
        intents.sort(key=lambda intent: -intent.score)
        return tuple(intents)


def _signals(draft: Draft, english: bool) -> dict[str, float]:
    """Each in 0..1; one that is nil is left out."""
    signals: dict[str, float] = {}
    rating = draft.mention.rating
    if rating is not None:
        if rating <= 0.4:
            signals["low_rating"] = 1.0
        elif rating >= 0.75:
            signals["high_rating"] = 1.0
    if english and draft.sentiment is not None and draft.sentiment.score:
        score = draft.sentiment.score
        signals["negative" if score < 0 else "positive"] = abs(score)
    words = _nlp.words(draft.doc)
    if (words and words[0][0] == "@") or draft.brands:
        signals["addressed"] = 1.0
    text = _nlp.plain(draft.doc)
    marks = text.count("?") if text.isascii() else sum(map(text.count, _QUESTION_MARKS))
    if marks:
        signals["question"] = 1.0
        if marks > 2 or "!" in text:
            signals["exclaimed"] = 1.0
    if english and _opens_asking(words):
        signals["opening"] = 1.0
    return signals


def _opens_asking(words: Sequence[str]) -> bool:
    auxiliary = False
    for word in map(_nlp.normal, words[:8]):
        if auxiliary:
            return word in (
                "you",
                "i",
                "we",
                "it",
                "they",
                "there",
                "anyone",
                "anybody",
                "someone",
                "this",
                "that",
                "the",
            )
        if word in _ASKING:
            return True
        if word in _AUXILIARY:
            auxiliary = True
        elif word not in _OPENERS and not word.isspace():
            return False
    return False


def _words(name: str, doc: Any, found: Sequence[_cues.Found]) -> tuple[str, ...]:
    return _cues.quoted(
        doc, [(hit.start, hit.end) for hit in found if hit.cue.vocabulary == name and hit.cue.weight > 0]
    )
