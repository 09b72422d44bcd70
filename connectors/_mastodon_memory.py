"""Which post is behind an id of a server: a deletion names nothing but that.

The last ones are held in memory; with a file (SQLite) they are also known after a restart. What is no longer known is
left to the rechecking of stored mentions.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

_log = structlog.get_logger(__name__)

_RECENT = 50_000
_KEPT = 1_000_000
"""Posts in the file, some 200 bytes each."""
_TABLE = """CREATE TABLE IF NOT EXISTS seen (
    at INTEGER PRIMARY KEY, server TEXT NOT NULL, id TEXT NOT NULL, mention TEXT NOT NULL, thread TEXT NOT NULL,
    UNIQUE (server, id) ON CONFLICT REPLACE
)"""


class Known(NamedTuple):
    """A post's mention id, and its thread's."""

    mention: str
    thread: str


class Seen:
    """What was passed on, by server and id. `open` before use and `close` after it, as often as wanted."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._recent: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, where there is one. One that cannot be had costs deletions only: it is done without."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._file, timeout=5, check_same_thread=False)
            with self._db:
                self._db.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            self._without(error)

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def get(self, server: str, id: str) -> Known | None:
        """The post, where it is known."""
        if known := self._recent.get((server, id)):
            return known
        if self._db is None:
            return None
        try:
            row = self._db.execute(
                "SELECT mention, thread FROM seen WHERE server = ? AND id = ?", (server, id)
            ).fetchone()
        except sqlite3.Error as error:
            self._without(error)
            return None
        return Known(*row) if row else None

    def put(self, posts: Mapping[tuple[str, str], Known]) -> None:
        """Remember these, durably where there is a file."""
        self._recent.update(posts)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        if self._db is None or not posts:
            return
        try:
            with self._db:
                self._db.executemany(
                    "INSERT INTO seen (server, id, mention, thread) VALUES (?, ?, ?, ?)",
                    [(*key, *known) for key, known in posts.items()],
                )
                self._db.execute("DELETE FROM seen WHERE at <= (SELECT max(at) FROM seen) - ?", (_KEPT,))
        except sqlite3.Error as error:
            self._without(error)

    def _without(self, error: Exception) -> None:
        _log.warning("the memory of posts cannot be used and will not survive a restart", error=str(error))
        self.close()
