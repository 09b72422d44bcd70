"""Posts as an agent reads them: the words that led to a decision marked, the long ones cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from console.pages.words import plain, said

LONG_CHARS = 1200
"""A longer post is shown cut, with all of it a press away."""

CUT_CHARS = 700

MOST_WORDS = 60
"""So many different words are marked in one post."""

_TAG = re.compile(r"(<[^>]*>)")
_VALUE = re.compile(r"[^=]*=(.+)", re.DOTALL)


def marked(text: str, words: Sequence[str]) -> Markup:
    """What a stranger wrote, as the filter `said` shows it, with these words (in any case, whole ones) marked. Links
    are left alone."""
    shown = said(text)
    pattern = _pattern(words)
    if pattern is None:
        return shown
    pieces: list[str] = []
    in_link = False
    # What is escaped holds no `<` of its own: whatever stands between two tags is text.
    for piece in _TAG.split(str(shown)):
        if piece.startswith("<"):
            in_link = piece.startswith("<a ") or (in_link and piece != "</a>")
        elif not in_link:
            piece = pattern.sub(_mark, piece)
        pieces.append(piece)
    return Markup("".join(pieces))  # noqa: S704 - made of escaped text and our own tags


def _pattern(words: Sequence[str]) -> re.Pattern[str] | None:
    wanted = sorted({plain(it).strip() for it in words[:MOST_WORDS]} - {""}, key=len, reverse=True)
    if not wanted:
        return None
    each = "|".join(_whole(str(escape(it))) for it in wanted)
    return re.compile(rf"(?P<word>{each})|&[#\w]+;", re.IGNORECASE)  # the second: an escaped sign is not looked into


def _whole(word: str) -> str:
    left = r"(?<!\w)" if word[0].isalnum() else ""
    right = r"(?!\w)" if word[-1].isalnum() else ""
    return left + re.escape(word) + right


def _mark(found: re.Match[str]) -> str:
    return f"<mark>{found[0]}</mark>" if found["word"] else found[0]


def words_of(evidence: Iterable[str]) -> list[str]:
    """The words in a decision's evidence (`field=value`) that may stand in the text."""
    found = (_VALUE.fullmatch(it) for it in evidence)
    return [word.strip() for it in found if it for word in it[1].split(",") if _told(word.strip())]


def _told(word: str) -> bool:
    """Whether it is a word and not a number or an answer."""
    return len(word) > 1 and word not in ("true", "false", "True", "False") and any(it.isalpha() for it in word)


def cut(text: str) -> str:
    """The beginning of a long text, up to the end of a word; all of one that is not long."""
    if len(text) <= LONG_CHARS:
        return text
    head = text[:CUT_CHARS]
    return (head.rsplit(None, 1)[0] if len(head.split()) > 1 else head) + " …"
