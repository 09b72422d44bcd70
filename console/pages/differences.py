"""What changed from one text to another, line by line, as a page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

CONTEXT = 3
"""Lines shown around a change."""


class Line(NamedTuple):
    """One line: whether it stayed, came or went, its number in the old and in the new text, and its words. A line of
    `kind` gap stands for those that are left out."""

    kind: Literal["same", "added", "removed", "gap"]
    before: int | None
    after: int | None
    text: str


def differences(before: str, after: str) -> list[Line]:
    """The lines that changed, with some around them; nothing where the texts are the same."""
    old, new = before.splitlines(), after.splitlines()
    return list(_lines(old, new)) if old != new else []


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    # `autojunk` would take a line that is often there, such as a closing bracket, for no match at all.
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT)
    for number, group in enumerate(groups):
        if number:
            yield Line("gap", None, None, "")
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                for step, text in enumerate(old[old_from:old_to]):
                    yield Line("same", old_from + step + 1, new_from + step + 1, text)
                continue
            for step, text in enumerate(old[old_from:old_to], old_from + 1):
                yield Line("removed", step, None, text)
            for step, text in enumerate(new[new_from:new_to], new_from + 1):
                yield Line("added", None, step, text)
