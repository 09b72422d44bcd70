"""What a Rechecker says of a mention that its platform no longer shows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pipeline.mention import Mention, Removal


def gone(
    mention: Mention, now: datetime, reason: Literal["deleted", "account_gone", "account_hidden"] = "deleted"
) -> Removal:
    """Its removal, noticed now."""
    return Removal(
        source=mention.source, reason=reason, noticed_at=now, mention=mention.id, conversation=mention.thread
    )
