"""What a mention is about: topics by their words and phrases, found whole, in any case, on the shared tokens.

The topics that ship are in `vocabulary/topics.yaml`, in English and German, to be read and changed by people; whatever
the language, a text is looked at for all of them. Any one phrase makes the topic. A number stands for any number and a
short form for the word (`_nlp.normal`), accents count whether composed or not, and `#refund` is `refund`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter
from spacy.matcher import PhraseMatcher

from enrich import _cues
from enrich._version import trace
from pipeline.ports import Draft, Settings, StageContext

_SHIPPED = Path(__file__).parent / "vocabulary" / "topics.yaml"


def _has_a_letter(phrase: str) -> str:
    if not any(character.isalpha() for character in phrase):
        raise ValueError(f"a phrase needs a letter: {phrase!r} would stand for any number or sign")
    return phrase


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_has_a_letter)]
Topics = dict[Name, list[Phrase]]


class Config(Settings):
    """Topics of one's own."""

    topics: Topics = Field(default_factory=dict)
    """By name, the words and phrases of each, added to the topics that ship. One that is called as a shipped one takes
    its place; without phrases it leaves that one out."""


class Stage:
    """Provides `topics`, the one with the most different phrases first, of equals the one that was named first; and
    `topic_words`, for each of them the words that made it, as they were written."""

    needs: ClassVar[frozenset[str]] = frozenset({"doc"})
    provides: ClassVar[frozenset[str]] = frozenset({"topics", "topic_words"})

    def __init__(self, config: Config, context: StageContext) -> None:
        topics = shipped() | config.topics
        self._matcher = PhraseMatcher(context.nlp.vocab, attr="NORM")
        self._names: dict[int, str] = {}
        for name, phrases in topics.items():
            spellings = dict.fromkeys(spelling for phrase in phrases for spelling in _spellings(phrase))
            if spellings:
                self._matcher.add(name, [context.nlp.make_doc(spelling) for spelling in spellings])
                self._names[context.nlp.vocab.strings[name]] = name
        self.version = trace("1", topics)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `topics` and `topic_words` of every draft."""
        for draft in batch:
            draft.topic_words = self._found(draft.doc)
            draft.topics = tuple(draft.topic_words)

    def _found(self, doc: Any) -> dict[str, tuple[str, ...]]:
        hits = self._matcher(doc)
        if not hits:
            return {}
        spans: dict[str, list[tuple[int, int]]] = {}
        for key, start, end in hits:
            spans.setdefault(self._names[key], []).append((start, end))
        words = {name: _cues.quoted(doc, found) for name, found in spans.items()}
        if len(words) == 1:
            return words
        order = sorted(words, key=lambda name: (-len({word.lower() for word in words[name]}), min(spans[name]), name))
        return {name: words[name] for name in order}


def shipped() -> dict[str, list[str]]:
    """The topics that come with harken; a malformed file is a ValidationError that names the place."""
    return TypeAdapter(Topics).validate_python(yaml.safe_load(_SHIPPED.read_text(encoding="utf-8")))


def _spellings(phrase: str) -> Iterator[str]:
    # Accents composed and decomposed, and what capitals do to a letter that has none of its own (STRASSE).
    for spelling in _cues.spellings(phrase):
        for form in (spelling, spelling.upper()):
            yield from sorted({unicodedata.normalize(shape, form).lower() for shape in ("NFC", "NFD")})
