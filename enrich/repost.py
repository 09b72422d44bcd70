"""Whether a mention only passes on what another wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from pipeline.mention import Kind
from pipeline.ports import Draft, Settings, StageContext

_PREFIX = re.compile(r"\s*(?:RT|MT|♻️?|🔁)\s*:?\s*@\w", re.ASCII)


class Config(Settings):
    """Nothing to set."""


class Stage:
    """Provides `repost`: the source says it is one, or the text opens with `RT @` (or `MT @`) as people write by hand.
    A quote adds words of its own and is none."""

    needs: ClassVar[frozenset[str]] = frozenset({"mention"})
    provides: ClassVar[frozenset[str]] = frozenset({"repost"})
    version = "1"

    def __init__(self, config: Config, context: StageContext) -> None:
        del config, context

    def annotate(self, batch: Sequence[Draft]) -> None:
        """Fill `repost` of every draft."""
        for draft in batch:
            mention = draft.mention
            draft.repost = mention.kind is Kind.REPOST or _PREFIX.match(mention.text[:200]) is not None
