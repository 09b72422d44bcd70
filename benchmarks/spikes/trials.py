"""One made brand, watched for weeks, and then struck by every storm in turn: what was seen, and when."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from msgspec import Struct

from benchmarks.spikes.ordinary import Brand, Held, Traffic, ordinary
from benchmarks.spikes.said import Rows, merged, seconds
from benchmarks.spikes.storms import Storm, angry, storm
from benchmarks.spikes.watching import Feed
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.database import Database, Transaction
from spikes.detection import Detection, Kind
from spikes.detector import THRESHOLDS, Sensitivity
from spikes.incident_records import Group, group_of
from spikes.joining import IncidentSettings
from spikes.judging import fires

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
COOL = IncidentSettings().cool

FIRST = timedelta(minutes=5)
VOICES = 15
"""Distinct negative authors from which a storm should be seen within minutes."""

HOURS = (14, 3, 20, 9)
"""Of the day at which storms strike, by the brand's seed."""

SLICE_SECS = 600
AFTER = timedelta(minutes=30)
"""A storm is watched for so long after it was first seen; by then it is clear what it is called."""

LASTS = timedelta(hours=8)
"""A storm that was not seen by then is missed. The last shapes peak four hours after their onset."""

ECHO_AT_MOST = 5000
"""Mentions a day up to which a brand is watched for the day until the echo."""

SILENT = "a source stops"


class Plan(Struct, frozen=True):
    """A brand, how long it is watched before the storms, and their shapes and sizes."""

    per_day: float
    seed: int
    days: int
    storms: tuple[tuple[str, int], ...]


class Alert(Struct, frozen=True):
    """What would have been one incident on a day without a storm."""

    kind: str
    at: datetime
    first_week: bool
    occasion: str


class Outcome(Struct, frozen=True, kw_only=True):
    """One storm. `minutes` from its onset to the first detection of its group, None if there was none; `soon` are the
    distinct negative authors within five minutes, `fifteenth` the minutes until there were VOICES of them; `called` the
    kind it ended up as."""

    shape: str
    size: int
    per_day: float
    expected: str
    minutes: float | None
    soon: int
    fifteenth: float | None
    called: str | None


class Found(Struct, frozen=True):
    """What came of a plan: false alerts by sensitivity, how many weeks they are of, and the storms."""

    plan: Plan
    weeks: float
    alerts: dict[str, list[Alert]]
    outcomes: list[Outcome]


def carried_out(plan: Plan) -> Found:
    """Make the brand, watch it, strike it. Nothing is kept."""
    # All that is after the strike is made as well, so that life goes on while the storm lasts.
    traffic = ordinary(Brand("acme", plan.per_day, seed=plan.seed), MONDAY, plan.days + 3)
    struck = MONDAY + timedelta(days=plan.days, hours=HOURS[plan.seed % len(HOURS)])
    before = traffic.said[traffic.said["at"] < seconds(struck)]
    after = traffic.said[traffic.said["at"] >= seconds(struck)]
    with tempfile.TemporaryDirectory() as folder, _Uncommitted(Path(folder)) as transaction:
        # The most sensitive: what the others would see is among it.
        feed = Feed("acme", "high")
        seen = list(feed.take(transaction, before))
        alerts: dict[str, list[Alert]] = {name: false_alerts(seen, traffic, name) for name in THRESHOLDS}
        outcomes = [one for it in plan.storms for one in _strike(feed, transaction, plan, after, struck, *it)]
    weeks = (struck - MONDAY) / WEEK
    return Found(plan, weeks, alerts, outcomes)


class _Uncommitted:
    """A database of its own, in one transaction that is never committed."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder}/watched.db"
        store = Store(url, ManualClock())
        store.upgrade()
        store.close()
        self._database = Database(url)

    def __enter__(self) -> Transaction:
        self._connection = self._database.engine.connect()
        self._connection.begin()
        return Transaction(self._connection)

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
        self._connection.close()
        self._database.close()


def at_sensitivity(seen: Iterable[Detection], sensitivity: Sensitivity) -> Iterator[Detection]:
    """Those that would have been seen at this sensitivity too."""
    for it in seen:
        evidence = it.evidence
        if it.kind is Kind.SILENCE:
            yield it
            continue
        storm = it.kind is not Kind.PRAISE
        loud = evidence.negative if it.kind is Kind.SINGLE_AUTHOR else evidence.negative_authors
        if fires(it.score, loud if storm else evidence.authors, sensitivity):
            yield it


def false_alerts(seen: Sequence[Detection], traffic: Traffic, sensitivity: Sensitivity) -> list[Alert]:
    """Incidents there would have been: detections of one group no further apart than the cool-down are one. Praise on
    an occasion is none: that is what it is for. Trouble on an occasion is."""
    found: list[Alert] = []
    last: dict[Group, datetime] = {}
    for it in sorted(at_sensitivity(seen, sensitivity), key=lambda it: it.at):
        group = group_of(it.kind)
        before = last.get(group)
        last[group] = it.at
        if before is not None and it.at - before <= COOL:
            continue
        occasion = _occasion(it.at, traffic.held)
        if group == "praise" and occasion:
            continue
        found.append(Alert(str(it.kind), it.at, it.at < MONDAY + WEEK, occasion))
    return found


def _occasion(at: datetime, held: Sequence[Held]) -> str:
    return next((it.theme for it in held if it.since <= at <= it.until + timedelta(hours=1)), "")


def _strike(
    feed: Feed, transaction: Transaction, plan: Plan, after: Rows, struck: datetime, shape: str, size: int
) -> Iterator[Outcome]:
    onset = struck + timedelta(minutes=3)
    if shape == SILENT:
        yield _fall_silent(feed, transaction, plan, after, onset)
        return
    it = storm(shape, size, onset, plan.seed)
    yield _outcome(feed, transaction, plan, after, it, it.shape, onset)
    if it.echo is not None and plan.per_day <= ECHO_AT_MOST:
        yield _outcome(feed, transaction, plan, after, it, f"{it.shape}, a day on", it.echo)


def _outcome(
    feed: Feed, transaction: Transaction, plan: Plan, after: Rows, it: Storm, shape: str, begins: datetime
) -> Outcome:
    """Of the wave that begins then."""
    since = seconds(begins)
    until = since + int(LASTS.total_seconds())
    voices = angry(it.said[it.said["at"] >= since])
    rows = merged([after[after["at"] < until], it.said[it.said["at"] < until]])
    group: Group = "praise" if it.kind == "praise" else "storm"
    with feed.branch(transaction) as branch:
        for _ in branch.take(transaction, rows[rows["at"] < since], "before"):
            pass
        seen = list(_watched(branch, transaction, rows[rows["at"] >= since], begins, group))
    return Outcome(
        shape=shape,
        size=it.size,
        per_day=plan.per_day,
        expected=it.kind,
        minutes=(min(one.at for one in seen) - begins).total_seconds() / 60 if seen else None,
        soon=int((voices < since + FIRST.total_seconds()).sum()),
        fifteenth=float(voices[VOICES - 1] - since) / 60 if len(voices) >= VOICES else None,
        called=str(max((one.kind for one in seen), key=lambda kind: kind.rank)) if seen else None,
    )


def _watched(feed: Feed, transaction: Transaction, rows: Rows, onset: datetime, group: Group) -> Iterator[Detection]:
    """What is seen of this group at normal sensitivity, until some time after the first."""
    first: datetime | None = None
    cuts = np.flatnonzero(np.diff(rows["at"] // SLICE_SECS)) + 1
    for number, part in enumerate(np.split(rows, cuts)):
        if first is not None and part["at"][0] > seconds(first + AFTER):
            return
        seen = at_sensitivity(feed.take(transaction, part, f"s{number}"), "normal")
        for it in sorted(seen, key=lambda it: it.at):
            if group_of(it.kind) == group and it.at > onset and (first is None or it.at <= first + AFTER):
                first = first or it.at
                yield it


def _fall_silent(feed: Feed, transaction: Transaction, plan: Plan, after: Rows, onset: datetime) -> Outcome:
    """The loudest source brings nothing more for two days; the others go on."""
    since = seconds(onset)
    rows = after[(after["at"] < since) | ((after["source"] != 1) & (after["at"] < since + 2 * 86_400))]
    with feed.branch(transaction) as branch:
        seen = [
            it
            for it in branch.take(transaction, rows, "q")
            if it.kind is Kind.SILENCE and it.key == (it.key.brand, "source", "x") and it.at > onset
        ]
    minutes = (min(it.at for it in seen) - onset).total_seconds() / 60 if seen else None
    called = "silence" if seen else None
    return Outcome(
        shape=SILENT,
        size=0,
        per_day=plan.per_day,
        expected="silence",
        minutes=minutes,
        soon=0,
        fifteenth=None,
        called=called,
    )
