"""Which brand a mention is about: its terms, handles and hashtags, found as whole words.

Capitals do not matter, nor whether an accent is composed. A term stands at word boundaries; in a script written
without spaces (Chinese, Japanese, Thai) it may stand anywhere. `#Term` counts as the term, `@handle` as the handle,
links and e-mail addresses as nothing. A term inside one of the brand's `exclude` phrases does not count.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

from enrich._version import trace
from pipeline.mention import BrandMatch
from pipeline.ports import Brand, Draft, Settings, StageContext

_EXCLUDE = "exclude"

THREADS = 50_000
"""How many conversations are remembered; the one longest unheard of is forgotten first."""


class Config(Settings):
    """Nothing to set: the brands are configured once for the whole pipeline."""


class Stage:
    """Provides `brands`, every match in order with its span, and `brand`, the one the mention is about: the one its
    source is assigned to where it is, else the one matched most often, the first of those matched equally often.
    Where the text names none, the title decides, and where that names none either, what its conversation was found to
    be about before (both without a span): an answer in a thread about a brand rarely names it again.

    It remembers the brand of the last `THREADS` conversations, some 10 MB at most. A conversation is one worker's, in
    order, so that all of a thread is seen here; a restart forgets."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc"})
    provides: ClassVar[frozenset[str]] = frozenset({"brand", "brands"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        self._nlp = context.nlp
        self._matcher = PhraseMatcher(context.nlp.vocab, attr="LOWER")
        self._meaning: dict[int, tuple[str, bool]] = {}
        self._threads: OrderedDict[str, str] = OrderedDict()
        for number, brand in enumerate(context.brands):
            self._add(f"brand/{number}", _phrases(brand), brand.name, excluded=False)
            self._add(f"{_EXCLUDE}/{number}", _spellings(brand.exclude), brand.name, excluded=True)
        settled = [(b.name, b.terms, b.handles, b.exclude) for b in context.brands]
        self.version = trace("2", settled)

    def _add(self, key: str, phrases: Iterable[str], brand: str, *, excluded: bool) -> None:
        docs = [doc for doc in map(self._nlp.make_doc, phrases) if len(doc)]
        if docs:
            self._matcher.add(key, docs)
            self._meaning[self._nlp.vocab.strings[key]] = (brand, excluded)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `brand` and `brands` of every draft."""
        for draft in batch:
            mention = draft.mention
            if self._meaning:
                draft.brands = self._match(draft.doc)
            draft.brand = mention.brand or _foremost(draft.brands)
            if draft.brand is None and mention.title and self._meaning:
                draft.brand = _foremost(self._match(self._nlp.make_doc(mention.title)))
            if draft.brand is None:
                draft.brand = self._threads.get(mention.thread)
            if draft.brand is not None:
                self._remember(mention.thread, draft.brand)

    def _remember(self, thread: str, brand: str) -> None:
        self._threads[thread] = brand
        self._threads.move_to_end(thread)
        if len(self._threads) > THREADS:
            self._threads.popitem(last=False)

    def _match(self, doc: Any) -> tuple[BrandMatch, ...]:
        hits = self._matcher(doc)
        if not hits:
            return ()
        found: dict[str, list[Any]] = {}
        excluded: dict[str, list[tuple[int, int]]] = {}
        for key, start, end in hits:
            brand, is_exclude = self._meaning[key]
            if is_exclude:
                excluded.setdefault(brand, []).append((start, end))
            else:
                found.setdefault(brand, []).append(doc[start:end])
        matches = [
            BrandMatch(brand=brand, term=span.text, start=span.start_char, end=span.end_char)
            for brand, spans in found.items()
            for span in filter_spans(spans)
            if not any(start < span.end and span.start < end for start, end in excluded.get(brand, ()))
        ]
        return tuple(sorted(matches, key=lambda match: (match.start, match.end, match.brand)))


def _phrases(brand: Brand) -> Iterable[str]:
    yield from _spellings(brand.terms)
    yield from _spellings("@" + handle.lstrip("@") for handle in brand.handles)


def _spellings(terms: Iterable[str]) -> Iterable[str]:
    # Accents composed and decomposed, and what capitals do to a letter that has none of its own (STRASSE).
    for term in terms:
        for form in (term, term.upper()):
            yield from {unicodedata.normalize(shape, form).lower().strip() for shape in ("NFC", "NFD", "NFKC")}


def _foremost(matches: Sequence[BrandMatch]) -> str | None:
    counts = Counter(match.brand for match in matches)
    return max(counts, key=lambda name: counts[name]) if counts else None
