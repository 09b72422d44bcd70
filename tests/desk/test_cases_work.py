from __future__ import annotations

from datetime import timedelta

import pytest

from desk.case import Case, State
from desk.case_records import CaseFilter, Confusion, Order
from desk.handling import By
from desk.refusals import Conflict, Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Priority
from pipeline.store import Store
from tests.desk.build import ANA, BEN, TERM, Room
from tests.store.samples import NOON, minutes

LONG_AGO, LATER = NOON - timedelta(days=9), NOON + timedelta(days=9)


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def held(room: Room, id: str = "test:1", **changes: object) -> tuple[str, By]:
    case = room.say(id, **changes)
    return case.id, ANA._replace(token=room.cases.claim(case.id, ANA.user).lease.token)


def test_a_transfer_gives_the_case_to_nobody_in_the_other_queue(room: Room) -> None:
    id, by = held(room)
    other = room.say("test:2", queue="press")
    moved = room.cases.transfer(id, by, "marketing", "a lead")
    assert (moved.queue, moved.owner, moved.state, moved.routed_queue) == ("marketing", None, State.NEW, "service")
    assert room.cases.case(other.id).owner is None
    assert room.kinds(other.id)[-1] == "released"
    taken = room.cases.next(BEN.user, ["marketing"])
    assert taken is not None
    assert taken.case.id == id
    assert room.cases.confusion(LONG_AGO, LATER) == []


def test_a_transfer_wants_another_queue_and_a_reason(room: Room) -> None:
    case = room.say()
    for queue, reason, field in (("service", "x", "queue"), ("", "x", "queue"), ("marketing", " ", "reason")):
        with pytest.raises(Unfit) as refused:
            room.cases.transfer(case.id, ANA, queue, reason)
        assert refused.value.field == field


def test_routed_wrong_is_kept_with_words_tags_and_rule_and_counted(room: Room) -> None:
    wrong = room.say("test:1", author="a", text="do you ship to Peru?")
    right = room.say("test:2", author="b")
    room.cases.transfer(wrong.id, ANA, "press", "not ours", wrong_route=True)
    room.cases.transfer(wrong.id, BEN, "marketing", "nor ours", wrong_route=True)
    room.cases.resolve(right.id, ANA)
    (kept,) = room.cases.corrections(LONG_AGO, LATER)
    assert (kept.routed_queue, kept.right_queue, kept.rule, kept.actor) == (
        "service",
        "marketing",
        "complaints",
        "user:ben",
    )
    assert kept.routed is not None
    assert (kept.routed.mention.text, kept.routed.tags.brand) == ("do you ship to Peru?", "acme")
    assert room.cases.confusion(LONG_AGO, LATER) == [
        Confusion("service", "marketing", 1),
        Confusion("service", "service", 1),
    ]


def test_a_correction_that_comes_full_circle_is_taken_back(room: Room) -> None:
    case = room.say()
    room.cases.transfer(case.id, ANA, "press", "not ours", wrong_route=True)
    room.cases.transfer(case.id, ANA, "service", "it was", wrong_route=True)
    assert list(room.cases.corrections(LONG_AGO, LATER)) == []


def test_a_removal_takes_the_words_out_of_the_corrections_but_not_the_count(room: Room) -> None:
    case = room.say(text="SECRET")
    room.cases.transfer(case.id, ANA, "press", "not ours", wrong_route=True)
    room.take_back("test:1")
    assert list(room.cases.corrections(LONG_AGO, LATER)) == []
    assert room.cases.confusion(LONG_AGO, LATER) == [Confusion("service", "press", 1)]


def test_corrections_are_read_a_batch_at_a_time(room: Room, clock: ManualClock) -> None:
    for number in range(5):
        case = room.say(f"test:{number}", author=f"a{number}")
        clock.advance(number // 2)  # some at one moment
        room.cases.transfer(case.id, ANA, "press", "not ours", wrong_route=True)
    assert len({kept.case for kept in room.cases.corrections(LONG_AGO, LATER, batch=2)}) == 5


def test_a_snoozed_case_rests_until_its_time_or_until_its_author_says_more(room: Room, clock: ManualClock) -> None:
    id, by = held(room)
    with pytest.raises(Unfit, match="until"):
        room.cases.snooze(id, by, clock.now())
    room.cases.snooze(id, by, clock.now() + timedelta(hours=1))
    room.cases.release(id, by.user, by.token or 0)
    assert room.cases.next("user:ben", ["service"]) is None
    clock.advance(3600)
    woken = room.cases.next("user:ben", ["service"])
    assert woken is not None
    assert (woken.case.state, woken.case.wakes_at) == (State.CLAIMED, None)
    room.cases.snooze(id, BEN._replace(token=woken.lease.token), clock.now() + timedelta(hours=1))
    assert room.say("test:2").state is State.CLAIMED
    with pytest.raises(Conflict, match="not snoozed"):
        room.cases.wake(id, BEN)


def test_a_resolved_case_can_be_reopened_and_nothing_else(room: Room) -> None:
    id, by = held(room)
    assert room.cases.resolve(id, by, "refunded").state is State.RESOLVED
    for change in (
        lambda: room.cases.resolve(id, ANA),
        lambda: room.cases.claim(id, ANA.user),
        lambda: room.cases.take_over(id, ANA.user, "mine"),
        lambda: room.cases.escalate(id, ANA, "so"),
    ):
        with pytest.raises(Conflict, match="resolved"):
            change()
    room.cases.note(id, ANA, "they thanked us")
    again = room.cases.reopen(id, BEN, "not refunded")
    assert (again.state, again.reopenings) == (State.REOPENED, 1)
    with pytest.raises(Conflict, match="not resolved"):
        room.cases.reopen(id, BEN, "twice")


def test_what_is_on_its_way_is_settled_before_the_case_is_closed(room: Room, store: Store) -> None:
    id, by = held(room)
    room.send(id, by)
    room.send(id, by)  # the same key again
    with pytest.raises(Conflict, match="on its way"):
        room.cases.resolve(id, by)
    with store._db.write() as transaction:
        failed = room.cases.reply_failed(transaction, id, "system:sender", "k1", "account suspended")
    assert (failed.pending, failed.state) == ((), State.CLAIMED)
    assert room.kinds(id)[-2:] == ["reply_queued", "reply_failed"]


def test_an_answer_that_asks_something_waits_for_the_customer(room: Room) -> None:
    id, by = held(room, first_response_due=NOON)
    room.send(id, by)
    waiting = room.sent(id, "test:9", awaiting=True)
    assert (waiting.state, waiting.due, waiting.owner) == (State.WAITING, None, ANA.user)
    assert room.say("test:2").state is State.CLAIMED


def test_an_answer_needs_a_token(room: Room, store: Store) -> None:
    case = room.say()
    with pytest.raises(Unfit, match="token"):
        room.send(case.id, ANA)
    with pytest.raises(Conflict):
        room.send(case.id, ANA._replace(token=0))


def test_tags_and_notes_are_checked_and_tags_can_be_found(room: Room) -> None:
    case = room.say("test:1", author="a")
    room.say("test:2", author="b")
    assert room.cases.tag(case.id, ANA, add=["vip", "press", "vip"]).tags == ("press", "vip")
    assert room.cases.tag(case.id, ANA, add=["vip"], remove=["press", "none"]).tags == ("vip",)
    assert [it.id for it in room.cases.cases(CaseFilter(tag="vip")).cases] == [case.id]
    assert room.cases.cases(CaseFilter(tag="press")).cases == ()
    for bad in (" ", "x" * 61, "a\0", "\ud800"):
        with pytest.raises(Unfit):
            room.cases.tag(case.id, ANA, add=[bad])
    for text in ("", "x" * 10_001, "\ud800"):
        with pytest.raises(Unfit, match="text"):
            room.cases.note(case.id, ANA, text)
    with pytest.raises(Unfit, match="at most 50"):
        room.cases.tag(case.id, ANA, add=[f"t{number}" for number in range(50)])


def test_a_question_goes_to_a_queue_or_a_user(room: Room) -> None:
    case = room.say()
    with pytest.raises(Unfit):
        room.cases.ask(case.id, ANA, "?")
    with pytest.raises(Unfit):
        room.cases.ask(case.id, ANA, "?", queue="a", user="b")


def test_watching_twice_is_once_and_can_end(room: Room) -> None:
    case = room.say()
    room.cases.watch(case.id, ANA)
    assert room.cases.watch(case.id, ANA).watchers == (ANA.user,)
    assert room.cases.watch(case.id, ANA, stop=True).watchers == ()
    assert room.kinds(case.id) == ["opened", "watched", "watched"]


def test_pages_meet_without_gap_or_overlap_in_every_order(room: Room) -> None:
    for number in range(7):
        room.say(
            f"test:{number}",
            author=f"a{number}",
            created_at=NOON + minutes(number // 3),
            priority=list(Priority)[number % 2],
        )
    room.cases.next("user:ana", ["service"])
    orders: dict[Order, CaseFilter] = {
        "newest": CaseFilter(),
        "oldest": CaseFilter(),
        "urgency": CaseFilter(queue="service"),
    }
    for order, wanted in orders.items():
        whole = room.cases.cases(wanted, order)
        assert whole.next is None
        pages: list[Case] = []
        after = None
        while True:
            page = room.cases.cases(wanted, order, after, limit=2)
            pages += page.cases
            if (after := page.next) is None:
                break
        assert len(pages) == 7
        assert pages == list(whole.cases)
    assert [case.since for case in room.cases.cases(order="newest").cases] == sorted(
        (case.since for case in room.every()), reverse=True
    )
    urgent = room.cases.cases(CaseFilter(queue="service"), "urgency").cases
    assert [case.standing.name for case in urgent] == ["READY"] * 6 + ["HELD"]


def test_a_list_is_bounded_and_says_what_is_wrong_with_a_question(room: Room) -> None:
    room.say("test:1", author="a")
    room.say("test:2", author="b")
    assert len(room.cases.cases(limit=0).cases) == 1
    with pytest.raises(Unfit, match="order"):
        room.cases.cases(order="urgency")
    for word in ("nonsense", "é", "W10", ""):
        with pytest.raises(Unfit, match="after"):
            room.cases.cases(after=word)


def test_cases_are_found_by_what_they_are(room: Room, clock: ManualClock) -> None:
    id, _ = held(room, "test:1", author="a", first_response_due=NOON)
    other = room.say("test:2", author="b", queue="marketing", priority=Priority.LOW)
    room.cases.resolve(other.id, BEN)
    expected = {
        CaseFilter(queue="marketing"): other.id,
        CaseFilter(states=(State.CLAIMED, State.NEW)): id,
        CaseFilter(owner="user:ana"): id,
        CaseFilter(author="test:b"): other.id,
        CaseFilter(priority=Priority.LOW): other.id,
        CaseFilter(due_before=NOON + minutes(1)): id,
        CaseFilter(open=True): id,
        CaseFilter(open=False): other.id,
    }
    for wanted, found in expected.items():
        assert [case.id for case in room.cases.cases(wanted).cases] == [found], wanted
    assert room.cases.cases(CaseFilter(brand="other")).cases == ()


def test_a_queue_says_how_it_stands(room: Room) -> None:
    held(room, "test:1", author="a")
    room.say("test:2", author="b", priority=Priority.LOW, first_response_due=NOON)
    room.say("test:3", author="c", queue="marketing")
    over = room.say("test:4", author="d", queue="press")
    room.cases.resolve(over.id, ANA)
    marketing, service = room.cases.loads()
    assert (marketing.queue, marketing.ready, marketing.first_due) == ("marketing", 1, None)
    assert (service.ready, service.held, service.ready_by_rank, service.first_due) == (1, 1, (0, 0, 0, 1), NOON)


def test_everything_that_happened_is_told_in_order_and_makes_the_case_again(room: Room, clock: ManualClock) -> None:
    id, by = held(room)
    room.cases.tag(id, by, add=["vip"])
    room.cases.prioritise(id, by, Priority.URGENT)
    room.cases.snooze(id, by, clock.now() + TERM)
    room.say("test:2")
    room.send(id, by)
    room.sent(id, "test:9", awaiting=True)
    room.cases.resolve(id, by)
    case = room.cases.reopen(id, by, "no")
    assert room.cases.rebuild(id) == room.cases.case(id) == case
    history = room.cases.history(id)
    assert [it.number for it in history] == list(range(1, case.version + 1))
    assert [it.number for it in room.cases.history(id, after=2, limit=2)] == [3, 4]
    assert [(it.mention, it.part) for it in room.cases.said(id)] == [
        ("test:1", "said"),
        ("test:2", "said"),
        ("test:9", "answer"),
    ]
