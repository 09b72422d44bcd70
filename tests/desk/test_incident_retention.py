"""Incidents that were closed long ago go with all that hangs on them; the others stay as they are."""

from __future__ import annotations

from sqlalchemy import func, select

from desk.retention import Periods, Retention
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.alert_tables import alert_messages, alerts
from pipeline.store.incident_tables import (
    incident_detections,
    incident_events,
    incident_mentions,
    incident_strands,
    incidents,
)
from spikes.incidents import Incidents
from tests.spikes.seen import START, crowd, keep, seen
from tests.spikes.test_following import House

OWN = (incident_detections, incident_events, incident_mentions, alerts, alert_messages)


def rows(store: Store, id: str) -> list[int]:
    with store._db.read() as transaction:
        counted = [select(func.count()).select_from(table).where(table.c.incident == id) for table in OWN]
        return [transaction.run(query).scalar_one() for query in counted]


def swept(store: Store, clock: ManualClock, days: float | None) -> int:
    retention = Retention(store._db, clock, Periods(incidents_days=days))
    gone = retention.sweep(5)  # one incident at a time
    total = gone.get("incidents", 0)
    while not retention.through:
        total += retention.sweep(5)["incidents"]
    return total


def test_closed_incidents_go_after_their_period_and_others_stay(store: Store) -> None:
    clock = ManualClock(START)
    house = House(store, clock)
    keep(store, *crowd(5, since=-5, until=0), *crowd(5, since=2995, until=3000))
    old, open_one = house.see(), house.see(3000)
    again = house.see(6000)
    house.work(1)
    assert all(rows(store, old))
    for id in (old, again):
        house.incidents.close(id, "user:mara", "over")
    house.work()
    clock.advance(10 * 86_400)
    house.incidents.reopen(again, "user:mara")
    late = house.see(20_000)
    house.incidents.close(late, "user:mara", "over")
    before = rows(store, open_one)
    assert swept(store, clock, None) == 0
    assert swept(store, clock, 11) == 0
    assert swept(store, clock, 9) == 1
    assert rows(store, old) == [0] * len(OWN)
    assert rows(store, open_one) == before
    kept = {it.id for it in Incidents(store._db, clock).incidents().incidents}
    assert kept == {open_one, again, late}
    with store._db.read() as transaction:
        (number,) = transaction.run(select(incident_strands.c.number)).scalars()
        assert number == 4
        assert transaction.run(select(func.count()).select_from(incidents)).scalar_one() == 3
    house.work(1)
    with store._db.write() as transaction:  # what was seen comes again, as after a replay
        anew = house.incidents.detected(transaction, seen())
    assert anew.id not in {old, *kept}


def test_many_go_in_steps(store: Store) -> None:
    clock = ManualClock(START)
    house = House(store, clock)
    for number in range(7):
        house.incidents.close(house.see(number * 3000), "user:mara", "over")
    clock.advance(2 * 86_400)
    assert swept(store, clock, 1) == 7
    assert house.incidents.incidents().incidents == ()
