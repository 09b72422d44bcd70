"""Words to search by, the same on both databases: how a text falls into them, and what somebody typed asks for.

A word is a run of letters, digits and combining marks, in small letters and in Unicode's compatible form (NFKC), so
that full-width letters are found as others. Where writing has no spaces every character is a word, and what was typed
is found as a phrase; an emoji is one too. What one cannot see (zero-width, bidirectional marks) counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import normalize

import regex

from pipeline.mention import Mention

MOST_CHARS = 16_000
"""Of one mention: what stands beyond is not found."""

MOST_ASKED = 16
"""Words in one question."""

WORD_CHARS = 64
"""A longer word is cut."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(
    rf"[{_UNSPACED}\p{{Extended_Pictographic}}--[0-9#*]]|[\p{{L}}\p{{N}}\p{{M}}_--[{_UNSPACED}]]+", regex.V1
)
_ASCII_WORD = regex.compile(r"[a-z0-9_]+")
_UNSEEN = regex.compile(r"[\p{Cf}\uFE00-\uFE0F]")
_ASKED = regex.compile(r'"(?P<phrase>[^"]*)"?|@(?P<handle>[^\s"]+)|(?P<words>[^\s"]+)')
_NO_HANDLE = regex.compile(r"[^\w.@-]")


class Asked(NamedTuple):
    """What is looked for: every phrase (most are of one word) and every handle must be there."""

    phrases: tuple[tuple[str, ...], ...]
    handles: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Every word once, in the order in which they were typed; a handle begins with `@`."""
        return tuple(dict.fromkeys([*(word for phrase in self.phrases for word in phrase), *self.handles]))


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    if text.isascii():
        return [it[:WORD_CHARS] for it in _ASCII_WORD.findall(text[:MOST_CHARS].lower())]
    plain = _UNSEEN.sub("", normalize("NFKC", text[:MOST_CHARS])).casefold()
    return [it[:WORD_CHARS] for it in _WORD.findall(plain[:MOST_CHARS])]


def handles_of(mention: Mention) -> Iterator[str]:
    """What their author is found by: `@ana.example` and, in short, `@ana`."""
    if handle := _handle(mention.author.handle):
        yield handle
        short = handle[:1] + regex.split(r"[.@]", handle[1:], maxsplit=1)[0]
        if short not in (handle, "@"):
            yield short


def fields_of(mention: Mention) -> list[list[str]]:
    """The words of everything in a mention that somebody may remember, part by part: a phrase stands within one."""
    left, parts = MOST_CHARS, []
    for text in (mention.text, mention.title, mention.author.name, *(it.alt for it in mention.media)):
        if text and left > 0:
            parts.append(words_of(text[:left])[:left])
            left -= max(len(text), sum(map(len, parts[-1])))
    return parts


def asked(typed: str) -> Asked:
    """What somebody typed asks for; nothing of it is an operator but the quotation marks of a phrase and the `@` of a
    handle."""
    phrases: list[tuple[str, ...]] = []
    handles: list[str] = []
    for part in _ASKED.finditer(normalize("NFKC", typed).translate(_QUOTES)):
        if part["handle"] is not None:
            handles += [it for it in [_handle(part["handle"])] if it]
        elif phrase := tuple(words_of(part["phrase"] or part["words"] or "")):
            phrases.append(phrase)
    return Asked(tuple(dict.fromkeys(phrases)), tuple(dict.fromkeys(handles)))


_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'))


def _handle(written: str) -> str:
    plain = _NO_HANDLE.sub("", _UNSEEN.sub("", normalize("NFKC", written))).casefold().strip("@.-")
    return f"@{plain[:WORD_CHARS]}" if plain else ""
