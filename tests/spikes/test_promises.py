"""One service level for a whole incident: due times, what was kept, and who hears of what was not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import ConfigError
from pipeline.store import Store
from spikes.alerts import Alerts
from spikes.detection import Severity
from spikes.following import Follower, note
from spikes.incident_records import Incident
from spikes.incidents import Incidents
from spikes.playbooks import read
from spikes.reminding import remind
from spikes.sending import Sender
from tests.spikes.seen import START, seen
from tests.spikes.storm import Paper

MARA = "user:mara"
BOOKS = """
playbooks:
  - name: storm
    kinds: [firestorm]
    severity: major
    service_level: {acknowledge: 15m, statement: 1h}
    call: [{targets: [care]}]
"""


class House:
    """An incident that promises something, and a target that hears of it."""

    def __init__(self, store: Store) -> None:
        self.clock = ManualClock(START)
        books = read(BOOKS, "playbooks.yaml")
        self.database = store._db
        self.incidents = Incidents(self.database, self.clock, playbooks=books)
        self.care = Paper()
        self.alerts = Alerts(self.database, self.clock, books, {"care": self.care}, None, note(self.clock))
        self.sender = Sender(self.database, self.clock, self.alerts, books, {"care": self.care})
        self.follower = Follower(self.database, self.clock, self.incidents, self.alerts, str)

    def see(self, minute: float = 0, severity: Severity = Severity.MAJOR) -> Incident:
        with self.database.write() as transaction:
            return self.incidents.detected(transaction, seen(minute, severity=severity))

    def work(self, minutes: int = 0) -> None:
        for passed in range(minutes + 1):
            if passed:
                self.clock.advance(60)
            remind(self.incidents)
            self.follower.step()
            while self.sender.step():
                pass

    def promised(self, id: str) -> dict[str, tuple[int, bool | None]]:
        """Minutes from the start until each is due, and whether it was kept."""
        made = self.incidents.promises(self.incidents.incident(id))
        return {it.name: ((it.due - START) // timedelta(minutes=1), it.kept) for it in made}


@pytest.fixture
def house(sqlite_store: Store) -> House:
    return House(sqlite_store)


def test_what_is_done_in_time_is_kept_and_what_is_not_is_missed_once(house: House) -> None:
    id = house.see().id
    assert house.promised(id) == {"acknowledge": (15, None), "statement": (60, None)}
    house.work(14)
    house.incidents.acknowledge(id, MARA)
    house.work(60)
    assert house.promised(id) == {"acknowledge": (15, True), "statement": (60, False)}
    missed = [it.event for it in house.incidents.timeline(id) if it.event.kind == "promise_missed"]
    assert [it.text for it in missed] == ["statement was promised by 09:40 UTC"]
    assert house.incidents.incident(id).overdue == ("statement",)
    house.incidents.statement_out(id, MARA, "We are sorry.")
    assert house.incidents.incident(id).overdue == ()
    assert house.promised(id)["statement"] == (60, False)
    assert [it.kept for it in house.incidents.review(id).promises] == [True, False]
    assert house.incidents.rebuild(id) == house.incidents.incident(id)


def test_everybody_who_was_called_hears_at_once_that_the_statement_is_overdue(house: House) -> None:
    id = house.see().id
    house.work(1)
    house.incidents.acknowledge(id, MARA)
    house.work(70)
    states = [it.matters[0].state for it, _ in house.care.got]
    assert states == ["open", "acknowledged", "statement_overdue"]
    assert house.care.got[-1][0].matters[0].title.startswith("statement overdue: ")
    house.incidents.statement_out(id, MARA, "We are sorry.")
    house.work(1)
    assert house.care.got[-1][0].matters[0].state == "statement_out"


def test_it_counts_from_when_it_mattered_and_anew_when_it_is_opened_again(house: House) -> None:
    id = house.see(severity=Severity.MINOR).id
    assert house.promised(id) == {}
    house.clock.advance(600)
    house.see(2)
    house.clock.advance(600)
    house.see(3, severity=Severity.CRITICAL)
    assert house.promised(id) == {"acknowledge": (25, None), "statement": (70, None)}
    house.incidents.close(id, MARA)
    house.work(120)
    assert house.promised(id) == {"acknowledge": (25, None), "statement": (70, None)}
    house.incidents.reopen(id, MARA)
    assert house.promised(id) == {"acknowledge": (155, None), "statement": (200, None)}


@pytest.mark.parametrize(
    ("level", "place"),
    [("{acknowledge: soon}", "acknowledge"), ("{acknowledge: 2h, statement: 1h}", "before anybody")],
)
def test_what_cannot_be_promised_is_named(level: str, place: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(f"playbooks: [{{name: a, service_level: {level}}}]", "playbooks.yaml")
    assert place in str(refused.value)
