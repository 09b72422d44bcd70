"""What was said, by ids: for lists that show what each of their rows is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import select

from pipeline.codec import decode
from pipeline.mention import Routed
from pipeline.store.columns import fit
from pipeline.store.part import Part
from pipeline.store.tables import mentions


class Posts(Part):
    """Mentions by id."""

    def posts(self, ids: Sequence[str]) -> dict[str, Routed]:
        """Those of these that are kept, by the id that was given."""
        if not ids:
            return {}
        with self._db.read() as transaction:
            query = select(mentions.c.id, mentions.c.body).where(transaction.among(mentions.c.id, list(ids)))
            rows = transaction.run(query).all()
        found = {row.id: cast(Routed, decode(bytes(row.body))) for row in rows}
        return {id: found[fit(id)] for id in ids if fit(id) in found}
