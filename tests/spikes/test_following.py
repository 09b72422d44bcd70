"""From an incident to the message: alerts follow what the watch and people do, and write into the timeline."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.database import Transaction
from spikes.alerts import Alerts, Subject
from spikes.detection import Severity
from spikes.following import Follower, note
from spikes.incidents import Incidents
from spikes.notify import Refused
from spikes.playbooks import read
from spikes.sending import Sender
from spikes.standings import Standings
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


class Killed(BaseException):
    """The process dies."""


class Mortal(Alerts):
    """Dies at a moment of following: before, after what it writes, or once that is committed."""

    moment = ""

    def follow(self, transaction: Transaction, incident: Subject, change: str) -> None:
        if self.moment == "before":
            raise Killed
        super().follow(transaction, incident, change)
        if self.moment == "within":
            raise Killed


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_change_is_told_whenever_the_process_dies(store: Store, moment: str) -> None:
    house = House(store, ManualClock(START))

    def die() -> None:
        house.restart()
        alerts = Mortal(house.database, house.clock, read(CHAIN, "playbooks.yaml"), house.papers, None)
        alerts.moment = moment
        follower = Follower(house.database, house.clock, house.incidents, alerts, str)
        with suppress(Killed):
            follower.step()
        house.restart()  # what was in memory is gone

    id = house.see()
    house.clock.advance(60)
    die()
    house.work()
    assert house.papers["care"].stories == ["open major"]
    house.incidents.acknowledge(id, MARA)
    die()
    house.incidents.close(id, MARA, "over")
    die()
    assert house.papers["care"].stories == ["open major"], "nothing is told before it is sent"
    house.work()
    assert house.papers["care"].stories == ["open major", "closed major"], "what stands is told, not what stood between"
    house.incidents.reopen(id, MARA)
    die()
    house.work()
    assert house.papers["care"].stories[-1] == "reopened major"


def test_what_is_past_its_period_while_it_is_looked_at_is_not_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.see()
    told = house.incidents.told
    monkeypatch.setattr(house.incidents, "told", lambda _: told("gone"))
    assert house.work(1) == 0
    assert house.papers["care"].got == []


def test_how_its_alerts_stand_can_be_looked_up(store: Store) -> None:
    house = House(store, ManualClock(START))
    id = house.see()
    standings = Standings(house.database, house.clock)
    assert (standings.called(id), standings.standings(id)) == (None, [])
    house.work(1)
    (care,) = standings.standings(id)
    assert (care.target, care.state, care.told, care.last_state) == ("care", "told", True, "open")
    assert care.last_at == care.since == house.clock.now()
    called = standings.called(id)
    assert called is not None
    assert (called.made, called.next_at) == (1, house.clock.now() + timedelta(minutes=10))
    house.papers["lead"].answers = [Refused("no such channel")]
    house.work(10)
    lead = {it.target: it for it in standings.standings(id)}["lead"]
    assert (lead.state, lead.told, lead.reason, lead.next_at) == ("refused", False, "no such channel", None)
    called = standings.called(id)
    assert called is not None
    assert called.made == 2
