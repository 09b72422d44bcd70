"""Where a YAML text is wrong: from the path that a problem names (`rules[4] (complaint).when`) to a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from pipeline.errors import ConfigError, Problem

_LINE = re.compile(r"\A[^:]*:(\d+)(?::\d+)?\Z")
_INDEX = re.compile(r"\[(\d+)\]")
_NOTE = re.compile(r" \([^()]*\)")


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a text: the line (from 1) where that is known, the place in words, what, and what to do."""

    line: int | None
    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.place}" if self.line else self.place
        return f"{where}: {self.message}" + (f" ({self.remedy})" if self.remedy else "")


def findings(body: str, error: ConfigError) -> list[Finding]:
    """The problems of this text with their lines, in the order of the text."""
    try:
        root = yaml.compose(body, yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        root = None
    found = [_finding(root, problem) for problem in error.problems]
    return sorted(found, key=lambda it: it.line or 0)


def _finding(root: yaml.Node | None, problem: Problem) -> Finding:
    if stated := _LINE.match(problem.path):
        return Finding(int(stated[1]), "", problem.message, problem.remedy)
    return Finding(_line(root, problem.path), problem.path, problem.message, problem.remedy)


def _line(root: yaml.Node | None, path: str) -> int | None:
    """The line of the innermost part that the path leads to; None where it does not lead into this text at all."""
    # What stands before the text's own keys (the name of a file, `desk.calendars`) is no part of the way: the start
    # that leads furthest is the right one.
    starts = [match.end() for match in re.finditer(r": |\.|\A", path)]
    line, _ = min((_led(root, path[start:]) for start in starts), key=lambda led: (led[0] is None, led[1]))
    return line


def _led(node: yaml.Node | None, rest: str) -> tuple[int | None, int]:
    """The line, and how much of the path is left there."""
    line = None
    while rest:
        if isinstance(node, yaml.SequenceNode) and (index := _INDEX.match(rest)):
            number, after = int(index[1]), rest[index.end() :]
            if number >= len(node.value):
                break
            node = node.value[number]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            fitting = [(key, value) for key, value in node.value if _begins(rest, key.value)]
            if not fitting:
                break
            key, node = max(fitting, key=lambda pair: len(pair[0].value))
            line, after = key.start_mark.line + 1, rest[len(key.value) :]
        else:
            break
        rest = _NOTE.sub("", after, count=1) if after.startswith(" (") else after
        rest = rest.removeprefix(".")
    return line, len(rest)


def _begins(path: str, key: object) -> bool:
    return isinstance(key, str) and path.startswith(key) and (len(path) == len(key) or path[len(key)] in ".[ ")
