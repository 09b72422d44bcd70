"""The document of brands with one brand changed in it: every other line stays as somebody wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.errors import ConfigError
from routing.documents import parsed


class _Dumper(yaml.SafeDumper):
    """Quotes `1.5e3` too, which YAML 1.1 reads as text and `routing.documents` as a number."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"-?[0-9]+\.[0-9]+[eE][0-9]+\Z"), list("-0123456789")
)


def brands(body: str) -> dict[str, dict[str, Any]]:
    """What is written of each brand. Raises ConfigError where that is no such document."""
    tree = parsed(body, "brands")
    found = tree if isinstance(tree, dict) else {}
    return {str(name): it if isinstance(it, dict) else {} for name, it in found.items()}


def with_brand(body: str, name: str, lists: Mapping[str, Sequence[str]]) -> str:
    """The document with these lists in the brand, which may be a new one; an empty list is left out. Comments inside
    that brand are lost. Raises ConfigError as `brands` does."""
    known = brands(body)
    there = known.get(name, {}) | {key: list(values) for key, values in lists.items()}
    changed = {key: value for key, value in there.items() if value or key not in lists}
    wanted = known | {name: changed}
    if wanted == known:
        return body
    lines = body.splitlines(keepends=True)
    start, end = _place(body, name) or (len(lines), len(lines))
    if start and not lines[start - 1].endswith("\n"):
        lines[start - 1] += "\n"
    text = "".join([*lines[:start], _written({name: changed}), *lines[end:]])
    return text if _says(text, wanted) else _written(wanted)


def _place(body: str, name: str) -> tuple[int, int] | None:
    """The first line of the brand, and the one behind its last."""
    root = yaml.compose(body, yaml.SafeLoader)
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == name:
            lines = body.splitlines()
            end = value.end_mark.line + (value.end_mark.column > 0)
            while end > key.start_mark.line + 1 and lines[end - 1].lstrip()[:1] in ("", "#"):
                end -= 1  # what stands before the next brand is said of that one
            return key.start_mark.line, end
    return None


def _says(text: str, wanted: Mapping[str, Any]) -> bool:
    """Whether this is read as that: it is not where the document was written in an unusual way."""
    try:
        return brands(text) == wanted
    except ConfigError:
        return False


def _written(tree: Mapping[str, Any]) -> str:
    text: str = yaml.dump(dict(tree), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10_000)
    return text
