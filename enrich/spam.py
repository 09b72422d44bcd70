"""How likely a mention is spam: giveaways, engagement bait, advertising, what programs post, and texts made of tags and
links.

Each sign that is found adds its weight to what is still missing to certainty: score = 1 - (1 - w1)(1 - w2)... The
signs are what the source says (`Mention.suspicions`), counts (below, with their weights) and phrases
(`vocabulary/spam.yaml`, English; the others hold for every language). Its groups are of a kind (giveaway, follow,
advert, adult, jobs, bot), which is told. A mention is only marked: routing decides, and a complaint with many hashtags
stays a complaint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from enrich import _cues, _nlp
from enrich._together import Meetings
from enrich._version import trace
from pipeline.mention import Signal
from pipeline.ports import Draft, Settings, StageContext

_HASHTAGS, _MANY_HASHTAGS = 5, 8
_HANDLES, _MANY_HANDLES = 5, 10
_LINKS = 3
_SHORTENED = re.compile(
    r"://(?:www\.)?(?:bit\.ly|tinyurl\.com|goo\.gl|ow\.ly|is\.gd|buff\.ly|cutt\.ly|rb\.gy|t\.ly)/", re.I
)
"""Public shorteners that anyone may use. A platform's own (t.co) says nothing and is not among them."""

_LINKED = re.compile(r"#\w|://|\b[a-z0-9-]+\.[a-z]{2,7}/\w", re.I)
"""A hashtag or a link, also one that is written without `https://`."""

_TOLD = 0.499
"""What the phrases of a kind must reach together."""

_SUSPECTED = 0.85
"""A sign that the source itself saw: by itself enough for the rules to put the mention aside."""

_REPEATED = re.compile(r"([^\W\d_])\1{9}")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_NONE = Signal(score=0.0)


class Config(Settings):
    """Nothing to set."""


class Stage:
    """Provides `spam`: a score in 0..1 with the reasons and words for it, and the kinds that were found, in the
    vocabulary's order."""

    needs: ClassVar[frozenset[str]] = frozenset({"doc"})
    provides: ClassVar[frozenset[str]] = frozenset({"spam"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del config
        vocabulary = _cues.load("spam")
        self._kinds = tuple(dict.fromkeys(group.kind for group in vocabulary.groups.values() if group.kind))
        self._meetings = Meetings(context.nlp, vocabulary)
        self.version = trace("4", vocabulary)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `spam` of every draft."""
        for draft in batch:
            text = _nlp.text(draft.doc)
            told, kinds, words = self._told(draft.doc, text)
            suspected = [(_SUSPECTED, sign) for sign in draft.mention.suspicions]
            signs = suspected + _counted(text, draft.doc)
            if not told and not signs:
                draft.spam = _NONE
                continue
            innocence = 1.0
            for weight in [weight for weight, _ in signs] + told:
                innocence *= 1.0 - weight
            draft.spam = Signal(
                score=round(1.0 - innocence, 3), words=(*(sign for _, sign in signs), *words), kinds=kinds
            )

    def _told(self, doc: Any, text: str) -> tuple[list[float], tuple[str, ...], tuple[str, ...]]:
        # Phrases count only where those of their kind together suffice: `wanted` and `remote` make a job, one does not.
        found = _cues.found(doc, "spam")
        if not found:
            return [], (), ()
        met = self._meetings.find(doc, found)
        hits = [hit for hit in found if hit.cue.weight]
        if not hits and not met:
            return [], (), ()
        if not _LINKED.search(text):
            hits = [hit for hit in hits if not hit.cue.only]
            met = [it for it in met if not it.together.only]
        signs = [(cue.kind, cue.weight) for cue in {hit.cue for hit in hits}]
        signs += [(it.together.kind, it.together.weight) for it in met]
        innocence: dict[str, float] = {}
        for kind, weight in signs:
            innocence[kind] = innocence.get(kind, 1.0) * (1.0 - weight)
        told = {kind for kind, rest in innocence.items() if 1.0 - rest >= _TOLD}
        if not told:
            return [], (), ()
        spans = [(hit.start, hit.end) for hit in hits if hit.cue.kind in told]
        spans += [(hit.start, hit.end) for it in met if it.together.kind in told for hit in it.hits]
        kinds = tuple(kind for kind in self._kinds if kind in told)
        return [weight for kind, weight in signs if kind in told], kinds, _cues.quoted(doc, spans)


def _counted(text: str, doc: object) -> list[tuple[float, str]]:
    signs: list[tuple[float, str]] = []
    hashtags, handles, links = text.count("#"), text.count("@"), text.count("://")
    if hashtags >= _HASHTAGS:
        signs.append((0.6 if hashtags >= _MANY_HASHTAGS else 0.35, f"{hashtags} hashtags"))
    if handles >= _HANDLES:
        signs.append((0.6 if handles >= _MANY_HANDLES else 0.35, f"{handles} handles"))
    if links:
        if links >= _LINKS:
            signs.append((0.4, f"{links} links"))
        if _SHORTENED.search(text):
            signs.append((0.2, "shortened link"))
        if not _LETTERS.search(_nlp.plain(doc)):
            signs.append((0.6, "nothing but links"))
    if any(map(_REPEATED.search, [word for word in _nlp.words(doc) if len(word) > 9])):
        signs.append((0.3, "repeated letters"))
    return signs
