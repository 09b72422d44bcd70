"""Finds adapters by module name and imports one only when it is used.

A name in the configuration is looked up among the files of its room; nothing else can be imported through it.
"""

from __future__ import annotations

import importlib
from difflib import get_close_matches
from importlib import resources
from types import ModuleType
from typing import Literal

from pipeline.errors import ConfigError, Problem

Room = Literal["connectors", "enrich", "sinks", "pipeline.bus"]


def names(room: Room) -> tuple[str, ...]:
    """The adapters of a room: the files in it that define a `Config` (parts start with an underscore)."""
    found = []
    for entry in resources.files(room).iterdir():
        name, _, ending = entry.name.rpartition(".")
        if ending == "py" and not name.startswith("_") and "\nclass Config(" in entry.read_text(encoding="utf-8"):
            found.append(name)
    return tuple(sorted(found))


def load(room: Room, name: str, path: str) -> ModuleType:
    """Import the adapter `name` of `room`; `path` is the configuration's place, for the error."""
    known = names(room)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
        raise ConfigError([Problem(path, f"there is no {name!r} in {room}", remedy)])
    try:
        return importlib.import_module(f"{room}.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            [Problem(path, f"{name!r} needs the library {error.name!r}", f"pip install 'harken[{name}]'")]
        ) from error


def suggestion(word: str, known: list[str]) -> str:
    """The remedy for an unknown word: its nearest neighbour, or all there are."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
