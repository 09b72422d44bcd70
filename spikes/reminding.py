"""What was promised of an incident and not done in time stands in its timeline, once."""

from __future__ import annotations

from datetime import datetime

from desk.refusals import Conflict
from spikes.incident_records import Event, Incident, PromiseMissed
from spikes.incidents import WATCH, Incidents
from spikes.promises import Promise


def remind(incidents: Incidents) -> int:
    """Write down what was missed since the last time; returns how much. For a timer; several processes may do so."""
    return sum(
        _missed(incidents, it.id, promise)
        for it in incidents.live()
        for promise in incidents.promises(it)
        if promise.kept is False and promise.name not in it.work.missed
    )


def _missed(incidents: Incidents, id: str, promise: Promise) -> bool:
    text = f"{promise.name} was promised by {promise.due:%H:%M} UTC"

    def change(incident: Incident, now: datetime) -> Event:
        if promise not in incidents.promises(incident) or promise.name in incident.work.missed:
            raise Conflict("it stands otherwise by now")
        return PromiseMissed(at=now, actor=WATCH, text=text, promise=promise.name, due=promise.due)

    try:
        incidents.change(id, None, change)
    except Conflict:  # somebody was faster
        return False
    return True
