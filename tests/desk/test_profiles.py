from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from desk.case import State
from desk.crm import Crm
from desk.crm_table import CrmTable
from desk.facts import Facts
from desk.handling import By
from desk.links import Links
from desk.profiles import ANSWERS, CASES, Profiles
from pipeline.clock import ManualClock
from pipeline.mention import Author
from pipeline.store import Store
from tests.desk.build import Room
from tests.desk.pasts import put_draft
from tests.store.samples import NOON, routed

ANA = "user:ana"


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    clock.advance(2 * 86_400)
    return Room(store, clock)


@pytest.fixture
def profiles(store: Store, clock: ManualClock) -> Profiles:
    return Profiles(store._db, clock)


def test_one_profile_holds_all_accounts_of_a_person(
    room: Room, profiles: Profiles, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = room.say("x:1", author="z", created_at=NOON)
    room.say("web:1", author="zelda", created_at=NOON + timedelta(hours=1))
    room.say("web:2", author="somebody", created_at=NOON)
    Links(room.store._db, clock).link("x:z", "web:zelda", "told us", ANA)
    path = tmp_path_factory.mktemp("crm") / "crm.csv"
    path.write_text("account,segment,value\nweb:zelda,gold,99\n")
    Crm(room.store._db, clock, CrmTable(csv=path)).refresh()
    found = profiles.profile("x:z")
    assert found is not None
    assert found.person.accounts == ("web:zelda", "x:z")
    assert (found.account, found.mentions, found.cases, found.open_cases) == ("x:z", 2, 2, 2)
    assert [case.author for case in found.latest] == ["web:zelda", "x:z"]
    assert found.latest[1].id == first.id
    assert (found.segment, found.value) == ("gold", 99)
    assert found.customer is not None
    assert [it.mention for it in found.customer.last] == ["web:1", "x:1"]


def test_the_last_answers_are_in_our_words(room: Room, profiles: Profiles, clock: ManualClock) -> None:
    case = room.say("test:1", author="zelda", created_at=NOON)
    held = room.cases.claim(case.id, ANA)
    room.send(case.id, By(ANA, held.lease.token))
    room.sent(case.id, "test:answer-1")
    put_draft(room.store, "d1", case_id=case.id, text="It is on its way.", answer="test:answer-1", state="sent")
    clock.advance(60)
    room.own("test:answer-2", "test:1", text="As we said on the phone.", created_at=clock.now(), url="https://t.test/2")
    found = profiles.profile("test:zelda")
    assert found is not None
    assert [(it.text, it.url, it.case) for it in found.answers] == [
        ("As we said on the phone.", "https://t.test/2", case.id),
        ("It is on its way.", "", case.id),
    ]


def test_a_profile_is_bounded(room: Room, profiles: Profiles, clock: ManualClock) -> None:
    for number in range(CASES + 5):
        case = room.say(f"test:{number}", author="zelda", conversation=f"c{number}", created_at=clock.now())
        room.own(f"test:a{number}", f"test:{number}", created_at=clock.now())
        room.cases.resolve(case.id, By(ANA))
        clock.advance(86_400 * 4)
    found = profiles.profile("test:zelda")
    assert found is not None
    assert (found.cases, found.open_cases, len(found.latest), len(found.answers)) == (CASES + 5, 0, CASES, ANSWERS)
    assert {case.state for case in found.latest} == {State.RESOLVED}


def test_of_somebody_who_has_said_very_much_the_newest_is_read(
    room: Room, profiles: Profiles, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desk.profiles.SAID", 3)
    for number in range(6):
        room.say(f"test:{number}", author="zelda", created_at=NOON + timedelta(minutes=number))
    found = profiles.profile("test:zelda")
    assert found is not None
    assert found.customer is not None
    assert (found.mentions, found.customer.mentions) == (6, 3)
    assert [it.mention for it in found.customer.last] == ["test:5", "test:4", "test:3"]


def test_a_handle_names_its_account(room: Room, profiles: Profiles, clock: ManualClock) -> None:
    said = routed("x:1", created_at=NOON)
    room.hear(replace(said, mention=replace(said.mention, author=Author(id="8611593", handle="Zelda_Q"))))
    Facts(room.store._db, clock).follow()
    found = profiles.profile("x:@zelda_q")
    assert found is not None
    assert found.account == "x:8611593"


def test_nobody_has_no_profile(profiles: Profiles) -> None:
    assert profiles.profile("x:nobody") is None
