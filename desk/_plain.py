"""YAML as plain strings, lists and mappings: `no` stays the language and 12 a text; a model converts what it wants."""

from __future__ import annotations

from typing import Any

import yaml

from pipeline.errors import ConfigError, Problem


def plain(text: str, place: str) -> Any:
    """The document in `text`, an empty one as `{}`. Raises ConfigError naming `place` and the line where it is none."""
    try:
        return yaml.load(text, yaml.BaseLoader) or {}  # noqa: S506 (builds nothing but strings, lists and mappings)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it cannot be read"
        at = f"{place}:{mark.line + 1}" if mark else place
        raise ConfigError([Problem(at, f"not YAML: {reason}", "correct the line")]) from None
