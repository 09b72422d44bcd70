"""What the API of incidents says of their alerts."""

from __future__ import annotations

from datetime import datetime

from console.api.models import Told
from console.api.services import Services
from spikes.standings import Standings


class AlertOut(Told):
    """How one target stands. `state` is waiting, held (quiet hours), sending, told, unsure (nobody knows whether it
    arrived) or refused; `told` whether it has heard of the incident at all. `since` is when it was called, `next_at`
    when it is tried next; `last_at` and `last_state` are of what it was told last, or could not be."""

    target: str
    state: str
    told: bool
    since: datetime
    next_at: datetime | None
    attempts: int
    reason: str
    last_at: datetime | None
    last_state: str


class AlertsOut(Told):
    """Who was told of an incident. `playbook` is empty where none covers it; `calls` of its calls were made, the next
    is due at `next_call_at` unless somebody acknowledges it before."""

    playbook: str
    calls: int
    next_call_at: datetime | None
    targets: list[AlertOut]


def alerts_of(given: Services, incident: str) -> AlertsOut:
    """How the alerts of an incident stand."""
    standings = Standings(given.database, given.clock)
    called = standings.called(incident)
    return AlertsOut(
        playbook=called.playbook if called else "",
        calls=called.made if called else 0,
        next_call_at=called.next_at if called else None,
        targets=[AlertOut.model_validate(it) for it in standings.standings(incident)],
    )
