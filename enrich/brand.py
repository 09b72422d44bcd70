"""Which brand a mention is about: its terms, handles and hashtags, found as whole words.

Capitals do not matter, nor whether an accent is composed. A term stands at word boundaries; in a script written
without spaces (Chinese, Japanese, Thai) it may stand anywhere. `#Term` counts as the term, `@handle` as the handle,
links and e-mail addresses as nothing. A term inside one of the brand's `exclude` phrases does not count. Where a brand
has `context` words, a term counts only beside one of them or its handle, anywhere in the text or title; where it has
`languages`, nothing counts in a mention whose source says that it is in another.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from spacy.matcher import PhraseMatcher
from spacy.util import filter_spans

from enrich._version import trace
from pipeline.mention import BrandMatch
from pipeline.ports import Draft, Settings, StageContext

_Role = Literal["term", "handle", "exclude", "context"]


class _Meaning(NamedTuple):
    """What a phrase is to a brand."""

    brand: str
    role: _Role


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
        self._meaning: dict[int, _Meaning] = {}
        self._threads: OrderedDict[str, str] = OrderedDict()
        self._needing = frozenset(brand.name for brand in context.brands if brand.context)
        self._languages = {brand.name: frozenset(brand.languages) for brand in context.brands if brand.languages}
        for number, brand in enumerate(context.brands):
            handles = ["@" + handle.lstrip("@") for handle in brand.handles]
            self._add(number, brand.terms, _Meaning(brand.name, "term"))
            self._add(number, handles, _Meaning(brand.name, "handle"))
            self._add(number, brand.exclude, _Meaning(brand.name, "exclude"))
            self._add(number, brand.context, _Meaning(brand.name, "context"))
        settled = [(b.name, b.terms, b.handles, b.exclude, b.context, b.languages) for b in context.brands]
        self.version = trace("3", settled)

    def _add(self, number: int, phrases: Iterable[str], meaning: _Meaning) -> None:
        docs = [doc for doc in map(self._nlp.make_doc, _spellings(phrases)) if len(doc)]
        if docs:
            key = f"{meaning.role}/{number}"
            self._matcher.add(key, docs)
            self._meaning[self._nlp.vocab.strings[key]] = meaning

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `brand` and `brands` of every draft."""
        for draft in batch:
            mention = draft.mention
            title: tuple[BrandMatch, ...] = ()
            if self._meaning:
                beside = self._nlp.make_doc(mention.title) if mention.title else None
                draft.brands = self._match(draft.doc, beside, mention.lang)
                title = self._match(beside, draft.doc, mention.lang) if beside is not None else ()
            draft.brand = mention.brand or _foremost(draft.brands) or _foremost(title)
            if draft.brand is None:
                draft.brand = self._threads.get(mention.thread)
            if draft.brand is not None:
                self._remember(mention.thread, draft.brand)

    def _remember(self, thread: str, brand: str) -> None:
        self._threads[thread] = brand
        self._threads.move_to_end(thread)
        if len(self._threads) > THREADS:
            self._threads.popitem(last=False)

    def _match(self, doc: Any, beside: Any = None, lang: str | None = None) -> tuple[BrandMatch, ...]:
        """What is found in `doc`; context may also stand in `beside`."""
        hits = self._matcher(doc)
        if not hits:
            return ()
        found: dict[_Meaning, list[Any]] = {}
        for key, start, end in hits:
            found.setdefault(self._meaning[key], []).append(doc[start:end])
        known = self._in_context(found, beside) if self._needing else frozenset()
        matches: list[BrandMatch] = []
        for brand in {meaning.brand: None for meaning in found}:
            if lang and not self._speaks(brand, lang):
                continue
            counted = found.get(_Meaning(brand, "handle"), [])
            if brand not in self._needing or brand in known:
                counted = counted + found.get(_Meaning(brand, "term"), [])
            excluded = found.get(_Meaning(brand, "exclude"), ())
            matches += [
                BrandMatch(brand=brand, term=span.text, start=span.start_char, end=span.end_char)
                for span in (filter_spans(counted) if len(counted) > 1 else counted)
                if not any(other.start < span.end and span.start < other.end for other in excluded)
            ]
        return tuple(sorted(matches, key=lambda match: (match.start, match.end, match.brand)))

    def _in_context(self, found: Iterable[_Meaning], beside: Any) -> frozenset[str]:
        """The brands of which a context word or a handle is there."""
        there = list(found)
        if beside is not None:
            there += [self._meaning[key] for key, _, _ in self._matcher(beside)]
        return frozenset(meaning.brand for meaning in there if meaning.role in ("context", "handle"))

    def _speaks(self, brand: str, lang: str) -> bool:
        wanted = self._languages.get(brand)
        return wanted is None or lang.replace("_", "-").partition("-")[0].lower() in (*wanted, "und")


def _spellings(terms: Iterable[str]) -> Iterable[str]:
    # Accents composed and decomposed, and what capitals do to a letter that has none of its own (STRASSE).
    for term in terms:
        for form in (term, term.upper()):
            yield from {unicodedata.normalize(shape, form).lower().strip() for shape in ("NFC", "NFD", "NFKC")}


def _foremost(matches: Sequence[BrandMatch]) -> str | None:
    counts = Counter(match.brand for match in matches)
    return max(counts, key=lambda name: counts[name]) if counts else None
