"""What people said was routed wrong, with the words, tags and rule it was routed by: for better rules and models."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from desk.case import Case
from pipeline.store.case_tables import case_mentions, corrections
from pipeline.store.database import Transaction
from pipeline.store.tables import mentions


def correct(transaction: Transaction, case: Case, actor: str, now: datetime, reason: str) -> None:
    """Keep that the rules sent this case to `routed_queue` though it belongs into its queue of now. The last word
    counts; one that agrees with the rules takes the correction back."""
    if case.queue == case.routed_queue:
        transaction.run(delete(corrections).where(corrections.c.case_id == case.id))
        return
    first = (
        select(mentions.c.id, mentions.c.body)
        .join(case_mentions, case_mentions.c.mention == mentions.c.id)
        .where(case_mentions.c.case_id == case.id, case_mentions.c.part == "said")
        .order_by(case_mentions.c.said_at, case_mentions.c.mention)
        .limit(1)
    )
    said = transaction.run(first).first()
    row = {
        "case_id": case.id,
        "mention": said.id if said else None,
        "at": now,
        "actor": actor,
        "routed_queue": case.routed_queue,
        "right_queue": case.queue,
        "rule": case.rule,
        "rules_version": case.rules_version,
        "reason": reason,
        "body": bytes(said.body) if said else b"",
    }
    transaction.insert(corrections, [row], "case_id", update=[name for name in row if name != "case_id"])
