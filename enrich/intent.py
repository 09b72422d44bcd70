"""What a mention wants: complaint, praise, lead, question. Several may hold.

A trained model judges in the languages that it was trained in: the probability of each, and the threshold that each
was found to need. The cues of `vocabulary/*.yaml` are among what it sees. Without a model (`none`) the cues judge
alone, in English: a logistic sum of the groups that are found and of signals. In a language that nobody was trained
in, a question is heard by its question mark, complaint and praise by a review's stars, and a lead not at all. A
review's stars weigh in every language, by the `signals` of the vocabularies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from enrich import _cues, _nlp
from enrich._hearing.chosen import Choice, Opinion, chosen, loaded
from enrich._hearing.features import INTENTS, Reader, opens_asking
from enrich._hearing.told import Carried
from enrich._version import trace
from pipeline.mention import Intent
from pipeline.ports import Draft, Settings, StageContext

NAMES = INTENTS

_EVEN = 0.5
"""The threshold of a score that no model gave one for."""


class Config(Settings):
    """Who judges, and from when on an intent holds."""

    model: Choice = None
    """The folder of a trained model; without one, what ships; `none`: the cues of the vocabularies alone."""

    shadow: Path | None = None
    """The folder of a model that is scored beside it and changes nothing but `shadow`, where it decides otherwise."""

    threshold: float | None = Field(default=None, gt=0.0, lt=1.0)
    """An intent with at least this score is tagged; without one, each has the threshold that its model found best."""


class Stage:
    """Provides `intents`: those that hold, strongest first, each with its probability, the words for it and how much
    each carried (in log-odds). Adds to `shadow` where one is set."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "brands", "language", "sentiment"})
    provides: ClassVar[frozenset[str]] = frozenset({"intents"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del context
        self._model = chosen(config.model, "intent")
        self._shadow = loaded(config.shadow, "intent") if config.shadow is not None else None
        self._threshold = config.threshold
        self._vocabularies = Reader.shared().vocabularies
        versions = [model.version if model else "" for model in (self._model, self._shadow)]
        self.version = trace("2", config.threshold, versions, self._vocabularies)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `intents` of every draft."""
        if not batch:
            return
        opinion = Opinion(self._model, batch) if self._model else None
        every = self._scores(opinion, batch)
        held = [
            (number, name, score)
            for number, found in enumerate(every)
            for name, (score, least) in found.items()
            if score >= least
        ]
        words = self._words(opinion, held, batch)
        intents: list[list[Intent]] = [[] for _ in batch]
        for (number, name, score), told in zip(held, words, strict=True):
            intents[number].append(_intent(name, score, told))
        for draft, found in zip(batch, intents, strict=True):
            draft.intents = tuple(sorted(found, key=_weakness))
        if self._shadow is not None:
            beside = self._scores(Opinion(self._shadow, batch), batch)
            for draft, used, other in zip(batch, every, beside, strict=True):
                draft.shadow = (*draft.shadow, *_differences(used, other))

    def scores(self, batch: Sequence[Draft]) -> list[dict[str, float]]:
        """For each draft the probability of each intent, thresholds not applied."""
        if not batch:
            return []
        found = self._scores(Opinion(self._model, batch) if self._model else None, batch)
        return [{name: score for name, (score, _) in one.items()} for one in found]

    def _scores(self, opinion: Opinion | None, batch: Sequence[Draft]) -> list[dict[str, tuple[float, float]]]:
        # Of each draft, for each intent its score and its threshold.
        names = opinion.labels if opinion is not None else NAMES
        shares = opinion.shares.round(3).tolist() if opinion is not None else [[math.nan] * len(names)] * len(batch)
        leasts = opinion.thresholds.tolist() if opinion is not None else shares
        if self._threshold is not None:
            leasts = [[self._threshold] * len(names)] * len(batch)
        every = []
        for draft, row, thresholds in zip(batch, shares, leasts, strict=True):
            found = dict(zip(names, zip(row, thresholds, strict=True), strict=True))
            if math.isnan(sum(row)):
                found = self._completed(found, draft, english=opinion is None and _is_english(draft))
            if draft.mention.rating is not None:
                found = {name: (self._with_stars(name, pair[0], draft), pair[1]) for name, pair in found.items()}
            every.append(found)
        return every

    def _completed(
        self, found: dict[str, tuple[float, float]], draft: Draft, english: bool
    ) -> dict[str, tuple[float, float]]:
        # What no model knows, by the cues.
        cued = self._by_cues(draft, english)
        least = self._threshold or _EVEN
        known = {
            name: (round(cued[name], 3), least) if math.isnan(pair[0]) else pair
            for name, pair in found.items()
            if name in cued or not math.isnan(pair[0])
        }
        return known

    def _words(
        self, opinion: Opinion | None, held: Sequence[tuple[int, str, float]], batch: Sequence[Draft]
    ) -> list[Carried]:
        # For each intent that holds, the words for it.
        if opinion is None:
            return [_quoted(name, batch[number]) for number, name, _ in held]
        return opinion.carried([number for number, _, _ in held], [name for _, name, _ in held]) if held else []

    def _with_stars(self, name: str, score: float, draft: Draft) -> float:
        # A review's stars add to the log-odds.
        rating, vocabulary = draft.mention.rating, self._vocabularies.get(name)
        if rating is None or vocabulary is None or 0.4 < rating < 0.75:
            return score
        by = vocabulary.signals.get("low_rating" if rating <= 0.4 else "high_rating", 0.0)
        share = min(max(score, 1e-6), 1.0 - 1e-6)
        return round(1.0 / (1.0 + (1.0 - share) / share * math.exp(-by)), 3)

    def _by_cues(self, draft: Draft, english: bool) -> dict[str, float]:
        # The logistic sums of the vocabularies; a review's stars are added by the caller.
        reading = Reader.shared().reading(draft, english=english)
        signals = _signals(draft, english)
        sums = {name: vocabulary.bias for name, vocabulary in self._vocabularies.items()}
        for name, vocabulary in self._vocabularies.items():
            for signal, weight in vocabulary.signals.items():
                sums[name] += weight * signals.get(signal, 0.0)
        for cue in {hit.cue for hit in reading.cues if hit.cue.vocabulary in sums}:
            sums[cue.vocabulary] += cue.weight
        return {name: 1.0 / (1.0 + math.exp(-total)) for name, total in sums.items()}


def _weakness(intent: Intent) -> float:
    return -intent.score


def _intent(name: str, score: float, told: Carried) -> Intent:
    carried = [(word, weight) for word, weight in told if weight > 0]
    return Intent(
        name=name,
        score=score,
        words=tuple(word for word, _ in carried),
        weights=tuple(weight for _, weight in carried),
    )


def _quoted(name: str, draft: Draft) -> Carried:
    # The phrases of the cues: of groups with their weight.
    if not _is_english(draft):
        return ()
    hits = Reader.shared().reading(draft, english=True).cues
    mine = [hit for hit in hits if hit.cue.vocabulary == name and hit.cue.weight > 0]
    words = _cues.quoted(draft.doc, [(hit.start, hit.end) for hit in mine])
    weights = {draft.doc[hit.start : hit.end].text: hit.cue.weight for hit in mine}
    return tuple((word, weights[word]) for word in words)


def _differences(used: dict[str, tuple[float, float]], beside: dict[str, tuple[float, float]]) -> tuple[str, ...]:
    told = []
    for name, (score, least) in beside.items():
        now, edge = used.get(name, (0.0, 1.0))
        if (score >= least) != (now >= edge):
            decided = "no", "yes"
            told.append(f"{name}: {decided[now >= edge]} {now:.2f} -> {decided[score >= least]} {score:.2f}")
    return tuple(told)


_QUESTION_MARKS = "?\u037e\u055e\u061f\uff1f"  # Latin, Greek, Armenian, Arabic, full width


def _signals(draft: Draft, english: bool) -> dict[str, float]:
    # Each in 0..1; one that is nil is left out.
    signals: dict[str, float] = {}
    reading = Reader.shared().reading(draft, english=english)
    if english and reading.compound:
        signals["negative" if reading.compound < 0 else "positive"] = abs(reading.compound)
    words = _nlp.words(draft.doc)
    if (words and words[0][0] == "@") or draft.brands:
        signals["addressed"] = 1.0
    text = _nlp.plain(draft.doc)
    marks = text.count("?") if text.isascii() else sum(map(text.count, _QUESTION_MARKS))
    if marks:
        signals["question"] = 1.0
        if marks > 2 or "!" in text:
            signals["exclaimed"] = 1.0
    if english and opens_asking(words):
        signals["opening"] = 1.0
    return signals


def _is_english(draft: Draft) -> bool:
    return draft.language is None or draft.language.code in ("en", "und")
