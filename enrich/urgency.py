"""What cannot wait: danger, crime, law, the press, an outage, people in need, money gone, a customer about to leave.

Each group of phrases that is found (`vocabulary/urgency.yaml` and `alarm.yaml`, English), whatever phrases say together
(`glass in` near `salad`), and each signal (negative wording, reach, a verified author) adds its weight to what is still
missing to certainty: score = 1 - (1 - w1)(1 - w2)... The signals count in every language. Most groups are of a kind
(safety, crime, legal, press, outage, vulnerable, leaving), which is told. Words that are said idly too ("my lawyer
friend", "this beat is on fire") stand in the vocabulary beside those that are meant, and some groups count only in a
text that is negative.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain
from typing import ClassVar, NamedTuple

from enrich import _cues, _nlp
from enrich._together import Meetings, Met
from enrich._version import trace
from pipeline.mention import Signal
from pipeline.ports import Draft, Settings, StageContext

_FULL_REACH = 6.0
"""The power of ten of the reach that counts in full: a million."""

_AGED = re.compile(
    r"(?:\b(?:is|aged?|am|(?:she|he)['\u2019]?s|i['\u2019]?m) )(?:[789]\d|10\d)\b(?! ?%)"
    r"|\b(?:[789]\d|10\d)[ -]?(?:y/o|yo|yrs?|years?)[ -]old\b",
    re.I,
)
_DOWN = re.compile(
    r"\b(?:is|are) (?:\w+ ){1,3}down\b(?= ?(?:[?!,(]|$))|^\W*\w+(?: \w+)? down(?= ?(?:[?!,.&(]|$))", re.I
)
_PATTERNS = (("in need", "8", _AGED), ("in need", "7", _AGED), ("in need", "9", _AGED), ("outage", "down", _DOWN))
"""By group, what no list of phrases can hold, and a sign that it may be there: somebody of seventy and more; `whatsapp
down`, `is the site down?`."""


class _Sign(NamedTuple):
    """What was found: a group of phrases, or several together."""

    weight: float
    kind: str


class Config(Settings):
    """Nothing to set."""


class Stage:
    """Provides `urgency`: a score in 0..1, the phrases and, where they count, `verified author` and `reach N`; and the
    kinds that were found, in the vocabulary's order."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention", "doc", "language", "sentiment", "reach"})
    provides: ClassVar[frozenset[str]] = frozenset({"urgency"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        vocabulary, alarm = _cues.load("urgency"), _cues.load("alarm")
        self._signals = vocabulary.signals
        self._groups = vocabulary.groups
        self._meetings = Meetings(context.nlp, alarm)
        kinds = [group.kind for group in (*vocabulary.groups.values(), *alarm.groups.values())]
        kinds += [together.kind for together in alarm.together.values()]
        self._kinds = tuple(dict.fromkeys(kind for kind in kinds if kind))
        self.version = trace("3", vocabulary, alarm)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `urgency` of every draft."""
        for draft in batch:
            calm, words = self._calm(draft)
            kinds: tuple[str, ...] = ()
            if draft.language is None or draft.language.code in ("en", "und"):
                signs, said = self._found(draft)
                for sign in signs.values():
                    calm *= 1.0 - sign.weight
                if signs:
                    named = {sign.kind for sign in signs.values()}
                    kinds = tuple(kind for kind in self._kinds if kind in named)
                    words = (*said, *words)
            draft.urgency = Signal(score=round(1.0 - calm, 3), words=words, kinds=kinds)

    def _found(self, draft: Draft) -> tuple[dict[str, _Sign], tuple[str, ...]]:
        label = draft.sentiment.label if draft.sentiment is not None else "neutral"
        negative = label == "negative"
        said = ("", "negative", "not positive") if negative else ("",) if label == "positive" else ("", "not positive")
        signs: dict[str, _Sign] = {}
        words: tuple[str, ...] = ()
        hits = [hit for hit in _cues.found(draft.doc, "urgency") if hit.cue.only in said]
        met: Sequence[Met] = ()
        if parts := _cues.found(draft.doc, "alarm"):
            hits += [hit for hit in parts if hit.cue.weight and hit.cue.only in said]
            met = [it for it in self._meetings.find(draft.doc, parts) if it.together.only in said]
        if hits or met:
            signs = {hit.cue.group: _Sign(hit.cue.weight, hit.cue.kind) for hit in hits}
            signs |= {it.name: _Sign(it.together.weight, it.together.kind) for it in met}
            spans = [(hit.start, hit.end) for hit in chain(hits, *(it.hits for it in met))]
            words = _cues.quoted(draft.doc, spans)
        text = _nlp.plain(draft.doc)
        lower = text.lower()
        for group, mark, pattern in _PATTERNS:
            counts = mark in lower and (negative or not self._groups[group].only)
            if counts and (match := pattern.search(text)) and match.group().strip() not in words:
                signs[group] = _Sign(self._groups[group].weight, self._groups[group].kind)
                words = (*words, match.group().strip())
        return signs, words

    def _calm(self, draft: Draft) -> tuple[float, tuple[str, ...]]:
        calm = 1.0
        words: tuple[str, ...] = ()
        if draft.sentiment is not None and draft.sentiment.score < 0:
            calm *= 1.0 + self._signals["negative"] * draft.sentiment.score
        if draft.reach >= 1_000:
            share = min(1.0, math.log10(draft.reach) / _FULL_REACH)
            calm *= 1.0 - self._signals["reach"] * share
            words = (f"reach {draft.reach}",)
        if draft.mention.author.verified:
            calm *= 1.0 - self._signals["verified"]
            words = (*words, "verified author")
        return calm, words
