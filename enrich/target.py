"""Whom or what the negative feeling of a text is about: our brand, a competitor, or something else.

Whoever is named, and who is addressed by `you`, stands somewhere in the text, and so does each negative word: it speaks
of the name in its own clause, else of the one named before, else of the one named next; praise in its clause speaks a
little for a name. What a sentence says of those it names (`X is better than Y`, `switched from X to Y`, `let down by
X`) weighs for or against them (`_blame.py`). Some phrases say by themselves that the feeling is about something else
(`we lost again`, `I overslept`). What a complaint, or negative wording on the whole, says of nobody in particular goes
to the one against whom the most is said, else to the one addressed, else to the first named of those not spoken for.
Nothing here knows which name is ours: exchanging our name and a competitor's exchanges the answer.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from spacy.matcher import PhraseMatcher
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from enrich import _cues, _nlp
from enrich._blame import SPARED, Name, compared
from enrich._version import trace
from pipeline.mention import Target
from pipeline.ports import Brand, Draft, Settings, StageContext

_BRAND = "\0brand"
_OTHER = "\0other"
_ELSEWHERE = "elsewhere"

_NEGATIVE = -1.0
"""The valence in VADER's lexicon (-4..4) from which a word is negative: milder ones (`stop`, `no`) accuse nobody."""

_POSITIVE = 1.5
"""The valence from which a word praises."""

_PRAISED = 0.5
"""What praise in its clause weighs for a name, however much it is."""

_COMPLAINT, _UNHAPPY = 1.5, 0.6
"""What a complaint of full score, and a negative sentiment, weigh against the one whom they concern."""

_HERE, _BEFORE, _NEXT = 1.0, 0.7, 0.4
"""What a negative word weighs against the name in its clause, the name before it, the name after it."""

_MOST = 3.0
"""What negative words weigh at most, however many they are."""

_PASSED_OVER = 0.7
"""What speaking for one name weighs against the others."""

_ROUNDING = 1e-9

_WORDS = 8

_BREAK = re.compile(r"[.!?;,:()\n\u2026]|\s[-\u2013\u2014]+\s")
_TOKEN = re.compile(r"[^\W\d_]+(?:['\u2019][a-z]+)?", re.I)
_BUT = frozenset({"but", "while", "whereas", "though", "although", "and", "because", "since"})
"""A clause ends at punctuation and at these."""

_YOU = frozenset(
    {"you", "your", "yours", "yourselves", "u", "ur", "yall", "y'all", "youre", "you're", "you've", "you'd", "you'll"}
)


_PLACE = re.compile(r"\b(?:at|in|on|outside|inside|near|by|to)\W+(?:(?:the|my|an?)\W+)?$", re.I)
"""What stands before a name that is where something happens, not who did it."""

_THEY = frozenset({"they", "them", "their", "theirs", "they're", "they've", "they'd", "they'll", "theyre", "theyve"})


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
        self._outside, self._trouble = (
            _cues.Cues(
                context.nlp, {"target": _cues.Vocabulary(groups={name: vocabulary.groups[name] for name in names})}
            )
            for names in (("others", "elsewhere"), ("trouble",))
        )
        lexicon = SentimentIntensityAnalyzer().lexicon
        self._negative = frozenset(word for word, valence in lexicon.items() if valence <= _NEGATIVE)
        self._positive = frozenset(word for word, valence in lexicon.items() if valence >= _POSITIVE)
        self._rivals = {brand.name: _Rivals(context.nlp, brand) for brand in context.brands if brand.competitors}
        rivals = [(brand.name, sorted(brand.competitors.items())) for brand in context.brands]
        self.version = trace("4", vocabulary, rivals, packages=("vaderSentiment",))

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `target` of every draft."""
        for draft in batch:
            rivals = self._rivals.get(draft.brand or "")
            competitors = rivals.find(draft.doc) if rivals else ()
            unhappy = _unhappy(draft)
            draft.target = self._judge(draft, competitors, unhappy) if unhappy or competitors else None

    def _judge(self, draft: Draft, competitors: Sequence[Name], unhappy: float) -> Target | None:
        english = draft.language is None or draft.language.code in ("en", "und")
        outside = self._outside.find(draft.doc) if english else ()
        if not competitors and not outside:
            return Target(of="brand", score=_sure(unhappy), words=_complained(draft))
        text = _nlp.text(draft.doc)
        names = [*competitors]
        for ours in draft.brands:
            taken = any(ours.start < name.end and name.start < ours.end for name in competitors)
            if ours.brand == draft.brand and not taken:
                names.append(Name(_BRAND, ours.start, ours.end))
        addressed = _addressed(text, names)
        called = tuple(names)
        elsewhere = [hit for hit in outside if hit.cue.group == _ELSEWHERE]
        names += [Name(_OTHER, start, end) for start, end in _chars(draft.doc, outside)]
        negative: list[tuple[int, int]] = []
        positive: list[int] = []
        breaks = [it.start() for it in _BREAK.finditer(text)]
        if english:
            negative += _chars(draft.doc, self._trouble.find(draft.doc))
            for it in _TOKEN.finditer(text):
                word = it.group().lower()
                if word in self._negative:
                    negative.append(it.span())
                elif word in self._positive:
                    positive.append(it.start())
                elif word in _BUT:
                    breaks.append(it.start())
                elif word in _THEY and (named := _meant(called, it.start(), addressed)) is not None:
                    names.append(Name(named, it.start(), it.end()))
                elif word in _YOU and addressed is not None:
                    names.append(Name(addressed, it.start(), it.end()))
        names = _apart(names)
        blamed = []
        for start, end in negative:
            if SPARED.search(text, max(0, start - 40), start):
                positive.append(start)
            elif not _within(start, names):
                blamed.append((start, end))
        positive = [it for it in positive if not _within(it, names)]
        against, words = _attached(text, names, blamed, breaks)
        if elsewhere:
            against[_OTHER] += _HERE
            words[_OTHER] += _cues.quoted(draft.doc, [(hit.start, hit.end) for hit in elsewhere])
        for name in _praised(names, positive, breaks, len(text)):
            against[name.who] -= _PRAISED
        # A sentence about one alone says no more than its negative words do.
        parties = [name for name in names if name.who != _OTHER]
        said = compared(text, parties) if english and competitors else {}
        for who, weight in said.items():
            against[who] += weight
        preferred = any(weight < 0 for weight in said.values())
        if preferred:
            for who in {name.who for name in parties} - set(said):
                against[who] += _PASSED_OVER
        least = _PASSED_OVER - _PRAISED if preferred else _HERE
        if not unhappy and not any(weight >= least - _ROUNDING for who, weight in against.items() if who != _OTHER):
            return None
        against[_concerned(parties, addressed, against)] += unhappy
        return _verdict(parties, against, words)


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

    def find(self, doc: Any) -> Sequence[Name]:
        hits = self._matcher(doc)
        if not hits:
            return ()
        found = []
        for key, start, end in hits:
            span = doc[start:end]
            found.append(Name(self._names[key], span.start_char, span.end_char))
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


def _addressed(text: str, names: Sequence[Name]) -> str | None:
    """Whose handle opens the text, else whose handle is the only one in it; our brand's where nobody's is."""
    handles = sorted((name for name in names if text[name.start] == "@"), key=lambda name: name.start)
    opening = len(text) - len(text.lstrip(" .\n"))
    if handles and handles[0].start <= opening:
        return handles[0].who
    if text[opening : opening + 1] == "@":
        return None  # somebody whom we do not know
    if len({name.who for name in handles}) == 1:
        return handles[0].who
    return None if handles or any(name.who != _BRAND for name in names) else _BRAND


def _meant(called: Sequence[Name], place: int, addressed: str | None) -> str | None:
    """Whom `they` means: the one named last before it, of those who are not addressed."""
    before = [name for name in called if name.end <= place and name.who != addressed]
    return max(before, key=lambda name: name.end).who if before else None


def _apart(names: Sequence[Name]) -> list[Name]:
    """The names in order, none that overlaps one before it."""
    kept: list[Name] = []
    for name in sorted(names, key=lambda name: (name.start, -name.end)):
        if not kept or name.start >= kept[-1].end:
            kept.append(name)
    return kept


def _within(place: int, names: Sequence[Name]) -> bool:
    return any(name.start <= place < name.end for name in names)


def _concerned(parties: Sequence[Name], addressed: str | None, against: Mapping[str, float]) -> str:
    """Whom the feeling of the text as a whole concerns: the one against whom the most is said; where nothing is said,
    the one addressed, or the one named first of those who are not spoken for."""
    accused = sorted(((weight, who) for who, weight in against.items() if who != _OTHER and weight > 0), reverse=True)
    if accused and (len(accused) == 1 or accused[0][0] > accused[1][0]):
        return accused[0][1]
    if addressed is not None:
        return addressed
    return next((name.who for name in parties if against.get(name.who, 0.0) >= 0), _BRAND)


def _complained(draft: Draft) -> tuple[str, ...]:
    complaint = next((intent.words for intent in draft.intents if intent.name == "complaint"), ())
    told = draft.sentiment.words if draft.sentiment is not None else ()
    return (complaint or tuple(word for word, weight in told if weight < 0))[:_WORDS]


def _attached(
    text: str, names: Sequence[Name], negative: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> tuple[defaultdict[str, float], defaultdict[str, list[str]]]:
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
        if here and name.who != _OTHER and _PLACE.search(text[: name.start]):
            name = next((it for it in reversed(before) if it.who == _OTHER), name)
        weight = _HERE if here else _BEFORE if before else _NEXT
        against[name.who] = min(_MOST, against[name.who] + weight)
        words[name.who].append(text[start:end])
    return against, words


def _praised(names: Sequence[Name], positive: Sequence[int], breaks: Sequence[int], length: int) -> Sequence[Name]:
    """Of each clause with praise the name it is of: the one before, else the next."""
    found: dict[str, Name] = {}
    for start in positive:
        first = max((it for it in breaks if it < start), default=-1)
        last = min((it for it in breaks if it > start), default=length)
        here = [name for name in names if first < name.start < last and name.who != _OTHER]
        if here:
            name = [name for name in here if name.start < start][-1:] or here[:1]
            found[name[0].who] = name[0]
    return tuple(found.values())


def _verdict(parties: Sequence[Name], against: Mapping[str, float], words: Mapping[str, list[str]]) -> Target:
    # Of two against whom as much is said, the one named first.
    who = max((*(name.who for name in parties), _BRAND, *against), key=lambda one: against.get(one, 0.0))
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
