from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from desk.case import Case, State
from desk.refusals import Conflict, NoSuchCase, Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Language, Priority, Tags
from pipeline.store import Store
from tests.desk.build import ANA, BEN, TERM, Room
from tests.store.samples import NOON, minutes


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def test_next_gives_the_most_urgent_by_priority_then_due_then_age(room: Room) -> None:
    room.say("test:1", author="a", created_at=NOON)
    room.say("test:2", author="b", created_at=NOON - minutes(5))
    room.say("test:3", author="c", first_response_due=NOON + minutes(1))
    room.say("test:4", author="d", priority=Priority.URGENT)
    room.say("test:5", author="e", queue="marketing", priority=Priority.URGENT)
    taken = [room.cases.next(f"user:{number}", ["service"]) for number in range(5)]
    assert [held.case.author for held in taken if held] == ["test:d", "test:c", "test:b", "test:a"]
    assert taken[4] is None


def test_next_takes_the_most_urgent_of_several_queues(room: Room) -> None:
    room.say("test:1", author="a")
    room.say("test:2", author="b", queue="marketing", priority=Priority.URGENT)
    taken = [room.cases.next("user:ana", ["service", "marketing", "empty", "service"]) for _ in range(3)]
    assert [held and held.case.queue for held in taken] == ["marketing", "service", None]


def test_next_gives_only_what_one_can_do_and_what_suits_everybody(room: Room) -> None:
    def tags(code: str, topic: str) -> Tags:
        return Tags(brand="acme", language=Language(code, 1, "source"), topics=(topic,))

    room.say("test:1", author="a", priority=Priority.URGENT, tags=tags("fr", "billing"))
    room.say("test:2", author="b", tags=tags("de", "app"))
    room.say("test:3", author="c", priority=Priority.LOW, tags=tags("und", "app"))
    taken = [room.cases.next("user:ana", ["service"], languages=["de"], topics=["app"]) for _ in range(3)]
    assert [held and held.case.author for held in taken] == ["test:b", "test:c", None]


def test_a_claim_takes_every_open_case_of_the_author_under_one_token(room: Room) -> None:
    one, two = room.say("test:1"), room.say("test:2", queue="marketing")
    closed = room.say("test:3", queue="press")
    room.cases.resolve(closed.id, ANA)
    held = room.cases.claim(one.id, "user:ana")
    for id in (one.id, two.id):
        case = room.cases.case(id)
        assert (case.owner, case.token, case.until, case.state) == ("user:ana", 1, NOON_9 + TERM, State.CLAIMED)
    assert held.lease.token == 1
    assert room.cases.case(closed.id).owner is None
    assert room.cases.next("user:ben", ["marketing"]) is None


def test_a_second_person_is_told_who_holds_it_and_until_when(room: Room) -> None:
    case = room.say("test:1")
    until = room.cases.claim(case.id, "user:ana").lease.until
    with pytest.raises(Conflict, match="user:ana") as refused:
        room.cases.claim(case.id, "user:ben")
    assert (refused.value.holder, refused.value.until) == ("user:ana", until)


def test_claiming_ones_own_case_again_keeps_the_token_and_the_whole_term(room: Room, clock: ManualClock) -> None:
    case = room.say("test:1")
    room.cases.claim(case.id, "user:ana")
    clock.advance(200)
    again = room.cases.claim(case.id, "user:ana").lease
    assert (again.token, again.until) == (1, clock.now() + TERM)


def test_a_heartbeat_extends_the_lease_and_is_recorded_only_when_it_matters(room: Room, clock: ManualClock) -> None:
    case = room.say("test:1")
    token = room.cases.claim(case.id, "user:ana").lease.token
    for _ in range(8):
        clock.advance(60)
        room.cases.heartbeat(case.id, "user:ana", token)
    assert room.kinds(case.id) == ["opened", "claimed", "lease_extended", "lease_extended"]
    assert room.cases.case(case.id).owner == "user:ana"


def test_a_lease_that_runs_out_is_worth_nothing_whether_or_not_anybody_swept(
    room: Room, store: Store, clock: ManualClock
) -> None:
    case = room.say("test:1")
    token = room.cases.claim(case.id, "user:ana").lease.token
    clock.advance(300)
    with pytest.raises(Conflict):
        room.cases.heartbeat(case.id, "user:ana", token)
    with pytest.raises(Conflict), store._db.write() as transaction:
        room.cases.check_token(transaction, case.id, token)
    with pytest.raises(Conflict):
        room.cases.resolve(case.id, ANA._replace(token=token))
    held = room.cases.next("user:ben", ["service"])
    assert held is not None
    assert (held.case.id, held.lease.token) == (case.id, token + 1)
    assert room.kinds(case.id) == ["opened", "claimed", "lease_expired", "claimed"]


def test_a_sweep_gives_back_what_ran_out_and_wakes_what_slept(room: Room, clock: ManualClock) -> None:
    held, asleep = room.say("test:1", author="a"), room.say("test:2", author="b")
    room.cases.claim(held.id, "user:ana")
    room.cases.snooze(asleep.id, ANA, clock.now() + timedelta(minutes=5))
    assert room.cases.sweep() == 0
    clock.advance(300)
    assert room.cases.sweep() == 2
    assert room.cases.sweep() == 0
    assert [case.state for case in room.every()] == [State.NEW, State.NEW]


def test_taking_over_needs_a_reason_and_makes_the_old_token_stale(room: Room, store: Store) -> None:
    case = room.say("test:1")
    old = room.cases.claim(case.id, "user:ana").lease
    with pytest.raises(Unfit, match="reason"):
        room.cases.take_over(case.id, "user:ben", " ")
    new = room.cases.take_over(case.id, "user:ben", "Ana went home").lease
    assert (new.token, new.owner) == (old.token + 1, "user:ben")
    with pytest.raises(Conflict) as refused, store._db.write() as transaction:
        room.cases.reply_queued(transaction, case.id, ANA._replace(token=old.token), "draft", "key")
    assert refused.value.holder == "user:ben"
    assert room.cases.case(case.id).pending == ()
    with store._db.write() as transaction:
        room.cases.check_token(transaction, case.id, new.token, "user:ben")


def test_what_is_released_is_anybodys_and_its_token_is_stale(room: Room) -> None:
    case = room.say("test:1")
    token = room.cases.claim(case.id, "user:ana").lease.token
    released = room.cases.release(case.id, "user:ana", token)
    assert (released.state, released.owner, released.token) == (State.NEW, None, token)
    with pytest.raises(Conflict):
        room.cases.release(case.id, "user:ana", token)
    assert room.cases.claim(case.id, "user:ana").lease.token == token + 1


def test_the_lease_ends_with_the_last_open_case_of_the_author(room: Room) -> None:
    one, two = room.say("test:1"), room.say("test:2", queue="marketing")
    token = room.cases.claim(one.id, "user:ana").lease.token
    by = ANA._replace(token=token)
    room.cases.resolve(one.id, by)
    assert room.cases.case(two.id).owner == "user:ana"
    room.cases.resolve(two.id, by)
    room.cases.reopen(two.id, BEN, "not done")
    assert room.cases.case(two.id).owner is None
    assert room.cases.claim(two.id, "user:ben").lease.token == token + 1


def test_nobody_changes_what_another_holds_but_anybody_may_add_to_it(room: Room, clock: ManualClock) -> None:
    case = room.say("test:1")
    room.cases.claim(case.id, "user:ana")
    until = clock.now() + TERM
    changes: list[Callable[[], Case]] = [
        lambda: room.cases.resolve(case.id, BEN),
        lambda: room.cases.resolve(case.id, BEN._replace(token=1)),
        lambda: room.cases.transfer(case.id, BEN, "marketing", "mine"),
        lambda: room.cases.snooze(case.id, BEN, until),
        lambda: room.cases.prioritise(case.id, BEN, Priority.LOW),
        lambda: room.cases.answer_natively(case.id, BEN),
    ]
    for change in changes:
        with pytest.raises(Conflict):
            change()
    room.cases.note(case.id, BEN, "a colleague knows her")
    room.cases.tag(case.id, BEN, add=["vip"])
    room.cases.ask(case.id, BEN, "whose is this?", queue="marketing")
    room.cases.watch(case.id, BEN)
    escalated = room.cases.escalate(case.id, BEN, "a journalist")
    assert (escalated.owner, escalated.tags, escalated.watchers) == ("user:ana", ("vip",), ("user:ben",))


def test_a_case_that_is_not_there_is_named(room: Room) -> None:
    questions: list[Callable[[str], object]] = [
        room.cases.case,
        room.cases.rebuild,
        lambda id: room.cases.claim(id, "user:ana"),
    ]
    for ask in questions:
        with pytest.raises(NoSuchCase, match="nowhere"):
            ask("nowhere")


NOON_9 = NOON - timedelta(hours=3)
"""When the clock of a test starts."""
