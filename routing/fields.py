"""What a condition may ask about: every plain field of a mention and its tags, under its full and its short name.

The names are read off the shapes, so a new field of `Mention`, `Author` or `Tags` can be used in a rule at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import msgspec.inspect as shapes

from pipeline.mention import Mention, Tags

INTENTS = ("complaint", "praise", "lead", "question")
"""What `intents.NAME` may name."""

SIGNALS = ("spam", "urgency", "sarcasm")
"""Tags that are a score with the words for it; their name alone stands for the score."""

Kind = Literal["prose", "text", "id", "word", "number", "score", "flag", "list", "time", "duration"]
"""What sort of value a field holds, which decides the operators it takes."""


class Facts(NamedTuple):
    """All that a decision may depend on."""

    mention: Mention
    tags: Tags
    now: datetime


class Field(NamedTuple):
    """One field: its full name, its kind, how to read it (None where it is absent), the values it may take where
    they are few, and the words behind the value where enrichment kept them."""

    name: str
    kind: Kind
    read: Callable[[Facts], Any]
    choices: tuple[str, ...] = ()
    words: Callable[[Facts], tuple[str, ...]] | None = None


def _getter(root: str, steps: tuple[str, ...], certain: bool = True) -> Callable[[Facts], Any]:
    """Read `root.steps…` from the facts; None where a part on the way, not `certain` to be there, is absent."""
    if certain or len(steps) == 1:
        return attrgetter(".".join((root, *steps)))  # several times as fast as a function of ours
    outer, last = _getter(root, steps[:-1], certain), steps[-1]

    def read(facts: Facts) -> Any:
        part = outer(facts)
        return None if part is None else getattr(part, last)

    return read


def _kind(kind: shapes.Type, name: str) -> tuple[Kind, tuple[str, ...]] | None:
    """The field's kind and choices; None for what no condition can ask about directly."""
    match kind:
        case shapes.StrType():
            if name in ("text", "title"):
                return "prose", ()
            return ("id", ()) if name in ("id", "conversation", "parent") else ("text", ())
        case shapes.IntType() | shapes.FloatType():
            return "number", ()
        case shapes.BoolType():
            return "flag", ()
        case shapes.DateTimeType():
            return "time", ()
        case shapes.EnumType(cls=enum):
            return "word", tuple(member.value for member in enum)
        case shapes.LiteralType(values=values):
            return "word", tuple(str(value) for value in values)
        case shapes.VarTupleType(item_type=shapes.StrType()):
            return "list", ()
    return None


def _walk(root: str, struct: type, steps: tuple[str, ...] = (), certain: bool = True) -> Iterator[Field]:
    info = shapes.type_info(struct)
    assert isinstance(info, shapes.StructType)  # noqa: S101 (tells the type checker what _walk is called with)
    for part in info.fields:
        kind = part.type
        optional = isinstance(kind, shapes.UnionType)
        if isinstance(kind, shapes.UnionType):
            kind = next(option for option in kind.types if not isinstance(option, shapes.NoneType))
        here = (*steps, part.name)
        if isinstance(kind, shapes.StructType):
            yield from _walk(root, kind.cls, here, certain and not optional)
        elif found := _kind(kind, part.name):
            yield Field(".".join((root, *here)), found[0], _getter(root, here, certain), found[1])


def _intent(name: str) -> Field:
    def score(facts: Facts) -> float:
        for intent in facts.tags.intents:
            if intent.name == name:
                return intent.score
        return 0.0

    def words(facts: Facts) -> tuple[str, ...]:
        return next((intent.words for intent in facts.tags.intents if intent.name == name), ())

    return Field(f"tags.intents.{name}", "score", score, words=words)


def _signal(name: str) -> Field:
    part = _getter("tags", (name,))

    def score(facts: Facts) -> float:
        signal = part(facts)
        return 0.0 if signal is None else signal.score

    def words(facts: Facts) -> tuple[str, ...]:
        signal = part(facts)
        return () if signal is None else signal.words

    return Field(f"tags.{name}.score", "score", score, words=words)


def _target() -> Field:
    of = _getter("tags", ("target", "of"), certain=False)

    def words(facts: Facts) -> tuple[str, ...]:
        return () if facts.tags.target is None else facts.tags.target.words

    return Field("tags.target.of", "word", of, ("brand", "competitor", "other"), words)


def _mood(facts: Facts) -> tuple[str, ...]:
    sentiment = facts.tags.sentiment
    return () if sentiment is None else tuple(word for word, _ in sentiment.words)


def _table() -> dict[str, Field]:
    full = {field.name: field for field in (*_walk("mention", Mention), *_walk("tags", Tags))}
    for name in ("label", "score"):
        full[f"tags.sentiment.{name}"] = full[f"tags.sentiment.{name}"]._replace(words=_mood)
    for field in (*map(_signal, SIGNALS), *map(_intent, INTENTS), _target()):
        full[field.name] = field
    full["tags.brands"] = Field(
        "tags.brands", "list", lambda facts: tuple(dict.fromkeys(match.brand for match in facts.tags.brands))
    )
    short = {name.partition(".")[2]: field for name, field in full.items()}
    short |= {
        "brand": Field("brand", "text", lambda facts: facts.tags.brand or facts.mention.brand),
        "language": full["tags.language.code"],
        "sentiment": full["tags.sentiment.label"],
        **{name: full[f"tags.{name}.score"] for name in SIGNALS},
        "target": full["tags.target.of"],
        "age": Field("age", "duration", lambda facts: facts.now - facts.mention.created_at),
    }
    # A short name is what the evidence shows.
    short = {name: field._replace(name=name) for name, field in short.items()}
    return full | short


FIELDS: dict[str, Field] = _table()
"""Every name a condition may use. Scores of spam, urgency, sarcasm and intents count as 0 where nothing was found."""
