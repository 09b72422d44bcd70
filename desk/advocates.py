"""Who speaks well of a brand, often and heard by many: found among the newest praise, judged by all they said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import func, select

from desk.customers import Stance, advocate_score
from pipeline.codec import decode
from pipeline.mention import Author, Routed
from pipeline.store import scan
from pipeline.store.columns import fit, utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from pipeline.store.tables import mentions

PRAISE = "praise"
SURE = 0.35
"""From this score on it is praise."""

HOLDING = b'"name":"praise"'
"""What stands in the record of each."""

MOST = 1000
"""Newest praises that are looked at."""

CANDIDATES = 100
"""People of whom everything is read: those who praised most often, the most widely heard of them first."""

EACH = 50
"""Newest mentions read of each."""

SHOWN = 30


class Advocate(NamedTuple):
    """One account: their score (1..100, `desk/customers.py`), how often they praised the brand in the time, the most
    people one of these praises could have reached, and the newest praise."""

    account: str
    author: Author
    score: int
    praises: int
    reach: int
    newest: Routed


class Advocates(Part):
    """Looks for them."""

    def advocates(self, since: datetime, until: datetime, brands: Sequence[str] | None = None) -> list[Advocate]:
        """The best of a time, best first, SHOWN at most. Reposts are somebody else's words, our own accounts are not
        asked, and who complains more than they praise is none."""
        with self._db.read() as transaction:
            found = scan.newest(transaction, since, until, brands=brands, holding=HOLDING, most=MOST)
            praise: defaultdict[str, list[Routed]] = defaultdict(list)
            for it in found.mentions:
                if it.tags.intent(PRAISE) >= SURE and _theirs(it):
                    praise[fit(f"{it.mention.source}:{it.mention.author.id}")].append(it)
            often = sorted(praise, key=lambda it: (-len(praise[it]), -_reach(praise[it]), it))[:CANDIDATES]
            said = _said(transaction, often, brands)
        made = []
        for account in often:
            theirs = praise[account]
            stances = [_stance(it, until) for it in said[account]]
            score = advocate_score(stances, max(map(_reach, (theirs, said[account]))))
            if score > 0:
                newest = theirs[0]
                made.append(Advocate(account, newest.mention.author, score, len(theirs), _reach(theirs), newest))
        made.sort(key=lambda it: (-it.score, -it.praises, -it.reach, it.account))
        return made[:SHOWN]


def _said(
    transaction: Transaction, accounts: Sequence[str], brands: Sequence[str] | None
) -> defaultdict[str, list[Routed]]:
    """The newest that each said of these brands, whatever it was."""
    rank = func.row_number().over(partition_by=mentions.c.author, order_by=mentions.c.created_at.desc()).label("rank")
    query = select(mentions.c.author, mentions.c.body, rank).where(transaction.among(mentions.c.author, accounts))
    if brands is not None:
        query = query.where(mentions.c.brand.in_(list(brands)))
    ranked = query.subquery()
    said: defaultdict[str, list[Routed]] = defaultdict(list)
    for row in transaction.run(select(ranked.c.author, ranked.c.body).where(ranked.c.rank <= EACH)) if accounts else ():
        routed = cast(Routed, decode(bytes(row.body)))
        if _theirs(routed) and routed.tags.sentiment is not None:
            said[row.author].append(routed)
    return said


def _theirs(it: Routed) -> bool:
    """Whether these are their own words, and not spam."""
    return not it.mention.own and not it.tags.repost and it.decision.filtered != "spam"


def _reach(said: Sequence[Routed]) -> int:
    return max((it.tags.reach for it in said), default=0)


def _stance(it: Routed, until: datetime) -> Stance:
    days = (utc(until) - it.mention.created_at).total_seconds() / 86_400
    score = it.tags.sentiment.score if it.tags.sentiment else 0.0
    return Stance(days, score, it.tags.intent(PRAISE), it.tags.intent("complaint"))
