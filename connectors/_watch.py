"""What may concern a brand, for sources that bring everything: a cheap first choice; enrichment decides.

It may take too much and never too little. Words are compared whole, without case, over letters and digits only, so
that `Acme's`, `#acme` and `acme.com` all hold the word `acme`. A term in a script without case (Chinese, Thai, Arabic)
or without letters (an emoji) is looked for anywhere in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Compatibility form without case: what texts and terms are compared in."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


class Terms:
    """Words and phrases; false where there are none."""

    def __init__(self, terms: Iterable[str] = ()) -> None:
        self._phrases: dict[str, list[list[str]]] = {}
        self._anywhere: list[str] = []
        for term in terms:
            self.add(term)

    def add(self, term: str) -> None:
        """Listen for this one too; an empty one is none."""
        term = fold(term)
        words = _WORD.findall(term)
        if not words or any(sign.isalpha() and sign.lower() == sign.upper() for sign in term):
            if term.strip():
                self._anywhere.append(term.strip())
            return
        self._phrases.setdefault(words[0], []).append(words)

    def __bool__(self) -> bool:
        return bool(self._phrases or self._anywhere)

    def hears(self, text: str) -> bool:
        """Whether a term may stand in `text`."""
        text = fold(text)
        words = _WORD.findall(text)
        if not self._phrases.keys().isdisjoint(words):
            for at, word in enumerate(words):
                for phrase in self._phrases.get(word, ()):
                    if words[at : at + len(phrase)] == phrase:
                        return True
        return any(term in text for term in self._anywhere)
