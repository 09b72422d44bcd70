"""Push: work is given to people who are there, can do it and have room, and to nobody else."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from desk.assignment import Assignment
from desk.refusals import Conflict
from pipeline.clock import ManualClock
from pipeline.mention import Language, Priority, Tags
from pipeline.store import Store
from tests.desk.build import Room
from tests.desk.shop import Shop


@pytest.fixture
def shop(store: Store, clock: ManualClock) -> Shop:
    return Shop(store, clock, queues={"service": {"assign": "push"}, "press": {"assign": "push"}})


def fill(room: Room, number: int, **changes: object) -> None:
    for count in range(number):
        room.say(f"test:{count}", author=f"a{count}", **changes)


def owners(shop: Shop) -> Counter[str | None]:
    return Counter(case.owner for case in shop.every())


def about(language: str, topic: str) -> Tags:
    return Tags(brand="acme", language=Language(language, 1, "source"), topics=(topic,))


def test_work_is_shared_out_by_how_much_each_can_carry(shop: Shop) -> None:
    ana, ben = shop.hire("ana", capacity=4), shop.hire("ben", capacity=2)
    fill(shop, 10)
    assert shop.assignment.assign() == 6
    assert owners(shop) == {ana.user: 4, ben.user: 2, None: 4}
    case = next(case for case in shop.every() if case.owner)
    claimed = shop.cases.history(case.id)[-1].event
    assert (claimed.kind, claimed.actor) == ("claimed", "system:assignment")


def test_the_least_loaded_is_next_and_among_equals_who_has_waited_longest(shop: Shop, clock: ManualClock) -> None:
    users = [shop.hire(name).user for name in ("ana", "ben", "cem")]
    given = []
    for number in range(6):
        case = shop.say(f"test:{number}", author=f"a{number}")
        assert shop.assignment.assign() == 1
        given.append(shop.cases.case(case.id).owner)
        clock.advance(1)
    assert set(given[:3]) == set(users)
    assert given[3:] == given[:3]


def test_the_most_urgent_is_given_first(shop: Shop) -> None:
    ana = shop.hire("ana", capacity=1)
    shop.say("test:1", author="a", priority=Priority.LOW)
    urgent = shop.say("test:2", author="b", queue="press", priority=Priority.URGENT)
    shop.assignment.assign()
    assert shop.cases.case(urgent.id).owner == ana.user
    assert owners(shop) == {ana.user: 1, None: 1}


def test_nobody_is_given_work_who_is_not_there(shop: Shop, clock: ManualClock) -> None:
    fill(shop, 5)
    shop.hire("unavailable", there=False)
    gone = shop.hire("gone", queues=["service"])
    shop.hire("full", capacity=0)
    shop.hire("admin", role="operator")
    clock.advance(121)
    for agent in shop.agents.all():
        if agent.user != gone.user:
            shop.agents.seen(agent.user)
    left = shop.hire("left")
    shop.accounts.disable(left.user.removeprefix("user:"), "user:lead")
    assert shop.assignment.assign() == 0
    assert owners(shop) == {None: 5}
    shop.agents.seen(gone.user)
    assert shop.assignment.assign() == 3


def test_work_goes_only_to_whom_it_fits(shop: Shop) -> None:
    german = shop.hire("ana", languages=["de"], capacity=9)
    refunds = shop.hire("ben", topics=["refund"], languages=["en"], capacity=9)
    press = shop.hire("cem", queues=["press"], capacity=9)
    expected: dict[str, tuple[str | None, dict[str, Any]]] = {
        "test:de": (german.user, {"tags": about("de", "refund")}),
        "test:refund": (refunds.user, {"tags": about("en", "refund")}),
        "test:other": (None, {"tags": about("en", "delivery")}),
        "test:press": (press.user, {"tags": about("fr", "delivery"), "queue": "press"}),
        "test:french": (None, {"tags": about("fr", "refund")}),
    }
    for id, (_, changes) in expected.items():
        shop.say(id, author=id.removeprefix("test:"), **changes)
    assert shop.assignment.assign() == 3
    assert {id: shop.of(id).owner for id in expected} == {id: owner for id, (owner, _) in expected.items()}


def test_what_nobody_can_do_holds_up_nothing(shop: Shop) -> None:
    ana = shop.hire("ana", languages=["en"])
    fill(shop, 30, tags=about("fr", "refund"), priority=Priority.URGENT)
    plain = shop.say("test:99", author="z", tags=about("en", "refund"), priority=Priority.LOW)
    assert shop.assignment.assign() == 1
    assert shop.cases.case(plain.id).owner == ana.user


def test_a_queue_that_people_pull_from_is_left_alone(shop: Shop) -> None:
    shop.hire("ana")
    fill(shop, 2, queue="marketing")
    assert shop.assignment.assign() == 0


def test_what_people_took_themselves_counts_as_load(shop: Shop) -> None:
    ana = shop.hire("ana", capacity=2)
    fill(shop, 4)
    assert shop.cases.next(ana.user, ["service"])
    assert shop.assignment.assign() == 1
    assert owners(shop) == {ana.user: 2, None: 2}


def test_a_customer_with_three_cases_is_one_customer(shop: Shop) -> None:
    ana = shop.hire("ana", capacity=1)
    for queue in ("service", "press", "marketing"):
        shop.say(f"test:{queue}", author="a", queue=queue)
    assert shop.assignment.assign() == 1
    assert owners(shop) == {ana.user: 3}


def test_a_lease_that_ran_out_is_given_to_somebody_else(shop: Shop, clock: ManualClock) -> None:
    ana = shop.hire("ana")
    case = shop.say("test:1")
    shop.assignment.assign()
    ben = shop.hire("ben")
    clock.advance(300)
    for agent in (ana, ben):
        shop.agents.seen(agent.user)
    shop.cases.sweep()
    assert shop.cases.case(case.id).returned_by == ana.user
    assert shop.assignment.assign() == 1
    assert shop.cases.case(case.id).owner == ben.user
    assert shop.cases.case(case.id).token == 2


def test_what_somebody_gave_back_is_not_given_to_them_again(shop: Shop) -> None:
    ana = shop.hire("ana")
    case = shop.say("test:1")
    shop.assignment.assign()
    shop.cases.release(case.id, ana.user, 1)
    assert shop.assignment.assign() == 0
    ben = shop.hire("ben")
    assert shop.assignment.assign() == 1
    shop.cases.release(case.id, ben.user, 2)
    assert shop.assignment.assign() == 1
    assert shop.cases.case(case.id).owner == ana.user
    assert shop.cases.case(case.id) == shop.cases.rebuild(case.id)


def test_what_one_gave_back_one_may_still_take(shop: Shop) -> None:
    ana = shop.hire("ana")
    case = shop.say("test:1")
    shop.assignment.assign()
    shop.cases.release(case.id, ana.user, 1)
    held = shop.cases.next(ana.user, ["service"])
    assert held
    assert held.case.id == case.id
    assert held.case.returned_by is None


def test_no_more_than_asked_for_is_given(shop: Shop) -> None:
    shop.hire("ana", capacity=9)
    fill(shop, 5)
    assert [shop.assignment.assign(limit=3) for _ in range(3)] == [3, 2, 0]


def test_several_assigners_give_nothing_twice_and_nobody_too_much(shop: Shop, store: Store, clock: ManualClock) -> None:
    agents = [shop.hire(f"agent{number}", capacity=3) for number in range(4)]
    fill(shop, 30)
    assigners = [Assignment(store._db, clock, shop.desk) for _ in range(4)]
    with ThreadPoolExecutor(5) as threads:
        pulled = threads.submit(lambda: [shop.cases.next("user:pull", ["service"]) for _ in range(8)])
        given = list(threads.map(lambda it: it.assign(), assigners))
    assert sum(given) == 12
    took = {held.case.id for held in pulled.result() if held}
    held = owners(shop)
    assert {user: held[user] for user in (agent.user for agent in agents)} == {agent.user: 3 for agent in agents}
    assert held["user:pull"] == len(took)
    claims = Counter(
        claimed.case
        for case in shop.every()
        for claimed in shop.cases.history(case.id)
        if claimed.event.kind == "claimed"
    )
    assert set(claims.values()) == {1}


def test_nobody_else_can_take_what_was_given(shop: Shop) -> None:
    ana = shop.hire("ana")
    case = shop.say("test:1")
    shop.assignment.assign()
    with pytest.raises(Conflict) as refused:
        shop.cases.claim(case.id, "user:ben")
    assert refused.value.holder == ana.user
