"""Vocabularies: groups of phrases with a weight, written in YAML for people, matched by one spaCy PhraseMatcher.

The files are `enrich/vocabulary/NAME.yaml`. Phrases are matched in their normal form (`_nlp.normal`): small letters, a
number stands for any number. A phrase with `n't` also stands for its spellings without the apostrophe and in full
(`don't`, `dont`, `do not`), `want to` for `wanna`, `going to` for `gonna`, and `<my>` for `my`, `our`, `his`, `her`,
`their`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from spacy.matcher import PhraseMatcher

from enrich import _nlp

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FOLDER = Path(__file__).parent / "vocabulary"
Only = Literal["", "negative", "not positive", "linked"]

_WHOSE = ("my", "our", "his", "her", "their")
_FULL = {"can't": "cannot", "won't": "will not", "ain't": "is not"}


class Group(BaseModel):
    """Phrases that mean the same and the weight of finding any of them. `kind` names what is found where several
    groups are of one kind; in one of the `idle` phrases the others say nothing (`my lawyer` is a matter of law, `my
    lawyer friend` is not). `only` says of a group that it counts only in a text that is negative, or that is
    not positive, or only in one that has a link or a hashtag: whoever uses the group looks at it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weight: float
    kind: str = ""
    only: Only = ""
    phrases: list[str]
    idle: list[str] = []

    @field_validator("phrases", "idle")
    @classmethod
    def _says_something(cls, phrases: list[str]) -> list[str]:
        for phrase in phrases:
            if not any(character.isalpha() for character in phrase):
                raise ValueError(f"a phrase needs a word, not only numbers: {phrase!r}")
        return phrases


class Together(BaseModel):
    """Groups that say something only together: a phrase of one of each list of `of`, with at most `within` tokens
    between that of the first list and each of the others, in any order, and without a phrase of `unless` anywhere in
    the text. `burnt` says little, and `my hand` less."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    weight: float
    kind: str = ""
    only: Only = ""
    of: list[list[str]] = Field(min_length=2)
    within: int = 6
    unless: list[str] = []


class Vocabulary(BaseModel):
    """One file: a bias, the weights of signals from elsewhere, the groups, what they say together, and lists: phrases
    that are not looked for, but that what was found is looked up in (`known`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    bias: float = 0.0
    signals: dict[str, float] = {}
    groups: dict[str, Group]
    lists: dict[str, list[str]] = {}
    together: dict[str, Together] = {}

    @model_validator(mode="after")
    def _together_are_groups(self) -> Vocabulary:
        for title, together in self.together.items():
            if title in self.groups:
                raise ValueError(f"{title!r} is what groups say together, and a group")
            for name in chain(*together.of, together.unless):
                if name not in self.groups:
                    raise ValueError(f"{title!r} is of {name!r}, which is no group of this file")
        return self

    def early(self) -> Vocabulary:
        """Without the groups that say something only beside others and are none of a `together`'s first list: they
        are looked for where one of these is found (`_together.Meetings`), which is seldom."""
        return self._only([name for name in self.groups if name not in self._late()])

    def late(self) -> Vocabulary:
        """The other groups."""
        return self._only([name for name in self.groups if name in self._late()])

    def _late(self) -> frozenset[str]:
        first = {name for together in self.together.values() for name in together.of[0]}
        beside = chain.from_iterable(chain(*together.of[1:], together.unless) for together in self.together.values())
        return frozenset(name for name in beside if name not in first and not self.groups[name].weight)

    def _only(self, names: Sequence[str]) -> Vocabulary:
        return Vocabulary(groups={name: self.groups[name] for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class Cue:
    """A group of one vocabulary, of which there is one (compared and hashed as such)."""

    vocabulary: str
    group: str
    weight: float
    kind: str = ""
    only: Only = ""


class Found(NamedTuple):
    """A cue in a doc, with its span in tokens, end exclusive."""

    cue: Cue
    start: int
    end: int


@cache
def load(name: str) -> Vocabulary:
    """The vocabulary `name`, read once; a malformed file is a ValidationError that names the place."""
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return Vocabulary.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506 - the safe one, in C where it is


def spellings(phrase: str) -> Iterator[str]:
    """The phrase and the other ways it is written."""
    if "<my>" in phrase:
        for whose in _WHOSE:
            yield from spellings(phrase.replace("<my>", whose))
        return
    yield phrase
    if "n't" in phrase:
        yield phrase.replace("n't", "nt")
        words = [_FULL.get(word, word.replace("n't", " not")) for word in phrase.split()]
        yield " ".join(words)
        if "can't" in phrase:
            yield phrase.replace("can't", "can not")
    if "want to" in phrase:
        yield phrase.replace("want to", "wanna")
    if "going to" in phrase:
        yield phrase.replace("going to", "gonna")


def known(nlp: Any, phrases: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """The phrases in every spelling, as tuples of normal words."""
    every = (spelling for phrase in phrases for spelling in spellings(phrase))
    return frozenset(tuple(map(_nlp.normal, _nlp.words(nlp.make_doc(one)))) for one in every)


class Cues:
    """Finds the phrases of several vocabularies in one pass over a doc."""

    def __init__(self, nlp: Any, vocabularies: Mapping[str, Vocabulary]) -> None:
        self._matcher = PhraseMatcher(nlp.vocab, attr="NORM")
        self._cues: dict[int, Cue] = {}
        self._idle: dict[int, Cue] = {}
        for name, vocabulary in vocabularies.items():
            for title, group in vocabulary.groups.items():
                cue = Cue(name, title, group.weight, group.kind, group.only)
                self._cues[self._add(nlp, f"{name}/{title}", group.phrases)] = cue
                if group.idle:
                    self._idle[self._add(nlp, f"{name}/{title}/idle", group.idle)] = cue

    def _add(self, nlp: Any, key: str, phrases: Sequence[str]) -> int:
        every = dict.fromkeys(spelling for phrase in phrases for spelling in spellings(phrase))
        self._matcher.add(key, [nlp.make_doc(phrase) for phrase in every])
        return int(nlp.vocab.strings[key])

    def find(self, doc: Any) -> Sequence[Found]:
        """Every phrase in the doc, in the order of their ends; they may overlap. None that an idle phrase of its group
        overlaps."""
        hits = self._matcher(doc)
        if not hits:
            return ()
        cues, idle = self._cues, self._idle
        if not idle:
            return [Found(cues[key], start, end) for key, start, end in hits]
        quiet = [(idle[key], start, end) for key, start, end in hits if key in idle]
        if not quiet:
            return [Found(cues[key], start, end) for key, start, end in hits]
        return [
            Found(cue, start, end)
            for key, start, end in hits
            if (cue := cues.get(key)) is not None
            and not any(cue is other and start < until and since < end for other, since, until in quiet)
        ]


TOGETHER = ("complaint", "praise", "lead", "question", "sarcasm", "spam", "urgency", "alarm", "irony")
"""The vocabularies whose phrases are looked for in one pass, whoever asks first."""

_KEY = "cues"


def found(doc: Any, *names: str) -> Sequence[Found]:
    """Every phrase of these vocabularies' early groups (of TOGETHER) in the doc, as `Cues.find` has it. A doc is looked
    through once, for all of them; the next stage's are there already."""
    kept: Mapping[str, Sequence[Found]] | None = doc.user_data.get(_KEY)
    if kept is None:
        every: dict[str, list[Found]] = {}
        for hit in _together().find(doc):
            of = every.get(hit.cue.vocabulary)
            if of is None:
                every[hit.cue.vocabulary] = [hit]
            else:
                of.append(hit)
        kept = doc.user_data[_KEY] = every
    if len(names) == 1 or not kept:
        return kept.get(names[0], ())
    return [hit for name in names if name in kept for hit in kept[name]]


@cache
def _together() -> Cues:
    return Cues(_nlp.build(), {name: load(name).early() for name in TOGETHER})


def quoted(doc: Any, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The words of the spans as their author wrote them, each once, in order, none that lies inside a longer one."""
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or end > kept[-1][1]:
            kept.append((start, end))
    words = doc.user_data["words"]
    # A span of one token, the commonest, need not be cut out by spaCy.
    return tuple(dict.fromkeys(words[start] if end == start + 1 else doc[start:end].text for start, end in kept))
