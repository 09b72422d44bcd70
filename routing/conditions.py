"""Conditions: from what a rule's `when` says to one compiled test, with the reasons for its outcome.

when:                                  # several keys: all of them
  brand: acme                          # field: value       the same as {is: acme}
  source: [bluesky, x]                 # field: list        the same as {in: […]}
  author.followers: {at_least: 1000}   # field: operators   all of them
  any: [{kind: review}, {text: {contains: [refund, "money back"]}}]
  not: {spam: {at_least: 0.8}}
  time: {between: ["22:00", "06:00"], timezone: Europe/Berlin, weekdays: [fri, sat]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.errors import Problem
from routing import durations
from routing.documents import nearest
from routing.fields import FIELDS, Facts, Field
from routing.operators import OPERATORS, compile_test

DEEPEST = 8
"""How deeply all, any and not may nest."""

_GROUPS = ("all", "any", "not", "time")
_TIME_KEYS = ("between", "timezone", "weekdays")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHOWN = 60


class Condition(NamedTuple):
    """`holds` decides; `reasons` gives, as `field=value`, what led to that outcome (True or False)."""

    holds: Callable[[Facts], bool]
    reasons: Callable[[Facts, bool], Iterator[str]]


ALWAYS = Condition(lambda facts: True, lambda facts, held: iter(("always=true",)))  # noqa: ARG005 (a Condition's signature)
"""The condition of a default rule."""


def compile_condition(written: object, path: str, problems: list[Problem], depth: int = 0) -> Condition:
    """Compile what stands at `path`; adds every problem to `problems` (the result is then not to be used)."""
    if depth > DEEPEST:
        problems.append(Problem(path, f"nested more than {DEEPEST} deep", "split the rule in two"))
        return ALWAYS
    if not isinstance(written, dict) or not written:
        remedy = "write field: value, for example brand: acme"
        problems.append(Problem(path, "is not a condition", remedy))
        return ALWAYS
    parts = []
    for key, value in written.items():
        place = f"{path}.{key}"
        if key in ("all", "any"):
            parts.append(_group(key, value, place, problems, depth))
        elif key == "not":
            parts.append(_negated(compile_condition(value, place, problems, depth + 1)))
        elif key == "time":
            parts.append(_time(value, place, problems))
        elif key in FIELDS:
            parts.extend(_field(FIELDS[key], value, place, problems))
        else:
            problems.append(Problem(place, "there is no such field", nearest(key, (*FIELDS, *_GROUPS))))
    return _every(parts)


def _group(key: str, value: object, path: str, problems: list[Problem], depth: int) -> Condition:
    if not isinstance(value, list) or not value:
        problems.append(Problem(path, f"{key} takes a list of conditions", f"{key}: [{{…}}, {{…}}]"))
        return ALWAYS
    parts = [compile_condition(part, f"{path}[{number}]", problems, depth + 1) for number, part in enumerate(value)]
    return _every(parts) if key == "all" else _some(parts)


def _every(parts: Sequence[Condition]) -> Condition:
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.holds for part in parts)

    def holds(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 (a generator costs three times as much)
            if not test(facts):
                return False
        return True

    def reasons(facts: Facts, held: bool) -> Iterator[str]:
        if held:
            for part in parts:
                yield from part.reasons(facts, True)
        else:
            failed = next(part for part in parts if not part.holds(facts))
            yield from failed.reasons(facts, False)

    return Condition(holds, reasons)


def _some(parts: Sequence[Condition]) -> Condition:
    tests = tuple(part.holds for part in parts)

    def holds(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 (a generator costs three times as much)
            if test(facts):
                return True
        return False

    def reasons(facts: Facts, held: bool) -> Iterator[str]:
        for part in parts:
            if part.holds(facts) is held:
                yield from part.reasons(facts, held)

    return Condition(holds, reasons)


def _negated(part: Condition) -> Condition:
    return Condition(lambda facts: not part.holds(facts), lambda facts, held: part.reasons(facts, not held))


# ------------------------------------------------------------------------ one field


def _field(field: Field, written: object, path: str, problems: list[Problem]) -> Iterator[Condition]:
    if isinstance(written, dict):
        operators = written
        if not written:
            problems.append(Problem(path, "asks nothing", f"one of {', '.join(OPERATORS[field.kind])}"))
    else:
        operators = {"in" if isinstance(written, list) else "is": written}
    for operator, operand in operators.items():
        try:
            test = compile_test(field, str(operator), operand)
        except ValueError as error:
            message, _, remedy = str(error).partition("; ")
            problems.append(Problem(f"{path}.{operator}" if operators is written else path, message, remedy))
        else:
            yield _leaf(field, test.holds, test.found)


def _leaf(field: Field, test: Callable[[Any], bool], found: Callable[[str], tuple[str, ...]] | None) -> Condition:
    read = field.read

    def reasons(facts: Facts, held: bool) -> Iterator[str]:  # noqa: ARG001 (a Condition's signature)
        value = read(facts)
        if found is not None and value is not None:
            yield f"{field.name}={', '.join(map(_short, found(value))) or '(no match)'}"
        elif field.kind == "prose":
            yield f"{field.name}={'(present)' if value else '(absent)'}"
        else:
            words = field.words(facts) if field.words else ()
            behind = f" ({', '.join(map(_short, words[:5]))})" if words else ""
            yield f"{field.name}={_shown(value)}{behind}"

    return Condition(lambda facts: test(read(facts)), reasons)


def _shown(value: Any) -> str:
    match value:
        case None | "" | ():
            return "(absent)"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.4g}"
        case datetime():
            return value.isoformat()
        case timedelta():
            return durations.text(value)
        case tuple():
            return _short(", ".join(map(str, value)))
    return _short(str(value))


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


# ------------------------------------------------------------------------ time of day and day of the week


def _time(written: object, path: str, problems: list[Problem]) -> Condition:
    """When the mention was written, by the clock on the wall in `timezone`. `between` holds from its first time up to,
    not including, its second, past midnight where the second is earlier; `weekdays` then names the day on which the
    stretch began, so that Friday night lasts until Saturday morning."""
    if not isinstance(written, dict) or not written.keys() & {"between", "weekdays"}:
        problems.append(Problem(path, "asks nothing", 'for example {between: ["22:00", "06:00"], timezone: UTC}'))
        return ALWAYS
    for key in written:
        if key not in _TIME_KEYS:
            problems.append(Problem(f"{path}.{key}", "there is no such setting", nearest(key, _TIME_KEYS)))
    zone = _zone(written.get("timezone", "UTC"), f"{path}.timezone", problems)
    window = _between(written["between"], f"{path}.between", problems) if "between" in written else None
    days = _days(written.get("weekdays", list(_WEEKDAYS)), f"{path}.weekdays", problems)

    def local(facts: Facts) -> datetime:
        try:
            return facts.mention.created_at.astimezone(zone)
        except OverflowError:  # the first and last hours of the calendar have no local time everywhere
            return facts.mention.created_at

    def holds(facts: Facts) -> bool:
        moment = local(facts)
        clock = moment.time()
        day = moment.weekday()
        if window is None:
            return day in days
        start, end = window
        if start < end:
            return start <= clock < end and day in days
        return (clock >= start and day in days) or (clock < end and (day - 1) % 7 in days)

    def reasons(facts: Facts, held: bool) -> Iterator[str]:  # noqa: ARG001 (a Condition's signature)
        moment = local(facts)
        yield f"time={_WEEKDAYS[moment.weekday()]} {moment:%H:%M} {zone}"

    return Condition(holds, reasons)


def _zone(name: object, path: str, problems: list[Problem]) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no time zone data
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        remedy = "a name such as Europe/Berlin; where the system has no time zones, pip install tzdata"
        problems.append(Problem(path, f"{name!r} is no time zone", remedy))
        return UTC


def _between(written: object, path: str, problems: list[Problem]) -> tuple[time, time]:
    try:
        if not isinstance(written, list) or len(written) != 2:
            raise ValueError
        start, end = (datetime.strptime(str(part), "%H:%M").time() for part in written)
        if start == end:
            raise ValueError
    except ValueError:
        problems.append(Problem(path, "is not two different times of day", 'for example ["22:00", "06:00"]'))
        return time(), time()
    return start, end


def _days(written: object, path: str, problems: list[Problem]) -> frozenset[int]:
    names = written if isinstance(written, list) else [written]
    if not names:
        problems.append(Problem(path, "names no day, so the rule never fires", f"of {', '.join(_WEEKDAYS)}"))
    for name in names:
        if name not in _WEEKDAYS:
            problems.append(Problem(path, f"{name!r} is no day", nearest(name, _WEEKDAYS)))
    return frozenset(number for number, name in enumerate(_WEEKDAYS) if name in names)
