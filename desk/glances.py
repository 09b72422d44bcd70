"""What one sees of a case in a list: the newest that its customer said in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import and_, func, select

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.case_tables import case_mentions
from pipeline.store.part import Part
from pipeline.store.tables import mentions


class Glances(Part):
    """Read from what is stored of mentions: what was taken back or erased is in none."""

    def of(self, cases: Sequence[str]) -> dict[str, Routed]:
        """For these cases, a page of them, the newest mention that is kept; where none is kept it is left out."""
        if not cases:
            return {}
        part = case_mentions.c
        with self._db.read() as transaction:
            some = transaction.among(part.case_id, cases)
            newest = select(part.case_id, func.max(part.said_at).label("said_at")).where(some, part.part == "said")
            last = newest.group_by(part.case_id).subquery()
            query = select(part.case_id, mentions.c.body)
            query = query.join(last, and_(last.c.case_id == part.case_id, last.c.said_at == part.said_at))
            query = query.join(mentions, mentions.c.id == part.mention).where(part.part == "said")
            rows = transaction.run(query.order_by(part.case_id, part.mention)).all()
        return {row.case_id: cast(Routed, decode(bytes(row.body))) for row in rows}
