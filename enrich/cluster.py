"""Which mentions say the same thing in nearly the same words: copies, reposts, campaigns, chain letters.

A text is reduced to its words (no links, handles, numbers, punctuation, capitals, nor a leading `RT`). A cluster's id
is the hash of the words of its first member, so copies get one id on every worker, without talk between them. Words
that are nearly equal (a Jaccard similarity of the sets of words of at least `similarity`) join a cluster that this
worker has seen before, found by MinHash and banding (Broder 1997; Leskovec, Rajaraman & Ullman, Mining of Massive
Datasets, 3.4) and then compared word by word, so that a chance collision joins nothing. Two workers that saw different
members first may thus call one campaign by two ids.

A text of fewer than `min_words` words has no cluster: a thousand `thank you` are not a campaign.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from spacy.attrs import NORM

from enrich import _nlp
from enrich._version import trace
from pipeline.mention import Cluster
from pipeline.ports import Draft, Settings, StageContext

Hashes = NDArray[np.uint32]

_BANDS, _ROWS = 8, 3
"""Two texts of similarity s become candidates with the chance 1 - (1 - s^3)^8: 0.997 at 0.8, 0.97 at 0.7."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


class Config(Settings):
    """How alike, and how far back."""

    similarity: float = Field(default=0.7, gt=0.0, le=1.0)
    """The share of common words from which two texts are near copies, 0 to 1."""

    min_words: int = Field(default=4, ge=1)
    """Fewer words than this make no cluster."""

    window: int = Field(default=20_000, ge=1)
    """How many clusters a worker remembers, the ones not seen for longest forgotten first."""


@dataclass(slots=True)
class _Known:
    """A cluster in memory: its id, the mention seen first, its words, and the bands it is found by."""

    id: str
    first: str
    words: frozenset[int]
    bands: tuple[int, ...] = ()


class Stage:
    """Provides `cluster`: its id and whether this mention is the first of it seen by this worker.

    Memory beyond the batch: up to `window` clusters of about 3 kB each (60 MB when full). The first mention's id is
    kept, so that a batch annotated again (after a crash or a failure) gets the same answers.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc"})
    provides: ClassVar[frozenset[str]] = frozenset({"cluster"})

    def __init__(self, config: Config, context: StageContext) -> None:
        self._config = config
        self._dropped = frozenset(int(context.nlp.vocab.strings.add(word)) for word in ("rt", "://"))
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._buckets: dict[int, str] = {}
        # Fixed odd multipliers: the same signature on every worker and after every restart.
        draw = np.random.default_rng(20_260_101)
        self._factors: Hashes = draw.integers(0, 2**32, size=_BANDS * _ROWS, dtype=np.uint32) | np.uint32(1)
        self.version = trace("1", config)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `cluster` of every draft; None where the text is too short."""
        texts = [(draft, self._words(draft.doc)) for draft in batch]
        long_enough = [(draft, words) for draft, words in texts if len(words) >= self._config.min_words]
        fresh: dict[str, list[int]] = {}
        ids: list[str] = []
        for _, words in long_enough:
            ids.append(hashlib.blake2b(array("Q", words).tobytes(), digest_size=8).hexdigest())
            fresh.setdefault(ids[-1], words)
        bands = self._bands(fresh)
        for (draft, words), exact in zip(long_enough, ids, strict=True):
            known = self._find(exact, words, bands[exact], draft.mention.id)
            draft.cluster = Cluster(id=known.id, first=known.first == draft.mention.id)

    def _words(self, doc: Any) -> list[int]:
        # spaCy's hash of each word's normal form: the same in every process.
        hashes = doc.to_array(NORM).tolist()
        return [
            found
            for found, word in zip(hashes, _nlp.words(doc), strict=True)
            if word[0].isalpha() and found not in self._dropped
        ]

    def _find(self, exact: str, words: Sequence[int], bands: tuple[int, ...], mention: str) -> _Known:
        known = self._known.get(exact)
        if known is None:
            different = frozenset(words)
            alike = self._alike(different, bands)
            known = _Known(
                id=alike.id if alike else exact,
                first=alike.first if alike else mention,
                words=different,
                bands=bands,
            )
            self._known[exact] = known
            self._buckets.update(dict.fromkeys(bands, exact))
            if len(self._known) > self._config.window:
                self._forget()
        else:
            self._known.move_to_end(exact)
        return known

    def _alike(self, words: frozenset[int], bands: tuple[int, ...]) -> _Known | None:
        size = len(words)
        for exact in dict.fromkeys(filter(None, map(self._buckets.get, bands))):
            known = self._known[exact]
            other = len(known.words)
            if min(size, other) < self._config.similarity * max(size, other):
                continue
            common = len(words & known.words)
            if common >= self._config.similarity * (size + other - common):
                return known
        return None

    def _forget(self) -> None:
        exact, known = self._known.popitem(last=False)
        for band in known.bands:
            if self._buckets.get(band) == exact:
                del self._buckets[band]

    def _bands(self, texts: dict[str, list[int]]) -> dict[str, tuple[int, ...]]:
        """The band keys of every text: one pass of numpy over the words of the batch."""
        if not texts:
            return {}
        starts = np.cumsum([0] + [len(words) for words in texts.values()])[:-1]
        hashes: Hashes = np.array(list(chain.from_iterable(texts.values())), dtype=np.uint64).astype(np.uint32)
        mixed = hashes[:, None] * self._factors
        mixed ^= mixed >> np.uint32(15)
        lowest = np.minimum.reduceat(mixed, starts, axis=0).reshape(len(texts), _BANDS, _ROWS)
        keys = np.arange(_BANDS, dtype=np.uint64) + np.zeros((len(texts), 1), dtype=np.uint64)
        for row in range(_ROWS):
            keys = (keys ^ lowest[:, :, row]) * _MIX
        return {exact: tuple(row) for exact, row in zip(texts, keys.tolist(), strict=True)}
