"""Whom or what the negative feeling of a text is about: our brand, a competitor, or something else.

Whoever is named, and who is addressed by `you`, stands somewhere in the text, and so does each negative word: it speaks
of the name in its own clause, else of the one named before, else of the one named next. What a comparison says of a
name (`switched from X`, `back to X`, `never had this with X`) weighs for or against it. What a complaint, or negative
wording on the whole, says of nobody in particular goes to the one addressed, else to the only one named, else to our
brand. Nothing here knows which name is ours: exchanging our name and a competitor's exchanges the answer.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from spacy.matcher import PhraseMatcher
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from enrich import _cues, _nlp
from enrich._version import trace
from pipeline.mention import Target
from pipeline.ports import Brand, Draft, Settings, StageContext

_BRAND = "\0brand"
_OTHER = "\0other"
_OURS = (_BRAND, _OTHER)

_NEGATIVE = -1.0
"""The valence in VADER's lexicon (-4..4) from which a word is negative: milder ones (`stop`, `no`) accuse nobody."""

_COMPLAINT, _UNHAPPY = 1.5, 0.6
"""What a complaint of full score, and a negative sentiment, weigh against the one whom they concern."""

_HERE, _BEFORE, _NEXT = 1.0, 0.7, 0.4
"""What a negative word weighs against the name in its clause, the name before it, the name after it."""

_MOST = 3.0
"""What negative words weigh at most, however many they are."""

_SAID = 1.5
"""What a comparison weighs."""

_PASSED_OVER = 0.7
"""What speaking for one name weighs against the others."""

_WORDS = 8

_BREAK = re.compile(r"[.!?;,:()\n\u2026]|\s[-\u2013\u2014]+\s")
_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][a-z]+)?", re.I)
_BUT = frozenset({"but", "while", "whereas", "though", "although", "and", "because", "since"})
"""A clause ends at punctuation and at these."""

_YOU = frozenset(
    {"you", "your", "yours", "yourselves", "u", "ur", "yall", "y'all", "youre", "you're", "you've", "you'd", "you'll"}
)


def _before(ways: str, words: int) -> re.Pattern[str]:
    # One of the ways, with at most so many words between it and the name that follows; `_` stands for some words.
    either = "|".join(ways.replace("_ ", r"(?:\w+ ){0,3}").split("; "))
    return re.compile(rf"\b(?:{' '.join(either.split())})\W+(?:\w+\W+){{0,{words}}}$", re.I)


_LEFT = _before(
    "better than; switch(?:ed|ing)? _ from; mov(?:ed?|ing) _ from; coming from; left; leav(?:e|ing); quit(?:ting)?; "
    "dropped; dropping; dump(?:ed|ing); ditch(?:ed|ing)?; (?:done|over|had|angry|furious) with; fed up (?:with|of); "
    "(?:sick|tired|enough) of; bye; goodbye; back from; disaster at; after; instead of; misfortune of; ex; "
    "(?:angry|mad) at; hates?; blame",
    3,
)
"""What stands before the name of somebody whom the author is through with."""

_CHOSEN = _before(
    "(?:back|over|off|went|going|hello) to; switch(?:ed|ing)? _ to; mov(?:ed?|ing) _ to; worse than; (?:give|sell) me; "
    "unlike; team; (?:stick(?:ing)?|stay(?:ed|ing)?|stuck) with; glad _ with; grateful for; prefer; try(?:ing)?; "
    "trialling; next one is a; had (?:this|that|any|these) _ (?:with|at|on|from); problems? with; "
    "not (?:even )?mad at; than (?:with|at); thank god for",
    1,
)
"""What stands before the name of somebody whom the author prefers, or has nothing against."""

_FOR = re.compile(r"\W+(?:to|for)\W+", re.I)
"""What stands between the one left and the one chosen."""

_NEVER = r"never|(?:does|did|would|has|have)n['\u2019]?t"
_INNOCENT = re.compile(
    rf"^(?:['\u2019]s)?\W+(?:(?:has|have|had|did|would|does) )?(?:{_NEVER})\b"
    r"|^\W+(?:it (?:is|was)\b|is (?:(?:so much|way|much|far) )?(?:better|cheaper|faster)|got (?:it|this) right)"
    r"|^\W+here i come",
    re.I,
)
"""What stands after the name of somebody who did not do it."""


class _Name(NamedTuple):
    """Somebody or something named (or meant by `you`), and where, in characters."""

    who: str
    start: int
    end: int


class Config(Settings):
    """Nothing to set: competitors are configured with their brand."""


class Stage:
    """Provides `target`: whom the negative feeling is about, how surely (0..1), the competitor's name, and the words.
    None where nothing is negative. Competitors are those of the mention's brand; their `@handles` and other terms are
    found as a brand's are."""

    needs: ClassVar[frozenset[str]] = frozenset(
        {"mention", "doc", "brand", "brands", "language", "sentiment", "intents"}
    )
    provides: ClassVar[frozenset[str]] = frozenset({"target"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        vocabulary = _cues.load("target")
        self._others, self._trouble = (
            _cues.Cues(context.nlp, {"target": _cues.Vocabulary(groups={name: vocabulary.groups[name]})})
            for name in ("others", "trouble")
        )
        lexicon = SentimentIntensityAnalyzer().lexicon
        self._negative = frozenset(word for word, valence in lexicon.items() if valence <= _NEGATIVE)
        self._rivals = {brand.name: _Rivals(context.nlp, brand) for brand in context.brands if brand.competitors}
        rivals = [(brand.name, sorted(brand.competitors.items())) for brand in context.brands]
        self.version = trace("1", vocabulary, rivals, packages=("vaderSentiment",))

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `target` of every draft."""
        for draft in batch:
            rivals = self._rivals.get(draft.brand or "")
            competitors = rivals.find(draft.doc) if rivals else ()
            unhappy = _unhappy(draft)
            draft.target = self._judge(draft, competitors, unhappy) if unhappy or competitors else None

    def _judge(self, draft: Draft, competitors: Sequence[_Name], unhappy: float) -> Target | None:
        english = draft.language is None or draft.language.code in ("en", "und")
        others = self._others.find(draft.doc) if english else ()
        if not competitors and not others:
            return Target(of="brand", score=_sure(unhappy), words=_complained(draft))
        text = _nlp.text(draft.doc)
        names = [*competitors]
        for ours in draft.brands:
            taken = any(ours.start < name.end and name.start < ours.end for name in competitors)
            if ours.brand == draft.brand and not taken:
                names.append(_Name(_BRAND, ours.start, ours.end))
        addressed = _addressed(text, names)
        names += [_Name(_OTHER, start, end) for start, end in _chars(draft.doc, others)]
        negative: list[tuple[int, int]] = []
        breaks = [it.start() for it in _BREAK.finditer(text)]
        if english:
            negative += _chars(draft.doc, self._trouble.find(draft.doc))
            for it in _TOKEN.finditer(text):
                word = it.group().lower()
                if word in self._negative:
                    negative.append(it.span())
                elif word in _BUT:
                    breaks.append(it.start())
                elif word in _YOU and addressed is not None:
                    names.append(_Name(addressed, it.start(), it.end()))
        names.sort(key=lambda name: name.start)
        negative = [it for it in negative if not any(name.start <= it[0] < name.end for name in names)]
        against, words = _attached(text, names, negative, breaks)
        compared = _compared(text, names)
        for who, weight in compared.items():
            against[who] += weight
        if any(weight < 0 for weight in compared.values()):
            for who in {name.who for name in names} - {_OTHER, *compared}:
                against[who] += _PASSED_OVER
        if not unhappy and not any(weight >= _HERE for who, weight in against.items() if who not in _OURS):
            return None
        against[_concerned(names, addressed, compared)] += unhappy
        return _verdict(against, words)


class _Rivals:
    """Finds the competitors of one brand."""

    def __init__(self, nlp: Any, brand: Brand) -> None:
        self._matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
        self._names: dict[int, str] = {}
        for number, (name, terms) in enumerate(brand.competitors.items()):
            docs = [doc for doc in map(nlp.make_doc, _spellings((name, *terms))) if len(doc)]
            if docs:
                key = f"{brand.name}/{number}"
                self._matcher.add(key, docs)
                self._names[nlp.vocab.strings[key]] = name

    def find(self, doc: Any) -> Sequence[_Name]:
        hits = self._matcher(doc)
        if not hits:
            return ()
        found = []
        for key, start, end in hits:
            span = doc[start:end]
            found.append(_Name(self._names[key], span.start_char, span.end_char))
        return found


def _chars(doc: Any, found: Sequence[_cues.Found]) -> Iterable[tuple[int, int]]:
    for hit in found:
        span = doc[hit.start : hit.end]
        yield span.start_char, span.end_char


def _spellings(terms: Iterable[str]) -> Iterable[str]:
    for term in terms:
        bare = term.strip().lower()
        yield bare
        if not bare.startswith("@") and " " not in bare:
            yield f"@{bare}"  # who is known by a name often has it for a handle


def _unhappy(draft: Draft) -> float:
    """What the text as a whole weighs against whom it concerns; 0 where it is neither negative nor a complaint."""
    complaint = next((intent.score for intent in draft.intents if intent.name == "complaint"), 0.0)
    negative = draft.sentiment is not None and draft.sentiment.label == "negative"
    return _COMPLAINT * complaint + _UNHAPPY * negative


def _addressed(text: str, names: Sequence[_Name]) -> str | None:
    """Whose handle opens the text, else whose handle is the only one in it; our brand's where nobody's is."""
    handles = [name for name in names if text[name.start] == "@"]
    opening = len(text) - len(text.lstrip(" .\n"))
    if handles and handles[0].start <= opening:
        return handles[0].who
    if text[opening : opening + 1] == "@":
        return None  # somebody whom we do not know
    if len({name.who for name in handles}) == 1:
        return handles[0].who
    return None if handles or any(name.who != _BRAND for name in names) else _BRAND


def _concerned(names: Sequence[_Name], addressed: str | None, compared: Mapping[str, float]) -> str:
    """Whom the feeling of the text as a whole concerns."""
    if addressed is not None:
        return addressed
    named = {name.who for name in names if name.who != _OTHER and compared.get(name.who, 0.0) >= 0}
    return named.pop() if len(named) == 1 else _BRAND


def _complained(draft: Draft) -> tuple[str, ...]:
    complaint = next((intent.words for intent in draft.intents if intent.name == "complaint"), ())
    told = draft.sentiment.words if draft.sentiment is not None else ()
    return (complaint or tuple(word for word, weight in told if weight < 0))[:_WORDS]


def _attached(
    text: str, names: Sequence[_Name], negative: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> tuple[defaultdict[str, float], Mapping[str, list[str]]]:
    """What the negative words weigh against each name, and which they are."""
    against: defaultdict[str, float] = defaultdict(float)
    words: defaultdict[str, list[str]] = defaultdict(list)
    until = -1
    for start, end in sorted(negative):
        if start < until:
            continue  # inside a longer one
        until = end
        first = max((it for it in breaks if it < start), default=-1)
        last = min((it for it in breaks if it >= end), default=len(text))
        here = [name for name in names if first < name.start < last]
        before = [name for name in (here or names) if name.start < start]
        if not names:
            continue
        name = before[-1] if before else (here or names)[0]
        weight = _HERE if here else _BEFORE if before else _NEXT
        against[name.who] = min(_MOST, against[name.who] + weight)
        words[name.who].append(text[start:end])
    return against, words


def _compared(text: str, names: Sequence[_Name]) -> Mapping[str, float]:
    """What is said of each name for (below 0) or against it."""
    found: defaultdict[str, float] = defaultdict(float)
    last, left = 0, False
    for name in names:
        before, after = text[max(last, name.start - 40) : name.start], text[name.end : name.end + 40]
        last = name.end
        if name.who == _OTHER:
            continue
        if (left and _FOR.fullmatch(before)) or _CHOSEN.search(before) or _INNOCENT.search(after):
            found[name.who] -= _SAID
            left = False
        elif left := _LEFT.search(before) is not None:
            found[name.who] += _SAID
    return found


def _verdict(against: Mapping[str, float], words: Mapping[str, list[str]]) -> Target:
    who = max((_BRAND, *against), key=lambda one: against.get(one, 0.0))
    rest = max((weight for one, weight in against.items() if one != who), default=0.0)
    score = _sure(against.get(who, 0.0) - max(0.0, rest))
    said = tuple(dict.fromkeys(words.get(who, ())))[:_WORDS]
    if who == _OTHER:
        return Target(of="other", score=score, words=said)
    if who == _BRAND:
        return Target(of="brand", score=score, words=said)
    return Target(of="competitor", score=score, name=who, words=said)


def _sure(more: float) -> float:
    """How surely it is the one against whom so much more is said than against the next."""
    return round(1.0 / (1.0 + math.exp(-more)), 3)
