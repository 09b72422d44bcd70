"""What an incident is made of: the matter, and not everything that is said against the brand in its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.clock import ManualClock
from pipeline.mention import Enriched, Removal
from pipeline.store import Store
from spikes.incident_records import Incident
from spikes.incidents import Incidents
from spikes.matter import KNOWN, LOOKED_AT, links, looked_at
from tests.spikes.seen import START, at, keep, saying, seen

EVERY_DAY = ("acme is late again", "acme lost my luggage", "acme seats are dirty", "acme app crashes", "acme is dear")
DOGS = ("acme threw a guide dog off at Ashmere", "a guide dog refused by acme, shame", "acme, that poor guide dog")


def ordinary(number: int, since: float, until: float, name: str = "o") -> Iterator[Enriched]:
    """What people complain of on any day."""
    for n in range(number):
        minute = since + n * (until - since) / number
        yield saying(f"{name}{n}", EVERY_DAY[n % len(EVERY_DAY)], minute)


def storm(number: int, **changes: Any) -> Iterator[Enriched]:
    for n in range(number):
        yield saying(f"s{n}", DOGS[n % len(DOGS)], n * 20 / number, **changes)


class Room:
    """A week of a brand, then a storm among as many ordinary complaints."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, ManualClock(START)
        self.incidents = Incidents(store._db, self.clock)
        keep(store, *ordinary(60, -6000, -10, "before"))

    def see(self, **evidence: Any) -> Incident:
        with self.store._db.write() as transaction:
            return self.incidents.detected(transaction, seen(10, onset=0, **evidence))

    def members(self, id: str) -> set[str]:
        every = [f"x:{name}{n}" for name in ("s", "o", "r") for n in range(80)]
        return {it for it in every if self.incidents.has_mention(id, it)}


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


@pytest.fixture
def small(sqlite_store: Store) -> Room:
    return Room(sqlite_store)


def test_what_is_said_on_any_day_is_put_aside(room: Room) -> None:
    keep(room.store, *storm(20), *ordinary(20, 0, 20))
    id = room.see().id
    room.incidents.gather()
    assert room.members(id) == {f"x:s{n}" for n in range(20)}
    assert room.incidents.size(id) == (20, 20)
    keep(room.store, saying("s20", DOGS[0], 21), saying("o20", EVERY_DAY[0], 22))
    room.incidents.gather()
    assert room.members(id) == {f"x:s{n}" for n in range(21)}


def test_while_little_is_known_everything_is_of_it_and_is_sorted_later(small: Room) -> None:
    keep(small.store, *storm(KNOWN // 2 - 1), *ordinary(KNOWN // 2, 0, 10))
    id = small.see().id
    small.incidents.gather()
    assert len(small.members(id)) == KNOWN - 1
    keep(small.store, *(saying(f"s{n}", DOGS[n % 3], 25) for n in range(20, 40)))
    small.incidents.gather()
    assert not {it for it in small.members(id) if it.startswith("x:o")}
    assert len(small.members(id)) == 20 + KNOWN // 2 - 1


def test_who_agrees_in_an_answer_is_of_it(small: Room) -> None:
    keep(small.store, *storm(20), *ordinary(20, 0, 20))
    answers = [saying("r0", "same here, unacceptable", 21, parent="x:s1"), saying("r1", "me too", 22, parent="x:r0")]
    keep(small.store, *answers, saying("r2", "me too", 22, parent="x:o1"))
    id = small.see().id
    small.incidents.gather()
    assert {it for it in small.members(id) if it.startswith("x:r")} == {"x:r0", "x:r1"}


def test_what_people_put_in_or_took_out_stays_so(small: Room) -> None:
    keep(small.store, *storm(14))
    id = small.see().id
    small.incidents.gather()
    keep(small.store, *ordinary(20, 0, 20))
    small.incidents.attach(id, ["x:o1"])
    small.incidents.detach(id, ["x:s1"])
    small.incidents.gather()
    assert small.members(id) == {f"x:s{n}" for n in range(14)} - {"x:s1"} | {"x:o1"}


@pytest.mark.parametrize("how", ["no past", "one's own words"])
def test_a_storm_is_not_lost_for_want_of_words(sqlite_store: Store, how: str) -> None:
    room = Room(sqlite_store)
    if how == "no past":
        gone = [Removal(source="x", reason="deleted", noticed_at=at(0), mention=f"x:before{n}") for n in range(60)]
        room.store.deliver([], gone)
        keep(room.store, *storm(40))
    else:
        keep(room.store, *(saying(f"s{n}", EVERY_DAY[n % 5], n / 2) for n in range(40)))
    id = room.see().id
    room.incidents.gather()
    assert len(room.members(id)) == 40


def test_two_processes_find_the_same(small: Room) -> None:
    keep(small.store, *storm(30), *ordinary(30, 0, 20))
    id = small.see().id
    small.incidents.gather()
    found = small.members(id)
    Incidents(small.store._db, small.clock).gather()
    assert small.members(id) == found == {f"x:s{n}" for n in range(30)}


def test_it_is_looked_for_in_twice_as_many_each_time() -> None:
    assert [looked_at(it) for it in (0, 15, 16, 31, 32, 100, 10**6)] == [0, 0, 16, 16, 32, 64, LOOKED_AT]


def test_a_link_is_told_without_who_shared_it() -> None:
    it = saying("1", "look (https://News.example/dog/?ref=ana), and http://[bad", 0)
    assert links(it) == {"news.example/dog"}
