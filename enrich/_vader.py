"""VADER, with the words that carried the score, at about three times the speed of its package.

The rules, the lexicon and the arithmetic are vaderSentiment's own methods (Hutto & Gilbert, ICWSM 2014). This class
only spares them work that cannot change the result: words outside the lexicon weigh nothing, a negation can only be
one of a few words, and an idiom spans at most three words either side. A property test holds every compound score
equal to the package's.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer, normalize

Words = tuple[tuple[str, float], ...]

_NEGATE = frozenset(NEGATE)
_TWISTS = ("so", "this")  # after `never` they strengthen: the rule looks for them beside negations
_IDIOMS = frozenset(max(key.split(), key=len) for key in (*SPECIAL_CASES, *BOOSTER_DICT) if " " in key)


class _Text:
    """What the package's SentiText holds: the words without punctuation at their ends (emoticons keep theirs), and
    whether some of them, but not all, are in capitals."""

    __slots__ = ("is_cap_diff", "words_and_emoticons")

    def __init__(self, text: str) -> None:
        self.words_and_emoticons = [
            bare if len(bare := word.strip(string.punctuation)) > 2 else word for word in text.split()
        ]
        capitals = sum(map(str.isupper, self.words_and_emoticons))
        self.is_cap_diff = 0 < capitals < len(self.words_and_emoticons)


class Vader(SentimentIntensityAnalyzer):  # type: ignore[misc]  # the package is not typed
    """Scores one text at a time; holds nothing but the lexicon."""

    def __init__(self) -> None:
        super().__init__()
        self._emoji = frozenset(self.emojis)
        self._carriers = frozenset(self.lexicon) - frozenset(BOOSTER_DICT)

    def compound(self, text: str) -> tuple[float, Words]:
        """VADER's compound score in -1..1, and each word that carried it with its valence in -4..4 after negation,
        emphasis and contrast (a `but` halves what stands before it)."""
        text = self.described(text).strip()
        read = _Text(text)
        words = read.words_and_emoticons
        lowers = list(map(str.lower, words))
        carriers = [i for i, lower in enumerate(lowers) if lower in self._carriers]
        if not carriers:
            return 0.0, ()
        valences: list[float] = [0.0] * len(words)
        for i in carriers:
            if lowers[i] == "kind" and lowers[i + 1 : i + 2] == ["of"]:
                continue
            found: list[float] = []
            self.sentiment_valence(0, read, words[i], i, found)
            valences[i] = found[0]
        if "but" in lowers:
            valences = self._but_check(words, valences)
        total = sum(valences)
        if total:
            emphasis = self._punctuation_emphasis(text)
            total += emphasis if total > 0 else -emphasis
        told = [(words[i], max(-4.0, min(4.0, round(valences[i], 2)))) for i in carriers if valences[i]]
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
