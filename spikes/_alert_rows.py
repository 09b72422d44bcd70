"""The rows of alerts and their messages, and when a message is due: pure, but for reading and writing the rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Row, update

from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.columns import NEVER
from pipeline.store.database import Transaction
from spikes._notice import Notice
from spikes.detection import Severity
from spikes.incident_records import State

EVERY = timedelta(minutes=5)
"""A target whose messages replace each other is told of mere growth no more often than this."""

RETURN = timedelta(minutes=60)
"""That an incident is again in a state that was told before is told so long after the last message, if it still is."""


Stood = tuple[str, int]
"""An incident's state and severity."""


class Alert(Struct, frozen=True, kw_only=True):
    """What is to be told of an incident: a row of `alerts`."""

    incident: str
    brand: str = ""
    kind: str = ""
    state: str = ""
    severity: int = 0
    change: str = ""
    title: str = ""
    paragraph: str = ""
    url: str = ""
    opened_at: datetime | None = None
    acknowledged_at: datetime | None = None
    version: int = 0
    playbook: str = ""
    step: int = 0
    called_at: datetime = NEVER
    next_at: datetime = NEVER
    changed_at: datetime = NEVER

    @property
    def calls(self) -> bool:
        """Whether somebody is still to be called: nobody sees to it."""
        return self.acknowledged_at is None and self.state in (State.OPEN, State.REOPENED)

    @property
    def stood(self) -> Stood:
        """What a target is to know above all."""
        return self.state, self.severity

    @property
    def level(self) -> Severity:
        """The severity by its name."""
        return list(Severity)[self.severity]


class Message(Struct, frozen=True, kw_only=True):
    """What became of it at one target: a row of `alert_messages`.

    `last_state`, `last_severity`, `last_at` and `said` are of what was settled: told, refused, or unsure for good.
    """

    id: str
    incident: str
    target: str
    state: str
    next_at: datetime
    since: datetime
    version: int = 0
    first: int = 0
    attempts: int = 0
    doubts: int = 0
    body: bytes = b""
    told_version: int = 0
    last_state: str = ""
    last_severity: int = -1
    last_at: datetime | None = None
    said: str = ""
    reason: str = ""


def due(message: Message, alert: Alert, now: datetime, *, edits: bool) -> datetime | None:
    """When this target is to be told how the incident stands now; None where it need not be."""
    if message.last_at is None or alert.severity > message.last_severity or alert.state not in message.said.split():
        return now
    if alert.version == message.version:
        return None
    if alert.state != message.last_state:
        return max(now, message.last_at + RETURN)
    return max(now, message.last_at + EVERY) if edits else None


def settled(message: Message, stood: Stood, now: datetime, **changes: Any) -> Message:
    """The message once its target was told, or could not be told, that the incident `stood` so."""
    state, severity = stood
    said = dict.fromkeys([*message.said.split(), state])
    return replace(
        message,
        next_at=NEVER,
        body=b"",
        doubts=0,
        last_state=state,
        last_severity=max(message.last_severity, severity),
        last_at=now,
        said=" ".join(said),
        **changes,
    )


def stood(notice: Notice) -> Stood:
    """How it stands that a message tells of: the worst, where it tells of several."""
    worst = max(notice.matters, key=lambda it: Severity(it.severity).rank)
    return worst.state, Severity(worst.severity).rank


def notice_of(message: Message) -> Notice:
    """What is under way."""
    return msgspec.json.decode(message.body, type=Notice)


def is_news(message: Message, alert: Alert) -> bool:
    """Whether the incident stands otherwise than what is under way says."""
    return stood(notice_of(message)) != alert.stood


def digest(*parts: str) -> str:
    """An id that says nothing."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def alert_of(row: Row[Any]) -> Alert:
    """From the database."""
    return Alert(**row._mapping)


def message_of(row: Row[Any]) -> Message:
    """From the database."""
    return Message(**{**row._mapping, "body": bytes(row.body)})


def held_alert(transaction: Transaction, incident: str) -> Alert:
    """The incident's alert, held until the end; made where there is none."""
    fresh = {name: value for name, value in asdict(Alert(incident=incident)).items() if name != "incident"}
    return alert_of(transaction.hold(alerts, "incident", [incident], **fresh)[0])


def put_alert(transaction: Transaction, alert: Alert) -> None:
    """Write what is held."""
    transaction.run(update(alerts).where(alerts.c.incident == alert.incident).values(**asdict(alert)))


def put_messages(transaction: Transaction, messages: Iterable[Message]) -> None:
    """Write what is held."""
    for it in messages:
        transaction.run(update(alert_messages).where(alert_messages.c.id == it.id).values(**asdict(it)))
