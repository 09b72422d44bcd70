"""What the console needs of the parts that listen: what a brand's terms would have found in what is stored, and what
each platform would be asked. The console knows no connector and no stage; `pipeline.wiring` makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pipeline.errors import HarkenError
from pipeline.mention import Mention
from pipeline.ports import Brand, Query
from pipeline.store.coverage import UsedUp


class Busy(HarkenError):
    """Another preview is being made: one at a time takes enough of this process."""


@dataclass
class Matched:
    """What one term found: how many mentions, how many of them in which nothing of the brand was found before, and some
    of those, newest first."""

    mentions: int = 0
    fresh: int = 0
    examples: list[Mention] = field(default_factory=list)


@dataclass
class Preview:
    """What the proposed brand would have meant in the stored mentions of a time.

    `read` mentions were looked at, the newest first, of those said from `since` on: all of them where `whole`, else
    back to `oldest`, when the oldest of them was said. `before` and `after` are those of the brand with its terms as
    they stand and as proposed, `gained` and `lost` the difference; `sources_before` and `sources` the same by
    configured source. `usd_before` and `usd_month` are what a platform that bills would ask for as many in 30 days,
    counted from `oldest` on; `usages` what each source said last of its allowances; `queries` what each platform would
    be asked, `refused` why one would not take it.
    """

    since: datetime
    read: int = 0
    whole: bool = True
    oldest: datetime | None = None
    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    terms: dict[str, Matched] = field(default_factory=dict)
    losses: list[Mention] = field(default_factory=list)
    sources_before: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    usd_before: dict[str, float] = field(default_factory=dict)
    usd_month: dict[str, float] = field(default_factory=dict)
    usages: Mapping[str, Sequence[UsedUp]] = field(default_factory=dict)
    queries: dict[str, Sequence[Query]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Listening(Protocol):
    """Terms, and what they find."""

    def brand(self, name: str) -> Brand | None:
        """The brand of this name as it is in force in this process."""

    def preview(self, proposed: Brand, days: int) -> Preview:
        """What these terms would have found in the last `days`, in some seconds at most: what was not looked at by then
        is left out. Raises Busy."""
