"""Incidents as people work with them: what the watch sees opens or joins one, what people do moves it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import select, update

from desk.refusals import Conflict, Unfit
from pipeline.ports import Clock
from pipeline.store.columns import NEVER
from pipeline.store.database import Database, Transaction
from pipeline.store.incident_tables import (
    incident_detections,
    incident_mentions,
    incident_strands,
    incidents,
)
from spikes import gathering, incident_records, joining
from spikes.detection import Detection
from spikes.incident_records import (
    Event,
    Extent,
    Incident,
    State,
    Work,
    alone,
    extent,
    group_of,
    joined,
)
from spikes.incident_shelf import (
    detections_of,
    digest,
    events_of,
    find,
    gather_again,
    hold,
    put,
    put_detection,
    read_detection,
    record,
)
from spikes.joining import IncidentSettings
from spikes.matter import Matter
from spikes.playbooks import Playbooks
from spikes.sifting import Sifter
from spikes.telling import Telling

WATCH = "system:spikes"
"""Who opens, joins, calms and closes by itself."""

TEXT_CHARS = 2000
"""The longest note, reason or statement."""


class Incidents(Telling):
    """The incidents, on the store's database. A method without a `transaction` has happened when it returns, and has
    left no trace when it raises. Users are actors: `user:ID`. Raises NoSuchIncident; Conflict with who was there first
    or whose change `version` does not know of; Unfit. Safe to share among threads.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: IncidentSettings | None = None,
        playbooks: Playbooks | None = None,
    ) -> None:
        super().__init__(database, clock, playbooks)
        self._settings = settings or IncidentSettings()
        self._sifter = Sifter(database, clock)
        self._checked = ""

    # ------------------------------------------------------------- what the watch sees

    def detected(self, transaction: Transaction, detection: Detection) -> Incident:
        """Open an incident for what was seen, or let it join one (`spikes/joining.py` has the rules). The same again
        changes nothing; seen again with no less in it, but otherwise, it replaces what was seen."""
        strands = joining.strands_of(detection)
        transaction.hold(incident_strands, "strand", sorted(strands), number=0)
        strand, near = self._where(transaction, strands, detection)
        id = digest(strands[0], *detection.key, detection.at.isoformat())
        before = transaction.run(
            select(incident_detections.c.incident, incident_detections.c.body).where(incident_detections.c.id == id)
        ).first()
        if before is not None:
            known = read_detection(before.body)
            if known == detection or _fullness(known) > _fullness(detection):
                return hold(transaction, before.incident)
        if not near:
            topic = detection.key.value if strand != strands[0] else None
            return self._open(transaction, strand, topic, id, detection)
        first = hold(transaction, near[0].id)
        for other in near[1:]:
            first = self._absorb(transaction, first, hold(transaction, other.id))
        put_detection(transaction, id, first.id, detection)
        whole = extent(detections_of(transaction, [first.id])) if before else joined(first.extent, alone(detection))
        return self._grown(transaction, first, whole, detection)

    def tick(self, now: datetime, edges: Mapping[str, datetime] | None = None) -> list[Incident]:
        """Let incidents calm down and close that have been quiet for long enough; returns those that did. `edges` is
        how far each brand was heard, in event time (`now` where it is not given): so that a feed that lags behind, or
        a replay of last week, is not taken for silence. A brand whose feed has stopped is given twice as long."""
        changed = []
        with self._db.read() as transaction:
            ids = list(transaction.run(select(incidents.c.id).where(incidents.c.closed_at == NEVER)).scalars())
        for id in sorted(ids):
            with self._db.write() as transaction:
                incident = hold(transaction, id)
                heard_at = transaction.run(select(incidents.c.heard_at).where(incidents.c.id == id)).scalar_one()
                edge = now if edges is None else edges.get(incident.brand, incident.extent.last_at)
                if after := self._calmed(transaction, incident, now, edge, heard_at):
                    changed.append(after)
        return changed

    def gather(self, limit: int = 20_000) -> int:
        """Gather the mentions of incidents that are not over, as far as they are stored, up to `limit` for each, put
        aside what is of another matter, and let go of those that are not kept any more; returns how many were added.
        Topics that turn out to be another matter are split off. For a timer."""
        with self._db.read() as transaction:
            ids = list(transaction.run(select(incidents.c.id).where(incidents.c.closed_at == NEVER)).scalars())
        added = 0
        for id in sorted(ids):
            added += gathering.gather(self._db, id, self._settings, limit, self._sifter.judge(id))
            self._sifter.sift(id)
            for topic in gathering.topics_apart(self._db, id):
                self._split(id, topic)
        self._sifter.keep(ids)
        with self._db.write() as transaction:
            self._checked = gathering.forget_gone(transaction, self._checked)
        return added

    def matter(self, id: str) -> Matter | None:
        """What sets it apart, where that is known. Raises NoSuchIncident."""
        return self._sifter.matter(self.incident(id))

    def forget(self, transaction: Transaction, mentions: Sequence[str]) -> None:
        """Let go of mentions that were taken back, at once; `gather` finds them too, in its own time."""
        gathering.forget(transaction, mentions)

    # -------------------------------------------------------------- what people do

    def acknowledge(self, id: str, by: str, *, text: str = "", version: int | None = None) -> Incident:
        """Say that one sees to it. Raises Conflict where somebody does already."""

        def change(incident: Incident, now: datetime) -> Event:
            holder = incident.work.acknowledged_by
            if holder:
                raise Conflict(f"{holder} has acknowledged it already", holder=holder)
            return incident_records.Acknowledged(at=now, actor=by, text=text)

        return self.change(id, version, change, text)

    def statement_out(self, id: str, by: str, text: str, *, url: str = "", version: int | None = None) -> Incident:
        """Note what the brand has said, in full or in short, and where."""
        if not text.strip():
            raise Unfit("text", "say what the statement says")

        return self.change(
            id, version, lambda _, now: incident_records.StatementOut(at=now, actor=by, text=text, url=url), text
        )

    def calming(self, id: str, by: str, *, text: str = "", version: int | None = None) -> Incident:
        """Say that it is getting less."""

        def change(incident: Incident, now: datetime) -> Event:
            if incident.state is State.CALMING:
                raise Conflict("it is calming already")
            return incident_records.Calming(at=now, actor=by, text=text)

        return self.change(id, version, change, text)

    def close(self, id: str, by: str, text: str = "", *, version: int | None = None) -> Incident:
        """Say that it is over."""

        def change(incident: Incident, now: datetime) -> Event:
            return incident_records.Closed(at=now, actor=by, text=text, upto=incident.extent.last_at)

        return self.change(id, version, change, text)

    def reopen(self, id: str, by: str, text: str = "", *, version: int | None = None) -> Incident:
        """Say that it is not over. Raises Conflict unless it is closed or calming."""

        def change(incident: Incident, now: datetime) -> Event:
            if incident.state not in (State.CLOSED, State.CALMING):
                raise Conflict(f"it is {incident.state}: only what is closed or calming is opened again")
            if incident.work.into:
                raise Conflict(f"it is part of {incident.work.into}")
            return incident_records.Reopened(at=now, actor=by, text=text)

        return self.change(id, version, change, text, closed=True)

    def note(self, id: str, by: str, text: str) -> Incident:
        """Write a line in the timeline, whatever the state."""
        if not text.strip():
            raise Unfit("text", "write something")
        return self.change(
            id, None, lambda _, now: incident_records.Noted(at=now, actor=by, text=text), text, closed=True
        )

    def attach(self, id: str, mentions: Sequence[str]) -> int:
        """Count mentions that are stored as part of it, whatever the rules say; returns how many are now."""
        return self._place(id, mentions, "attached")

    def detach(self, id: str, mentions: Sequence[str]) -> int:
        """Take mentions out of it for good."""
        return self._place(id, mentions, "detached")

    def change(
        self,
        id: str,
        version: int | None,
        change: Callable[[Incident, datetime], Event],
        text: str = "",
        *,
        closed: bool = False,
    ) -> Incident:
        """Let what `change` says happen to it, for what other modules do with incidents: where nobody else changed it
        since `version`, and to a closed one only if `closed`. `change` may raise, and nothing has happened."""
        if len(text) > TEXT_CHARS:
            raise Unfit("text", f"is longer than {TEXT_CHARS} characters")
        with self._db.write() as transaction:
            incident = hold(transaction, id)
            _check_version(transaction, incident, version)
            if incident.state is State.CLOSED and not closed:
                raise Conflict("it is closed; open it again first", holder=incident.work.closed_by)
            event = change(incident, self._clock.now())
            incident = record(transaction, incident, event)
            put(transaction, incident)
            if isinstance(event, incident_records.Calming):
                gather_again(transaction, id, incident.extent.onset)
        return incident

    # ----------------------------------------------------------------------- inside

    def _place(self, id: str, mentions: Sequence[str], part: str) -> int:
        with self._db.write() as transaction:
            hold(transaction, id)
            return gathering.place(transaction, id, mentions, part)

    def _where(
        self, transaction: Transaction, strands: Sequence[str], detection: Detection
    ) -> tuple[str, list[Incident]]:
        """The strand of a detection, and the incidents there that it may join."""
        trunk = self._near(transaction, strands[0], detection.at)
        if len(strands) == 1:
            return strands[0], trunk
        branch = self._near(transaction, strands[1], detection.at)
        if branch or any(detection.key.value in incident.work.split_off for incident in trunk):
            return strands[1], branch
        return strands[0], trunk

    def _near(self, transaction: Transaction, strand: str, at: datetime) -> list[Incident]:
        cool = self._settings.cool
        return find(
            transaction,
            incidents.c.strand == strand,
            incidents.c.last_at >= at - cool,
            incidents.c.first_at <= at + cool,
            incidents.c.part_of.is_(None),
        )

    def _open(
        self, transaction: Transaction, strand: str, topic: str | None, id: str, detection: Detection
    ) -> Incident:
        number = self._next_number(transaction, strand)
        incident = _new(strand, number, detection, topic, alone(detection))
        now = self._clock.now()
        opened = incident_records.Opened(at=now, actor=WATCH, severity=detection.severity)
        incident = record(transaction, incident, opened)
        put(transaction, incident, heard_at=now)
        put_detection(transaction, id, incident.id, detection)
        return incident

    def _next_number(self, transaction: Transaction, strand: str) -> int:
        of = incident_strands.c.strand == strand
        transaction.run(update(incident_strands).where(of).values(number=incident_strands.c.number + 1))
        return int(transaction.run(select(incident_strands.c.number).where(of)).scalar_one())

    def _grown(self, transaction: Transaction, incident: Incident, whole: Extent, detection: Detection) -> Incident:
        now, before = self._clock.now(), incident.extent
        wakes = joining.wakes(incident, detection, self._settings, before.severity)
        incident = replace(incident, extent=whole)
        if (whole.kind, whole.severity) != (before.kind, before.severity):
            grew = incident_records.Grew(at=now, actor=WATCH, now=whole.kind, severity=whole.severity)
            incident = record(transaction, incident, grew)
        if wakes:
            incident = record(transaction, incident, incident_records.Reopened(at=now, actor=WATCH))
        elif incident.state is State.CALMING and detection.at > before.last_at:
            incident = record(transaction, incident, incident_records.Flared(at=now, actor=WATCH))
        put(transaction, incident, heard_at=now)
        if whole.onset < before.onset or wakes:
            gather_again(transaction, incident.id, whole.onset)
        return incident

    def _absorb(self, transaction: Transaction, first: Incident, other: Incident) -> Incident:
        """Make another incident part of this one."""
        now = self._clock.now()
        for table in (incident_detections, incident_mentions):
            transaction.run(update(table).where(table.c.incident == other.id).values(incident=first.id))
        gone = incident_records.Closed(at=now, actor=WATCH, upto=other.extent.last_at, into=first.id)
        put(transaction, record(transaction, other, gone))
        first = replace(first, extent=joined(first.extent, other.extent))
        if other.work.lead and not first.work.lead:
            first = record(transaction, first, incident_records.FamilyLed(at=now, actor=WATCH, lead=other.work.lead))
        put(transaction, first)
        return first

    def _calmed(
        self, transaction: Transaction, incident: Incident, now: datetime, edge: datetime, heard_at: datetime
    ) -> Incident | None:
        calm, cool = self._settings.calm, self._settings.cool
        quiet, silent = edge - incident.extent.last_at, now - heard_at
        if incident.state is not State.CLOSED and (quiet >= cool or silent >= 2 * cool):
            hours = round(self._settings.close_hours, 1)
            over = incident_records.Closed(
                at=now, actor=WATCH, text=f"quiet for {hours:g} hours", upto=incident.extent.last_at
            )
            incident = record(transaction, incident, over)
        elif incident.state not in (State.CLOSED, State.CALMING) and (quiet >= calm or silent >= calm + cool):
            incident = record(transaction, incident, incident_records.Calming(at=now, actor=WATCH))
            gather_again(transaction, incident.id, incident.extent.onset)
        else:
            return None
        put(transaction, incident)
        return incident

    def _split(self, id: str, topic: str) -> None:
        """Make what was seen on this topic an incident of its own."""
        with self._db.write() as transaction:
            known = find(transaction, incidents.c.id == id)
            strand = joining.strand_of(known[0].brand, known[0].group, topic)
            transaction.hold(incident_strands, "strand", sorted([known[0].strand, strand]), number=0)
            incident = hold(transaction, id)
            rows: list[Detection] = []
            rest: list[Detection] = []
            for it in detections_of(transaction, [id]):
                (rows if it.key.facet == "topic" and it.key.value == topic else rest).append(it)
            if not incident.live or topic in incident.work.split_off or not rows or not rest:
                return
            now = self._clock.now()
            other = _new(strand, self._next_number(transaction, strand), rows[0], topic, extent(rows))
            opened = incident_records.Opened(at=now, actor=WATCH, severity=other.severity)
            other = record(transaction, other, opened)
            put(transaction, other, heard_at=now)
            of_topic = (incident_detections.c.facet == "topic", incident_detections.c.value == topic)
            mine = incident_detections.c.incident == id
            transaction.run(update(incident_detections).where(mine, *of_topic).values(incident=other.id))
            split = incident_records.SplitOff(at=now, actor=WATCH, topic=topic, into=other.id)
            put(transaction, record(transaction, replace(incident, extent=extent(rest)), split))
            gathering.scatter(transaction, id)
            for one in (id, other.id):
                gather_again(transaction, one, min(incident.extent.onset, other.extent.onset))


def _new(strand: str, number: int, detection: Detection, topic: str | None, whole: Extent) -> Incident:
    return Incident(
        id=digest(strand, str(number)),
        strand=strand,
        number=number,
        brand=detection.key.brand,
        group=group_of(detection.kind),
        topic=topic,
        extent=whole,
        work=Work(),
    )


def _fullness(it: Detection) -> tuple[int, ...]:
    """Of two looks at one window the later one saw no less: mentions are only ever added."""
    return (it.evidence.mentions, it.evidence.negative_authors, it.evidence.authors)


def _check_version(transaction: Transaction, incident: Incident, version: int | None) -> None:
    """What the machine did since does not matter to a person; what another person did does."""
    if version is None or version == incident.version:
        return
    if version > incident.version:
        raise Unfit("version", f"is of the future: it is at {incident.version}")
    news = [event for _, event in events_of(transaction, incident.id, after=version)]
    others = [event.actor for event in news if event.actor.startswith("user:")]
    if others:
        raise Conflict(f"{others[-1]} changed it meanwhile: look again", holder=others[-1])
