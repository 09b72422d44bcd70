"""What the desk does by itself, from time to time: each step does a bounded part and says whether there may be more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import structlog

from pipeline.metrics import ALARMS, ALERTS, ANSWERS, ANSWERS_WAITING, DEEDS, FEED_SECONDS, LATE_CASES, OPEN_CASES
from pipeline.patience import patiently
from pipeline.ports import Clock
from pipeline.roles import noted
from pipeline.wiring import Parts

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Timer:
    """A step to be taken every `seconds`, and again at once for as long as it says that it found something to do."""

    name: str
    seconds: float
    step: Callable[[], object]

    def run(self, clock: Clock) -> None:
        """Until the clock is stopped; a store that is down is waited out."""
        while not clock.wait(self.seconds):
            while patiently(clock, "store", self.step) and not clock.stopping:
                pass


class Loop(NamedTuple):
    """What a thread of this name does until the clock is stopped."""

    name: str
    run: Callable[[], None]


def desk_loops(parts: Parts) -> list[Loop]:
    """Everything the role desk looks after. All of it may run in several processes."""
    statements = parts.statements()
    senders = parts.senders(lambda via, outcome: ANSWERS.labels(via, outcome).inc())

    def measure() -> None:
        _measure(parts)
        for via, number in (item for sender in senders.values() for item in sender.waiting().items()):
            ANSWERS_WAITING.labels(via).set(number)

    timers = [
        Timer("leases", 5.0, parts.cases.sweep),
        Timer("waves", 5.0, parts.cases.settle_waves),
        Timer("clocks", 1.0, parts.keeper.follow),
        Timer("changed-clocks", 5.0, parts.keeper.refresh),
        Timer("alarms", 5.0, lambda: _fire(parts)),
        Timer("facts", 2.0, parts.facts.follow),
        Timer("crm", 60.0, parts.crm.step),
        Timer("gauges", 15.0, measure),
        Timer("statements", 2.0, lambda: bool(statements.step()) and None),
    ]
    for via, doer in parts.doers().items():
        timers.append(Timer(f"deeds-{via}", 1.0, partial(doer.step, partial(_noted_deed, via))))
    if parts.desk.pushed:
        timers.append(Timer("assignment", 2.0, parts.assignment.assign))
    answering = [Loop(f"answers-{via}", sender.run) for via, sender in senders.items()]
    return _loops(parts, timers) + answering


def _noted_deed(via: str, outcome: str) -> None:
    DEEDS.labels(via, outcome).inc()


def store_loops(parts: Parts) -> list[Loop]:
    """What every store needs, with or without cases."""
    retention = parts.retention()

    def expire() -> bool:
        gone = {kind: number for kind, number in retention.sweep().items() if number}
        if gone:
            log.info("removed what was past its period", **gone)
        # A pause in between: what is past its period can wait, deliver cannot.
        return not retention.through and not parts.clock.wait(0.2)

    return _loops(parts, [Timer("retention", 600.0, expire)])


def spike_loops(parts: Parts) -> list[Loop]:
    """Everything the role spikes looks after besides its topic. All of it may run in several processes."""
    upkeep = parts.upkeep()
    handler, listener, incidents = parts.spikes_handler, parts.listener, parts.incidents
    family = parts.family()

    def calm() -> None:
        incidents.tick(parts.clock.now(), listener.edges())

    timers = [
        Timer("spikes-held-back", 5.0, lambda: noted(listener.go_on(handler.lagging()))),
        Timer("silence", 300.0, lambda: None if handler.lagging() else noted(listener.silence())),
        Timer("hours", 30.0, upkeep.roll_up),
        Timer("counts", 600.0, upkeep.expire),
        Timer("calm", 30.0, calm),
        Timer("families", 5.0, lambda: bool(family.step()) and None),
        Timer("promises", 5.0, lambda: bool(parts.remind()) and None),
    ]
    if not parts.alert_targets:
        return _loops(parts, [*timers, Timer("gather", 5.0, lambda: bool(incidents.gather()) and None)])
    follower, alerts = parts.follower(), parts.alerts
    sender = parts.alert_sender(lambda target, fate: ALERTS.labels(target, fate).inc())

    def gather() -> None:
        incidents.gather()
        follower.step()  # what it is about is told, so what it is made of comes first

    def prune() -> bool:
        days = timedelta(days=parts.config.file.spikes.history_days)
        return bool(alerts.prune(parts.clock.now() - days))

    timers += [
        Timer("gather", 5.0, gather),
        Timer("escalation", 5.0, lambda: bool(alerts.escalate()) and None),
        Timer("old-alerts", 3600.0, prune),
    ]
    return _loops(parts, timers) + [Loop(f"alert-{name}", partial(sender.run, name)) for name in parts.alert_targets]


def _loops(parts: Parts, timers: Sequence[Timer]) -> list[Loop]:
    return [Loop(timer.name, partial(timer.run, parts.clock)) for timer in timers]


def _fire(parts: Parts) -> int:
    told = parts.keeper.fire()
    for queue, alarm in ((it.queue, it.alarm) for it in told):
        ALARMS.labels(alarm.kind, alarm.clock, queue).inc()
    if told:
        kinds = {kind: sum(it.alarm.kind == kind for it in told) for kind in ("warning", "breach", "escalation")}
        log.info("told of service levels", **kinds)
    return len(told)


def _measure(parts: Parts) -> None:
    loads, late = parts.cases.loads(), parts.keeper.late()
    OPEN_CASES.clear()
    LATE_CASES.clear()
    for load in loads:
        for standing in ("ready", "held", "resting"):
            OPEN_CASES.labels(load.queue, standing).set(getattr(load, standing))
        LATE_CASES.labels(load.queue).set(late.get(load.queue, 0))
    now = parts.clock.now()
    for follower, since in parts.feed.waiting_since().items():
        FEED_SECONDS.labels(follower).set((now - since).total_seconds() if since else 0)
