"""Macros: answers written once, with variables that are checked before use.

A template knows names in braces and nothing else: no attributes, formats, conversions or code, so that whoever may
write a macro may not read or run anything. `string.Formatter.parse` of the standard library splits it; a template
engine would bring more power than a sentence with a name in it needs.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from desk._plain import plain
from desk._validated import nearest, validated, wrong
from desk.lengths import measure
from pipeline.errors import ConfigError, Problem
from pipeline.mention import Intent
from pipeline.ports import Settings

VARIABLES: Mapping[str, str] = {
    "customer.first_name": "the first word of the name the customer shows",
    "customer.name": "the name the customer shows",
    "customer.handle": "the customer's handle, without @",
    "case.reference": "the reference a customer can quote",
    "mention.url": "the address of what is answered",
    "agent.first_name": "the first name of whoever answers",
    "agent.name": "the name of whoever answers",
    "brand.name": "the brand the mention is about",
}
"""What the desk can fill in; a macro file adds its own under `values`."""

TOPIC_WEIGHT = 0.5
"""What a shared topic adds to a macro's score, beside an intent's own score of up to 1."""

_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_HOLE = re.compile(r"\{[^{}\n]{0,60}\}|\[[A-Z][A-Z _]{2,40}\]|<[a-z]+(?:[ _.][a-z]+)*>|_{3,}|\bX{3,}\b")
_LONGEST = 200
"""Characters of a filled-in value: a customer's name comes from outside and is cut there."""


def variables(template: str) -> tuple[str, ...]:
    """The names a template asks for, each once. Raises ValueError, in words, where it is not one we allow."""
    names: dict[str, None] = {}
    for _, name, form, conversion in _parts(template):
        if name is None:
            continue
        if form or conversion or not _NAME.fullmatch(name):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise ValueError(f"{{{shown}}} is not a plain name such as {{customer.first_name}}")
        names[name] = None
    return tuple(names)


def _parts(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("a brace is not closed or not opened; write {{ or }} for one that is text") from None


def _template(text: str) -> str:
    try:
        variables(text)
    except ValueError as error:
        raise wrong(str(error), "use only {name}") from None
    return text


Template = Annotated[str, Field(min_length=1), AfterValidator(_template)]


class Macro(Settings):
    """An answer written once, in one or more languages (ISO 639-1), for what it fits."""

    name: str = Field(min_length=1)
    title: str = ""
    texts: dict[str, Template] = Field(min_length=1)
    intents: tuple[str, ...] = ()
    """The intents it answers (complaint, praise, lead, question); with no intent and no topic it fits everything."""
    topics: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """Where it may be used; empty means everywhere."""

    @field_validator("texts")
    @classmethod
    def _languages(cls, texts: dict[str, str]) -> dict[str, str]:
        for language in texts:
            if not re.fullmatch("[a-z]{2}", language):
                raise wrong(f"{language!r} is not a language", "use two small letters, such as en")
        return texts


class Macros(Settings):
    """A macro file: the macros, and the values (a link, opening hours) all of them may name."""

    values: dict[str, str] = {}
    macros: tuple[Macro, ...] = ()

    @field_validator("values")
    @classmethod
    def _names(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if name in VARIABLES or not _NAME.fullmatch(name):
                raise wrong(f"{name!r} cannot name a value", "use a new name of small letters, such as links.returns")
        return values

    def find(self, name: str) -> Macro | None:
        """The macro of this name."""
        return next((macro for macro in self.macros if macro.name == name), None)


def read(text: str, place: str, *, intents: Sequence[str] = (), networks: Sequence[str] = ()) -> Macros:
    """The macros of a YAML text. Raises ConfigError with every problem below `place`.

    `intents` and `networks`, where given, are those that exist; other names are problems.
    """
    macros = validated(Macros, plain(text, place), place)
    problems = list(_problems(macros, place, intents, networks))
    if problems:
        raise ConfigError(problems)
    return macros


def load(path: Path, *, intents: Sequence[str] = (), networks: Sequence[str] = ()) -> Macros:
    """`read` of a file in UTF-8; raises ConfigError where it is missing or is no text."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}", "check the path")]) from None
    return read(text, str(path), intents=intents, networks=networks)


def _problems(macros: Macros, place: str, intents: Sequence[str], networks: Sequence[str]) -> list[Problem]:
    known = [*VARIABLES, *macros.values]
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, macro in enumerate(macros.macros):
        at = f"{place}.macros[{number}]"
        if (first := seen.setdefault(macro.name, number)) != number:
            problems.append(Problem(f"{at}.name", f"{macro.name!r} is macros[{first}] already", "rename one"))
        for field, names, exist in (("intents", macro.intents, intents), ("networks", macro.networks, networks)):
            problems += [
                Problem(f"{at}.{field}", f"there is no {name!r}", nearest(name, exist))
                for name in names
                if exist and name not in exist
            ]
        for language, text in macro.texts.items():
            here = f"{at}.texts.{language}"
            problems += [
                Problem(here, f"there is no variable {{{name}}}", nearest(name, known))
                for name in variables(text)
                if name not in known
            ]
            least = "".join(literal for literal, *_ in _parts(text))
            problems += [
                Problem(here, f"{length.over} {length.unit} too long for {network}", "shorten it")
                for network in macro.networks
                for length in measure(least, network)
                if length.over
            ]
    return problems


# ---------------------------------------------------------------------- filling


@dataclass(frozen=True)
class Filled:
    """A macro's text with its variables filled in. A missing one stays in its braces and is named in `missing`;
    such a text is a draft to complete, never one to send."""

    text: str
    missing: tuple[str, ...] = ()


def fill(macro: Macro, language: str, values: Mapping[str, str | None]) -> Filled:
    """The macro's text in `language` (KeyError where it has none) with `values`; empty ones count as missing.

    A value is put in as it is, once: braces in a customer's name ask for nothing. Line breaks in it become spaces.
    """
    pieces: list[str] = []
    missing: dict[str, None] = {}
    for literal, name, _, _ in _parts(macro.texts[language]):
        pieces.append(literal)
        if name is None:
            continue
        value = " ".join((values.get(name) or "").split())[:_LONGEST].strip()
        if not value:
            missing[name] = None
        pieces.append(value or f"{{{name}}}")
    return Filled("".join(pieces), tuple(missing))


def first_name(name: str) -> str:
    """The first word of a shown name where it looks like one (letters, hyphens, apostrophes), else nothing: better
    no name in a greeting than `Hello xX_Gamer_Xx`."""
    word = (name.split() or [""])[0].strip(",.")
    plain = re.sub("['\N{RIGHT SINGLE QUOTATION MARK}-]", "", word)
    return word if plain.isalpha() and len(plain) > 1 else ""


def holes(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of what looks unfilled: `{case.reference}`, `[NAME]`, `<name>`, `___`, `XXX`. Nothing with one is sent
    unseen."""
    return tuple(found.span() for found in _HOLE.finditer(text))


# ------------------------------------------------------------------- suggesting


@dataclass(frozen=True)
class Suggestion:
    """A macro that fits, in which language, how well, and why in words (`complaint 0.92`, `topic delivery`)."""

    macro: Macro
    language: str
    score: float
    reasons: tuple[str, ...]


def suggest(
    macros: Sequence[Macro],
    intents: Sequence[Intent],
    topics: Sequence[str],
    language: str | None,
    *,
    network: str = "",
    most: int = 5,
) -> tuple[Suggestion, ...]:
    """The macros that fit, best first: the score is the best shared intent's score plus `TOPIC_WEIGHT` for every
    shared topic; macros for everything come last with 0. Equals keep the file's order.

    A macro that cannot be used on `network`, or has no text in `language`, is left out. Where the language is not
    known (None or `und`), a macro's first text is offered.
    """
    scores = {intent.name: intent.score for intent in intents}
    found: list[Suggestion] = []
    for macro in macros:
        spoken = next(iter(macro.texts)) if language in (None, "und") else language
        if spoken not in macro.texts or (network and macro.networks and network not in macro.networks):
            continue
        shared = sorted((scores[name], name) for name in macro.intents if scores.get(name, 0.0) > 0.0)
        about = [topic for topic in macro.topics if topic in topics]
        if not shared and not about and (macro.intents or macro.topics):
            continue
        score = (shared[-1][0] if shared else 0.0) + TOPIC_WEIGHT * len(about)
        reasons = [f"{name} {share:.2f}" for share, name in reversed(shared)] + [f"topic {topic}" for topic in about]
        found.append(Suggestion(macro, spoken, round(score, 4), tuple(reasons or ["fits everything"])))
    return tuple(sorted(found, key=lambda suggestion: -suggestion.score)[:most])
