"""Alerts: what is to be told of an incident, to whom, and when; `spikes/sending.py` does the telling.

`follow` is given how an incident stands, not what happened to it, in a transaction of its own that holds the incident
(`spikes/following.py` looks at all of them once a second). So nothing is told that did not happen, and whoever dies
before, in or after that transaction leaves an incident that stands otherwise than its alert says: the next look, by
whichever process, finds it. What is not told is what did not last until a look. It is not done in the transaction that
changes the incident because what is told is not known there: whom it concerns is gathered afterwards.

Locks are taken in one order: the incident, its alert, its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog
from msgspec.structs import asdict, replace
from sqlalchemy import delete, select

from pipeline.errors import HarkenError
from pipeline.ports import Clock
from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.columns import NEVER
from pipeline.store.database import Database, Transaction
from spikes._alert_rows import (
    Alert,
    Message,
    alert_of,
    digest,
    due,
    held_alert,
    is_news,
    message_of,
    put_alert,
    put_messages,
)
from spikes._notice import PARAGRAPH_CHARS, TITLE_CHARS, visible
from spikes._quiet import Quiet
from spikes._target import Target
from spikes.detection import Severity
from spikes.incident_records import State
from spikes.incident_shelf import NoSuchIncident
from spikes.playbooks import Call, Playbook, Playbooks
from spikes.standings import Standings

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
"""How long the alerts of a closed incident are kept, for `prune`."""

Timeline = Callable[[Transaction, str, str], None]
"""Writes a sentence into the timeline of the incident with this id, in this transaction."""


class Subject(Protocol):
    """What of an incident is told. `paragraph` says what it is about, `url` where our people work on it."""

    @property
    def id(self) -> str: ...  # noqa: D102 - see above
    @property
    def brand(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> Severity: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def paragraph(self) -> str: ...  # noqa: D102
    @property
    def url(self) -> str: ...  # noqa: D102
    @property
    def opened_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def acknowledged_at(self) -> datetime | None: ...  # noqa: D102


class Escalation(NamedTuple):
    """Nobody had acknowledged an incident in time: who was called next."""

    incident: str
    step: int
    targets: tuple[str, ...]


class _Changed(HarkenError):
    """Somebody else was faster: leave no trace and go on."""


def _nothing(transaction: Transaction, incident: str, sentence: str) -> None:
    """Nobody keeps a timeline."""


class Alerts(Standings):
    """The alerts, on the store's database. Safe to share among threads and processes; `timeline` hears of every
    escalation in its transaction."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        playbooks: Playbooks,
        targets: Mapping[str, Target],
        quiet: Quiet | None = None,
        timeline: Timeline = _nothing,
    ) -> None:
        super().__init__(database, clock)
        self._playbooks = playbooks
        self._targets = targets
        self._quiet = quiet
        self._timeline = timeline

    # ---------------------------------------------------------------------- following

    def follow(self, transaction: Transaction, incident: Subject, change: str) -> None:
        """Note how an incident stands now, and what is to be told of that to whom; the same again changes nothing.
        To be called in a transaction that holds the incident."""
        now = self._clock.now()
        before = held_alert(transaction, incident.id)
        alert = _news(before, incident)
        if before.version and alert == before:
            return
        playbook = self._playbooks.chosen(alert.kind, alert.brand)
        anew = alert.state == State.REOPENED and before.state != State.REOPENED
        if anew or (playbook and before.playbook not in ("", playbook.name)):
            alert = replace(alert, step=0, called_at=NEVER)
        alert = replace(
            alert,
            version=before.version + 1,
            change=change,
            playbook=playbook.name if playbook else "",
            changed_at=now,
        )
        called: list[str] = []
        if playbook and alert.severity >= playbook.severity.rank:
            called = [
                name
                for call in playbook.call[: alert.step]
                if before.severity < call.severity.rank <= alert.severity
                for name in self._names(call)
            ]
            alert, at_once = self._started(alert, playbook, now)
            called += at_once
        alert = replace(alert, next_at=_next(alert, playbook))
        put_alert(transaction, alert)
        self._call(transaction, alert, called, now)
        changed = []
        for message in _messages(transaction, alert.incident):
            if anew:
                message = replace(message, said="")
            changed.append(self._again(message, alert, now))
        put_messages(transaction, changed)

    # --------------------------------------------------------------------- escalating

    def escalate(self, now: datetime | None = None) -> list[Escalation]:
        """Make every call of a playbook that is due because nobody has acknowledged its incident. For a timer."""
        now = now or self._clock.now()
        query = select(alerts).where(alerts.c.next_at <= now).order_by(alerts.c.next_at, alerts.c.incident)
        with self._db.read() as transaction:
            waiting = [alert_of(row) for row in transaction.run(query)]
        made = []
        for alert in waiting:
            try:
                with self._db.write() as transaction:
                    if escalation := self._escalated(transaction, alert, now):
                        made.append(escalation)
            except (_Changed, NoSuchIncident):  # somebody else was faster, or it is past its period
                continue
        return made

    def hurry(self, incident: str) -> None:
        """Let the next call of the playbook be made now if nobody can be reached of those called so far."""
        now = self._clock.now()
        with self._db.write() as transaction:
            alert = held_alert(transaction, incident)
            hope = any(it.told_version or it.next_at < NEVER for it in _messages(transaction, incident))
            if alert.next_at < NEVER and not hope:
                # The calls after it move with it, or they would all come at once.
                by = max(alert.next_at - now, timedelta(0))
                put_alert(transaction, replace(alert, called_at=alert.called_at - by, next_at=alert.next_at - by))

    def _escalated(self, transaction: Transaction, alert: Alert, now: datetime) -> Escalation | None:
        # The file may have been changed since it was chosen.
        playbook = self._playbooks.find(alert.playbook) or self._playbooks.chosen(alert.kind, alert.brand)
        if playbook is None or alert.step >= len(playbook.call):
            self._put(transaction, alert, replace(alert, next_at=NEVER))
            return None
        if alert.step and self._quiet and self._quiet.holds(alert.level, now):
            # Whoever was called first sleeps as well: their minutes count from when they are told.
            later = replace(alert, called_at=self._quiet.end(now) - _after(playbook, alert.step - 1))
            self._put(transaction, alert, replace(later, next_at=_next(later, playbook)))
            return None
        call = playbook.call[alert.step]
        names = self._names(call) if alert.severity >= call.severity.rank else []
        if names and alert.step:
            sentence = f"Nobody has acknowledged it: told {', '.join(names)} (call {alert.step + 1})."
            self._timeline(transaction, alert.incident, sentence)
        after = replace(alert, step=alert.step + 1)
        if names:
            after = replace(after, version=alert.version + 1, change="escalated", changed_at=now)
        after = replace(after, next_at=_next(after, playbook))
        self._put(transaction, alert, after)
        before = {it.target: it for it in _messages(transaction, alert.incident)}
        self._call(transaction, after, [name for name in names if name not in before], now)
        again = [replace(before[name], said="") for name in names if name in before]
        put_messages(transaction, [self._again(it, after, now) for it in again])
        return Escalation(alert.incident, after.step, tuple(names)) if names else None

    def _put(self, transaction: Transaction, before: Alert, after: Alert) -> None:
        """Write `after`, unless it is not `before` any more. The timeline has come first: the incident is locked."""
        if held_alert(transaction, before.incident) != before:
            raise _Changed
        put_alert(transaction, after)

    # ----------------------------------------------------------------------- clearing

    def prune(self, before: datetime, limit: int = 1000) -> int:
        """Take away alerts of closed incidents that have not changed since then, and old summaries; returns how many
        rows went. Those that wait for a target of this configuration stay."""
        busy = select(alert_messages.c.incident).where(
            alert_messages.c.next_at < NEVER, alert_messages.c.target.in_(list(self._targets))
        )
        with self._db.write() as transaction:
            old = select(alerts.c.incident).where(
                alerts.c.changed_at < before, alerts.c.state == State.CLOSED.value, alerts.c.incident.not_in(busy)
            )
            ids = list(transaction.run(old.order_by(alerts.c.changed_at).limit(limit)).scalars())
            gone = transaction.run(delete(alerts).where(transaction.among(alerts.c.incident, ids))).rowcount
            theirs = transaction.among(alert_messages.c.incident, ids)
            gone += transaction.run(delete(alert_messages).where(theirs)).rowcount
            summaries = (alert_messages.c.incident == "", alert_messages.c.since < before)
            gone += transaction.run(
                delete(alert_messages).where(*summaries, alert_messages.c.next_at == NEVER)
            ).rowcount
        return gone

    # ------------------------------------------------------------------------- inside

    def _started(self, alert: Alert, playbook: Playbook, now: datetime) -> tuple[Alert, list[str]]:
        """The alert once the calls that are to be made at once were made, and whom they call."""
        if not alert.calls:
            return alert, []
        if alert.called_at == NEVER:
            alert = replace(alert, called_at=now)
        if alert.step or not playbook.call or playbook.call[0].after_minutes:
            return alert, []
        call = playbook.call[0]
        return replace(alert, step=1), self._names(call) if alert.severity >= call.severity.rank else []

    def _names(self, call: Call) -> list[str]:
        return [name for name in call.targets or self._targets if name in self._targets]

    def _call(self, transaction: Transaction, alert: Alert, names: list[str], now: datetime) -> None:
        """Begin a message to each that has none yet."""
        rows = {
            name: Message(
                id=digest(alert.incident, name),
                incident=alert.incident,
                target=name,
                state="waiting",
                next_at=now,
                since=now,
            )
            for name in sorted(names)
        }
        transaction.insert(alert_messages, [asdict(it) for it in rows.values()], "id")

    def _again(self, message: Message, alert: Alert, now: datetime) -> Message:
        """The message after the incident has changed. One that is being sent is looked at when its outcome is known;
        one that waits for its target to come back goes on waiting, unless there is news and it may have arrived."""
        if message.state == "sending":
            return message
        if message.state == "waiting" and message.attempts:
            return replace(message, next_at=now) if message.doubts and is_news(message, alert) else message
        target = self._targets.get(message.target)
        at = due(message, alert, now, edits=target is not None and target.edits)
        if at is not None:
            return replace(message, state="waiting", next_at=at, attempts=0)
        return replace(message, state="told", next_at=NEVER) if message.state in ("waiting", "held") else message


def _news(before: Alert, incident: Subject) -> Alert:
    return replace(
        before,
        brand=visible(incident.brand, TITLE_CHARS),
        kind=str(incident.kind),
        state=str(incident.state),
        severity=incident.severity.rank,
        title=visible(incident.title, TITLE_CHARS),
        paragraph=visible(incident.paragraph, PARAGRAPH_CHARS),
        url=incident.url,
        opened_at=incident.opened_at,
        acknowledged_at=incident.acknowledged_at,
    )


def _after(playbook: Playbook, step: int) -> timedelta:
    return timedelta(minutes=playbook.call[step].after_minutes)


def _next(alert: Alert, playbook: Playbook | None) -> datetime:
    """When the next call is to be made."""
    if playbook is None or not alert.calls or alert.called_at == NEVER or alert.step >= len(playbook.call):
        return NEVER
    return alert.called_at + _after(playbook, alert.step)


def _messages(transaction: Transaction, incident: str) -> list[Message]:
    """Those of an incident, held until the end."""
    query = select(alert_messages).where(alert_messages.c.incident == incident)
    return [message_of(row) for row in transaction.run(query.order_by(alert_messages.c.id).with_for_update())]
