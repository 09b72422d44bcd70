"""Which mentions an incident is made of: a row each, gathered from what is stored, and let go with it.

Of a storm: what is against the brand, or was reposted in a repost storm; of praise: what is for it; of silence: none.
Said from the onset until half an hour (the calm) after the last detection, of the incident's topic where it has one and
of none that was split off; of another matter
(`spikes/matter.py`) it is put aside. What is not counted (spam, the brand's own accounts) is not of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, select, update

from pipeline.codec import decode
from pipeline.mention import Enriched, Routed
from pipeline.store.database import REMOVALS, Database, Transaction, beyond
from pipeline.store.incident_tables import incident_detections, incident_mentions, incidents
from pipeline.store.tables import mentions
from spikes import joining
from spikes.counting import said
from spikes.detection import Kind
from spikes.incident_records import Incident
from spikes.incident_shelf import find, hold
from spikes.joining import LATENESS, IncidentSettings

PAGE = 1000
"""Mentions looked at in one transaction."""

CHECKED = 5000
"""Mentions of which one call finds out whether they are still kept."""

Judge = Callable[[Transaction, str, Sequence[Enriched]], Sequence[str]]
"""Says of which part each of these mentions of an incident is, which are in the order of time."""

LOOKED_AT = 2000
"""The most mentions of an incident in which topics are compared."""


def belongs(incident: Incident, it: Enriched) -> bool:
    """Whether a mention of its brand, said in its time, is of this incident."""
    counted = said(it, it.mention.created_at)
    if counted is None or incident.group == "silence":
        return False
    topics = set(it.tags.topics)
    if topics & set(incident.work.split_off) or (incident.topic is not None and incident.topic not in topics):
        return False
    if incident.group == "praise":
        return counted.tone > 0
    return counted.tone < 0 or (counted.repost and incident.kind is Kind.REPOST_STORM)


def gather(database: Database, id: str, settings: IncidentSettings, limit: int, judge: Judge) -> int:
    """Take in what is stored of its mentions and was not yet, looking at no more than `limit`, each as the part that
    `judge` says; returns how many."""
    added = looked_at = 0
    place: tuple[datetime, str] | None = None
    while looked_at < limit:
        with database.write() as transaction:
            transaction.lock(REMOVALS, shared=True)  # nothing is taken in that is being taken back
            incident = hold(transaction, id)
            since = transaction.run(select(incidents.c.gather_from).where(incidents.c.id == id)).scalar_one()
            until = incident.extent.last_at + settings.calm
            rows = transaction.run(_said(incident, since, until, place).limit(PAGE)).all()
            added += _take(transaction, incident, rows, judge)
            if rows:
                place = (rows[-1].created_at, rows[-1].id)
            # What is stored late stands among what was read already: the end is read again the next time.
            through = len(rows) < PAGE
            upto = place[0] if place else since
            goes_on = max(since, upto - LATENESS) if through else upto
            transaction.run(update(incidents).where(incidents.c.id == id).values(gather_from=goes_on))
        looked_at += len(rows)
        if through:
            break
    return added


def place(transaction: Transaction, id: str, ids: Sequence[str], part: str) -> int:
    """Put stored mentions into an incident by hand, or take them out of it; returns how many are stored."""
    transaction.lock(REMOVALS, shared=True)
    query = select(mentions.c.id, mentions.c.author, mentions.c.created_at)
    found = transaction.run(query.where(transaction.among(mentions.c.id, ids))).all()
    rows = [_row(row, id, part) for row in found]
    transaction.insert(incident_mentions, rows, "mention", update=["incident", "part"])
    return len(rows)


def forget(transaction: Transaction, ids: Sequence[str]) -> None:
    """Let go of these mentions, whatever incident they are of."""
    transaction.run(delete(incident_mentions).where(transaction.among(incident_mentions.c.mention, ids)))


def forget_gone(transaction: Transaction, after: str) -> str:
    """Let go of mentions that are not kept any more: taken back, erased, or past their period. Looks at some, by id
    after this one; returns where to go on, which is the start again after the last."""
    some = select(incident_mentions.c.mention, mentions.c.id.label("kept"))
    some = some.join(mentions, mentions.c.id == incident_mentions.c.mention, isouter=True)
    some = some.where(incident_mentions.c.mention > after).order_by(incident_mentions.c.mention)
    rows = transaction.run(some.limit(CHECKED)).all()
    if gone := [row.mention for row in rows if row.kept is None]:
        forget(transaction, gone)
    return rows[-1].mention if len(rows) == CHECKED else ""


def scatter(transaction: Transaction, id: str) -> None:
    """Let go of what was gathered, but not of what people put in or took out."""
    heard = incident_mentions.c.part.in_(("heard", "aside"))
    transaction.run(delete(incident_mentions).where(incident_mentions.c.incident == id, heard))


def topics_apart(database: Database, id: str) -> list[str]:
    """The topics of an incident that turn out to be another matter, each looked at once its lateness is over: on what
    was said of it until then, and of the rest."""
    with database.read() as transaction:
        incident = find(transaction, incidents.c.id == id)[0]
        if incident.topic is not None or incident.group == "silence":
            return []
        first = _first_seen(transaction, id)
        due = [topic for topic, at in first if incident.extent.last_at >= at + LATENESS]
        if len(first) < 2 or not due:
            return []
        query = select(mentions.c.body).join(incident_mentions, incident_mentions.c.mention == mentions.c.id)
        query = query.where(incident_mentions.c.incident == id).order_by(mentions.c.created_at, mentions.c.id)
        every = [read_enriched(body) for body in transaction.run(query.limit(LOOKED_AT)).scalars()]
    leading = first[0][0]
    ours = {match.term for it in every for match in it.tags.brands}
    return [topic for topic in due if topic != leading and _is_apart(topic, every, ours)]


def _is_apart(topic: str, every: Sequence[Enriched], ours: set[str]) -> bool:
    one = [it for it in every if topic in it.tags.topics]
    others = [it for it in every if topic not in it.tags.topics]
    return joining.apart(topic, one, others, ours)


def _first_seen(transaction: Transaction, id: str) -> list[tuple[str, datetime]]:
    """The topics that the watch saw something of, with when it first did, that of the incident's own before others."""
    query = select(incident_detections.c.value, incident_detections.c.at)
    query = query.where(incident_detections.c.incident == id, incident_detections.c.facet == "topic")
    found: dict[str, datetime] = {}
    for row in transaction.run(query.order_by(incident_detections.c.at, incident_detections.c.value)):
        found.setdefault(row.value, row.at)
    return list(found.items())


def _said(incident: Incident, since: datetime, until: datetime, place: tuple[datetime, str] | None) -> Any:
    order = (mentions.c.created_at, mentions.c.id)
    query = select(*order, mentions.c.author, mentions.c.body).where(mentions.c.brand == incident.brand)
    query = query.where(mentions.c.created_at >= since, mentions.c.created_at <= until).order_by(*order)
    return query if place is None else query.where(beyond(order, place))


def _take(transaction: Transaction, incident: Incident, rows: Sequence[Any], judge: Judge) -> int:
    read = [(row, read_enriched(row.body)) for row in rows]
    ours = [(row, it) for row, it in read if belongs(incident, it)]
    told = judge(transaction, incident.id, [it for _, it in ours])
    new = [_row(row, incident.id, part) for (row, _), part in zip(ours, told, strict=True)]
    known = select(incident_mentions.c.mention)
    known = known.where(transaction.among(incident_mentions.c.mention, [row["mention"] for row in new]))
    there = set(transaction.run(known).scalars())
    fresh = [row for row in new if row["mention"] not in there]
    transaction.insert(incident_mentions, fresh, "mention")
    return len(fresh)


def _row(row: Any, incident: str, part: str) -> dict[str, Any]:
    return {
        "mention": row.id,
        "incident": incident,
        "author": row.author,
        "said_at": row.created_at,
        "part": part,
    }


def said_in(transaction: Transaction, ids: Sequence[str]) -> Iterator[Enriched]:
    """These mentions, as far as they are kept, in no order."""
    for body in transaction.run(select(mentions.c.body).where(transaction.among(mentions.c.id, ids))).scalars():
        yield read_enriched(body)


def read_enriched(body: bytes) -> Enriched:
    """The `body` of a row of `mentions`, without where it was sent."""
    routed = cast(Routed, decode(bytes(body)))
    return Enriched(mention=routed.mention, tags=routed.tags)
