"""What another sensitivity would have made of the mentions that are stored: they are counted and watched once more, in
the order in which they were said, by the same code and in a store of their own that is thrown away. What was taken
back since is not among them. In a quiet hour or on a copy: it reads every mention of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from sqlalchemy import select

from pipeline.mention import Enriched
from pipeline.ports import Clock
from pipeline.store import Store
from pipeline.store.database import Database, beyond
from pipeline.store.tables import mentions
from spikes.counts import Counts
from spikes.detector import Sensitivity
from spikes.gathering import read_enriched
from spikes.incident_records import Incident
from spikes.incidents import Incidents
from spikes.joining import IncidentSettings
from spikes.watch import Watch

BATCH = 500
"""Mentions counted at once."""

WARM = timedelta(days=14)
"""So much from before is counted too, where it is stored, so that the first day is not the first of all."""

Which = Literal["both", "new", "gone"]


class Compared(NamedTuple):
    """An incident that both settings make, only the one asked about (`new`) or only the one in force (`gone`)."""

    which: Which
    incident: Incident

    @property
    def late(self) -> timedelta:
        """From its onset, in hindsight, until it was noticed, in event time."""
        return self.incident.extent.first_at - self.incident.extent.onset


class Hindsight(NamedTuple):
    """`weeks` are those in which brands were spoken of, added up over brands; `mentions` were counted."""

    mentions: int
    weeks: float
    asked: Sensitivity
    in_force: Sensitivity
    incidents: tuple[Compared, ...]

    def of(self, sensitivity: Literal["asked", "in_force"]) -> list[Compared]:
        """Those that one of the two settings makes."""
        other = "gone" if sensitivity == "asked" else "new"
        return [it for it in self.incidents if it.which != other]


def hindsight(
    database: Database,
    clock: Clock,
    since: datetime,
    asked: Sensitivity,
    in_force: Sensitivity,
    brand: str | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Hindsight:
    """Compare two sensitivities on what was said since then; `told` hears how many mentions were counted so far."""
    spoken: dict[str, tuple[datetime, datetime]] = {}
    counted = 0

    def heard(batch: Sequence[Enriched]) -> None:
        nonlocal counted
        counted += len(batch)
        told(counted)
        for it in batch:
            name, at = it.tags.brand or it.mention.brand or "", it.mention.created_at
            if at >= since:
                first, last = spoken.get(name, (at, at))
                spoken[name] = (min(first, at), max(last, at))

    of_asked = _made(database, clock, since, asked, brand, heard)
    number = counted
    of_force = of_asked if asked == in_force else _made(database, clock, since, in_force, brand, heard)
    spoken.pop("", None)
    weeks = sum((last - first) / timedelta(weeks=1) for first, last in spoken.values())
    found = [Compared("both" if _there(it, of_force) else "new", it) for it in of_asked]
    found += [Compared("gone", it) for it in of_force if not _there(it, of_asked)]
    found.sort(key=lambda it: (it.incident.extent.onset, it.incident.brand, it.incident.id))
    return Hindsight(number, weeks, asked, in_force, tuple(found))


def _there(incident: Incident, others: Sequence[Incident]) -> bool:
    """Whether it is among the others: of the same brand and kind of matter, at overlapping times."""
    mine = incident.extent
    return any(
        (it.brand, it.group) == (incident.brand, incident.group)
        and it.extent.onset <= mine.last_at
        and mine.onset <= it.extent.last_at
        for it in others
    )


def _made(
    database: Database,
    clock: Clock,
    since: datetime,
    sensitivity: Sensitivity,
    brand: str | None,
    heard: Callable[[Sequence[Enriched]], None],
) -> list[Incident]:
    """The incidents whose onset is since then."""
    with TemporaryDirectory(prefix="harken-") as folder:
        url = f"sqlite:///{Path(folder) / 'hindsight.db'}"
        store = Store(url, clock)
        scratch = Database(url)
        try:
            store.upgrade()
            incidents = Incidents(scratch, clock, IncidentSettings())
            counts, watch = Counts(scratch, clock), Watch(sensitivity, incidents.detected)
            for batch in _batches(database, since - WARM, brand):
                with scratch.write() as transaction:
                    watch.look(transaction, counts.count(transaction, batch))
                heard(batch)
            return list(_all(incidents, since))
        finally:
            scratch.close()
            store.close()


def _all(incidents: Incidents, since: datetime) -> Iterator[Incident]:
    after = None
    while True:
        page = incidents.incidents(after=after, limit=500)
        for it in page.incidents:
            if it.extent.onset < since:  # the newest come first
                return
            yield it
        if (after := page.next) is None:
            return


def _batches(database: Database, since: datetime, brand: str | None) -> Iterator[list[Enriched]]:
    order = (mentions.c.created_at, mentions.c.id)
    query = select(*order, mentions.c.body).where(mentions.c.created_at >= since).order_by(*order).limit(BATCH)
    query = query.where(mentions.c.brand.is_not(None) if brand is None else mentions.c.brand == brand)
    page = query
    while True:
        with database.read() as transaction:
            rows = transaction.run(page).all()
        if not rows:
            return
        yield [read_enriched(row.body) for row in rows]
        page = query.where(beyond(order, (rows[-1].created_at, rows[-1].id)))
