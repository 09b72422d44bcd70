"""The operators a condition may use on a field, each compiled once into a test of one value.

A comparison with an absent value (None) does not hold; `not` then does. Text compares without regard to case, ids
exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped,unused-ignore]  # ships no types

from routing import durations
from routing.documents import nearest
from routing.fields import Field, Kind

LONGEST_PATTERN = 1_000
"""Characters in a pattern or phrase."""

SHOWN_WORDS = 5
"""How many matching words stand in the evidence."""

_EQUAL = ("is", "in", "not")
_ORDER = ("at_least", "at_most", "above", "below")
_WORDS = ("contains", "matches")

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "prose": (*_WORDS, "exists"),
    "text": (*_EQUAL, *_WORDS, "exists"),
    "id": (*_EQUAL, "exists"),
    "word": (*_EQUAL, "exists"),
    "number": (*_EQUAL, *_ORDER, "exists"),
    "score": _ORDER,
    "flag": ("is",),
    "list": (*_EQUAL, "exists"),
    "time": (*_ORDER, "exists"),
    "duration": _ORDER,
}
"""Which operators each kind of field takes."""

# Scripts written without spaces between words: a boundary there would hide every match.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_LETTER = re.compile(rf"[^\W{_UNSPACED}]")


class Test(NamedTuple):
    """`holds` decides on one value; `found`, for words and patterns, lists what it saw in a text."""

    holds: Callable[[Any], bool]
    found: Callable[[str], tuple[str, ...]] | None = None


def compile_test(field: Field, operator: str, operand: object) -> Test:
    """The test that `operator` and `operand` make on `field`; raises ValueError saying what is wrong and how to put
    it right."""
    allowed = OPERATORS[field.kind]
    if operator not in allowed:
        raise ValueError(f"{field.name} takes no operator {operator!r}; {nearest(operator, allowed)}")
    if operator == "exists":
        return _exists(_flag(operand))
    if operator in _ORDER:
        return Test(_ordered(operator, _limit(field.kind, operand)))
    if operator == "contains":
        return _contains(_strings(operand))
    if operator == "matches":
        return _matches(operand)
    return Test(_equal(field, operator, operand))


def _exists(wanted: bool) -> Test:
    return Test(lambda value: (value is not None and value != "" and value != ()) is wanted)


def _ordered(operator: str, limit: Any) -> Callable[[Any], bool]:
    match operator:
        case "at_least":
            return lambda value: value is not None and value >= limit
        case "at_most":
            return lambda value: value is not None and value <= limit
        case "above":
            return lambda value: value is not None and value > limit
    return lambda value: value is not None and value < limit


def _equal(field: Field, operator: str, operand: object) -> Callable[[Any], bool]:
    if field.kind == "flag":
        wanted = _flag(operand)
        return lambda value: value is wanted
    if operator == "is" and isinstance(operand, list):
        raise ValueError("is takes one value; write in: […] for several")
    if operator == "in" and not isinstance(operand, list):
        raise ValueError("in takes a list, for example [a, b]")
    values = frozenset(_value(field, item) for item in (operand if isinstance(operand, list) else [operand]))
    if not values:
        raise ValueError("an empty list never matches; name at least one value")
    if field.kind == "list":
        if operator == "not":
            return lambda found: not any(item.casefold() in values for item in found)
        return lambda found: any(item.casefold() in values for item in found)
    if field.kind == "text":
        if operator == "not":
            return lambda value: value is None or value.casefold() not in values
        return lambda value: value is not None and value.casefold() in values
    if operator == "not":
        return lambda value: value not in values
    return lambda value: value in values


def _value(field: Field, operand: object) -> str | float:
    if field.kind == "number":
        return _number(operand)
    if not isinstance(operand, str):
        raise ValueError(f"{operand!r} is not text; put it in quotes")
    if field.choices and operand not in field.choices:
        raise ValueError(f"{operand!r} is no value of {field.name}; {nearest(operand, field.choices)}")
    return operand.casefold() if field.kind in ("text", "list") else operand


def _flag(operand: object) -> bool:
    if not isinstance(operand, bool):
        raise ValueError(f"{operand!r} is neither true nor false")
    return operand


def _number(operand: object) -> float:
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        raise ValueError(f"{operand!r} is not a number")
    return operand


def _limit(kind: Kind, operand: object) -> Any:
    """What an ordered operator compares with, of the field's own kind."""
    if kind == "duration":
        try:
            return durations.parse(operand)
        except ValueError as error:
            raise ValueError(f"{operand!r} is {error}; write for example 15m, 4h or 2d") from error
    if kind == "time":
        try:
            moment = datetime.fromisoformat(operand) if isinstance(operand, str) else None
        except ValueError:
            moment = None
        if moment is None:
            raise ValueError(f"{operand!r} is not a time; write for example 2026-01-31 or 2026-01-31T18:00:00+01:00")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    limit = _number(operand)
    if kind == "score" and not 0 <= limit <= 1:
        raise ValueError(f"{operand!r} is no score; scores go from 0 to 1")
    return limit


def _strings(operand: object) -> Sequence[str]:
    written = operand if isinstance(operand, list) else [operand]
    phrases = [phrase for phrase in written if isinstance(phrase, str) and phrase.strip()]
    if not phrases or len(phrases) < len(written):
        raise ValueError("contains takes a word or phrase, or a list of them")
    if sum(map(len, phrases)) > 100 * LONGEST_PATTERN:
        raise ValueError(f"more than {100 * LONGEST_PATTERN} characters of phrases; brands belong in brands:")
    return phrases


def _contains(phrases: Sequence[str]) -> Test:
    """Whole words or phrases, whatever the case and the white space between the words."""

    def bounded(phrase: str) -> str:
        before = rf"(?<![^\W{_UNSPACED}])" if _LETTER.match(phrase[0]) else ""
        after = rf"(?![^\W{_UNSPACED}])" if _LETTER.match(phrase[-1]) else ""
        return before + r"\s+".join(map(re.escape, phrase.split())) + after

    # Literal words only, so the standard library cannot be made to backtrack.
    longest_first = sorted({phrase.strip() for phrase in phrases}, key=lambda phrase: (-len(phrase), phrase))
    pattern = re.compile("|".join(map(bounded, longest_first)), re.IGNORECASE)

    def found(text: str) -> tuple[str, ...]:
        words = (" ".join(match.group().split()).lower() for match in pattern.finditer(text))
        return tuple(dict.fromkeys(words))[:SHOWN_WORDS]

    return Test(lambda text: text is not None and pattern.search(text) is not None, found)


def _matches(operand: object) -> Test:
    """A regular expression, found anywhere, whatever the case, by RE2: its time grows linearly with the text, so no
    text can stall the router. RE2 has no backreferences or look-around (github.com/google/re2/wiki/Syntax)."""
    if not isinstance(operand, str) or not operand:
        raise ValueError("matches takes a regular expression in quotes")
    if len(operand) > LONGEST_PATTERN:
        raise ValueError(f"the pattern is longer than {LONGEST_PATTERN} characters; use contains with a list")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        pattern = re2.compile(operand, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"not a regular expression: {reason} (no backreferences, no look-around)") from error
    if pattern.search("") is not None:
        raise ValueError("the pattern matches the empty text, so always; make it ask for something")

    def clean(text: str) -> str:
        return text.encode("utf-8", "replace").decode("utf-8")

    def found(text: str) -> tuple[str, ...]:
        words = (match.group().strip() for match in pattern.finditer(clean(text)))
        return tuple(dict.fromkeys(word for word in words if word))[:SHOWN_WORDS]

    return Test(lambda text: text is not None and pattern.search(clean(text)) is not None, found)
