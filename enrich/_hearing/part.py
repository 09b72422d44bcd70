"""One part of a model: a table of weights for some languages, and from the features of texts their log-odds.

The score of a label is a sum of weights over the text's words, pairs of words, n-grams and signals. What a distinct
word's n-grams add is summed once and remembered, so that a text costs one gather a word and a small product. The sum
over each block is divided by the root of the sum of its squared inverse document frequencies (the length of the
text's TF-IDF vector, were nothing in it to come twice).

Scores become probabilities by a slope and an offset a label, fitted on held-out data (Platt, 1999): through the
logistic function for intents, of which several may hold, and through the softmax for sentiment, of which one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enrich._hearing.features import Batch
from enrich._hearing.words import Words

Floats = NDArray[np.float64]

SMOOTH = 1.0
"""Added to the squared length of a block, so that a text of one known word is not shouted."""


class Scored(NamedTuple):
    """What a part makes of a batch: the log-odds of each label before calibration, and for each token its sums over
    the rows of words (labels, squared idf) and over n-grams (the same), with each text's scale of both."""

    scores: Floats
    sums: NDArray[np.float32]
    scale: Floats


@dataclass(eq=False)
class Part:
    """The weights for some languages. `table` (rows, labels + 1) are the weights of the rows times their inverse
    document frequency (idf), and its square; `signals` (signals, labels); `slope` and `offset` calibrate;
    `thresholds` are the probabilities from which an intent holds (of sentiment: what each is divided by before the
    largest is taken)."""

    name: str
    languages: tuple[str, ...]
    english: bool
    table: NDArray[np.float32]
    signals: Floats
    bias: Floats
    slope: Floats
    offset: Floats
    thresholds: Floats
    _known: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    _done: int = 0
    _grams: int = 0
    _generation: object = None

    def score(self, batch: Batch, words: Words, signals: Floats) -> Scored:
        """Log-odds of every text, and what they are made of; `signals` are the batch's, or more."""
        wide = self.table.shape[1]
        sums = self._sums(words).take(batch.ids, axis=0)
        sums[:, :wide] += self.table.take(batch.pairs, axis=0)
        if len(batch.negated):
            sums[batch.negated, :wide] += self.table.take(batch.negations, axis=0)
        totals = np.add.reduceat(sums, batch.starts, axis=0, dtype=np.float64)
        scale = 1.0 / np.sqrt(totals[:, wide - 1 :: wide] + SMOOTH)
        scores = totals[:, : wide - 1] * scale[:, :1] + totals[:, wide:-1] * scale[:, 1:]
        return Scored(scores + signals @ self.signals + self.bias, sums, scale)

    def calibrated(self, scores: Floats) -> Floats:
        """Log-odds that can be turned into probabilities."""
        return scores * self.slope + self.offset

    def _sums(self, words: Words) -> NDArray[np.float32]:
        # For every word that is remembered, its row and the sum over its n-grams; those not yet known are added.
        wide = self.table.shape[1]
        if self._generation is not words.generation:
            self._known = np.zeros((2048, 2 * wide), dtype=np.float32)
            self._generation, self._done, self._grams = words.generation, 0, 0
        if self._done < len(words):
            every = np.concatenate([*words.grams[self._grams :], [0]])  # row 0 is nil: no start is past the end
            lengths = np.array(words.lengths[self._done :])
            sums = np.add.reduceat(self.table.take(every, axis=0), np.cumsum(lengths) - lengths, axis=0)
            sums[lengths == 0] = 0.0
            while len(self._known) < len(words):
                self._known = np.concatenate([self._known, np.zeros_like(self._known)])
            self._known[self._done : len(words), :wide] = self.table.take(words.own[self._done : len(words)], axis=0)
            self._known[self._done : len(words), wide:] = sums
            self._done, self._grams = len(words), len(words.grams)
        return self._known


def sigmoid(scores: Floats) -> Floats:
    """The logistic function."""
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(scores, -60.0, 60.0)))
    return found


def softmax(scores: Floats) -> Floats:
    """Shares that add up to 1 in each row."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares
