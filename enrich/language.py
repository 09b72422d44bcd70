"""The language of a mention: the source's word where it gives one, else a detector's, else `und`.

The detector is ELD (eldc, Apache-2.0): n-grams of 60 languages compiled into the package, nothing is downloaded. On
short posts it was both the quickest and the most accurate of those measured; the table is in docs/stages.md. Links,
handles and e-mail addresses are taken away before it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import eldc  # type: ignore[import-untyped]  # the package ships no types
from pydantic import Field

from enrich import _nlp
from enrich._version import trace
from pipeline.mention import Language
from pipeline.ports import Draft, Settings, StageContext

_READ = 400
"""How many characters the detector is given; more does not change its mind."""

_UNKNOWN = Language(code="und", confidence=0.0, by="none")
_RENAMED = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro", "sh": "sr"}
"""Withdrawn ISO 639-1 codes that platforms still send."""

_TWO_LETTERS = dict(zip(eldc.LANGUAGES_ISO2T, eldc.LANGUAGES, strict=True))


class Config(Settings):
    """How little text is too little to guess from."""

    min_letters: int = Field(default=12, ge=1)
    """Fewer letters than this give `und`."""


class Stage:
    """Provides `language`: an ISO 639-1 code, the confidence in 0..1 (1.0 for the source's word) and who said so."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc"})
    provides: ClassVar[frozenset[str]] = frozenset({"language"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del context
        eldc.init()
        self._min_letters = config.min_letters
        self.version = trace("1", config, packages=("eldc",))

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `language` of every draft."""
        for draft in batch:
            lang = draft.mention.lang
            draft.language = (_by_source(lang[:35]) if lang else None) or self._detect(_nlp.plain(draft.doc))

    def _detect(self, text: str) -> Language:
        text = text[:_READ]
        if len(text) < 5 * self._min_letters and sum(map(str.isalpha, text)) < self._min_letters:
            return _UNKNOWN
        found = eldc.detect_details(text)
        if found.language == "und":
            return _UNKNOWN
        confidence = max(0.0, min(1.0, float(found.scores[found.language])))
        return Language(code=found.language, confidence=round(confidence, 3), by="detector")


@lru_cache(maxsize=1024)
def _by_source(lang: str) -> Language | None:
    # BCP 47: the primary subtag comes first, in two letters where ISO 639-1 has them (RFC 5646, 2.2.1). Three letters
    # that have no two (`und`, `zxx`, `mul`, a platform's private `qme`) say nothing we can use.
    code = lang.replace("_", "-").partition("-")[0].lower()
    code = _TWO_LETTERS.get(code, _RENAMED.get(code, code))
    if len(code) != 2 or not (code.isascii() and code.isalpha()):
        return None
    return Language(code=code, confidence=1.0, by="source")
