"""How many people could have seen a mention: an estimate from public counts.

- The platform's own count of views, where it gives one: it counted.
- Else the author's followers, plus `per_repost` for every repost: a round guess at a reposter's followers, to be set
  to what is known of one's own audience.
- In either case at least those who liked, reposted or answered: they saw it. 0 where nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from enrich._version import trace
from pipeline.mention import Mention
from pipeline.ports import Draft, Settings, StageContext

_MOST = 8_000_000_000
"""Nobody reaches more than everybody: a source's absurd figure is cut to this."""


class Config(Settings):
    """What a repost is worth."""

    per_repost: int = Field(default=200, ge=0)
    """How many people are assumed to see one repost."""


class Stage:
    """Provides `reach`, in people, never negative."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention"})
    provides: ClassVar[frozenset[str]] = frozenset({"reach"})

    def __init__(self, config: Config, context: StageContext) -> None:
        del context
        self._per_repost = config.per_repost
        self.version = trace("1", config)

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `reach` of every draft."""
        for draft in batch:
            draft.reach = self._estimate(draft.mention)

    def _estimate(self, mention: Mention) -> int:
        metrics = mention.metrics
        reposts = max(0, metrics.reposts or 0)
        reacted = max(0, metrics.likes or 0) + reposts + max(0, metrics.replies or 0)
        if metrics.views is not None:
            seen = max(0, metrics.views)
        else:
            seen = max(0, mention.author.followers or 0) + reposts * self._per_repost
        return min(_MOST, max(seen, reacted))
