"""Playbooks: for each kind of incident, who is called and when, what may be said, what is paused, what to read.

Statements are written like macros (`desk/macros.py`): a name in braces and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from desk import macros
from desk._durations import Duration
from desk._plain import plain
from desk._validated import nearest, validated, wrong
from desk.macros import Macro, variables
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Settings
from spikes.detection import Kind, Severity

DEFAULT = Path(__file__).parent / "vocabulary" / "playbooks.yaml"
"""The playbooks that come with harken."""

VARIABLES = {**macros.VARIABLES, "incident.reference": "the incident's reference"}
"""What a statement may name besides the file's own `values`. Of these the alert fills in `brand.name` and
`incident.reference`; the rest is filled in where the statement is used as an answer."""

_E = TypeVar("_E", bound=StrEnum)


def _one_of(known: type[_E]) -> BeforeValidator:
    def chosen(value: object) -> object:
        if value not in list(known):
            raise wrong(f"there is no {value!r}", nearest(value, [str(it) for it in known]))
        return value

    return BeforeValidator(chosen)


_Kind = Annotated[Kind, _one_of(Kind)]
_Severity = Annotated[Severity, _one_of(Severity)]
_Words = Annotated[str, Field(min_length=1, max_length=300)]


class Call(Settings):
    """Who is called `after_minutes` from when the incident was opened, unless somebody has acknowledged it: these
    targets, every one where none is named; only if it is of this `severity` or above."""

    after_minutes: float = Field(0, ge=0, le=10_080)
    targets: tuple[str, ...] = ()
    severity: _Severity = Severity.MINOR


class Reading(Settings):
    """Something to read: a title and an address."""

    title: _Words
    url: str

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s<>\"|]{1,1000}", url):
            raise wrong("is not an address", "begin with https://, and write spaces as %20")
        return url


class ServiceLevel(Settings):
    """What is promised of an incident, from when it was opened (or opened again, or became so severe): by when somebody
    acknowledges it, and by when a first statement is out. None: nothing is."""

    acknowledge: Duration | None = None
    statement: Duration | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ServiceLevel:
        if self.acknowledge and self.statement and self.statement < self.acknowledge:
            raise wrong("promises the statement before anybody has acknowledged it", "give acknowledge a shorter time")
        return self


class Playbook(Settings):
    """What is done about incidents of these `kinds` (all, where none is named) of these `brands` (the same), from this
    `severity` on. `pause` is plain words: what to stop until it is over. `answers_per_minute` is how fast a statement
    goes out to its cases from each account (`spikes/answering.py`)."""

    name: str = Field(min_length=1, max_length=80)
    kinds: tuple[_Kind, ...] = ()
    brands: tuple[str, ...] = ()
    severity: _Severity = Severity.MINOR
    call: tuple[Call, ...] = (Call(),)
    statements: tuple[str, ...] = ()
    pause: tuple[_Words, ...] = ()
    read: tuple[Reading, ...] = ()
    service_level: ServiceLevel = ServiceLevel()
    answers_per_minute: float = Field(6, gt=0, le=30)

    def covers(self, kind: str, brand: str) -> bool:
        """Whether it is for such an incident."""
        return (not self.kinds or kind in self.kinds) and (not self.brands or brand in self.brands)


class Playbooks(Settings):
    """A file of playbooks, the statements they name, and the values these may name."""

    values: dict[str, str] = {}
    statements: tuple[Macro, ...] = ()
    playbooks: tuple[Playbook, ...] = ()

    @field_validator("values")
    @classmethod
    def _names(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if name in VARIABLES or not re.fullmatch(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*", name):
                raise wrong(f"{name!r} cannot name a value", "use a new name of small letters, such as links.status")
        return values

    def chosen(self, kind: str, brand: str) -> Playbook | None:
        """The first that covers such an incident."""
        return next((it for it in self.playbooks if it.covers(kind, brand)), None)

    def find(self, name: str) -> Playbook | None:
        """The playbook of this name."""
        return next((it for it in self.playbooks if it.name == name), None)

    def statement(self, name: str) -> Macro | None:
        """The statement of this name."""
        return next((it for it in self.statements if it.name == name), None)


def read(text: str, place: str, *, targets: Sequence[str] = (), brands: Sequence[str] = ()) -> Playbooks:
    """The playbooks of a YAML text. Raises ConfigError with every problem below `place`.

    `targets` and `brands`, where given, are those that exist; other names are problems.
    """
    found = validated(Playbooks, plain(text, place), place)
    problems = list(_problems(found, place, targets, brands))
    if problems:
        raise ConfigError(problems)
    return found


def load(path: Path | None = None, *, targets: Sequence[str] = (), brands: Sequence[str] = ()) -> Playbooks:
    """`read` of a file in UTF-8, without a path of those that come with harken."""
    path = path or DEFAULT
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}", "check the path")]) from None
    return read(text, str(path), targets=targets, brands=brands)


def filled(playbooks: Playbooks, statement: Macro, brand: str, reference: str) -> str:
    """The statement's first text with what an alert knows; what else it names stays in braces."""
    known: dict[str, str | None] = {**playbooks.values, "brand.name": brand, "incident.reference": reference}
    return macros.fill(statement, next(iter(statement.texts)), known).text


def _problems(found: Playbooks, place: str, targets: Sequence[str], brands: Sequence[str]) -> Iterable[Problem]:
    known = [*VARIABLES, *found.values]
    statements = [it.name for it in found.statements]
    yield from _twice(f"{place}.statements", "statements", statements)
    for number, statement in enumerate(found.statements):
        for language, text in statement.texts.items():
            for name in variables(text):
                if name not in known:
                    here = f"{place}.statements[{number}].texts.{language}"
                    yield Problem(here, f"there is no variable {{{name}}}", nearest(name, known))
    yield from _twice(f"{place}.playbooks", "playbooks", [it.name for it in found.playbooks])
    for number, playbook in enumerate(found.playbooks):
        at = f"{place}.playbooks[{number}]"
        yield from _unknown(f"{at}.statements", playbook.statements, statements)
        if brands:
            yield from _unknown(f"{at}.brands", playbook.brands, brands)
        earlier = next((it for it in found.playbooks[:number] if _hides(it, playbook)), None)
        if earlier:
            yield Problem(at, f"is never used: {earlier.name!r} before it covers all that it does", "put it before")
        yield from _call_problems(f"{at}.call", playbook.call, targets)


def _call_problems(at: str, calls: Sequence[Call], targets: Sequence[str]) -> Iterable[Problem]:
    if not calls:
        yield Problem(at, "calls nobody", "leave it out to call every target at once")
    for number, call in enumerate(calls):
        if number and call.after_minutes <= calls[number - 1].after_minutes:
            before = f"{calls[number - 1].after_minutes:g}"
            yield Problem(f"{at}[{number}].after_minutes", "is not after the call before", f"more than {before}")
        if targets:
            yield from _unknown(f"{at}[{number}].targets", call.targets, targets)


def _unknown(at: str, names: Iterable[str], known: Sequence[str]) -> Iterable[Problem]:
    return (Problem(at, f"there is no {name!r}", nearest(name, known)) for name in names if name not in known)


def _twice(at: str, what: str, names: Sequence[str]) -> Iterable[Problem]:
    for number, name in enumerate(names):
        if (first := names.index(name)) != number:
            yield Problem(f"{at}[{number}].name", f"{name!r} is {what}[{first}] already", "rename one")


def _hides(earlier: Playbook, later: Playbook) -> bool:
    kinds = not earlier.kinds or (bool(later.kinds) and set(later.kinds) <= set(earlier.kinds))
    return kinds and (not earlier.brands or (bool(later.brands) and set(later.brands) <= set(earlier.brands)))
