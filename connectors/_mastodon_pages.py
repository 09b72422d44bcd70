"""Pages of a timeline, and the ids by which one goes on from them."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.errors import SourceUnavailable

_LONGEST_ID = 64


def entries(answer: Any, host: str) -> list[tuple[str, bytes]]:
    """The entries of a page by their ids, oldest first; first those without an id, which are for whoever reads them
    to refuse."""
    if not isinstance(answer, list):
        raise SourceUnavailable(f"{host} answered something that is no list", trouble="http")
    found = [(_id(one), msgspec.json.encode(one)) for one in answer]
    return sorted(found, key=lambda entry: _order(entry[0]))


def _id(entry: Any) -> str:
    id = entry.get("id") if isinstance(entry, dict) else None
    return id if isinstance(id, str) and usable(id) else ""


def _order(id: str) -> tuple[int, str]:
    """Ids are numbers in decimals, or (on other servers than Mastodon) sort as they are; newer ones are larger."""
    return len(id), id


def usable(id: object) -> bool:
    """Whether it may stand in a cursor, an address or a message."""
    return isinstance(id, str) and 0 < len(id) <= _LONGEST_ID and id.isascii() and id.isprintable()


def later(one: str, other: str) -> str:
    """The later of two ids."""
    return max(one, other, key=_order)


_FIRST_MS, _LAST_MS = 1_420_070_400_000, 4_102_444_800_000
"""2015 and 2100."""


def back(id: str, seconds: float) -> str:
    """An id so much earlier, where ids tell the time: Mastodon's are milliseconds since 1970 shifted by 16 bits
    (lib/mastodon/snowflake.rb), those of others' posts by when they were written, so that a late one sorts early."""
    if not id.isascii() or not id.isdecimal() or len(id) > 19:
        return id
    milliseconds = int(id) >> 16
    if not _FIRST_MS < milliseconds < _LAST_MS:
        return id
    return str(max(0, milliseconds - int(seconds * 1_000)) << 16)
