"""What is known of every distinct word: its hashed parts and its kinds. Learnt once a word: then it is a look-up.

A word as written is folded first: small letters, numbers as `0`, any handle as `@`, letters repeated three times or
more as two, no skin tone. Links and capitals say nothing: measured on sets never seen, a model that looks at them is a
little worse, since who links or shouts differs from place to place. Of the folded word come a 64-bit hash (from which
the rows of words and of word pairs are mixed), the rows of its character n-grams with its ends marked (`<wo`, `wor`,
`rd>`), and its kinds (a negation, a pronoun, an emoji, stretched...).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from enrich import _nlp

Hashes = NDArray[np.uint64]

BITS = 18
ROWS = 1 << BITS
"""Hashed rows of a model's table; row 0 stands for nothing."""

GRAMS = (3, 5)
"""The shortest and the longest character n-gram."""

_LONG = 30
"""So many characters of a word are read (of a handle all)."""

WORDS = 50_000
"""So many distinct words are remembered (about 30 MB), then all are forgotten."""

BRAND = "<brand>"
"""What the brand's own name is folded into; the tokenizer never makes such a token."""

START, END = 1, 2
"""Ids of the marks before the first word and after the last; 0 is the id of what says nothing (blanks, skin tones)."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NEGATIONS = _set(
    "not no never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt isnt arent wasnt "
    "werent wont wouldnt couldnt shouldnt hasnt havent hadnt aint hardly barely 't 'nt n't"
)
_FIRST = _set("i me my mine we us our ours im ive id ill myself")
_SECOND = _set("you your yours youre ur u yall yourself youve guys")
_THIRD = _set("he she they them his her their him it its")
_ASKING = _set("who what when where why which whose how")
_AUXILIARY = _set("do does did is are was were can could will would should may have has any anyone anybody")
_TIME = _set(
    "hour hours minute minutes day days week weeks month months year years today tomorrow yesterday now still since "
    "ago morning evening night tonight yet already again"
)
_STILL = _set("still yet again ago since")
_SWEAR = _set("wtf damn hell shit fuck fucking crap ass bullshit bloody omg ffs smh")
_CONTRAST = _set("but however though although yet except unless instead")
_POLITE = _set("please thanks thank cheers kindly appreciate sorry hi hello hey dear")
_STOPS = frozenset(".!?;:,\u2026")
_MONEY = frozenset("$\u00a3\u20ac\u00a5\u20b9")
_SILENT = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u200d\u200b-\u200f\u2060\ufeff\\s]+")
_STRETCHED = re.compile(r"(.)\1{2,}")
_DIGITS = re.compile(r"\d+")

KINDS = (
    "word",
    "handle",
    "hash",
    "number",
    "money",
    "question mark",
    "exclamation mark",
    "dots",
    "quote",
    "stretched",
    "emoji",
    "negation",
    "first person",
    "second person",
    "third person",
    "asking",
    "auxiliary",
    "time",
    "still",
    "swearing",
    "contrast",
    "polite",
    "brand",
    "stop",
)
"""The kinds of a word, in the order of the columns of `Words.kinds`."""

_COLUMN = {kind: number for number, kind in enumerate(KINDS)}
NEGATION, STOP, HANDLE, QUESTION = (_COLUMN[kind] for kind in ("negation", "stop", "handle", "question mark"))

_SIGNS = {"?": "question mark", "\u061f": "question mark", "\uff1f": "question mark", "\u00bf": "question mark"} | {
    "!": "exclamation mark",
    "\u00a1": "exclamation mark",
    "\u2026": "dots",
    '"': "quote",
    "\u201c": "quote",
    "\u201d": "quote",
    "#": "hash",
    "@": "handle",
    "0": "number",
    BRAND: "brand",
}
_GROUPS = (
    ("negation", _NEGATIONS),
    ("first person", _FIRST),
    ("second person", _SECOND),
    ("third person", _THIRD),
    ("asking", _ASKING),
    ("auxiliary", _AUXILIARY),
    ("time", _TIME),
    ("still", _STILL),
    ("swearing", _SWEAR),
    ("contrast", _CONTRAST),
    ("polite", _POLITE),
    ("money", _MONEY),
    ("stop", _STOPS),
)


def _listed() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {word: [_COLUMN[sign]] for word, sign in _SIGNS.items()}
    for kind, group in _GROUPS:
        for word in group:
            found.setdefault(word, []).append(_COLUMN[kind])
    return found


_LISTED = _listed()


class Words:
    """The memory of words: an id for each, and for an id its kinds, its row, its halves of a pair's hash, its n-grams.

    `generation` is another object whenever all was forgotten: an id of another generation means nothing. What was met
    since the last `settle` has an id, and nothing else yet.
    """

    kinds: NDArray[np.float32]
    own: NDArray[np.int64]
    left: NDArray[np.uint64]
    right: NDArray[np.uint64]
    grams: list[NDArray[np.int64]]
    lengths: list[int]
    _ids: dict[str, int]
    _folded: dict[tuple[str, bool], int]
    _met: list[tuple[str, list[int]]]
    _settled: int

    def __init__(self) -> None:
        self._forget()

    def __len__(self) -> int:
        return self._settled

    def ids(self, words: Sequence[str]) -> list[int]:
        """The id of each word; 0 where it says nothing."""
        found = list(map(self._ids.get, words, repeat(-1)))
        if -1 in found:
            for place, number in enumerate(found):
                if number < 0:
                    found[place] = self._learn(words[place])
        return found

    def make_room(self) -> None:
        """Forget all when the memory is full: to be called between batches."""
        if len(self._ids) > WORDS:
            self._forget()

    def settle(self) -> None:
        """Work out, all at once, what is to be known of the words met since the last time."""
        if not self._met:
            return
        first, count = self._settled, len(self._met)
        while first + count > len(self.kinds):
            self.kinds = np.concatenate([self.kinds, np.zeros_like(self.kinds)])
            self.own = np.concatenate([self.own, np.zeros_like(self.own)])
            self.left = np.concatenate([self.left, np.zeros_like(self.left)])
            self.right = np.concatenate([self.right, np.zeros_like(self.right)])
        end = first + count
        hashes, grams, lengths = _hashed([word for word, _ in self._met])
        self.own[first:end] = rows(hashes, 0)
        self.left[first:end] = hashes * _MIX[1]
        self.right[first:end] = (hashes ^ (hashes >> np.uint64(31))) * _MIX[2]
        number = [first + place for place, (_, kinds) in enumerate(self._met) for _ in kinds]
        self.kinds[number, [kind for _, kinds in self._met for kind in kinds]] = 1.0
        self.grams.append(rows(grams, 3))
        self.lengths += lengths
        self._settled = end
        self._met = []

    def _forget(self) -> None:
        self.generation = object()
        self._ids = {}
        self._folded = {}
        self._met = []
        self._settled = 0
        self.kinds = np.zeros((2048, len(KINDS)), dtype=np.float32)
        self.own = np.zeros(2048, dtype=np.int64)
        self.left = np.zeros(2048, dtype=np.uint64)
        self.right = self.left.copy()
        self.grams = []
        self.lengths = []
        for mark in ("", "<start>", "<end>"):
            self._add((mark, False), [])
        self.settle()
        self.own[:3] = 0

    def _learn(self, word: str) -> int:
        if word[0] == "@":  # the commonest that is not remembered as written
            return self._folded.get(_HANDLE) or self._add(_HANDLE, _kinds("@"))
        plain = fold(word)
        if len(plain) < 4 and plain in _UNBOUNDED:  # not remembered as written
            if not plain:
                return 0
            return self._folded.get((plain, False)) or self._add((plain, False), _kinds(plain))
        stretched = len(plain) < len(word) and plain.isalpha() and _STRETCHED.search(word) is not None
        long = len(plain) > _LONG
        key = (plain[:_LONG], stretched)
        number = self._folded.get(key)
        if number is None:
            kinds = _kinds(key[0])
            if stretched:
                kinds = [*kinds, _COLUMN["stretched"]]
            number = self._add(key, kinds)
        if not long:
            self._ids[word] = number
        return number

    def _add(self, key: tuple[str, bool], kinds: list[int]) -> int:
        number = self._folded[key] = self._settled + len(self._met)
        self._met.append((key[0], kinds))
        return number


_HANDLE = ("@", False)
_UNBOUNDED = frozenset({"", "0"})


def fold(word: str) -> str:
    """The word as a model sees it; empty where it says nothing."""
    if word == BRAND:
        return word
    if not word.isascii() or word.isspace():
        word = _SILENT.sub("", word)
        if not word:
            return ""
    plain = _nlp.normal(word)
    if plain == "://":
        return ""
    if len(plain) > 2 and plain[-1].isalnum():
        if not plain.isalpha():
            plain = _DIGITS.sub("0", plain)
        if len(plain) - len(set(plain)) > 1:
            return _STRETCHED.sub(r"\1\1", plain)
    return plain


def _hashed(words: Sequence[str]) -> tuple[Hashes, Hashes, list[int]]:
    # Of each word a hash; of all the hashes of their n-grams, word by word; and how many n-grams each has.
    marked = [f"<{word}>" for word in words]
    codes = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    lengths = np.array([len(word) for word in marked])
    ends = np.cumsum(lengths)
    starts = ends - lengths
    place = np.arange(len(codes))
    hashes = np.add.reduceat(codes * _PLACES[place - np.repeat(starts, lengths)], starts)
    spelled = [len(word) > 1 and word[0].isalnum() for word in words]
    left = (np.repeat(ends, lengths) - place) * np.repeat(spelled, lengths)
    least, most = GRAMS
    padded = np.append(codes, np.zeros(most, dtype=np.uint64))
    gram = np.zeros(len(codes), dtype=np.uint64)
    grams = np.zeros((len(codes), most - least + 1), dtype=np.uint64)
    for at in range(most):
        gram = gram + padded[at : at + len(codes)] * _PLACES[at]
        if at + 1 >= least:
            grams[:, at + 1 - least] = gram
    there = left[:, None] >= np.arange(least, most + 1)
    return hashes, grams[there], np.add.reduceat(there.sum(axis=1), starts).tolist()


def _kinds(plain: str) -> list[int]:
    listed = _LISTED.get(plain)
    if plain[0].isalpha():
        return [_COLUMN["word"], *(listed or ())]
    if listed is not None:
        return listed
    if plain[0] == "0":
        return [_COLUMN["number"]]
    return [_COLUMN["emoji"]] if ord(plain[0]) > 0x2100 and not plain[0].isalnum() else []


_MIX = tuple(
    np.uint64(odd)
    for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
)


_PLACES: Hashes = np.random.default_rng(20_260_101).integers(0, 2**63, size=_LONG + 2, dtype=np.uint64) * np.uint64(2)
_PLACES += np.uint64(1)
"""What the character at each place of a word is multiplied by before all are added up: fixed odd numbers."""


def rows(hashes: NDArray[np.uint64], salt: int) -> NDArray[np.int64]:
    """The table's row of each hash (1 to ROWS - 1); another salt gives another row."""
    mixed = (hashes ^ (hashes >> np.uint64(29))) * _MIX[salt]
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX[0]
    found: NDArray[np.int64] = (mixed >> np.uint64(64 - BITS)).astype(np.int64)
    found[found == 0] = 1
    return found
