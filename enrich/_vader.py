"""VADER, with the words that carried the score, at about three times the speed of its package.

The rules, the lexicon and the arithmetic are vaderSentiment's own methods (Hutto & Gilbert, ICWSM 2014). This class
only spares them work that cannot change the result: words outside the lexicon weigh nothing, a negation can only be
one of a few words, and an idiom spans at most three words either side. A property test holds every compound score
equal to the package's.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence

from vaderSentiment.vaderSentiment import (
    BOOSTER_DICT,
    C_INCR,
    NEGATE,
    SPECIAL_CASES,
    SentimentIntensityAnalyzer,
    normalize,
)

Words = tuple[tuple[str, float], ...]

_NEGATE = frozenset(NEGATE)
_TWISTS = ("so", "this")  # after `never` they strengthen: the rule looks for them beside negations
_IDIOMS = frozenset(max(key.split(), key=len) for key in (*SPECIAL_CASES, *BOOSTER_DICT) if " " in key)
_SWAYS = frozenset(BOOSTER_DICT) | _NEGATE | _IDIOMS | {"no", "least", *_TWISTS}
"""Words that may change what a word near them weighs. Where none is (nor anything with `n't`), a word weighs what the
lexicon says, and more in capitals."""


_REMEMBERED = 50_000
"""So many words are remembered (about 10 MB), then all are forgotten."""

_LONG = 30
"""A word of so many characters is not remembered."""


class _Text:
    """What the package's SentiText holds: the words without punctuation at their ends (emoticons keep theirs), and
    whether some of them, but not all, are in capitals."""

    __slots__ = ("is_cap_diff", "words_and_emoticons")

    def __init__(self, words: list[str]) -> None:
        self.words_and_emoticons = words
        capitals = sum(map(str.isupper, words))
        self.is_cap_diff = 0 < capitals < len(words)


class _Bare(dict[str, str]):
    """Words without punctuation at their ends, remembered; emoticons keep theirs."""

    def __missing__(self, word: str) -> str:
        bare = word.strip(string.punctuation)
        found = bare if len(bare) > 2 else word
        if len(word) < _LONG:
            if len(self) > _REMEMBERED:
                self.clear()
            self[word] = found
        return found


class Vader(SentimentIntensityAnalyzer):  # type: ignore[misc]  # the package is not typed
    """Scores one text at a time; holds nothing but the lexicon."""

    def __init__(self) -> None:
        super().__init__()
        self._emoji = frozenset(self.emojis)
        self._carriers = frozenset(self.lexicon) - frozenset(BOOSTER_DICT)
        self._bare = _Bare()

    def compound(self, text: str) -> tuple[float, Words]:
        """VADER's compound score in -1..1, and each word that carried it with its valence in -4..4 after negation,
        emphasis and contrast (a `but` halves what stands before it)."""
        text = self.described(text).strip()
        bare = self._bare
        words = [bare[word] for word in text.split()]
        lowers = list(map(str.lower, words))
        known = self._carriers
        if known.isdisjoint(lowers):
            return 0.0, ()
        carriers = [i for i, lower in enumerate(lowers) if lower in known]
        read: _Text | None = None
        valences: list[float] = []
        plain = "'" not in text or "n't" not in text.lower()
        for i in carriers:
            if plain and _SWAYS.isdisjoint(lowers[max(0, i - 3) : i + 3]):
                valence = self.lexicon[lowers[i]]
                if words[i].isupper() and not all(map(str.isupper, words)):
                    valence += C_INCR if valence > 0 else -C_INCR
                valences.append(valence)
                continue
            if lowers[i] == "kind" and lowers[i + 1 : i + 2] == ["of"]:
                valences.append(0.0)
                continue
            read = read or _Text(words)
            self.sentiment_valence(0, read, words[i], i, valences)
        if "but" in lowers:
            every = [0.0] * len(words)
            for i, valence in zip(carriers, valences, strict=True):
                every[i] = valence
            every = self._but_check(words, every)
            valences = [every[i] for i in carriers]
        total = sum(valences)
        if total:
            emphasis = self._punctuation_emphasis(text)
            total += emphasis if total > 0 else -emphasis
        told = [
            (words[i], round(valence, 2) if -4.0 <= valence <= 4.0 else math.copysign(4.0, valence))
            for i, valence in zip(carriers, valences, strict=True)
            if valence
        ]
        return round(normalize(total), 4) + 0.0, tuple(told)  # + 0.0: never minus zero

    def described(self, text: str) -> str:
        """The text with each emoji replaced by its description, spaced as the package spaces it."""
        if text.isascii() or self._emoji.isdisjoint(text):
            return text
        parts: list[str] = []
        spaced = True
        for character in text:
            description = self.emojis.get(character)
            if description is None:
                parts.append(character)
                spaced = character == " "
            else:
                parts.append(description if spaced else " " + description)
                spaced = False
        return "".join(parts)

    def emoji(self, text: str) -> str:
        """The emoji and emoticons of a text, spaced: all that can be scored in a language that is not English."""
        kept = [] if text.isascii() else [character for character in text if character in self._emoji]
        kept += [word for word in text.split() if word in self.lexicon and not word.isalpha() and len(word) < 6]
        return " ".join(kept)

    @staticmethod
    def _negation_check(valence: float, words_and_emoticons: Sequence[str], start_i: int, i: int) -> float:
        word = words_and_emoticons[i - start_i - 1].lower()
        if (
            word not in _NEGATE
            and "n't" not in word
            and not (start_i == 2 and words_and_emoticons[i - 1].lower() in _TWISTS)
        ):
            return valence
        first = max(0, i - 3)
        near = words_and_emoticons[first : i + 1]
        checked: float = SentimentIntensityAnalyzer._negation_check(valence, near, start_i, i - first)
        return checked

    def _special_idioms_check(self, valence: float, words_and_emoticons: Sequence[str], i: int) -> float:
        near = words_and_emoticons[i - 3 : i + 3]
        if not any(word.lower() in _IDIOMS for word in near):
            return valence
        checked: float = SentimentIntensityAnalyzer._special_idioms_check(valence, near, 3)
        return checked
