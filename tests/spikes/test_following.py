"""From an incident to the message: alerts follow what the watch and people do, and write into the timeline."""

from __future__ import annotations

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from spikes.alerts import Alerts
from spikes.detection import Severity
from spikes.following import Follower, note
from spikes.incidents import Incidents
from spikes.playbooks import read
from spikes.sending import Sender
from tests.spikes.seen import START, keep, saying, seen
from tests.spikes.storm import CHAIN, Paper

MARA = "user:mara"


class House:
    """Incidents, alerts and two targets over one store."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock, self.database = store, clock, store._db
        self.incidents = Incidents(self.database, clock)
        self.papers = {"care": Paper(), "lead": Paper()}
        self.restart()

    def restart(self) -> None:
        books = read(CHAIN, "playbooks.yaml")
        self.alerts = Alerts(self.database, self.clock, books, self.papers, None, note(self.clock))
        self.sender = Sender(self.database, self.clock, self.alerts, books, self.papers)
        self.follower = Follower(self.database, self.clock, self.incidents, self.alerts, "https://desk/{}".format)

    def see(self, minute: float = 0, severity: Severity = Severity.MAJOR) -> str:
        with self.database.write() as transaction:
            return self.incidents.detected(transaction, seen(minute, severity=severity)).id

    def work(self, minutes: float = 0) -> int:
        """Let the timers have their turn; returns how many incidents were followed."""
        self.clock.advance(60 * minutes)
        self.incidents.gather()
        done = self.follower.step()
        self.alerts.escalate()
        while self.sender.step():
            pass
        return done


@pytest.fixture
def house(sqlite_store: Store) -> House:
    clock = ManualClock(START)
    return House(sqlite_store, clock)


def test_an_incident_is_told_with_what_it_is_about(house: House) -> None:
    keep(house.store, *(saying(str(number), minute=-number / 4) for number in range(15)))
    id = house.see()
    assert house.work() == 1
    ((notice, _),) = house.papers["care"].got
    (matter,) = notice.matters
    assert (matter.incident, matter.state, matter.severity, matter.change) == (id, "open", "major", "opened")
    assert matter.title.startswith("15 people complain")
    assert "15 people" in matter.paragraph
    assert matter.url == f"https://desk/{id}"
    assert house.papers["lead"].got == []


def test_what_is_told_again_has_changed(house: House) -> None:
    id = house.see()
    house.work(1)
    assert house.work() == 0, "nothing changed"
    house.restart()
    house.work()
    assert house.papers["care"].stories == ["open major"], "a restart is no news"
    house.incidents.acknowledge(id, MARA)
    house.work()
    house.incidents.close(id, MARA, "over")
    house.work()
    assert house.papers["care"].stories == ["open major", "acknowledged major", "closed major"]
    assert house.work() == 0
    house.incidents.reopen(id, MARA)
    house.work()
    assert house.papers["care"].stories[-1] == "reopened major"


def test_a_new_one_waits_a_little_for_what_is_said(house: House) -> None:
    house.see()
    assert house.work() == 0
    keep(house.store, *(saying(str(number)) for number in range(3)))
    assert house.work() == 1
    assert "3 people" in house.papers["care"].got[0][0].matters[0].title


def test_a_call_after_nobody_acknowledged_stands_in_the_timeline(house: House) -> None:
    id = house.see()
    house.work(1)
    house.work(10)
    assert house.papers["lead"].stories == ["open major"]
    told = [it.event for it in house.incidents.timeline(id) if it.event.kind == "noted"]
    assert [it.actor for it in told] == ["system:alerts"]
    assert "told lead" in told[0].text


def test_what_was_over_long_before_it_was_noticed_calls_nobody(house: House) -> None:
    house.clock.advance(7 * 3600)
    house.see()
    assert house.work(1) == 0
    assert house.papers["care"].got == []
