"""Which words carried a label, and how much: the parts of its log-odds, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enrich import _nlp
from enrich._hearing.features import Batch, Reader
from enrich._hearing.part import Floats, Part, Scored

Carried = tuple[tuple[str, float], ...]

WORDS = 4
"""So many words are told of a label at most; neighbours among them as one phrase."""

_LEAST = 0.1
"""A word that adds less than this (in log-odds) is not told."""


_LAST = (-1, 1.0)
"""No word: what ends the last phrase."""


class Telling:
    """What each token of a batch added. A group of cues adds to the words of the first of its phrases that was found,
    VADER's score to the words of its lexicon by their valence; signals of the text as a whole are no words."""

    def __init__(self, part: Part, batch: Batch, scored: Scored) -> None:
        self._part, self._batch, self._scored = part, batch, scored

    def told(
        self, places: NDArray[np.int64], which: NDArray[np.int64], weights: Floats, against: bool
    ) -> list[Carried]:
        """For each of these texts of the batch, what the words add to the sum of the labels weighted by one column of
        `weights` (labels, columns): `which` says by which. The most telling first; those that take away from it only
        where `against` is set."""
        batch, wide = self._batch, self._part.table.shape[1]
        weights = weights * self._part.slope[:, None]
        text = np.repeat(np.arange(len(batch.starts)), batch.lengths)
        sums, scale = self._scored.sums, self._scored.scale
        adds = (sums[:, : wide - 1] * scale[text, :1] + sums[:, wide:-1] * scale[text, 1:]) @ weights
        signals = self._part.signals @ weights
        self._add_signals(adds, signals[: batch.width], signals[batch.width : 2 * batch.width])
        adds[batch.starts] = adds[batch.starts + batch.lengths - 1] = 0.0
        starts, lengths = batch.starts[places], batch.lengths[places]
        first = np.cumsum(lengths) - lengths
        wanted = np.repeat(np.arange(len(places)), lengths)
        token = (starts - first)[wanted] + np.arange(len(wanted))
        value = adds[token, which[wanted]]
        if not against:
            value = np.maximum(value, 0.0)
        ranked = np.lexsort((-np.abs(value), wanted))
        chosen = ranked[np.minimum(first[:, None] + np.arange(WORDS), (first + lengths - 1)[:, None])]
        values = value[chosen].tolist()
        tokens = (token[chosen] - starts[:, None] - 1).tolist()
        return [
            _phrases(one, value, batch.readings[place].at, batch.docs[place])
            for one, value, place in zip(tokens, values, places.tolist(), strict=True)
        ]

    def _add_signals(self, adds: Floats, plain: Floats, addressed: Floats) -> None:
        batch = self._batch
        if batch.spots is None:
            batch.spots = _spots(batch)
        cues, valences = batch.spots
        if len(cues):
            token, column, whole, text = cues[:, :4].astype(np.int64).T
            values = plain[column] + plain[whole] * cues[:, 4:5]
            values += batch.addressed[text, None] * (addressed[column] + addressed[whole] * cues[:, 4:5])
            _add(adds, token, values * cues[:, 5:])
        if len(valences):
            token, text = valences[:, :2].astype(np.int64).T
            vader = Reader.vader_signals
            scores = batch.signals[:, :vader]
            totals = scores @ plain[:vader] + batch.addressed[:, None] * (scores @ addressed[:vader])
            _add(adds, token, totals[text] * valences[:, 2:])


def _add(adds: Floats, tokens: NDArray[np.int64], values: Floats) -> None:
    # As np.add.at, at a tenth of its time.
    wide = adds.shape[1]
    places = (tokens[:, None] * wide + np.arange(wide)).ravel()
    adds += np.bincount(places, values.ravel(), adds.size).reshape(adds.shape)


def _spots(batch: Batch) -> tuple[Floats, Floats]:
    # Where signals stand. Of cues: token, columns of the group and of its vocabulary's sum, text, weight in that sum,
    # share of the phrase. Of VADER: token, text, share of the valences.
    columns = Reader.shared().columns
    cues: list[tuple[float, ...]] = []
    valences: list[tuple[float, ...]] = []
    for text, (start, told, doc) in enumerate(
        zip((batch.starts + 1).tolist(), batch.readings, batch.docs, strict=True)
    ):
        if not told.cues and not told.valences:
            continue
        at = told.at
        seen = set()
        for hit in told.cues:
            if hit.cue not in seen:
                seen.add(hit.cue)
                column, whole = columns(hit.cue)
                share = 1.0 / (hit.end - hit.start)
                for token in range(hit.start, hit.end):
                    if token in at:
                        cues.append((start + at.index(token), column, whole, text, hit.cue.weight, share))
        if told.valences:
            words = list(map(str.lower, _nlp.words(doc)))  # as VADER was given them
            whole_valence = sum([abs(valence) for _, valence in told.valences]) or 1.0
            for word, valence in told.valences:
                if word in words and (token := words.index(word)) in at:
                    valences.append((start + at.index(token), text, abs(valence) / whole_valence))
    return np.array(cues), np.array(valences)


def _phrases(tokens: list[int], values: list[float], at: Sequence[int], doc: Any) -> Carried:
    # Neighbours that pull the same way as one phrase.
    words: Sequence[str] = ()
    told: dict[str, float] = {}
    start = end = -1
    whole = 0.0
    for number, value in (*sorted(set(zip(tokens, values, strict=True))), _LAST):
        if -_LEAST < value < _LEAST:
            continue
        token = at[number] if number >= 0 else -2
        if token == end and (value > 0) == (whole > 0):
            end, whole = token + 1, whole + value
            continue
        if end > 0:
            words = words or _nlp.words(doc)
            phrase = words[start] if end == start + 1 else _written(words, doc, start, end)
            told[phrase] = told.get(phrase, 0.0) + whole
        start, end, whole = token, token + 1, value
    if len(told) == 1:
        return ((phrase, round(told[phrase], 2)),)
    return tuple(sorted([(phrase, round(value, 2)) for phrase, value in told.items()], key=_size, reverse=True))


def _written(words: Sequence[str], doc: Any, start: int, end: int) -> str:
    phrase = " ".join(words[start:end])
    if phrase in _nlp.text(doc):
        return phrase
    cut: str = doc[start:end].text
    return cut


def _size(pair: tuple[str, float]) -> float:
    return abs(pair[1])
