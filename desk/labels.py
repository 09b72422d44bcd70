"""Labels that people put right: what was found in a mention and does not hold, for better models.

A mention keeps its tags as they were found; what a person says stands beside them. The last word counts, and one that
agrees with the tags takes the correction back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast, get_args

from sqlalchemy import delete, select

from desk.case import Case
from desk.dossier import Dossier
from desk.events import LabelCorrected, LabelName, LabelValue
from desk.handling import By
from desk.refusals import Unfit
from desk.shelf import dossier_of, save
from pipeline.codec import decode
from pipeline.mention import Routed, Tags
from pipeline.store.case_tables import case_mentions, label_corrections
from pipeline.store.columns import fit
from pipeline.store.database import Transaction, beyond
from pipeline.store.part import Part
from pipeline.store.tables import mentions

SENTIMENT: LabelName = "sentiment"
INTENTS: tuple[LabelName, ...] = tuple(name for name in get_args(LabelName) if name != SENTIMENT)
VALUES: Mapping[LabelName, tuple[LabelValue, ...]] = {
    SENTIMENT: ("positive", "neutral", "negative"),
    **dict.fromkeys(INTENTS, ("yes", "no")),
}
"""What a person may say of each label."""

_order = (label_corrections.c.at, label_corrections.c.mention, label_corrections.c.label)


@dataclass(frozen=True)
class Corrected:
    """One label of one mention: `found` is how it was tagged (empty where it was not), `right` what `actor` says.
    `routed` is the record, None where it was not asked for or is no longer kept."""

    mention: str
    label: LabelName
    case: str
    at: datetime
    actor: str
    found: LabelValue
    right: LabelValue
    routed: Routed | None = None


def tagged(tags: Tags, label: LabelName) -> LabelValue:
    """What these tags say of a label."""
    if label == SENTIMENT:
        return tags.sentiment.label if tags.sentiment else ""
    return "yes" if any(it.name == label for it in tags.intents) else "no"


class Labels(Part):
    """The table `label_corrections`. Raises NoSuchCase, and Unfit for a value that cannot be used."""

    def correct(self, case: str, by: By, mention: str, label: LabelName, right: LabelValue) -> Case:
        """Say what holds of a mention of this case, whoever holds its author: it changes nobody's turn. What changes
        nothing is not recorded."""
        if right not in VALUES[label]:
            raise Unfit("right", f"is one of {', '.join(VALUES[label])}")
        with self._db.write() as transaction:
            dossier = dossier_of(transaction, case)
            found = tagged(_said(transaction, case, mention).tags, label)
            mine = (label_corrections.c.mention == fit(mention), label_corrections.c.label == label)
            held = transaction.run(select(label_corrections.c.right).where(*mine)).scalar() or found
            if right != held:
                now = self._clock.now()
                transaction.run(delete(label_corrections).where(*mine))
                if right != found:
                    row = {"mention": mention, "label": label, "case_id": case, "at": now, "actor": by.user}
                    transaction.run(label_corrections.insert(), [{**row, "found": found, "right": right}])
                told = LabelCorrected(at=now, actor=by.user, mention=mention, label=label, found=found, right=right)
                _record(transaction, dossier, case, told)
            return dossier.case(case)

    def of_case(self, case: str) -> list[Corrected]:
        """What was put right in this case."""
        with self._db.read() as transaction:
            rows = transaction.run(
                select(label_corrections).where(label_corrections.c.case_id == case).order_by(*_order)
            ).all()
        return [_read(row) for row in rows]

    def between(
        self, since: datetime, until: datetime, after: tuple[datetime, str, str] | None = None, batch: int = 500
    ) -> Iterator[Corrected]:
        """What was put right in that time, oldest first, to learn from: with the record, and only where that is kept.
        `after` is the time, mention and label of the last one seen."""
        query = select(*label_corrections.c, mentions.c.body)
        query = query.join(mentions, mentions.c.id == label_corrections.c.mention)
        query = query.where(label_corrections.c.at >= since, label_corrections.c.at < until)
        query = query.order_by(*_order).limit(batch)
        while True:
            page = query if after is None else query.where(beyond(_order, after))
            with self._db.read() as transaction:
                rows = transaction.run(page).all()
            yield from (_read(row, cast(Routed, decode(bytes(row.body)))) for row in rows)
            if len(rows) < batch:
                return
            after = (rows[-1].at, rows[-1].mention, rows[-1].label)


def _said(transaction: Transaction, case: str, mention: str) -> Routed:
    query = (
        select(mentions.c.body)
        .join(case_mentions, case_mentions.c.mention == mentions.c.id)
        .where(case_mentions.c.case_id == case, case_mentions.c.mention == fit(mention))
        .where(case_mentions.c.part == "said")
    )
    body = transaction.run(query).scalar()
    if body is None:
        raise Unfit("mention", "is not, or no longer, something the customer said in this case")
    return cast(Routed, decode(bytes(body)))


def _record(transaction: Transaction, dossier: Dossier, case: str, told: LabelCorrected) -> None:
    before = {dossier.lease.author: dossier.lease}
    dossier.record(case, told)
    save(transaction, [dossier], before)


def _read(row: Any, routed: Routed | None = None) -> Corrected:
    return Corrected(row.mention, row.label, row.case_id, row.at, row.actor, row.found, row.right, routed)
