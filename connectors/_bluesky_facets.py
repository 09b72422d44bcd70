"""Links and handles in a post's text as facets (lexicon `app.bsky.richtext.facet`), which Bluesky does not find itself.

A facet's place is counted in bytes of UTF-8 (docs.bsky.app/docs/advanced-guides/post-richtext).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LINK = re.compile(r"(?<!\w)https?://[^\s<>\"]+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.@/-])@([A-Za-z0-9.-]+)")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_AFTER = ".,;:!?'\"*_"
"""What ends a sentence or a quotation and not a link."""


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """The facets of the text: every link, and every handle whose did is in `dids` (handles in small letters)."""
    found = []
    for start, end in _links(text):
        found.append((start, end, {"$type": "app.bsky.richtext.facet#link", "uri": text[start:end]}))
    for start, end, handle in _mentions(text):
        if handle in dids:
            found.append((start, end, {"$type": "app.bsky.richtext.facet#mention", "did": dids[handle]}))
    return [
        {"index": {"byteStart": _bytes(text[:start]), "byteEnd": _bytes(text[:end])}, "features": [feature]}
        for start, end, feature in sorted(found, key=lambda one: one[0])
    ]


def handles(text: str) -> list[str]:
    """The handles the text names, in small letters, each once."""
    return list(dict.fromkeys(handle for _, _, handle in _mentions(text)))


def _links(text: str) -> Iterator[tuple[int, int]]:
    for found in _LINK.finditer(text):
        link = found.group().rstrip(_AFTER)
        while link.endswith(")") and link.count(")") > link.count("("):
            link = link[:-1].rstrip(_AFTER)
        if len(link) > len("https://"):
            yield found.start(), found.start() + len(link)


def _mentions(text: str) -> Iterator[tuple[int, int, str]]:
    """Handles are domain names (atproto.com/specs/handle); those inside a link are part of it."""
    taken = list(_links(text))
    for found in _HANDLE.finditer(text):
        name = found.group(1).rstrip(".-")
        labels = name.split(".")
        if len(labels) < 2 or len(name) > 253 or not all(map(_LABEL.fullmatch, labels)) or labels[-1][0].isdigit():
            continue
        if not any(start <= found.start() < end for start, end in taken):
            yield found.start(), found.start() + 1 + len(name), name.lower()


def _bytes(text: str) -> int:
    return len(text.encode())
