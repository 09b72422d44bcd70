"""What customers praise and complain of: the words and phrases that are said more in a time than before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pipeline.mention import Enriched, Kind
from pipeline.store import scan
from pipeline.store.columns import utc
from pipeline.store.database import Transaction
from pipeline.store.part import Part
from spikes._terms import Term, terms
from spikes.counting import said

SLICES = 8
"""Equal parts of a time from each of which as many posts are read: the newest alone would be the last hour of a busy
week."""

A_SLICE = 250
"""Posts read of a part, so that no more than SLICES times as many are compared on either side."""

LOOKED_AT = 2500
"""Mentions of all brands looked at for them, in each part."""

SHOWN = 12


class Phrases(NamedTuple):
    """What is said more than before, the clearest first, in complaints and in praise; how many of each were compared,
    now and before. A `z` of 0 says that there is too little from before to compare with."""

    complaints: tuple[Term, ...]
    praises: tuple[Term, ...]
    against: tuple[int, int]
    in_favour: tuple[int, int]


class Hearsay(Part):
    """Reads samples of what was said."""

    def phrases(self, since: datetime, until: datetime, brands: Sequence[str] | None = None) -> Phrases:
        """Of this time against as much time before it. Complaints are compared with complaints and praise with praise:
        against everything that is said, all trouble looks alike. Takes about a second for a busy brand."""
        since, until = utc(since), utc(until)
        with self._db.read() as transaction:
            now = list(_sampled(transaction, since, until, brands))
            before = list(_sampled(transaction, since - (until - since), since, brands))
        against, against_before = _of_tone(now, -1), _of_tone(before, -1)
        pleased, pleased_before = _of_tone(now, 1), _of_tone(before, 1)
        ours = {match.term for it in (*now, *before) for match in it.tags.brands}
        ours |= {match.brand for it in (*now, *before) for match in it.tags.brands}
        return Phrases(
            terms(against, against_before, ours, SHOWN),
            terms(pleased, pleased_before, ours, SHOWN),
            (len(against), len(against_before)),
            (len(pleased), len(pleased_before)),
        )


def _sampled(
    transaction: Transaction, since: datetime, until: datetime, brands: Sequence[str] | None
) -> Iterator[Enriched]:
    part: timedelta = (until - since) / SLICES
    for number in range(SLICES):
        first = since + part * number
        last = until if number == SLICES - 1 else first + part
        found = scan.newest(transaction, first, last, brands=brands, most=A_SLICE, looked_at=LOOKED_AT)
        yield from (Enriched(mention=it.mention, tags=it.tags) for it in found.mentions)


def _of_tone(every: Sequence[Enriched], tone: int) -> list[Enriched]:
    return [it for it in every if _tone(it) == tone]


def _tone(it: Enriched) -> int:
    """-1, 0 or 1; 0 too for what does not count, and for somebody else's words."""
    counted = said(it, it.mention.created_at)
    return 0 if counted is None or counted.repost or it.mention.kind is Kind.REPOST else counted.tone
