"""What an agent should look at twice in a draft: it warns and never blocks.

The phrases are data (`vocabulary/tone.yaml`, English); the rules that need no words (personal data, length, shouting,
unfilled variables) read every language. How harsh the wording sounds is VADER's compound score (Hutto & Gilbert,
ICWSM 2014) of the draft without the words that only name the customer's trouble.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from desk import macros, personal
from desk._plain import plain
from desk._validated import validated
from desk.lengths import fits, measure
from pipeline.mention import Intent, Kind, Mention
from pipeline.ports import Settings

COMPLAINT = 0.6
"""From this score of the intent `complaint` on, an answer without an apology is told."""

HARSH = -0.35
"""VADER compound at or below which a draft sounds harsh; -0.05 is the package's own border of negative."""

_LOUD = 4
"""Letters of the shortest word that counts as shouted; shorter ones are mostly abbreviations."""

_VOCABULARY = Path(__file__).parent / "vocabulary" / "tone.yaml"
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?!\s)[^.!?\n]*)*[.!?]*")
_APOSTROPHE = "['\N{RIGHT SINGLE QUOTATION MARK}]"
_WORD = re.compile(rf"[^\W\d_]+(?:{_APOSTROPHE}[^\W\d_]+)*")
_MARKS = re.compile(r"[!?]{3,}")
_ELSEWHERE = re.compile(r"https?://|\b\w+\.\w+/|[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)
_KINDS: Mapping[personal.Kind, str] = {
    "iban": "a bank account",
    "card": "a card number",
    "email": "an e-mail address",
    "birth_date": "a date of birth",
    "phone": "a telephone number",
}

Span = tuple[int, int]


@dataclass(frozen=True)
class ToneWarning:
    """One thing to look at: a code, the words and their spans in the draft (characters, end exclusive; none where
    something is lacking), what it is in a plain sentence, and what to do instead. The words stay out of the repr:
    they may be personal data."""

    code: str
    sentence: str
    suggestion: str
    spans: tuple[Span, ...] = ()
    words: tuple[str, ...] = field(default=(), repr=False)


class Group(Settings):
    """Phrases that deserve the same warning, and phrases of the same sentence that make them harmless."""

    sentence: str
    suggestion: str
    phrases: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()


class Vocabulary(Settings):
    """The phrases of `vocabulary/tone.yaml`; that file says how each list is used."""

    groups: dict[str, Group]
    apologies: tuple[str, ...]
    requests: tuple[str, ...]
    data: tuple[str, ...]
    private: tuple[str, ...]
    capitals: frozenset[str]
    neutral: frozenset[str]


def vocabulary(path: Path = _VOCABULARY) -> Vocabulary:
    """The vocabulary of a file; raises ConfigError with every problem."""
    return validated(Vocabulary, plain(path.read_text(encoding="utf-8"), path.name), path.name)


class Tone:
    """Checks drafts. Built once; holds the vocabulary and VADER's lexicon and remembers nothing of a draft.

    `region` is where telephone numbers without a country code are read (ISO 3166); `ours` are the brand's own mail
    domains, addresses and numbers, which may be shown; `limits` are a network's length where it is not the usual.
    """

    def __init__(
        self,
        words: Vocabulary | None = None,
        *,
        region: str | None = None,
        ours: Sequence[str] = (),
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self._words = words = words or vocabulary()
        self._region, self._ours, self._limits = region, tuple(ours), dict(limits or {})
        self._groups = [
            (code, group, _any_of(group.phrases), _any_of(group.unless)) for code, group in words.groups.items()
        ]
        self._apology, self._private = _any_of(words.apologies), _any_of(words.private)
        self._request, self._data = _any_of(words.requests), _any_of(words.data)
        self._vader = SentimentIntensityAnalyzer()

    def check(
        self,
        draft: str,
        mention: Mention,
        intents: Iterable[Intent] = (),
        *,
        network: str = "",
        language: str | None = None,
        first: bool = True,
        private: bool = False,
    ) -> tuple[ToneWarning, ...]:
        """Every warning for a draft that answers `mention`, in a fixed order; none for an empty draft.

        `network` defaults to the mention's source, `language` (ISO 639-1) to the source's word on it; the phrases are
        read where it is English or not known. `first` says that the customer has had no answer yet: only a first
        answer to a complaint lacks an apology. `private`: it is for the author alone, as an answer to a private message
        always is. Then it may ask for details and hold personal data, and a message's limits count.
        """
        if not draft.strip():
            return ()
        language = language or mention.lang or "en"
        private = private or mention.kind is Kind.MESSAGE
        found: list[ToneWarning | None] = []
        if language.lower().partition("-")[0] in ("en", "und"):
            found += [self._phrases(draft, *group) for group in self._groups]
            found.append(self._harsh(draft, mention))
            if first:
                found.append(self._no_apology(draft, intents))
            if not private:
                found.append(self._asks(draft))
        found += [self._personal(draft, private), self._shouting(draft, mention), _unfilled(draft)]
        found.append(self._too_long(draft, network or mention.source, private))
        return tuple(warning for warning in found if warning)

    def _phrases(
        self, draft: str, code: str, group: Group, phrase: re.Pattern[str], unless: re.Pattern[str]
    ) -> ToneWarning | None:
        spans: list[Span] = []
        for sentence in _SENTENCE.finditer(draft):
            harmless = [match.span() for match in unless.finditer(draft, *sentence.span())]
            if not harmless:
                spans += [match.span() for match in phrase.finditer(draft, *sentence.span())]
        return _warning(draft, code, group.sentence, group.suggestion, spans) if spans else None

    def _harsh(self, draft: str, mention: Mention) -> ToneWarning | None:
        theirs = {word.lower() for word in _WORD.findall(mention.text)}
        known = self._words.neutral | theirs
        heard = _WORD.sub(lambda match: "it" if match[0].lower() in known else match[0], draft)
        if self._vader.polarity_scores(heard)["compound"] > HARSH:
            return None
        spans = [
            match.span()
            for match in _WORD.finditer(draft)
            if match[0].lower() not in known and self._vader.lexicon.get(match[0].lower(), 0.0) < 0.0
        ]
        sentence = "This sounds harsh."
        return _warning(draft, "harsh", sentence, "Say it in calm and friendly words.", spans) if spans else None

    def _no_apology(self, draft: str, intents: Iterable[Intent]) -> ToneWarning | None:
        complaint = max((intent.score for intent in intents if intent.name == "complaint"), default=0.0)
        if complaint < COMPLAINT or self._apology.search(draft):
            return None
        sentence = "They complain, and nothing here says that you are sorry."
        return ToneWarning("no_apology", sentence, "Say that you are sorry for what went wrong, and name it.")

    def _asks(self, draft: str) -> ToneWarning | None:
        if self._private.search(draft):
            return None
        spans: list[Span] = []
        for part in _SENTENCE.finditer(draft):
            within = part.span()
            if self._request.search(draft, *within) and not _ELSEWHERE.search(draft, *within):
                spans += [match.span() for match in self._data.finditer(draft, *within)]
        sentence = "This asks for personal details where everyone can read the answer."
        suggestion = "Ask for them in a private message, and say so."
        return _warning(draft, "asks_in_public", sentence, suggestion, spans) if spans else None

    def _personal(self, draft: str, private: bool) -> ToneWarning | None:
        found = [
            one
            for one in personal.find(draft, region=self._region, ours=self._ours)
            if not private or one.kind == "card"  # a card number belongs in no channel (PCI DSS, requirement 4.2)
        ]
        if not found:
            return None
        kinds = list(dict.fromkeys(_KINDS[one.kind] for one in found))
        sentence = f"This shows {' and '.join(kinds)}{'' if private else ' to everyone'}."
        suggestion = "Leave it out." if private else "Leave it out or move to a private message."
        return _warning(draft, "personal_data", sentence, suggestion, [(one.start, one.end) for one in found])

    def _shouting(self, draft: str, mention: Mention) -> ToneWarning | None:
        marks = [match.span() for match in _MARKS.finditer(draft)]
        loud: list[Span] = []
        row = longest = 0
        for word in _WORD.finditer(_blank(draft, macros.holes(draft))):
            shouted = word[0].isupper() and len(word[0]) >= _LOUD and word[0] not in self._words.capitals
            shouted = shouted and word[0] not in mention.text
            row = row + 1 if shouted else 0 if len(word[0]) >= _LOUD else row
            longest = max(longest, row)
            loud += [word.span()] if shouted else []
        spans = sorted(marks + (loud if longest > 1 or len(loud) > 2 else []))
        sentence = "This reads as shouting."
        return _warning(draft, "shouting", sentence, "Use small letters and one mark.", spans) if spans else None

    def _too_long(self, draft: str, network: str, private: bool) -> ToneWarning | None:
        over = [length for length in measure(draft, network, limits=self._limits, private=private) if length.over]
        if not over:
            return None
        told = " and ".join(f"{length.over} {length.unit} over the {length.limit}" for length in over)
        sentence = f"It is {told} that {network} allows{' in a private message' if private else ''}."
        span = (fits(draft, network, limits=self._limits, private=private), len(draft))
        return _warning(draft, "too_long", sentence, "Shorten it; what stands out does not fit.", [span])


def _unfilled(draft: str) -> ToneWarning | None:
    spans = macros.holes(draft)
    sentence = "Something is not filled in."
    return _warning(draft, "unfilled", sentence, "Fill it in or take it out.", spans) if spans else None


def _warning(draft: str, code: str, sentence: str, suggestion: str, spans: Sequence[Span]) -> ToneWarning:
    return ToneWarning(code, sentence, suggestion, tuple(spans), tuple(draft[start:end] for start, end in spans))


def _blank(draft: str, spans: Iterable[Span]) -> str:
    """The draft with spaces for what stands in the spans, so that every other word keeps its place."""
    for start, end in spans:
        draft = draft[:start] + " " * (end - start) + draft[end:]
    return draft


def _any_of(phrases: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all phrases, the longer first; a pattern that never matches where there are none."""
    parts = [_pattern(phrase) for phrase in sorted(phrases, key=len, reverse=True)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)" if parts else r"(?!)", re.IGNORECASE)


def _pattern(phrase: str) -> str:
    words = [r"\w+(?:\s+\w+){0,2}" if word == "*" else re.escape(word) for word in phrase.split()]
    return re.sub("(n?)'", lambda found: f"{found[1]}{_APOSTROPHE}{'?' if found[1] else ''}", r",?\s+".join(words))
