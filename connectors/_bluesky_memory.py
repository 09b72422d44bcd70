"""Whose posts this connector has passed on: so that a deletion that concerns us is passed on too, and the network's
other deletions (ten or more a second) are not.

A removal lost is worse than one too many. So the memory holds authors, not posts (one author's deletions are passed
on whether or not that post was ours), it is exact but for hash collisions (which only add), and it knows since when it
is complete: a deletion of a post written before that is passed on in any case. A post's age is read off its record
key, a TID (atproto.com/specs/tid: 53 bits of microseconds, 10 bits of clock, in sortable base 32).

With a file the memory survives a restart: 8 bytes an author, appended and synced before the page is handed over. A
cursor carries how many authors it relied on; a file that holds fewer is not the one it was saved with, and the memory
then counts as complete only from now.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_MARGIN_US = 600_000_000
"""How far a client's clock may be off (10 minutes) before its record key is not believed."""
LIMIT = 1_000_000
"""Authors kept at most (about 90 MB of memory, 8 MB of file); beyond it every deletion is passed on."""


def tid_us(rkey: str) -> int | None:
    """The microseconds since 1970 in a TID; None where the key is not one."""
    if len(rkey) != 13:
        return None
    value = 0
    for sign in rkey:
        digit = _ALPHABET.find(sign)
        if digit < 0:
            return None
        value = value << 5 | digit
    return value >> 10


class Authors:
    """The authors passed on, and `complete_since` (microseconds since 1970; 0: nothing was passed on before)."""

    def __init__(self, file: Path | None = None, limit: int = LIMIT) -> None:
        self._file = file
        self._limit = limit
        self._loaded = False
        self._known: set[bytes] = set()
        self.complete_since = 0

    def __len__(self) -> int:
        return len(self._known)

    def resume(self, authors: int, complete_since: int, now_us: int) -> None:
        """Go on from a cursor that relied on so many authors and was complete since then."""
        self._load()
        whole = len(self._known) >= authors
        self.complete_since = complete_since if whole else now_us
        if not whole:
            _log.warning("the memory of authors was lost, deletions of older posts are all passed on")

    def add(self, dids: Iterable[str]) -> None:
        """Remember these authors, durably where there is a file."""
        fresh = {_digest(did) for did in dids} - self._known
        if not fresh or len(self._known) >= self._limit:
            return
        self._known |= fresh
        if self._file is not None:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with self._file.open("ab") as file:
                    file.write(b"".join(fresh))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                _log.warning("the memory of authors cannot be written and will not survive a restart", error=str(error))
                self._file = None

    def author(self, did: str) -> bool:
        """Whether something of this author's may have been passed on."""
        return _digest(did) in self._known or self.complete_since > 0 or len(self._known) >= self._limit

    def record(self, did: str, rkey: str, seen_us: int) -> bool:
        """Whether this record may have been passed on; `seen_us` is when its deletion or change was seen."""
        if _digest(did) in self._known or len(self._known) >= self._limit:
            return True
        if self.complete_since == 0:
            return False
        written = tid_us(rkey)
        return written is None or not self.complete_since + _MARGIN_US <= written <= seen_us + _MARGIN_US

    def _load(self) -> None:
        if self._loaded or self._file is None:
            return
        self._loaded = True
        try:
            data = self._file.read_bytes() if self._file.exists() else b""
            if torn := len(data) % 8:
                data = data[:-torn]
                os.truncate(self._file, len(data))
        except OSError as error:
            _log.warning("the memory of authors cannot be read", error=str(error))
            return
        self._known |= {data[at : at + 8] for at in range(0, len(data), 8)}


def _digest(did: str) -> bytes:
    return blake2b(did.encode(errors="surrogatepass"), digest_size=8).digest()
