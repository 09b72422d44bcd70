"""How far each server was heard: the cursor, and the gap that is being filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from connectors._mastodon_found import Filled
from connectors._mastodon_pages import later
from connectors._mastodon_timelines import SEARCH
from pipeline.errors import SourceRefused
from pipeline.ports import Gap

NOTE = "filled from the timelines, which do not tell of edits and deletions"
_WORDS = 300


class Place(Struct, omit_defaults=True):
    """How far one server was heard. `last` is the newest id of each timeline; `behind` is where filling stands on
    those not filled yet (None: its newest page is still to be asked for). `hole` is what is being filled: from when to
    when, and why. `short` says what could not be."""

    heard: datetime | None = None
    why: str = ""
    last: dict[str, str] = {}
    behind: dict[str, str | None] = {}
    hole: tuple[datetime, datetime, str] | None = None
    short: str = ""

    def begin(self, keys: Iterable[str], now: datetime) -> None:
        """The streams are open: what came before on these timelines is yet to be asked for."""
        self.behind = {key: self.behind.get(key, self.last.get(key)) for key in keys}
        self.last = {key: id for key, id in self.last.items() if key in self.behind or key.startswith(SEARCH)}
        if self.heard is not None:
            since, _, why = self.hole or (self.heard, now, self.why or "nobody listened")
            self.hole = (since, now, why)

    def advance(self, key: str, id: str) -> None:
        """This timeline was heard up to this id (empty: that is not known)."""
        if key and id:
            self.last[key] = later(id, self.last.get(key, ""))

    def fill(self, filled: Filled) -> Sequence[Gap]:
        """A page was filled in; the gap, once it was the last."""
        # A timeline with nothing on it is asked from its beginning next time, not for its newest page.
        self.advance(filled.key, later(filled.id, "0"))
        if not filled.done:
            self.behind[filled.key] = filled.id
            return []
        self.behind.pop(filled.key, None)
        if filled.short:
            self.short = f"{filled.key}: {filled.short}"[:_WORDS]
        if self.behind or not self.hole:
            return []
        since, until, why = self.hole
        note = f"not wholly filled: {self.short}" if self.short else NOTE
        gap = Gap(since, until, f"{filled.server}: {why}"[:_WORDS], not self.short, note)
        self.hole, self.short, self.why = None, "", ""
        return [gap]


class Cursor(Struct, omit_defaults=True):
    """All servers, by their address."""

    servers: dict[str, Place] = {}


def load(cursor: str | None) -> Cursor:
    """A saved cursor; raises SourceRefused."""
    if cursor is None:
        return Cursor()
    try:
        return msgspec.json.decode(cursor, type=Cursor)
    except msgspec.MsgspecError as error:
        raise SourceRefused(f"the saved cursor is not one of Mastodon's; remove it to start anew: {error}") from error
