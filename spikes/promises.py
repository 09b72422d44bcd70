"""The service level of an incident, which is one for all of its posts: by when somebody acknowledges it, and by when a
first statement is out, as its playbook promises. Minutes are real ones: a firestorm keeps no office hours.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from pipeline.mention import Moment
from spikes.incident_records import Incident
from spikes.playbooks import Playbooks

Name = Literal["acknowledge", "statement"]
"""What can be promised."""


class Promise(Struct, frozen=True, kw_only=True):
    """What was to be done by `due`, and when it was (None: it was not). `kept` is None while there is time, and where
    the incident was closed before."""

    name: Name
    due: Moment
    at: Moment | None
    kept: bool | None


def promises(incident: Incident, playbooks: Playbooks, now: datetime) -> tuple[Promise, ...]:
    """What is promised of an incident since it was opened (or opened again, or became as severe as its playbook asks
    for, whichever was last); nothing where no playbook promises anything."""
    playbook, work = playbooks.chosen(incident.kind.value, incident.brand), incident.work
    since = work.due_from or work.opened_at
    if playbook is None or since is None or incident.severity.rank < playbook.severity.rank:
        return ()
    if len(work.severe_at) > playbook.severity.rank:
        since = max(since, work.severe_at[playbook.severity.rank])
    made = []
    for name, done in zip(get_args(Name), (work.acknowledged_at, work.statement_at), strict=True):
        within = getattr(playbook.service_level, name)
        if within is not None:
            due = since + within
            kept = done <= due if done else False if (work.closed_at or now) > due else None
            made.append(Promise(name=name, due=due, at=done, kept=kept))
    return tuple(made)
