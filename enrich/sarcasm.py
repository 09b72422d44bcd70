"""Cues that a text means the opposite of what it says: praise of a breach, set phrases, marks.

It is a cue and never a label: nothing is turned round because of it. Each sign that is found adds its weight to what is
still missing to certainty: score = 1 - (1 - w1)(1 - w2)... The signs are set phrases ("thanks for nothing"), marks (an
emoji that rolls its eyes, #sarcasm), a company's praise of itself in quotes, and praise that opens a sentence and that
a breach follows closely, unless the text says that something was put right (`vocabulary/sarcasm.yaml` and `irony.yaml`,
English; in another language the marks alone count). Plain praise needs a breach that is not slight; praise or thanks
for something (`thanks for`, `love how`) is turned round by any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from enrich import _cues, _nlp
from enrich._version import trace
from pipeline.mention import Signal
from pipeline.ports import Draft, Settings, StageContext

_NEAR = 12
"""Tokens from praise within which a breach must follow: what comes later is of another sentence."""

_MARKS = re.compile("\U0001f644|\U0001f643|\U0001f44f[\U0001f3fb-\U0001f3ff]? ?\U0001f44f|/s$|\\(!\\)")
"""Rolling eyes, a face upside down, clapping twice (of any skin tone), the sign of irony."""

_QUOTES = re.compile('["\u201c\u201e]')
_QUOTED = re.compile(
    r"[\"\u201c\u201e](?:(?:super|very|so|premium|world|customer|great) )?"
    r"(?:service|help|helpful|support|care|customer|premium|priority|express|fast|instant|guaranteed|free|unlimited|"
    r"essential|upgrade[ds]?|improve[ds]?|improvements?|quick|quality|luxury|great|amazing|lifetime|comfort|fresh|soon|"
    r"shortly|next day|same day|fixed|resolved|simple|easy|reliable|secure|smart|clean|friendly)"
    r"(?: \w+)?[\"\u201d]",
    re.I,
)
"""Words that companies praise themselves with, in quotes."""

_ENDS = frozenset(".!?;:()-\u2013\u2014\u2026\n")
_INTERJECTIONS = frozenset(
    {"oh", "ah", "well", "wow", "so", "just", "ok", "okay", "and", "but", "hey", "hi", "a", "big", "huge", "really"}
    | {
        "absolutely",
        "totally",
        "i",
        "we",
        "gotta",
        "you",
        "have",
        "to",
        "yes",
        "yeah",
        "lol",
        "haha",
        "dear",
        ",",
        "very",
    }
)
_NOT = frozenset({"no", "not", "never", "without", "zero", "hardly", "nothing", "didn", "doesn", "don", "isn", "wasn"})
_PRAISING = frozenset({"pointed", "praise"})
_MARKED = "marks"
_NONE = Signal(score=0.0)


class Config(Settings):
    """Nothing to set."""


class Stage:
    """Provides `sarcasm`: a score in 0..1, the words for it, and as kinds which signs were found: said outright, marks,
    praise and breach, own praise."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "language"})
    provides: ClassVar[frozenset[str]] = frozenset({"sarcasm"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        vocabulary, more = _cues.load("sarcasm"), _cues.load("irony")
        self._weights = vocabulary.signals
        self._telling = {name for name, group in vocabulary.groups.items() if group.weight}
        self._slight = _cues.known(context.nlp, more.lists["slight"])
        self._marked = vocabulary.groups[_MARKED].weight
        self.version = trace("2", vocabulary, more)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `sarcasm` of every draft."""
        for draft in batch:
            english = draft.language is None or draft.language.code in ("en", "und")
            found, more = _cues.found(draft.doc, "sarcasm"), _cues.found(draft.doc, "irony")
            if more:
                found = (*found, *more)
            if not english:
                found = [hit for hit in found if hit.cue.group == _MARKED]
            draft.sarcasm = self._judge(draft.doc, found, english)

    def _judge(self, doc: Any, found: Sequence[_cues.Found], english: bool) -> Signal:
        weights: dict[str, float] = {}
        spans: list[tuple[int, int]] = []
        groups = {hit.cue.group for hit in found}
        if groups & self._telling:
            weights = {hit.cue.group: hit.cue.weight for hit in found if hit.cue.weight}
            spans = [(hit.start, hit.end) for hit in found if hit.cue.weight]
        if (
            "breach" in groups
            and groups & _PRAISING
            and "put right" not in groups
            and (pair := _pair(doc, found, self._slight))
        ):
            weights["praise and breach"] = self._weights["praise and breach"]
            spans += pair
        words = _cues.quoted(doc, spans) if spans else ()
        text = _nlp.text(doc)
        if (not text.isascii() or "(!)" in text or text.endswith("/s")) and (mark := _MARKS.search(text)):
            weights[_MARKED] = self._marked
            words = (*words, mark.group())
        if english and _quotes(text) and (quote := _QUOTED.search(_nlp.plain(doc))):
            weights["own praise"] = self._weights["own praise"]
            words = (*words, quote.group())
        if not weights:
            return _NONE
        meant = 1.0
        for weight in weights.values():
            meant *= 1.0 - weight
        return Signal(score=round(1.0 - meant, 3), words=words, kinds=tuple(weights))


def _quotes(text: str) -> bool:
    return '"' in text or "\u201c" in text or "\u201e" in text


def _pair(doc: Any, found: Sequence[_cues.Found], slight: frozenset[tuple[str, ...]]) -> list[tuple[int, int]]:
    """The first praise that opens a sentence and that a breach follows closely, and that breach; plain praise only
    where the breach is not a slight one."""
    words = _nlp.words(doc)
    starts = {hit.start for hit in found if hit.cue.group == "breach"}
    breaches = [
        (hit.start, hit.end)
        for hit in found
        if hit.cue.group == "breach"
        and not (hit.start and words[hit.start - 1].lower() in _NOT)
        and not (hit.end in starts and words[hit.start].lower() in _NOT)  # `never crashes` is no breach
    ]
    praises = [hit for hit in found if hit.cue.group in ("pointed", "praise") and _opens(words, hit.start)]
    for praise in sorted(praises, key=lambda hit: (hit.start, -hit.end)):
        for breach in breaches:
            if not 0 <= breach[0] - praise.end <= _NEAR:
                continue
            if praise.cue.group == "pointed" or tuple(map(_nlp.normal, words[slice(*breach)])) not in slight:
                return [(praise.start, praise.end), breach]
    return []


def _opens(words: Sequence[str], start: int) -> bool:
    """Whether what stands before is the end of a sentence, or nothing but handles and interjections."""
    for word in reversed(words[:start]):
        if word in _ENDS or not word.isascii():
            return True
        if not (word[0] in "@# " or word.lower() in _INTERJECTIONS):
            return False
    return True
