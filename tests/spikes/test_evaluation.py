"""The evaluation of the watch: its short way finds what the long way finds, and its table says what was missed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.results import Gate, Row
from benchmarks.spikes import evaluate, load, trials
from benchmarks.spikes.ordinary import Brand, Held, Traffic, ordinary
from benchmarks.spikes.said import ROW, merged, records
from benchmarks.spikes.storms import storm
from benchmarks.spikes.trials import Alert, Found, Outcome, Plan, carried_out, false_alerts
from benchmarks.spikes.watching import Feed, counted
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.database import Database
from spikes.counting import said
from spikes.counts import Counts
from spikes.detection import Detection, Evidence, Key, Kind, Severity
from spikes.watch import Watch

pytestmark = pytest.mark.long


ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    url = f"sqlite:///{tmp_path}/harken.db"
    store = Store(url, ManualClock())
    store.upgrade()
    store.close()
    return Database(url)


def test_rows_count_as_their_records_do() -> None:
    parts = [ordinary(Brand("acme", 60, seed=1), MONDAY, 2).said, storm("bot flood", 50, MONDAY + DAY).said]
    rows = merged(parts)
    late = MONDAY + 9 * DAY
    assert counted(rows, "acme") == [said(item, late) for item in records(rows, "acme")]


def test_the_short_way_sees_what_counting_through_the_store_sees(database: Database, tmp_path: Path) -> None:
    parts = [ordinary(Brand("acme", 150, seed=3), MONDAY, 4).said]
    parts += [storm("burst", 200, MONDAY + 2 * DAY).said, storm("repost storm", 90, MONDAY + 2.6 * DAY).said]
    rows = merged(parts)
    items = list(records(rows, "acme"))
    counts, watch = Counts(database, ManualClock(MONDAY + 30 * DAY)), Watch("high")
    long: list[Detection] = []
    for start in range(0, len(items), 200):
        with database.write() as transaction:
            long += watch.look(transaction, counts.count(transaction, items[start : start + 200]))
    with database.write() as transaction:
        for table in ("spike_buckets", "spike_states", "spike_detections"):
            transaction.connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - ours
        short = list(Feed("acme", "high").take(transaction, rows))
    windows = {(it.key, it.at, it.kind, it.score) for it in long}
    assert len(windows) > 50
    assert {(it.key, it.at, it.kind, it.score) for it in short} == windows


def test_a_branch_leaves_no_trace(database: Database) -> None:
    rows = ordinary(Brand("acme", 300, seed=1), MONDAY, 2).said
    bad = storm("burst", 300, MONDAY + 2 * DAY).said
    with database.write() as transaction:
        feed = Feed("acme")
        list(feed.take(transaction, rows))
        found = []
        for _ in range(2):
            with feed.branch(transaction) as branch:
                found.append(list(branch.take(transaction, bad)))
    assert found[0]
    assert found[0] == found[1]


def test_a_quick_plan_ends_in_a_table_with_its_misses() -> None:
    found = carried_out(Plan(100, 1, 2, (("burst", 300), ("slow build", 30), ("praise", 200))))
    burst, slow, praise = found.outcomes
    assert burst.minutes is not None
    assert burst.called == "firestorm"
    assert (slow.shape, slow.soon, slow.expected) == ("slow build", 1, "firestorm")
    assert praise.called == "praise"
    rows = {row.what: row for row in evaluate.rows([found])}
    assert any("sensitivity normal" in what for what in rows)
    assert all(isinstance(row, Row) for row in rows.values())


def outcome(minutes: float | None, **changes: object) -> Outcome:
    fields: dict[str, object] = {
        "shape": "burst",
        "size": 300,
        "per_day": 50,
        "expected": "firestorm",
        "minutes": minutes,
        "soon": 20,
        "fifteenth": 2.0,
        "called": "firestorm" if minutes is not None else None,
    }
    return Outcome(**(fields | changes))  # type: ignore[arg-type]  # as the fields are


def test_a_missed_storm_counts_as_seen_at_the_very_end_and_is_named() -> None:
    outcomes = [outcome(1), outcome(None), outcome(None, shape="hawkes"), outcome(2, called="bot_flood")]
    found = Found(Plan(50, 0, 7, ()), 1.0, {name: [] for name in ("low", "normal", "high")}, outcomes)
    rows = list(evaluate.rows([found]))
    swift = next(row for row in rows if row.gate == Gate(5, at_most=True))
    assert swift.passed is False
    assert swift.value == (2 + evaluate.NEVER) / 2
    assert "missed: burst 300 at 50 a day, hawkes 300 at 50 a day" in swift.note
    called = next(row for row in rows if row.what.startswith("firestorm: called"))
    assert (called.value, called.unit) == (1, "of 2")
    assert called.note == "called firestorm, bot_flood"


def seen(at: datetime, kind: Kind = Kind.FIRESTORM, score: float = 0.7) -> Detection:
    evidence = Evidence(minutes=5, negative=20, authors=20, negative_authors=20)
    return Detection(
        key=Key("acme"), at=at, onset=at, kind=kind, severity=Severity.MINOR, score=score, evidence=evidence
    )


def test_what_is_near_is_one_false_alert_and_praise_on_an_occasion_is_none() -> None:
    noon = MONDAY + timedelta(hours=12)
    traffic = Traffic(Brand("acme", 10), merged([]), (Held("match", noon, noon + timedelta(hours=2)),))
    apart = [seen(noon), seen(noon + timedelta(hours=5)), seen(noon + timedelta(hours=12)), seen(noon, Kind.PRAISE)]
    found = false_alerts(apart, traffic, "normal")
    assert [(it.kind, it.occasion) for it in found] == [("firestorm", "match"), ("firestorm", "")]
    assert found[0] == Alert("firestorm", noon, True, "match")
    assert len(false_alerts(apart, traffic, "low")) == 0
    assert traffic.said.dtype == ROW


def test_every_plan_strikes_before_its_made_days_are_over() -> None:
    for plan in (*evaluate.plans(quick=True), *evaluate.plans(quick=False)):
        assert plan.days >= 2
        assert trials.HOURS[plan.seed % len(trials.HOURS)] < 24


def test_made_load_is_spread_over_brands_topics_and_time() -> None:
    items = load.made(3000, MONDAY, 10, 1)
    assert items == load.made(3000, MONDAY, 10, 1)
    assert len({(it.tags.brand, it.tags.topics) for it in items}) > 1500
    assert items[-1].mention.created_at == MONDAY + timedelta(seconds=299.9)
    assert sum(load.tally(items).values()) > 3 * len(items)


def test_the_load_runs_and_says_what_it_took(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.spikes.load", f"sqlite:///{tmp_path}/load.db", "400", "200"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seconds"] > 0
    assert found["series"] > 100
    assert found["peak_mb"] >= found["late_mb"] > 0
