"""What is told: the matter of a message, and its words as plain text. What comes from outside is made one line of
visible characters here; each target escapes it for its own language besides."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from msgspec import Struct

from pipeline.mention import Moment

TITLE_CHARS, PARAGRAPH_CHARS = 160, 1500
"""The longest title and paragraph that are told; what is longer is cut."""

REPEATED = "Sent again: the last attempt was not answered, so you may have read this before."
"""Stands on top where a target cannot tell a repetition from news."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

_WORDS = {
    "open": "open, and nobody has acknowledged it",
    "reopened": "open again, and nobody has acknowledged it",
    "acknowledged": "somebody sees to it",
    "statement_overdue": "somebody sees to it, but the promised statement is overdue",
    "statement_out": "a statement is out",
    "calming": "calming down",
    "closed": "closed",
}


class Statement(Struct, frozen=True, kw_only=True):
    """A statement template of the playbook, filled as far as can be: what else stays in braces."""

    name: str
    title: str
    text: str


class Page(Struct, frozen=True, kw_only=True):
    """Something to read."""

    title: str
    url: str


class Matter(Struct, frozen=True, kw_only=True):
    """One incident as it is told. `version` grows with every change: what has a lower one is older. `step` says how
    many calls of the playbook were made since it was opened."""

    incident: str
    version: int
    change: str
    brand: str
    kind: str
    state: str
    severity: Literal["minor", "major", "critical"]
    title: str
    paragraph: str
    url: str
    opened_at: Moment | None
    acknowledged_at: Moment | None
    playbook: str
    step: int
    statements: tuple[Statement, ...] = ()
    pause: tuple[str, ...] = ()
    read: tuple[Page, ...] = ()


class Notice(Struct, frozen=True, kw_only=True):
    """One message: of one incident, or (`summary`) of what was held back in quiet hours.

    `message` is the same for all that a target is told of one incident; `sequence` grows with it, and each stands for
    all before it. `first` is the sequence of the first that was handed to this target.
    """

    message: str
    sequence: int
    first: int
    at: Moment
    summary: bool
    matters: tuple[Matter, ...]

    @property
    def key(self) -> str:
        """The same on every attempt of the same message, and of no other."""
        return f"{self.message}-{self.sequence}"

    @property
    def first_key(self) -> str:
        """The key of the first of this incident."""
        return f"{self.message}-{self.first}"


def visible(text: str, longest: int) -> str:
    """One line without controls, invisible and direction-changing characters, cut with an ellipsis. The two joiners
    stay: Persian words and families of emoji are written with them."""
    kept = "".join(it if it in _JOINERS or unicodedata.category(it) not in _UNSEEN else " " for it in text)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def subject(notice: Notice) -> str:
    """A line that says it all."""
    if notice.summary:
        return f"{len(notice.matters)} incidents while it was quiet"
    (it,) = notice.matters
    return f"{it.severity.upper()} {it.brand}: {it.title}"


def lines(notice: Notice, *, repeated: bool = False) -> list[str]:
    """The message, line by line, without its subject; an empty one is a break between parts."""
    told = [REPEATED, ""] if repeated else []
    if notice.summary:
        for it in notice.matters:
            told += [f"{it.severity.upper()} {it.brand}: {it.title} ({_state(it)})", it.paragraph, it.url, ""]
        return _tidy(told)
    (it,) = notice.matters
    opened = f" Opened {it.opened_at:%Y-%m-%d %H:%M} UTC." if it.opened_at else ""
    told += [f"It is {_state(it)}.{opened}", "", it.paragraph, ""]
    if it.state != "closed":
        told += [f"To say, once approved: {one.title}: {one.text}" for one in it.statements]
        told += [f"To pause: {one}" for one in it.pause]
        told += [f"To read: {one.title}: {one.url}" for one in it.read]
    return _tidy([*told, "", it.url])


def _state(it: Matter) -> str:
    again = f" (call {it.step})" if it.step > 1 and it.acknowledged_at is None and it.state != "closed" else ""
    return _WORDS.get(it.state, it.state) + again


def _tidy(told: list[str]) -> list[str]:
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(told)).strip("\n")
    return text.split("\n")
