from __future__ import annotations

import pytest

from desk.cases import Cases
from desk.hearing import CaseSettings
from pipeline.store import Store
from tests.desk.simulation import SharedClock, Simulation
from tests.store.samples import NOON


@pytest.fixture
def clock() -> SharedClock:
    return SharedClock(NOON)


def test_no_case_has_two_owners_and_nothing_is_sent_under_a_stale_token(store: Store, clock: SharedClock) -> None:
    cases = Cases(store._db, clock, CaseSettings(lease_seconds=60, join_hours=0))
    simulation = Simulation(store, cases, clock, agents=8, actions=600, seed=7)
    simulation.fill(mentions=60, authors=25)
    report = simulation.run()
    assert report.faults == []
    # It shows something only if all of it happened.
    assert {"next", "claim", "take over", "send", "heartbeat", "hear"} <= report.done.keys()
    assert report.refused["send: Conflict"] > 0
    assert report.refused["claim: Conflict"] > 0
