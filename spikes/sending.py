"""From the rows of alerts to their targets.

A message is handed over in three steps: a transaction that makes it this sender's for a while and writes down what is
about to be sent; the sending, outside any transaction; a transaction that says what came of it. Whoever dies in between
leaves it `sending`: when its time is over nobody knows whether it arrived, and the target's kind says what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
import structlog
from msgspec.structs import asdict, replace
from sqlalchemy import ColumnElement, func, select

from desk.macros import Macro
from pipeline.errors import StoreUnavailable
from pipeline.ports import Backoff, Clock
from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.columns import NEVER
from pipeline.store.database import Database, Transaction
from pipeline.store.part import Part
from spikes._alert_rows import (
    Alert,
    Message,
    alert_of,
    digest,
    due,
    is_news,
    message_of,
    notice_of,
    put_messages,
    settled,
    stood,
)
from spikes._notice import Matter, Notice, Page, Statement, visible
from spikes._quiet import Quiet
from spikes._target import Later, Outcome, Refused, Target, Told
from spikes.alerts import Alerts
from spikes.detection import Severity
from spikes.playbooks import Playbooks, filled

log = structlog.get_logger(__name__)

TERM = timedelta(seconds=180)
"""How long a message is its sender's: longer than any target may take."""

RETRY = Backoff(first=5.0, factor=2.0, cap=60.0)
"""Between attempts that certainly failed, seconds; without end: a target that comes back is told at last."""

DOUBT = Backoff(first=60.0, factor=6.0, cap=3600.0)
"""Before an attempt is repeated that may have arrived at a target that cannot tell a repetition, seconds."""

REPEATS = 4
"""How often such an attempt is repeated at most: a target that takes messages and never answers is not flooded."""

OUTAGE = Backoff(first=0.5, factor=2.0, cap=10.0)
"""Between attempts while the store does not answer, seconds."""

IDLE_SECS = 1.0

Fate = Literal["told", "retried", "unsure", "refused", "held"]
"""What came of a message that was due."""


class _Taken(NamedTuple):
    """A message that is this sender's, and what it says."""

    message: Message
    notice: Notice


class Sender(Part):
    """Sends what is due at these targets: of each one message at a time here; any number of senders, in any number of
    processes, may be at work. `heard` hears what came of each."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        alerts: Alerts,
        playbooks: Playbooks,
        targets: Mapping[str, Target],
        quiet: Quiet | None = None,
        heard: Callable[[str, Fate], None] = lambda target, fate: None,  # noqa: ARG005 - nobody listens
    ) -> None:
        super().__init__(database, clock)
        self._alerts = alerts
        self._playbooks = playbooks
        self._targets = targets
        self._quiet = quiet
        self._heard = heard
        self._unsaid: dict[str, tuple[_Taken, Outcome]] = {}

    def run(self, name: str) -> None:
        """One target's messages until the clock is stopped. A thread for each, so that one that hangs holds up nobody
        else. A store that does not answer is waited out."""
        outages = 0
        while not self._clock.stopping:
            try:
                done = self.step(name)
            except StoreUnavailable as error:
                outages += 1
                if outages == 1:
                    log.warning("alerts wait for the store", reason=str(error))
                self._clock.wait(OUTAGE.delay(outages))
                continue
            if outages:
                log.info("alerts go on")
                outages = 0
            if not done:
                self._clock.wait(IDLE_SECS)

    def step(self, name: str | None = None) -> int:
        """One round: of this target, or of every one, the message that is due first, if any. Returns how many were
        dealt with. Raises StoreUnavailable; what was sent by then is remembered and said first in the next round."""
        return sum(self._one(it) for it in ([name] if name else self._targets))

    def waiting(self) -> dict[str, int]:
        """How many messages wait or are being sent, by target."""
        query = select(alert_messages.c.target, func.count().label("counted")).where(alert_messages.c.next_at < NEVER)
        with self._db.read() as transaction:
            found = {row.target: row.counted for row in transaction.run(query.group_by(alert_messages.c.target))}
        return {name: found.get(name, 0) for name in self._targets}

    def _one(self, name: str) -> int:
        if name not in self._unsaid:
            if not self._any_due(name):
                return 0
            taken = self._take(name)
            if taken is None:
                return 0
            if isinstance(taken, Message):
                self._finally(taken)
                return 1
            self._unsaid[name] = taken, self._send(name, taken)
        self._say(name, *self._unsaid[name])
        del self._unsaid[name]
        return 1

    # ------------------------------------------------------------------------- taking

    def _any_due(self, name: str) -> bool:
        """Looked up without holding anything, so that an idle sender does not take SQLite's only pen."""
        query = select(alert_messages.c.id).where(*self._due_at(name)).limit(1)
        with self._db.read() as transaction:
            return transaction.run(query).first() is not None

    def _due_at(self, name: str) -> tuple[ColumnElement[bool], ...]:
        return (alert_messages.c.target == name, alert_messages.c.next_at <= self._clock.now())

    def _take(self, name: str) -> _Taken | Message | None:
        """Make the first message that is due this sender's, its intention written down; or deal with it without
        sending, where the message is returned as it stands then."""
        now, target = self._clock.now(), self._targets[name]
        first = (
            select(alert_messages)
            .where(*self._due_at(name))
            .order_by(alert_messages.c.next_at, alert_messages.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._db.write() as transaction:
            row = transaction.run(first).first()
            if row is None:
                return None
            message = message_of(row)
            if message.state == "sending":
                message = replace(message, state="waiting", doubts=message.doubts + 1)
            alert = _alert(transaction, message)
            if message.state == "waiting" and message.doubts and _is_enough(target, message):
                message = _given_up(message, "a sender died while it was sending it", now)
                self._put(transaction, _going_on(message, alert, target, now))
                return message
            if message.incident and alert is None:
                return self._put(transaction, replace(message, state="told", next_at=NEVER, body=b""))
            if self._quiet and target.sleeps and self._quiet.holds(alert.level if alert else Severity.MINOR, now):
                held = "held" if alert else "waiting"
                return self._put(transaction, replace(message, state=held, next_at=self._quiet.end(now)))
            if message.state == "held" and self._summed_up(transaction, name, now):
                return replace(message, state="told")
            if alert is not None and not _to_repeat(message, alert, target):
                if (at := due(message, alert, now, edits=target.edits)) is None:
                    return self._put(transaction, replace(message, state="told", next_at=NEVER, body=b""))
                if at > now:
                    return self._put(transaction, replace(message, state="waiting", next_at=at))
                message = self._written(message, alert, now)
            message = replace(message, state="sending", attempts=message.attempts + 1, next_at=now + TERM)
            put_messages(transaction, [message])
        return _Taken(message, notice_of(message))

    def _put(self, transaction: Transaction, message: Message) -> Message:
        put_messages(transaction, [message])
        return message

    def _written(self, message: Message, alert: Alert, now: datetime) -> Message:
        first = message.first or alert.version
        notice = Notice(
            message=message.id,
            sequence=alert.version,
            first=first,
            at=now,
            summary=False,
            matters=(self._matter(alert),),
        )
        body = msgspec.json.encode(notice)
        return replace(message, version=alert.version, first=first, attempts=0, doubts=0, body=body)

    def _matter(self, alert: Alert) -> Matter:
        playbook = self._playbooks.find(alert.playbook)
        statements = [self._playbooks.statement(name) for name in playbook.statements] if playbook else []
        facts = {name: value for name, value in asdict(alert).items() if name in Matter.__struct_fields__}
        return Matter(
            **{**facts, "severity": alert.level.value},
            statements=tuple(
                Statement(name=it.name, title=it.title or it.name, text=self._filled(it, alert))
                for it in statements
                if it is not None
            ),
            pause=playbook.pause if playbook else (),
            read=tuple(Page(title=it.title, url=it.url) for it in playbook.read) if playbook else (),
        )

    def _filled(self, statement: Macro, alert: Alert) -> str:
        return visible(filled(self._playbooks, statement, alert.brand, alert.incident), 1000)

    def _summed_up(self, transaction: Transaction, name: str, now: datetime) -> bool:
        """Make one message of all that was held back for this target, where that is more than one incident."""
        query = (
            select(alert_messages)
            .where(*self._due_at(name), alert_messages.c.state == "held")
            .order_by(alert_messages.c.since, alert_messages.c.id)
            .with_for_update(skip_locked=True)
        )
        held = [message_of(row) for row in transaction.run(query)]
        told: list[tuple[Message, Alert]] = []
        for message in held:
            alert = _alert(transaction, message)
            if alert is not None and due(message, alert, now, edits=False) is not None:
                told.append((message, alert))
        if len(told) < 2:
            return False
        id = digest("summary", name, now.isoformat())
        matters = tuple(self._matter(alert) for _, alert in told)
        notice = Notice(message=id, sequence=1, first=1, at=now, summary=True, matters=matters)
        summary = Message(id=id, incident="", target=name, state="waiting", next_at=now, since=now)
        summary = replace(summary, version=1, first=1, body=msgspec.json.encode(notice))
        transaction.insert(alert_messages, [asdict(summary)], "id")
        reason = f"summed up in {id}"
        for message, alert in told:
            after = settled(message, alert.stood, now, state="told", reason=reason)
            first = message.first or alert.version
            put_messages(transaction, [replace(after, version=alert.version, told_version=alert.version, first=first)])
        return True

    # ------------------------------------------------------------------------ sending

    def _send(self, name: str, taken: _Taken) -> Outcome:
        try:
            return self._targets[name].send(taken.notice, repeated=taken.message.doubts > 0)
        except Exception as error:  # a target's fault is its own: the others go on
            # Without its words: they may show an address that holds a token.
            log.error("target of alerts failed", target=name, error=type(error).__name__)
            return Later(f"it failed: {type(error).__name__}", doubtful=True)

    # ------------------------------------------------------------------------- saying

    def _say(self, name: str, taken: _Taken, outcome: Outcome) -> None:
        now, target = self._clock.now(), self._targets[name]
        with self._db.write() as transaction:
            query = select(alert_messages).where(alert_messages.c.id == taken.message.id).with_for_update()
            row = transaction.run(query).first()
            if row is None:  # pruned meanwhile
                return
            message = message_of(row)
            if (message.state, message.version) != ("sending", taken.message.version):
                return
            if message.attempts != taken.message.attempts and not isinstance(outcome, Told):
                return  # another sender has taken it over, and will say
            message = _after(message, taken.notice, target, outcome, now)
            put_messages(transaction, [_going_on(message, _alert(transaction, message), target, now)])
        fate = _fate(message, outcome)
        self._heard(name, fate)
        if isinstance(outcome, Later) and taken.message.attempts == 1:
            log.warning("target of alerts does not answer", target=name, reason=outcome.reason)
        if isinstance(outcome, Told) and taken.message.attempts > 1:
            log.info("target of alerts is back", target=name, attempts=taken.message.attempts)
        if fate in ("unsure", "refused"):
            log.error("alert not told", target=name, fate=fate, reason=message.reason)
            self._call_next(taken.notice)

    def _finally(self, message: Message) -> None:
        """After what was dealt with without sending."""
        if message.state == "unsure":
            log.error("alert not told", target=message.target, fate="unsure", reason=message.reason)
            self._heard(message.target, "unsure")
            if message.incident:
                self._alerts.hurry(message.incident)
        elif message.state == "held":
            self._heard(message.target, "held")

    def _call_next(self, notice: Notice) -> None:
        for it in notice.matters:
            self._alerts.hurry(it.incident)


def _after(message: Message, notice: Notice, target: Target, outcome: Outcome, now: datetime) -> Message:
    """The message once we know, or do not know, what came of an attempt."""
    if isinstance(outcome, Told):
        return settled(message, stood(notice), now, state="told", told_version=message.version, reason=outcome.note)
    if isinstance(outcome, Refused):
        return settled(message, stood(notice), now, state="refused", reason=outcome.reason)
    if outcome.doubtful:
        message = replace(message, doubts=message.doubts + 1)
        if _is_enough(target, message):
            return _given_up(message, outcome.reason, now)
    delay = RETRY.delay(message.attempts)
    if outcome.doubtful and not target.keyed:
        delay = DOUBT.delay(message.doubts)
    if outcome.retry_after is not None:
        delay = max(delay, outcome.retry_after)
    return replace(message, state="waiting", reason=outcome.reason, next_at=now + timedelta(seconds=delay))


def _going_on(message: Message, alert: Alert | None, target: Target, now: datetime) -> Message:
    """What is settled waits anew where the incident has changed since."""
    at = due(message, alert, now, edits=target.edits) if alert and message.next_at == NEVER else None
    return replace(message, state="waiting", next_at=at, attempts=0) if at else message


def _is_enough(target: Target, message: Message) -> bool:
    return not target.keyed and (not target.repeats or message.doubts > REPEATS)


def _given_up(message: Message, reason: str, now: datetime) -> Message:
    told = stood(notice_of(message))
    return settled(message, told, now, state="unsure", reason=f"it may have arrived: {reason}")


def _to_repeat(message: Message, alert: Alert, target: Target) -> bool:
    """Whether the very same message goes out again: nothing newer is to be told, or what may have arrived is only to
    be replaced by something that matters."""
    if not message.body:
        return False
    if message.version == alert.version:
        return True
    return bool(message.doubts) and not target.edits and not is_news(message, alert)


def _fate(message: Message, outcome: Outcome) -> Fate:
    if isinstance(outcome, Told):
        return "told"
    if isinstance(outcome, Refused):
        return "refused"
    return "unsure" if message.state == "unsure" else "retried"


def _alert(transaction: Transaction, message: Message) -> Alert | None:
    """What it tells of; None for a summary."""
    row = transaction.run(select(alerts).where(alerts.c.incident == message.incident)).first()
    return alert_of(row) if row else None
