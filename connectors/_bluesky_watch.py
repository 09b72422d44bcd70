"""What on Bluesky may concern a brand: a cheap first choice among all posts; enrichment decides.

It may take too much and never too little. Words are compared whole, without case, over letters and digits only, so
that `Acme's`, `#acme` and `acme.com` all hold the word `acme`. A term in a script without case (Chinese, Thai, Arabic)
or without letters (an emoji) is looked for anywhere in the text.

Frames are decoded first and searched second: JSON may write `AT&T` as `AT\\u0026T`, which a search of the raw bytes
would miss, and decoding the few fields needed costs less than a raw search for many terms.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.ports import Brand

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Compatibility form without case: what texts and terms are compared in."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


class Watch:
    """The brands' terms and handles, further terms, and the dids of the brands' accounts (`own`: did to brand)."""

    def __init__(self, brands: Sequence[Brand], terms: Sequence[str] = ()) -> None:
        self._phrases: dict[str, list[list[str]]] = {}
        self._anywhere: list[str] = []
        self.own: dict[str, str] = {}
        self.handles: list[str] = []
        for term in terms:
            self._add(fold(term))
        for brand in brands:
            accounts = [account.lstrip("@") for account in brand.own_accounts.get("bluesky", ())]
            self.own |= {account: brand.name for account in accounts if account.startswith("did:")}
            self.handles += [account for account in accounts if not account.startswith("did:")]
            for term in (*brand.terms, *brand.handles, *accounts):
                self._add(fold(term))

    def _add(self, term: str) -> None:
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

    def addressed(self, dids: Iterable[str]) -> str | None:
        """The one brand whose own accounts are among `dids`; None where there is none or more than one."""
        brands = {self.own[did] for did in dids if did in self.own}
        return brands.pop() if len(brands) == 1 else None
