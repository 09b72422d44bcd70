from __future__ import annotations

from datetime import timedelta

import pytest

from desk.case import State
from desk.hearing import CaseSettings
from pipeline.clock import ManualClock
from pipeline.mention import Cluster, Kind, Language, Priority, Tags
from pipeline.store import Store
from tests.desk.build import ANA, Room
from tests.store.samples import NOON, filtered, minutes, removal, routed

DAY = timedelta(days=1)


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def test_a_mention_opens_a_case_that_knows_what_the_rules_said(room: Room) -> None:
    tags = Tags(brand="acme", language=Language("de", 0.9, "detector"), topics=("billing", "app"))
    case = room.say("test:1", author="ana", conversation="test:0", first_response_due=NOON + minutes(30), tags=tags)
    assert (case.author, case.conversation, case.queue, case.brand) == ("test:ana", "test:0", "service", "acme")
    assert (case.state, case.priority, case.due) == (State.NEW, Priority.HIGH, NOON + minutes(30))
    assert (case.language, case.topic, case.rule, case.mentions) == ("de", "billing", "complaints", 1)


def test_filtered_and_own_mentions_open_no_case(room: Room) -> None:
    room.hear(
        filtered("test:1"), routed("test:2", own=True), routed("test:3", own=True, parent="test:9", kind=Kind.REPLY)
    )
    assert room.every() == []


def test_what_one_author_says_in_one_conversation_is_one_case_across_and_within_batches(room: Room) -> None:
    room.hear(routed("test:1", conversation="test:1"), routed("test:2", conversation="test:1"))
    room.say("test:3", conversation="test:1", queue="marketing", priority=Priority.URGENT)
    (case,) = room.every()
    assert (case.mentions, case.queue, case.priority) == (3, "service", Priority.URGENT)


def test_two_authors_in_one_conversation_are_two_cases(room: Room) -> None:
    room.hear(routed("test:1", conversation="test:0"), routed("test:2", conversation="test:0", author="ben"))
    assert len(room.every()) == 2


def test_another_conversation_joins_within_the_window_in_the_same_queue_only(room: Room) -> None:
    first = room.say("test:1")
    assert room.say("test:2", created_at=NOON + minutes(60)).id == first.id
    assert room.say("test:3", queue="marketing").id != first.id
    assert room.say("test:4", created_at=NOON + 3 * DAY).id != first.id


def test_cases_of_two_brands_never_mix(room: Room) -> None:
    first = room.say("test:1", conversation="test:0")
    assert room.say("test:2", conversation="test:0", tags=Tags(brand="other")).id != first.id


def test_the_same_batch_twice_changes_nothing(room: Room, store: Store) -> None:
    batch = [routed("test:1"), routed("test:2", author="ben")]
    for _ in range(2):
        with store._db.write() as transaction:  # past the store's own check, as after a restart half way
            room.cases.take_in(transaction, batch, [])
    assert [room.kinds(case.id) for case in room.every()] == [["opened"], ["opened"]]


def test_the_case_is_as_due_as_the_most_urgent_of_what_was_said(room: Room) -> None:
    room.say("test:1", first_response_due=NOON + minutes(60))
    assert room.say("test:2", first_response_due=NOON + minutes(30)).due == NOON + minutes(30)


def test_a_removal_of_all_its_mentions_withdraws_the_case(room: Room) -> None:
    case = room.say("test:1", conversation="test:0")
    room.say("test:2", conversation="test:0")
    room.take_back("test:1")
    assert room.cases.case(case.id).state is State.NEW
    room.take_back("test:2")
    room.take_back("test:2")
    gone = room.cases.case(case.id)
    assert (gone.state, gone.mentions, gone.due) == (State.WITHDRAWN, 0, None)
    assert room.kinds(case.id)[-1] == "withdrawn"


def test_an_author_who_goes_takes_their_cases_along_and_ends_the_lease(room: Room) -> None:
    case = room.say("test:1", author="ana")
    room.cases.claim(case.id, "user:ana")
    room.hear(removals=[removal(author="test:ana")])
    gone = room.cases.case(case.id)
    assert (gone.state, gone.owner) == (State.WITHDRAWN, None)


def test_what_the_rules_decide_anew_moves_a_case_only_while_nobody_had_it(room: Room) -> None:
    case = room.say("test:1")
    room.say("test:1", queue="marketing", decided_at=NOON + minutes(1))
    moved = room.cases.case(case.id)
    assert (moved.queue, moved.routed_queue) == ("marketing", "marketing")
    room.cases.claim(case.id, "user:ana")
    room.hear(filtered("test:1", decided_at=NOON + minutes(2)))
    room.say("test:1", decided_at=NOON + minutes(3))
    assert (room.cases.case(case.id).queue, room.cases.case(case.id).state) == ("marketing", State.CLAIMED)


def test_what_turns_out_to_be_noise_withdraws_its_case_and_may_come_back(room: Room) -> None:
    case = room.say("test:1")
    room.hear(filtered("test:1", decided_at=NOON + minutes(1)))
    assert room.cases.case(case.id).state is State.WITHDRAWN
    room.say("test:1", decided_at=NOON + minutes(2))
    again = room.cases.case(case.id)
    assert (again.state, again.mentions) == (State.REOPENED, 1)


def test_a_customer_who_writes_again_soon_after_closing_reopens_the_case(room: Room, clock: ManualClock) -> None:
    case = room.say("test:1", conversation="test:0")
    room.cases.resolve(case.id, ANA)
    clock.advance(3600)
    assert room.say("test:2", conversation="test:0").id == case.id
    assert (room.of("test:2").state, room.of("test:2").closed_at) == (State.REOPENED, None)
    room.cases.resolve(case.id, ANA)
    clock.advance(4 * 86_400)
    assert room.say("test:3", conversation="test:0", created_at=clock.now()).id != case.id


def test_the_windows_are_settings(store: Store, clock: ManualClock) -> None:
    room = Room(store, clock, CaseSettings(join_hours=0, reopen_hours=0))
    first = room.say("test:1", conversation="test:0")
    assert room.say("test:2", created_at=NOON + minutes(1)).id != first.id
    room.cases.resolve(first.id, ANA)
    clock.advance(1)
    assert room.say("test:3", conversation="test:0").id != first.id


def test_a_wave_of_copies_is_one_family(room: Room) -> None:
    for number in range(5):
        wave = Tags(brand="acme", cluster=Cluster(id="wave", first=number == 0))
        room.say(f"test:{number}", author=f"a{number}", tags=wave)
    assert [case.family for case in room.every()] == ["wave"] * 5
    late = Tags(brand="acme", cluster=Cluster(id="next", first=False))
    assert room.say("test:9", author="a1", tags=late).family == "next"


def test_an_answer_given_natively_closes_the_loop(room: Room) -> None:
    case = room.say("test:1")
    room.own("test:2", parent="test:1", url="https://example.org/2")
    assert room.cases.case(case.id).state is State.REPLIED
    assert room.kinds(case.id) == ["opened", "answered_natively"]
    room.own("test:3", parent="test:2")  # an answer to our own answer is in the case too
    assert room.kinds(case.id)[-1] == "answered_natively"
    assert len(room.every()) == 1


def test_an_answer_and_what_it_answers_may_come_in_one_batch_in_any_order(room: Room) -> None:
    answer = routed(
        "test:0", queue=None, filtered="own", own=True, parent="test:1", kind=Kind.REPLY, created_at=NOON + minutes(1)
    )
    room.hear(answer, routed("test:1"))
    assert room.of("test:1").state is State.REPLIED


def test_a_repost_or_quote_of_ours_answers_nothing(room: Room) -> None:
    case = room.say("test:1")
    room.own("test:2", parent="test:1", kind=Kind.REPOST)
    room.own("test:3", parent="test:1", kind=Kind.QUOTE)
    assert room.cases.case(case.id).state is State.NEW


@pytest.mark.parametrize("stream_first", [True, False])
def test_our_own_reply_on_the_stream_is_the_one_we_sent_whichever_is_heard_first(
    room: Room, stream_first: bool
) -> None:
    case = room.say("test:1")
    lease = room.cases.claim(case.id, ANA.user).lease
    room.send(case.id, ANA._replace(token=lease.token))
    assert room.cases.case(case.id).pending == ("k1",)
    if stream_first:
        room.own("test:2", parent="test:1")
        room.sent(case.id, "test:2")
    else:
        room.sent(case.id, "test:2")
        room.own("test:2", parent="test:1")
    answered = room.cases.case(case.id)
    assert (answered.state, answered.pending, answered.answers) == (State.REPLIED, (), 1)
    assert room.kinds(case.id).count("reply_sent") == 1


def test_a_customer_who_answers_us_makes_it_our_turn_again(room: Room) -> None:
    case = room.say("test:1", conversation="test:0")
    room.own("test:2", parent="test:1")
    after = room.say("test:3", conversation="test:0", first_response_due=NOON + minutes(90))
    assert (after.id, after.state, after.due) == (case.id, State.NEW, NOON + minutes(90))
    assert room.kinds(case.id)[-1] == "customer_replied"


def test_what_a_held_author_says_comes_to_their_holder(room: Room) -> None:
    case = room.say("test:1")
    lease = room.cases.claim(case.id, "user:ana").lease
    other = room.say("test:2", queue="marketing")
    assert other.id != case.id
    assert (other.owner, other.token, other.state) == ("user:ana", lease.token, State.CLAIMED)


def test_hostile_strings_make_cases_that_can_be_found_and_withdrawn(room: Room) -> None:
    id = "test:\0" + "é" * 3000
    room.hear(routed(id, author="x" * 5000, conversation="c\0", tags=Tags(brand="b\0", topics=("t\0",))))
    (case,) = room.every()
    assert room.cases.rebuild(case.id) == case
    room.take_back(id)
    assert room.cases.case(case.id).state is State.WITHDRAWN


def test_what_was_stored_before_there_were_cases_is_caught_up_with_once(room: Room, store: Store) -> None:
    old = [routed(f"test:{number}", author=f"a{number}", created_at=NOON) for number in range(5)]
    store.deliver([*old, filtered("test:8"), routed("test:9", own=True)])
    assert room.cases.catch_up(batch=2) == 7
    assert len(room.every()) == 5
    assert room.cases.catch_up(batch=2) == 2  # what needs no case
    assert [case.version for case in room.every()] == [1] * 5


def test_a_failure_leaves_neither_the_mention_nor_a_case(room: Room, store: Store) -> None:
    def fails(*given: object) -> None:
        room.cases.take_in(*given)  # type: ignore[arg-type]  # as the store calls it
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.deliver([routed("test:1")], also=fails)
    assert room.every() == []
    assert store.story("test:1").routed is None
