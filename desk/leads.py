"""Who may want to buy: mentions in which somebody means to, with what gave it away and where they went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, select

from desk import pages
from desk.shelf import read_case
from pipeline.mention import Routed
from pipeline.store import scan
from pipeline.store.case_tables import case_mentions, cases
from pipeline.store.columns import fit
from pipeline.store.database import Transaction
from pipeline.store.part import Part

LEAD = "lead"
"""The intent."""

SURE = 0.35
"""From this score on it counts as one, as it does in the counts (`spikes/counting.py`)."""

HOLDING = b'"name":"lead"'
"""What stands in the record of each."""

SHOWN = 50
"""Leads on a page."""


class Lead(NamedTuple):
    """One of them: the mention with its tags and decision, its score, the words that gave it away, and its case; None
    where it is in none. `state` and `queue` are the case's, else where it was sent."""

    said: Routed
    score: float
    words: tuple[str, ...]
    case: str | None
    state: str | None
    queue: str | None
    owner: str | None


class LeadPage(NamedTuple):
    """Some leads, newest first. `next` is the word for older ones, None where all were looked at; `upto` is how far
    back this page looked."""

    leads: tuple[Lead, ...]
    next: str | None
    upto: datetime


class Leads(Part):
    """Looks for them."""

    def leads(
        self,
        since: datetime,
        until: datetime,
        brands: Sequence[str] | None = None,
        after: str | None = None,
        limit: int = SHOWN,
    ) -> LeadPage:
        """The newest of a time; `after` is the `next` of the page before. One page looks at so many mentions, and may
        hold fewer than `limit`, or none, though there are older ones. Raises Unfit."""
        place: Any = None if after is None else pages.place(after, pages.NEWEST, "a page of leads")
        with self._db.read() as transaction:
            found = scan.newest(
                transaction,
                since,
                until,
                brands=brands,
                holding=HOLDING,
                queued=True,
                after=place,
                most=pages.bounded(limit),
            )
            sure = [it for it in found.mentions if it.tags.intent(LEAD) >= SURE and not it.mention.own]
            known = _cases(transaction, [it.mention.id for it in sure])
        word = pages.word(found.next) if found.next else None
        leads = tuple(_lead(it, known.get(fit(it.mention.id))) for it in sure)
        return LeadPage(leads, word, found.next[0] if found.next else since)


def _lead(routed: Routed, row: Row[Any] | None) -> Lead:
    intent = next(it for it in routed.tags.intents if it.name == LEAD)
    if row is None:
        return Lead(routed, intent.score, intent.words, None, None, routed.decision.queue, None)
    case = read_case(row.body)
    return Lead(routed, intent.score, intent.words, case.id, case.state.value, case.queue, case.owner)


def _cases(transaction: Transaction, ids: Sequence[str]) -> dict[str, Row[Any]]:
    query = select(case_mentions.c.mention, cases.c.body).join(cases, cases.c.id == case_mentions.c.case_id)
    query = query.where(transaction.among(case_mentions.c.mention, ids), case_mentions.c.part == "said")
    return {row.mention: row for row in transaction.run(query)} if ids else {}
