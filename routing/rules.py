"""The rules: a YAML file, validated as a whole (every problem at once) and compiled once.

version: 2026-01            # a label of your own; decisions carry it with a digest of the rules
queues: [service, marketing]
rules:                      # tried from the top; the first that holds decides
  - name: complaint
    when: {intents.complaint: {at_least: 0.5}}
    queue: service          # or   filter: reason
    priority: high          # urgent, high, normal (the default), low
    first_response: 1h      # from the mention's own time, by the wall clock
    resolution: 2d
  - name: default           # the last one must always hold
    when: always
    queue: marketing
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, Problem
from pipeline.mention import Priority
from routing import durations
from routing.conditions import ALWAYS, Condition, compile_condition
from routing.documents import nearest, read

DEFAULT = Path(__file__).with_name("rules.yaml")
"""The rules that come with harken."""

DEFAULT_CASES = Path(__file__).with_name("rules_test.yaml")
"""Their tests."""

_TOP_KEYS = ("version", "queues", "rules")
_RULE_KEYS = ("name", "when", "queue", "filter", "priority", "first_response", "resolution")
_WAITING_KEYS = ("priority", "first_response", "resolution")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_NAME = re.compile(r"[a-z0-9][a-z0-9 _-]{0,47}")


@dataclass(frozen=True)
class Rule:
    """One rule: where a mention goes for which `condition` holds. Either `queue` or `filtered` (a reason) is set."""

    name: str
    condition: Condition
    queue: str | None = None
    filtered: str | None = None
    priority: Priority = Priority.NORMAL
    first_response: timedelta | None = None
    resolution: timedelta | None = None


@dataclass(frozen=True)
class Rules:
    """A whole file of rules, in order; the last one always holds.

    `version` is the file's own label with a digest of its contents (`2026-01+5f0c1e9a2b7d`): comments and layout do
    not change it, anything that could change a decision does.
    """

    version: str
    queues: tuple[str, ...]
    rules: tuple[Rule, ...]


def load(path: Path | None = None) -> Rules:
    """Read and validate a file of rules, by default the one that comes with harken. Raises ConfigError with every
    problem found."""
    where = path or DEFAULT
    return parse(read(where), where.name)


def parse(document: Any, where: str = "rules") -> Rules:
    """Validate and compile rules that were read already; `where` begins the path of every problem."""
    problems: list[Problem] = []
    if not isinstance(document, dict):
        raise ConfigError([Problem(where, "holds no rules", "it begins with version:, queues: and rules:")])
    problems += _unknown(document, _TOP_KEYS, where)
    label = _label(document.get("version"), f"{where}: version", problems)
    queues = _queues(document.get("queues"), f"{where}: queues", problems)
    rules = _rules(document.get("rules"), queues, where, problems)
    if problems:
        raise ConfigError(problems)
    canonical = json.dumps({key: document[key] for key in _TOP_KEYS[1:]}, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return Rules(f"{label}+{digest}", queues, rules)


def _unknown(written: dict[Any, Any], known: Sequence[str], path: str) -> list[Problem]:
    separator = "." if "rules[" in path else ": "
    return [
        Problem(f"{path}{separator}{key}", "there is no such setting", nearest(key, known))
        for key in written
        if key not in known
    ]


def _label(written: object, path: str, problems: list[Problem]) -> str:
    label = str(written) if isinstance(written, str | int | float) and not isinstance(written, bool) else ""
    if not _LABEL.fullmatch(label):
        problems.append(Problem(path, "is not a label", "up to 32 letters, digits, . _ -, for example 2026-01"))
    return label


def _queues(written: object, path: str, problems: list[Problem]) -> tuple[str, ...]:
    names = written if isinstance(written, list) else []
    if not names:
        problems.append(Problem(path, "declares no queue", "for example [service, marketing]"))
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(Problem(path, f"{name!r} is no name for a queue", "small letters, digits, _ and -"))
        elif names.count(name) > 1:
            problems.append(Problem(path, f"{name} is declared twice", "once is enough"))
    return tuple(dict.fromkeys(map(str, names)))


def _rules(written: object, queues: Sequence[str], where: str, problems: list[Problem]) -> tuple[Rule, ...]:
    if not isinstance(written, list) or not written:
        problems.append(Problem(f"{where}: rules", "holds no rules", "a list of rules, the last one when: always"))
        return ()
    rules = []
    places: dict[str, str] = {}
    always: str | None = None
    for number, one in enumerate(written):
        path = f"{where}: rules[{number}]"
        if not isinstance(one, dict):
            problems.append(Problem(path, "is not a rule", "a rule has name:, when: and queue: or filter:"))
            continue
        name = one.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(Problem(f"{path}.name", "is not a name", "small letters, digits, spaces, _ and -"))
        else:
            path += f" ({name})"
            if name in places:
                problems.append(Problem(path, f"has the name of {places[name]}", "give each rule its own name"))
            places.setdefault(name, f"rules[{number}]")
        if always:
            problems.append(Problem(path, f"is never reached: {always} always holds", "move it up, or remove it"))
        rules.append(_rule(one, queues, path, problems))
        if one.get("when") == "always":
            always = always or path.partition(": ")[2]
    if not always:
        remedy = "end with a rule that has when: always, so that every mention is decided"
        problems.append(Problem(f"{where}: rules", "has no default", remedy))
    return tuple(rules)


def _rule(one: dict[Any, Any], queues: Sequence[str], path: str, problems: list[Problem]) -> Rule:
    problems += _unknown(one, _RULE_KEYS, path)
    condition = ALWAYS
    if "when" not in one:
        problems.append(Problem(f"{path}.when", "is missing", "a condition, or always"))
    elif one["when"] != "always":
        condition = compile_condition(one["when"], f"{path}.when", problems)
    queue, reason = one.get("queue"), one.get("filter")
    if (queue is None) == (reason is None):
        problems.append(Problem(path, "goes to both or neither", "write either queue: NAME or filter: REASON"))
    if queue is not None and queue not in queues:
        problems.append(Problem(f"{path}.queue", f"{queue!r} is not declared in queues", nearest(queue, queues)))
    if reason is not None:
        if not isinstance(reason, str) or not _NAME.fullmatch(reason):
            problems.append(Problem(f"{path}.filter", "is not a reason", "a few small words, such as no brand"))
        for key in sorted(one.keys() & set(_WAITING_KEYS)):
            problems.append(Problem(f"{path}.{key}", "is for queues; nobody waits for what is filtered", "remove it"))
    first = _duration(one.get("first_response"), f"{path}.first_response", problems)
    resolution = _duration(one.get("resolution"), f"{path}.resolution", problems)
    if first and resolution and resolution < first:
        problems.append(Problem(f"{path}.resolution", "is due before the first response", "make it the longer one"))
    priority = _priority(one.get("priority", "normal"), f"{path}.priority", problems)
    return Rule(str(one.get("name")), condition, queue, reason, priority, first, resolution)


def _priority(written: object, path: str, problems: list[Problem]) -> Priority:
    names = [priority.value for priority in Priority]
    if written in names:
        return Priority(written)
    problems.append(Problem(path, f"{written!r} is no priority", nearest(written, names)))
    return Priority.NORMAL


def _duration(written: object, path: str, problems: list[Problem]) -> timedelta | None:
    if written is None:
        return None
    try:
        return durations.parse(written)
    except ValueError as error:
        problems.append(Problem(path, f"{written!r} is {error}", "write for example 15m, 4h or 2d"))
        return None
