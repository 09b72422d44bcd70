"""Which words carried a label, and how much: the parts of its log-odds, token by token."""

from __future__ import annotations

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
        wanted = np.repeat(np.arange(len(places)), lengths)
        token = np.arange(len(wanted)) + (starts - np.cumsum(lengths) + lengths)[wanted]
        value = adds[token, which[wanted]]
        kept = np.flatnonzero((np.abs(value) if against else value) >= _LEAST)
        kept = kept[_most(np.abs(value[kept]), wanted[kept])]
        return self._phrases(places, wanted[kept], (token - starts[wanted] - 1)[kept], value[kept])

    def _phrases(
        self, places: NDArray[np.int64], wanted: NDArray[np.int64], token: NDArray[np.int64], value: Floats
    ) -> list[Carried]:
        # Neighbours that pull the same way as one phrase. `wanted` says of each word of which of the `places` it is,
        # in the order of the texts.
        if not len(wanted):
            return [()] * len(places)
        docs = [self._batch.docs[place] for place in places.tolist()]
        words = list(map(_nlp.words, docs))
        at = [self._batch.readings[place].at for place in places.tolist()]
        found: list[dict[str, float]] = [{} for _ in docs]
        place = np.array([at[one][number] for one, number in zip(wanted.tolist(), token.tolist(), strict=True)])
        apart = np.ones(len(wanted), dtype=bool)
        apart[1:] = (wanted[1:] != wanted[:-1]) | (place[1:] != place[:-1] + 1) | ((value[1:] > 0) != (value[:-1] > 0))
        first = np.flatnonzero(apart)
        ends = place[np.append(first[1:], len(wanted)) - 1] + 1
        whole = np.add.reduceat(value, first)
        for one, start, end, carried in zip(
            wanted[first].tolist(), place[first].tolist(), ends.tolist(), whole.tolist(), strict=True
        ):
            phrase = words[one][start] if end == start + 1 else _written(docs[one], start, end)
            told = found[one]
            told[phrase] = told.get(phrase, 0.0) + carried
        return [
            tuple(sorted([(phrase, round(value, 2)) for phrase, value in told.items()], key=_size, reverse=True))
            for told in found
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


def _most(sizes: Floats, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    # The places of the WORDS greatest sizes of each text, in the order of the texts; `wanted` ascends.
    ranked = np.lexsort((-sizes, wanted))
    rank = np.arange(len(wanted)) - np.searchsorted(wanted, wanted)
    return np.sort(ranked[rank < WORDS])


def _spots(batch: Batch) -> tuple[Floats, Floats]:
    # Where signals stand. Of cues: token, columns of the group and of its vocabulary's sum, text, weight in that sum,
    # share of the phrase. Of VADER: token, text, share of the valences.
    columns = Reader.shared().columns
    cues: list[float] = []
    valences: list[float] = []
    for text, (start, told, doc) in enumerate(
        zip((batch.starts + 1).tolist(), batch.readings, batch.docs, strict=True)
    ):
        at = told.at
        if told.cues:
            for cue, hit in {hit.cue: hit for hit in reversed(told.cues)}.items():
                column, whole = columns(cue)
                share = 1.0 / (hit.end - hit.start)
                for token in range(hit.start, hit.end):
                    if token in at:
                        cues += (start + at.index(token), column, whole, text, cue.weight, share)
        if told.valences:
            words = list(map(str.lower, _nlp.words(doc)))  # as VADER was given them
            whole_valence = sum([abs(valence) for _, valence in told.valences]) or 1.0
            for word, valence in told.valences:
                if word in words and (token := words.index(word)) in at:
                    valences += (start + at.index(token), text, abs(valence) / whole_valence)
    return np.array(cues).reshape(-1, 6), np.array(valences).reshape(-1, 3)


def _written(doc: Any, start: int, end: int) -> str:
    phrase = " ".join(_nlp.words(doc)[start:end])
    if phrase in _nlp.text(doc):
        return phrase
    cut: str = doc[start:end].text
    return cut


def _size(pair: tuple[str, float]) -> float:
    return abs(pair[1])
