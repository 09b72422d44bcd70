"""Plain text that flows (RFC 3676, `format=flowed`): wrapped for those who read it as it is, whole again for those
whose mail program knows better."""

from __future__ import annotations

import re

_WIDTH = 72
"""Characters of a line before the soft break; RFC 3676 (4.2) asks for 78 or fewer."""
_STUFFED = re.compile(r"^(?= |>|From )")
_BREAK = re.compile(r"\r\n|\r|\n")
SIGNATURE = "-- "
"""The line above a signature, which is never joined (RFC 3676, 4.3)."""


def flowed(text: str) -> str:
    """The text with soft breaks: a line that goes on below ends in a space. Its own lines end without one."""
    lines: list[str] = []
    for line in _BREAK.split(text):
        kept = line if line == SIGNATURE else line.rstrip(" ")
        lines += [_STUFFED.sub(" ", piece) for piece in _pieces(kept)]
    return "\n".join(lines)


def unflowed(text: str, delsp: bool = False) -> str:
    """The text as it was before it was wrapped; quoted lines keep their marks and are joined within their depth.
    `delsp` is the parameter of that name: the space of a soft break is no part of the text."""
    lines: list[str] = []
    open_depth: int | None = None
    for line in _BREAK.split(text):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        content = bare.removeprefix(" ")
        soft = content.endswith(" ") and content != SIGNATURE
        piece = content[:-1] if soft and delsp else content
        if open_depth == depth and content != SIGNATURE:
            lines[-1] += piece
        else:
            lines.append(">" * depth + " " * bool(depth) + piece)
        open_depth = depth if soft else None
    return "\n".join(lines)


def _pieces(line: str) -> list[str]:
    """The line in pieces of some 72 characters, each but the last with the space it was broken after."""
    pieces: list[str] = []
    while len(line) > _WIDTH:
        end = line.rfind(" ", 1, _WIDTH) + 1 or line.find(" ", _WIDTH) + 1
        if not 0 < end < len(line) or not line[:end].strip():
            break
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]
