"""Our own answers, known by the ids that the platforms gave them when the desk sent them.

Whoever asks before an id is kept learns nothing; so the desk looks for what is stored already when it keeps one.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import select

from pipeline.mention import Routed
from pipeline.store.case_tables import case_mentions
from pipeline.store.columns import fit
from pipeline.store.database import Transaction

ANSWER = "answer"
"""The part in its case of what we said ourselves."""

RULE = "sent by the desk"
"""What stands in place of a routing rule where one was applied before the answer was known for ours."""


def ours_among(transaction: Transaction, ids: Sequence[str]) -> set[str]:
    """Of these mention ids, as `fit` has them, those of our answers; one look by the table's key."""
    if not ids:
        return set()
    query = select(case_mentions.c.mention).where(
        transaction.among(case_mentions.c.mention, ids), case_mentions.c.part == ANSWER
    )
    return set(transaction.run(query).scalars())


def known_for_ours(transaction: Transaction, routed: Sequence[Routed]) -> list[Routed]:
    """The same records; our answers among them as our own, filtered, whatever was decided."""
    ours = ours_among(transaction, [it.mention.id for it in routed if not it.mention.own])
    return [as_ours(it) if fit(it.mention.id) in ours and not it.mention.own else it for it in routed]


def as_ours(it: Routed) -> Routed:
    """The record as that of our own answer, which nobody needs to see; decided when it was."""
    decision = replace(
        it.decision,
        rule=RULE,
        queue=None,
        filtered="own",
        first_response_due=None,
        resolution_due=None,
        evidence=("own=true",),
    )
    return replace(it, mention=replace(it.mention, own=True), decision=decision)
