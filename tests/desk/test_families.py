from __future__ import annotations

import pytest

from desk.case import Standing, State
from desk.case_records import CaseFilter
from desk.families import Followed, follow
from desk.refusals import Conflict, NoSuchCase
from pipeline.clock import ManualClock
from pipeline.mention import Kind, Priority, Tags
from pipeline.store import Store
from tests.desk.build import ANA, BEN, Room

MARA = "user:mara"


class Storm(Room):
    """Ten angry people, each with a case, and the first of them to be answered for all."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        super().__init__(store, clock)
        self.clock = clock
        self.ids = [self.say(f"test:{n}", author=f"a{n}", text=f"you left me there, {n}").id for n in range(10)]
        self.lead = self.ids[0]

    def follow(self, *ids: str, lead: str = "") -> Followed:
        return follow(self.store._db, self.clock, lead or self.lead, ids or self.ids, MARA, "incident:i1")

    @property
    def following(self) -> set[str]:
        return {it.id for it in self.cases.cases(CaseFilter(lead=self.lead), limit=500).cases}


@pytest.fixture
def storm(store: Store, clock: ManualClock) -> Storm:
    return Storm(store, clock)


def test_one_answer_settles_what_follows_and_nothing_is_posted_to_the_others(storm: Storm) -> None:
    assert storm.follow() == Followed(joined=9, left=0)
    held = storm.cases.next("user:ana", ["service"])
    assert held is not None
    assert held.case.id == storm.lead
    assert storm.cases.next("user:ben", ["service"]) is None
    storm.cases.answer_natively(storm.lead, ANA._replace(token=held.lease.token), "https://acme.example/news")
    assert storm.cases.settle_waves() == 9
    for id in storm.ids[1:]:
        assert storm.cases.case(id).state is State.RESOLVED
        assert storm.kinds(id) == ["opened", "family_joined", "resolved"]
        assert storm.cases.history(id)[1].event.actor == MARA
        assert storm.cases.rebuild(id) == storm.cases.case(id)


def test_the_same_again_changes_nothing(storm: Storm) -> None:
    storm.follow()
    before = [storm.cases.case(id) for id in storm.ids]
    assert storm.follow() == Followed(joined=0, left=0)
    assert [storm.cases.case(id) for id in storm.ids] == before


def test_who_needs_an_answer_of_their_own_gets_one(storm: Storm) -> None:
    storm.cases.claim(storm.ids[1], BEN.user)
    urgent = storm.say("test:u", author="u", priority=Priority.URGENT).id
    private = storm.say("test:p", author="p", kind=Kind.MESSAGE).id
    other = storm.say("test:o", author="o", tags=Tags(brand="other")).id
    own = [storm.ids[1], urgent, private, other]
    assert storm.follow(*storm.ids, *own[1:], "none") == Followed(joined=8, left=5)
    assert not storm.following & set(own)
    assert storm.cases.case(urgent).standing is Standing.READY


def test_a_claim_or_a_new_word_takes_it_out_again(storm: Storm) -> None:
    storm.follow()
    storm.cases.claim(storm.ids[1], BEN.user)
    storm.cases.release(storm.ids[1], BEN.user, storm.cases.case(storm.ids[1]).token)
    storm.say("test:more", author="a2", parent="test:2", conversation="test:2")
    assert storm.follow() == Followed(joined=0, left=2)
    assert storm.following == set(storm.ids[3:])


def test_nothing_follows_what_is_closed_or_follows_or_is_not_there(storm: Storm) -> None:
    storm.follow(storm.ids[1])
    with pytest.raises(Conflict, match="follows another"):
        storm.follow(lead=storm.ids[1])
    storm.cases.resolve(storm.ids[2], ANA)
    with pytest.raises(Conflict, match="closed"):
        storm.follow(lead=storm.ids[2])
    with pytest.raises(NoSuchCase):
        storm.follow(lead="none")
