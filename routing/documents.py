"""Reading YAML that people write by hand: strict, and without YAML 1.1's surprises.

In YAML 1.1 `no` (Norwegian) is false, `22:00` is 1320 and a date is an object. Here, as in the core schema of YAML 1.2
(yaml.org/spec/1.2.2, section 10.3), only `true`, `false`, `null`, `~` and plain numbers are anything but text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError, Problem


class _Loader(yaml.SafeLoader):
    """Core-schema scalars; a key given twice and an alias are errors."""

    yaml_implicit_resolvers = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        node = None if self.check_event(yaml.AliasEvent) else super().compose_node(parent, index)
        if node is None:
            raise yaml.MarkedYAMLError(problem="an alias (*name) is not read here", problem_mark=self.get_mark())
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)\Z"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"-?(?:0|[1-9][0-9]*)\Z"), list("-0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z"), list("-0123456789")
)


def read(path: Path) -> Any:
    """The document in `path`; raises ConfigError naming the line where it is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError([Problem(str(path), "there is no such file", "check the path")]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}", "a rule file is text in UTF-8")]) from error
    return parsed(text, str(path))


def parsed(text: str, where: str) -> Any:
    """The document that this text is; raises ConfigError naming `where` and the line where it is not one."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise ConfigError([Problem(place, f"not YAML: {error.problem}", "correct the line")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(where, f"not YAML: {str(error)[:200]}", "")]) from error


def nearest(word: object, known: Iterable[str]) -> str:
    """The remedy for an unknown word: its nearest neighbour, or all there are."""
    names = sorted(known)
    near = get_close_matches(str(word), names, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
