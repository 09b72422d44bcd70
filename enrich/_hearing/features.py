"""What a trained model sees of a draft: words, pairs of words, words under a negation, character n-grams, and signals.

Two blocks of hashed rows (`words`: words, pairs, negated words; `grams`: character n-grams within words) and one of
signals: VADER's score, the groups of cues that were found, and how the text is built. In a language other than English
VADER reads the emoji alone and no cue is looked for. Nothing of a handle's name, of links or of capitals is seen, and
of hashtags that end a text only what VADER and the vocabularies know: they file a text more than they say something.
"""

from __future__ import annotations

import operator
import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enrich import _cues, _nlp
from enrich._hearing import words as _words
from enrich._hearing.words import BRAND, END, KINDS, START, Words
from enrich._vader import Vader
from pipeline.ports import Draft

INTENTS = ("complaint", "praise", "lead", "question")
_HEARD = (*INTENTS, "sarcasm", "urgency")
"""The vocabularies whose groups are signals."""

_KEY = "hearing"
_threads = threading.local()
_SCOPE = 5
"""So many words after a negation are under it, unless punctuation ends it sooner."""

_VADER = ("vader", "vader positive", "vader negative", "vader words", "vader best", "vader worst", "vader last")


class Reading(NamedTuple):
    """One text as it was read, kept with its Doc so that the next stage need not read it again. `at` is the place in
    the Doc of each id but the marks at both ends."""

    generation: object
    english: bool
    ids: list[int]
    at: Sequence[int]
    signals: dict[int, float]
    compound: float
    valences: tuple[tuple[str, float], ...]
    cues: Sequence[_cues.Found]


@dataclass(eq=False)
class Batch:
    """A batch as arrays: `ids` of tokens one after another, `starts` of each text in them, `pairs` the row of the pair
    that each token begins, `negated` the places of tokens under a negation and `negations` their rows. `signals` has a
    row a text: `width` signals, and again where `addressed` is 1 (a text that opens with a handle; 0 else)."""

    generation: object
    docs: list[Any]
    readings: list[Reading]
    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    pairs: NDArray[np.int64]
    negated: NDArray[np.int64]
    negations: NDArray[np.int64]
    signals: NDArray[np.float64]
    addressed: NDArray[np.float64]
    width: int
    spots: Any = None
    """Where its signals stand, once told.py has looked."""


class Reader:
    """Reads drafts for models. One is shared by all stages of a thread: `Reader.shared()`."""

    vader_signals = len(_VADER)
    """The first so many signals are VADER's."""

    def __init__(self) -> None:
        self.nlp = _nlp.build()
        self._last: dict[bool, Batch] = {}
        self.words = Words()
        self.vader = Vader()
        heard = {name: _cues.load(name) for name in _HEARD}
        self.vocabularies = {name: heard[name] for name in INTENTS}
        groups = [(name, group) for name, vocabulary in heard.items() for group in vocabulary.groups]
        own = len(_VADER)
        self._columns = {key: own + len(_HEARD) + number for number, key in enumerate(groups)}
        self._placed: dict[_cues.Cue, tuple[int, int]] = {}
        self._sums = {name: own + number for number, name in enumerate(_HEARD)}
        built = [f"{how} {kind}" for how in ("has", "many", "opens with", "ends with") for kind in KINDS]
        told = (
            *_VADER,
            *(f"{name} in all" for name in _HEARD),
            *(f"{name}/{group}" for name, group in groups),
            *built,
            *("length", "short", "addressed", "asks badly", "asks well"),
        )
        self.signals = (*told, *(f"addressed: {name}" for name in told))
        """The names of the signals, in the order of the columns: each as it is, and again where the text is addressed
        to somebody (it opens with a handle), since to a brand's face people write otherwise than about it."""
        self._own = own + len(_HEARD) + len(groups)

    @staticmethod
    def shared() -> Reader:
        """This thread's reader: its memory of words is not made for two."""
        found: Reader | None = getattr(_threads, "reader", None)
        if found is None:
            found = _threads.reader = Reader()
        return found

    def columns(self, cue: _cues.Cue) -> tuple[int, int]:
        """The columns of a cue's group and of its vocabulary's sum."""
        found = self._placed.get(cue)
        if found is None:
            found = self._placed[cue] = self._columns[cue.vocabulary, cue.group], self._sums[cue.vocabulary]
        return found

    def read(self, drafts: Sequence[Draft], english: bool) -> Batch:
        """The drafts as arrays; at least one draft. Ids are good until words are forgotten, which is between batches.
        Asked for the same drafts again (by the next stage), it has them still, English and other ones apart."""
        docs = [draft.doc for draft in drafts]
        last = self._last.get(english)
        if last is not None and last.generation is self.words.generation and _same(docs, last.docs):
            return last
        self.words.make_room()
        readings = [self.reading(draft, english) for draft in drafts]
        self.words.settle()
        lengths = np.array([len(reading.ids) for reading in readings])
        starts = np.cumsum(lengths) - lengths
        ids = np.fromiter(chain.from_iterable([one.ids for one in readings]), dtype=np.int64, count=int(lengths.sum()))
        own = np.zeros((len(readings), self._own))
        there = [one.signals for one in readings]
        columns = list(chain.from_iterable(there))
        row = np.repeat(np.arange(len(there)), list(map(len, there)))
        own[row, columns] = list(chain.from_iterable([one.values() for one in there]))
        kinds = self.words.kinds.take(ids, axis=0)
        negated = _negated(kinds, ids)
        built, addressed = _built(kinds, starts, lengths, own[:, 0])
        signals = np.hstack([own, built])
        batch = Batch(
            generation=self.words.generation,
            docs=docs,
            readings=readings,
            ids=ids,
            starts=starts,
            lengths=lengths,
            pairs=self._pairs(ids),
            negated=negated,
            negations=_words.rows(self.words.left[ids[negated]], 2),
            signals=np.hstack([signals, signals * addressed[:, None]]),
            addressed=addressed,
            width=signals.shape[1],
        )
        self._last[english] = batch
        return batch

    def _pairs(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        # The row of the pair that each token begins; none for the mark at a text's end.
        found = np.zeros(len(ids), dtype=np.int64)
        found[:-1] = _words.rows(self.words.left[ids[:-1]] + self.words.right[ids[1:]], 1)
        found[ids == END] = 0
        return found

    def reading(self, draft: Draft, english: bool) -> Reading:
        """One text: VADER, cues and ids; read once a Doc."""
        kept: Reading | None = draft.doc.user_data.get(_KEY)
        if kept is not None and kept.generation is self.words.generation and kept.english == english:
            return kept
        doc = draft.doc
        said = _nlp.plain(doc).lower()  # or VADER would take a word in capitals for an emphatic one
        compound, valences = self.vader.compound(said if english else self.vader.emoji(said))
        found = _cues.found(doc, *_HEARD) if english else ()
        words, at = _folded(draft) if draft.brands else (_nlp.words(doc), range(len(_nlp.words(doc))))
        if "#" in words and (end := _untagged(_nlp.words(doc))) < len(_nlp.words(doc)):
            end = bisect_left(at, end)
            words, at = words[:end], at[:end]
        ids = self.words.ids(words)
        if 0 in ids:
            at = [place for place, number in zip(at, ids, strict=True) if number]
            ids = [number for number in ids if number]
        ids = [START, *ids, END]
        signals = self._signals(compound, valences, found)
        made = Reading(self.words.generation, english, ids, at, signals, compound, valences, found)
        doc.user_data[_KEY] = made
        return made

    def _signals(
        self, compound: float, valences: tuple[tuple[str, float], ...], found: Sequence[_cues.Found]
    ) -> dict[int, float]:
        # By column; those that are not there are nil.
        signals: dict[int, float] = {}
        if valences:
            told = [valence / 4.0 for _, valence in valences]
            good = sum([valence for valence in told if valence > 0])
            best, worst = max(0.0, max(told)), min(0.0, min(told))
            read = (compound, good, good - sum(told), len(told) / 4.0, best, worst, told[-1])
            signals = dict(zip(range(len(_VADER)), read, strict=True))
        for cue in {hit.cue for hit in found}:
            column, whole = self.columns(cue)
            signals[column] = 1.0
            signals[whole] = signals.get(whole, 0.0) + cue.weight
        return signals


def _same(docs: list[Any], others: list[Any]) -> bool:
    return len(docs) == len(others) and all(map(operator.is_, docs, others))


def _untagged(words: Sequence[str]) -> int:
    # Where the hashtags begin with which a text ends, links and what cannot be seen aside; its end where it is nothing
    # but these.
    end = place = len(words)
    while place:
        if not _words.fold(words[place - 1]):
            place -= 1
        elif place > 1 and words[place - 2] == "#":
            end = place = place - 2
        else:
            return end
    return len(words)


def _folded(draft: Draft) -> tuple[Sequence[str], Sequence[int]]:
    # The words with those of a brand's own name folded into one token, and the place of each. A handle's name says
    # nothing anyhow.
    words = _nlp.words(draft.doc)
    named: dict[int, bool] = {}
    for match in draft.brands:
        if match.end > match.start and match.term[:1] != "@":
            span = draft.doc.char_span(match.start, match.end)
            if span is not None and span.start not in named:
                named[span.start] = True
                named.update(dict.fromkeys(range(span.start + 1, span.end), False))
    if not named:
        return words, range(len(words))
    at = [place for place in range(len(words)) if named.get(place, True)]
    return [BRAND if place in named else words[place] for place in at], at


def _negated(kinds: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    # The places of tokens after a negation, up to punctuation, the end of the text, or _SCOPE words on.
    negations = np.flatnonzero(kinds[:, _words.NEGATION])
    if not len(negations):
        return negations
    stop = (ids <= END) | (kinds[:, _words.STOP] > 0)
    under = np.zeros(len(ids) + _SCOPE, dtype=bool)
    going = np.ones(len(negations), dtype=bool)
    for step in range(1, _SCOPE + 1):
        place = np.minimum(negations + step, len(ids) - 1)
        going &= ~stop[place]
        under[place[going]] = True
    return np.flatnonzero(under[: len(ids)])


def _built(
    kinds: NDArray[np.float32], starts: NDArray[np.int64], lengths: NDArray[np.int64], compound: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # How each text is built, and whether it is addressed to somebody: a handle is its first word or second (`.@x`).
    counts = np.add.reduceat(kinds, starts, axis=0).astype(np.float64)
    place = np.arange(len(kinds))
    last = starts + lengths - 1
    opening = np.minimum(np.minimum.reduceat(np.where(kinds[:, 0] > 0, place, len(kinds)), starts), last)
    handle = kinds[:, _words.HANDLE] > 0
    addressed = (handle[starts + 1] | handle[np.minimum(starts + 2, last)]).astype(np.float64)
    asks = counts[:, _words.QUESTION] > 0
    others = [
        np.log1p(lengths) / 4.0,
        lengths < 8,
        addressed,
        asks * np.maximum(-compound, 0.0),
        asks * np.maximum(compound, 0.0),
    ]
    many = np.log1p(np.minimum(counts, 20.0)) / 3.0
    return np.hstack([counts > 0, many, kinds[opening], kinds[last - 1], np.array(others).T]), addressed


_QUESTION = frozenset({"who", "what", "when", "where", "why", "which", "whose", "how"})
_AUXILIARY = frozenset(
    {"do", "does", "did", "is", "are", "was", "were", "can", "could", "will", "would", "should", "may", "have", "has"}
)
_OPENERS = frozenset({"hi", "hello", "hey", "so", "and", "but", "ok", "@", ",", ".", "!", "#", '"', "-", ":"})
_SUBJECTS = frozenset(
    {"you", "i", "we", "it", "they", "there", "anyone", "anybody", "someone", "this", "that", "the", "your", "my"}
)


def opens_asking(words: Sequence[str]) -> bool:
    """Whether an English text opens with a question word, or with an auxiliary and a subject."""
    auxiliary = False
    for word in map(_nlp.normal, words[:8]):
        if auxiliary:
            return word in _SUBJECTS
        if word in _QUESTION:
            return True
        if word in _AUXILIARY:
            auxiliary = True
        elif word not in _OPENERS and not word.isspace():
            return False
    return False
