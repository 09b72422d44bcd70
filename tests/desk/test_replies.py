from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from desk.case import State
from desk.drafting import DraftState
from desk.refusals import Conflict
from desk.replies import TERM
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceRefused, SourceUnavailable, StoreUnavailable
from pipeline.store import Store
from tests.desk.answering import FIRST, VIA, Desks
from tests.desk.build import ANA, BEN
from tests.fixtures.replier import Crash


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Desks:
    return Desks(store, clock)


def state(room: Desks, draft: str) -> DraftState:
    return room.drafts.draft(draft).state


# ------------------------------------------------------------------------------ sending


def test_an_answer_is_posted_and_everybody_can_see_that_it_was(room: Desks) -> None:
    draft = room.queued("We are looking for it.")
    assert (draft.state, room.cases.case(draft.case).pending) == (DraftState.QUEUED, (f"{draft.id}-1",))
    assert room.sender.waiting() == {VIA: 1}
    assert room.step() == 1
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.native_id, seen.attempts, seen.next_at) == (DraftState.SENT, "re-1", 1, None)
    assert room.platform.posted == {f"{draft.id}-1": (FIRST, "We are looking for it.")}
    case = room.cases.case(draft.case)
    assert (case.state, case.answers, case.pending) == (State.REPLIED, 1, ())
    assert (room.step(), room.outcomes, room.sender.waiting()) == (0, ["sent"], {VIA: 0})


def test_an_answer_that_asks_something_leaves_the_turn_to_the_customer(room: Desks) -> None:
    draft = room.queued(awaiting=True)
    room.step()
    assert room.cases.case(draft.case).state is State.WAITING


def test_only_the_holder_under_a_good_token_sends(room: Desks, clock: ManualClock) -> None:
    ana, draft = room.ready()
    with pytest.raises(Conflict, match="user:ana"):
        room.drafts.send(draft.id, BEN._replace(token=ana.token), may_send=True)
    ben = room.takes_over(draft.case, BEN)
    with pytest.raises(Conflict) as refused:
        room.drafts.send(draft.id, ana, may_send=True)
    assert refused.value.holder == "user:ben"
    clock.advance(301)
    with pytest.raises(Conflict, match="lease has ended"):
        room.drafts.send(draft.id, ben, may_send=True)
    assert state(room, draft.id) is DraftState.DRAFT
    assert room.step() == 0


def test_pressing_send_twice_sends_once(room: Desks) -> None:
    ana, draft = room.ready()
    first = room.drafts.send(draft.id, ana, may_send=True)
    assert room.drafts.send(draft.id, ana, may_send=True) == first
    room.step()
    assert room.drafts.send(draft.id, ana, may_send=True).state is DraftState.SENT
    assert (room.step(), len(room.platform.posted)) == (0, 1)


def test_one_answer_of_a_case_is_on_its_way_at_a_time(room: Desks) -> None:
    ana, first = room.ready("One")
    second = room.drafts.write(first.case, ana, "Two")
    room.drafts.send(first.id, ana, may_send=True)
    with pytest.raises(Conflict, match="another answer"):
        room.drafts.send(second.id, ana, may_send=True)
    assert state(room, second.id) is DraftState.DRAFT
    room.step()
    room.drafts.send(second.id, ana, may_send=True)
    room.step()
    assert room.platform.texts == ["One", "Two"]


def test_a_queued_answer_can_be_taken_back_and_changed_before_it_was_tried(room: Desks) -> None:
    ana, draft = room.ready("One")
    queued = room.drafts.send(draft.id, ana, may_send=True)
    with pytest.raises(Conflict):  # whoever does not hold the customer
        room.drafts.write(draft.case, BEN, "Two", id=draft.id, version=queued.version)
    edited = room.drafts.write(draft.case, ana, "Two", id=draft.id, version=queued.version)
    assert (edited.state, room.cases.case(draft.case).pending) == (DraftState.DRAFT, ())
    assert room.step() == 0
    again = room.drafts.send(draft.id, ana, may_send=True)
    room.step()
    assert room.platform.posted == {f"{draft.id}-{edited.version}": (FIRST, "Two")}
    assert again.version > queued.version


def test_answers_go_out_in_the_order_in_which_they_were_sent(room: Desks, clock: ManualClock) -> None:
    for number in range(4):
        room.queued(f"Number {number}", id=f"{VIA}:{number}", author=f"a{number}")
        clock.advance(1)
    while room.step():
        pass
    assert room.platform.texts == [f"Number {number}" for number in range(4)]


def test_a_queued_answer_can_be_discarded(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.send(draft.id, ana, may_send=True)
    with pytest.raises(Conflict):
        room.drafts.discard(draft.id, BEN)
    assert room.drafts.discard(draft.id, ana).state is DraftState.DISCARDED
    assert (room.step(), room.platform.posted, room.cases.case(draft.case).pending) == (0, {}, ())


# ------------------------------------------------------------------------------ trouble


def test_a_platform_that_is_down_is_asked_again_under_the_same_key_and_the_reason_is_shown(
    room: Desks, clock: ManualClock
) -> None:
    draft = room.queued()
    room.platform.trouble = [SourceUnavailable("no answer"), SourceUnavailable("still none")]
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason, seen.attempts) == (DraftState.QUEUED, "no answer", 1)
    assert seen.next_at is not None
    assert (seen.next_at - clock.now()).total_seconds() == 5
    assert room.step() == 0
    clock.advance(5)
    room.step()
    seen = room.drafts.draft(draft.id)
    assert seen.next_at is not None
    assert (seen.next_at - clock.now()).total_seconds() == 10
    clock.advance(10)
    room.step()
    assert state(room, draft.id) is DraftState.SENT
    assert room.platform.calls == [f"{draft.id}-1"] * 3
    assert room.outcomes == ["retried", "retried", "sent"]


def test_a_rate_limit_holds_up_the_whole_account_for_as_long_as_the_platform_says(
    room: Desks, clock: ManualClock
) -> None:
    room.queued("One")
    second = room.queued("Two", id=f"{VIA}:2", author="ben")
    room.platform.trouble = [SourceUnavailable("slow down", trouble="rate_limited", retry_after=90)]
    room.step()
    assert room.step() == 0
    assert state(room, second.id) is DraftState.QUEUED
    clock.advance(89)
    assert room.step() == 0
    clock.advance(1)
    assert (room.step(), room.step()) == (1, 1)
    assert sorted(room.platform.texts) == ["One", "Two"]


def test_what_the_platform_refuses_has_failed_in_its_words_and_goes_out_again_under_a_new_key(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.send(draft.id, ana, may_send=True)
    room.platform.trouble = [ReplyRefused("You are blocked by @ana.")]
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason, seen.next_at) == (DraftState.FAILED, "You are blocked by @ana.", None)
    assert room.kinds(draft.case)[-1] == "reply_failed"
    assert room.step() == 0
    room.drafts.send(draft.id, ana, may_send=True)
    room.step()
    assert state(room, draft.id) is DraftState.SENT
    assert len(set(room.platform.calls)) == 2
    assert room.outcomes == ["failed", "sent"]


def test_what_the_connector_says_against_it_is_not_posted(room: Desks) -> None:
    draft = room.queued()
    room.platform.why_not = "The thread is locked."
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason, room.platform.calls) == (DraftState.FAILED, "The thread is locked.", [])


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (ZeroDivisionError("secret text"), "The connector failed (ZeroDivisionError); the log says more."),
        (SourceRefused("the token was revoked"), "the token was revoked"),
        (ReplyRefused("\ud800 odd \0"), "? odd"),
    ],
)
def test_a_connector_that_fails_fails_one_answer_with_a_plain_reason_and_the_next_goes_out(
    room: Desks, fault: Exception, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    draft = room.queued("One")
    other = room.queued("Two", id=f"{VIA}:2", author="ben")
    room.platform.trouble = [fault]
    assert (room.step(), room.step()) == (1, 1)
    states = {state(room, id): id for id in (draft.id, other.id)}
    assert states.keys() == {DraftState.FAILED, DraftState.SENT}
    assert room.drafts.draft(states[DraftState.FAILED]).reason.startswith(shown)
    assert room.cases.case(draft.case).pending == ()


def test_after_a_fault_nobody_knows_the_end_of_the_same_words_go_out_under_the_same_key(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.send(draft.id, ana, may_send=True)
    room.platform.lost = [ZeroDivisionError()]
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, "look there before" in seen.reason) == (DraftState.FAILED, True)
    room.drafts.send(draft.id, ana, may_send=True)
    room.step()
    assert state(room, draft.id) is DraftState.SENT
    assert (len(room.platform.posted), len(set(room.platform.calls))) == (1, 1)


def test_a_platform_that_gives_no_id_leaves_the_end_open(room: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = room.queued()
    monkeypatch.setattr(room.platform, "reply", lambda mention, text, key: "")
    room.step()
    assert "look there before" in room.drafts.draft(draft.id).reason


# ------------------------------------------------------------------------------ crashes


def test_a_crash_between_post_and_record_posts_once_and_ends_as_sent(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    room.platform.lost = [Crash()]
    with pytest.raises(Crash):
        room.step()
    assert state(room, draft.id) is DraftState.SENDING
    heir = room.another_sender()
    assert heir.step() == 0
    clock.advance(TERM.total_seconds())
    assert heir.step() == 1
    assert state(room, draft.id) is DraftState.SENT
    assert room.platform.calls == [f"{draft.id}-1"] * 2
    assert len(room.platform.posted) == 1
    assert room.cases.case(draft.case).answers == 1


def test_a_crash_before_the_post_posts_later(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    room.platform.trouble = [Crash()]
    with pytest.raises(Crash):
        room.step()
    clock.advance(TERM.total_seconds())
    room.another_sender().step()
    assert (state(room, draft.id), room.platform.texts) == (DraftState.SENT, ["We are looking for it."])


def test_what_could_not_be_recorded_is_recorded_before_anything_else_is_sent(
    room: Desks, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = room.queued("One")
    clock.advance(1)
    room.queued("Two", id=f"{VIA}:2", author="ben")

    def down(*given: object, **named: object) -> None:
        raise StoreUnavailable("the store does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(room.cases, "reply_sent", down)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                room.step()
    assert (state(room, draft.id), len(room.platform.calls)) == (DraftState.SENDING, 1)
    room.step()
    assert (state(room, draft.id), len(room.platform.calls)) == (DraftState.SENT, 1)


def test_a_slow_sender_that_was_given_up_and_its_heir_both_say_sent_once(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    heir = room.another_sender()

    def meanwhile() -> None:
        clock.advance(TERM.total_seconds())
        heir.step()

    room.platform.during = meanwhile
    room.step()
    case = room.cases.case(draft.case)
    assert (state(room, draft.id), case.answers, case.pending) == (DraftState.SENT, 1, ())
    assert len(room.platform.posted) == 1


def test_a_slow_sender_whose_heir_is_at_work_says_nothing_of_its_trouble(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    heir = room.another_sender()

    def meanwhile() -> None:
        clock.advance(TERM.total_seconds())
        room.platform.lost = [Crash()]
        with pytest.raises(Crash):
            heir.step()
        room.platform.lost = [SourceUnavailable("too late")]

    room.platform.during = meanwhile
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.attempts, seen.reason) == (DraftState.SENDING, 2, "")


def test_two_senders_post_one_answer_of_a_source_at_a_time(room: Desks) -> None:
    room.queued("One")
    room.queued("Two", id=f"{VIA}:2", author="ben")
    other = room.another_sender()
    done: list[int] = []
    room.platform.during = lambda: done.append(other.step())
    room.step()
    assert done == [0]
    assert other.step() == 1
    assert len(room.platform.posted) == 2


# --------------------------------------------------------------- meanwhile, elsewhere


def test_an_answer_queued_under_a_token_that_another_has_taken_is_a_draft_again(room: Desks) -> None:
    draft = room.queued()
    room.takes_over(draft.case, BEN)
    assert room.step() == 1
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason) == (DraftState.DRAFT, "Somebody else has taken the customer over.")
    assert (room.platform.calls, room.outcomes) == ([], ["returned"])
    assert room.kinds(draft.case)[-1] == "reply_failed"
    assert room.cases.case(draft.case).pending == ()


def test_a_lease_that_ran_out_by_itself_does_not_stop_what_was_queued_in_time(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    clock.advance(301)
    room.step()
    assert state(room, draft.id) is DraftState.SENT


def test_who_queued_it_may_take_the_case_again_before_it_goes_out(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    clock.advance(301)
    room.takes(draft.case, ANA)
    room.step()
    assert state(room, draft.id) is DraftState.SENT


def test_a_take_over_after_a_crash_does_not_post_behind_the_new_owners_back(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    room.platform.lost = [Crash()]
    with pytest.raises(Crash):
        room.step()
    ben = room.takes_over(draft.case, BEN)
    clock.advance(TERM.total_seconds())
    room.cases.heartbeat(draft.case, ben.user, ben.token or 0)
    room.another_sender().step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, "look there before" in seen.reason) == (DraftState.DRAFT, True)
    # Ben sends the same words: the platform has them under this key already.
    room.drafts.send(draft.id, ben, may_send=True)
    room.step()
    assert (state(room, draft.id), len(room.platform.posted)) == (DraftState.SENT, 1)


def test_a_delete_while_it_is_queued_withdraws_it(room: Desks) -> None:
    draft = room.queued()
    room.take_back(FIRST)
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.text) == (DraftState.WITHDRAWN, "")
    assert (room.step(), room.platform.calls, room.cases.case(draft.case).pending) == (0, [], ())


def test_a_delete_while_it_is_sent_is_shown(room: Desks) -> None:
    draft = room.queued()
    room.platform.during = lambda: room.take_back(FIRST)
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.text, seen.native_id) == (DraftState.SENT, "", "re-1")
    assert seen.reason == "What it answers was taken back while it was being sent."


@pytest.mark.parametrize(
    "fault", [Crash(), SourceUnavailable("no answer"), ReplyRefused("There is no such post."), ZeroDivisionError()]
)
def test_a_delete_while_it_is_sent_is_never_answered_again(
    room: Desks, clock: ManualClock, fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    draft = room.queued()
    room.platform.during = lambda: room.take_back(FIRST)
    room.platform.lost = [fault]
    if isinstance(fault, Crash):
        with pytest.raises(Crash):
            room.step()
        clock.advance(TERM.total_seconds())
    room.step()
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.text, len(room.platform.calls)) == (DraftState.WITHDRAWN, "", 1)
    assert seen.reason.startswith("What it answers was taken back while it was being sent.")
    assert room.cases.case(draft.case).pending == ()


def test_our_own_answer_comes_back_after_it_was_noted_and_counts_once(room: Desks) -> None:
    draft = room.queued(awaiting=True)
    room.step()
    room.comes_back()
    case, seen = room.cases.case(draft.case), room.drafts.draft(draft.id)
    assert (case.answers, case.state, seen.state) == (1, State.WAITING, DraftState.SENT)
    assert seen.url == "https://social.example/re-1"
    assert len(room.every()) == 1


def test_our_own_answer_comes_back_before_it_was_noted_and_counts_once(room: Desks) -> None:
    draft = room.queued(awaiting=True)
    seen_meanwhile: list[DraftState] = []

    def meanwhile() -> None:
        room.comes_back()
        seen_meanwhile.append(state(room, draft.id))

    room.platform.during = meanwhile
    room.step()
    case, seen = room.cases.case(draft.case), room.drafts.draft(draft.id)
    assert seen_meanwhile == [DraftState.SENT]
    assert (case.answers, case.pending, case.state) == (1, (), State.WAITING)
    assert (seen.state, seen.native_id) == (DraftState.SENT, "re-1")
    assert len(room.every()) == 1


def test_our_own_answer_comes_back_after_a_crash_and_is_not_posted_again(room: Desks, clock: ManualClock) -> None:
    draft = room.queued()
    room.platform.lost = [Crash()]
    with pytest.raises(Crash):
        room.step()
    room.comes_back()
    clock.advance(TERM.total_seconds())
    assert room.another_sender().step() == 0
    assert (state(room, draft.id), len(room.platform.calls)) == (DraftState.SENT, 1)


def test_an_answer_given_elsewhere_while_ours_was_queued_is_not_doubled(room: Desks) -> None:
    draft = room.queued()
    room.comes_back("by-hand")
    seen = room.drafts.draft(draft.id)
    assert (seen.state, seen.reason) == (DraftState.WITHDRAWN, "It was answered on the platform itself.")
    assert (room.step(), room.cases.case(draft.case).answers) == (0, 1)


def test_who_says_that_they_answered_natively_takes_back_what_is_queued(room: Desks) -> None:
    ana, draft = room.ready()
    room.drafts.send(draft.id, ana, may_send=True)
    other = room.drafts.write(draft.case, ana, "Something more")
    room.cases.answer_natively(draft.case, ana, "https://social.example/1")
    assert (state(room, draft.id), state(room, other.id)) == (DraftState.WITHDRAWN, DraftState.DRAFT)
    assert room.cases.case(draft.case).pending == ()


def test_an_answer_of_somebody_erased_meanwhile_ends_quietly(room: Desks) -> None:
    room.queued()
    room.platform.during = lambda: room.store.erase_cases(f"{VIA}:ana")
    assert room.step() == 1
    assert room.drafts.drafts().drafts == ()
    assert room.step() == 0


# ------------------------------------------------------------------------------ the loop


def test_the_loop_waits_out_a_store_that_is_down_and_stops_when_asked(
    room: Desks, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = room.queued()
    step: Callable[[], int] = room.sender.step
    turns = iter(["down", "down", "on", "on", "stop"])

    def turn() -> int:
        what = next(turns)
        if what == "down":
            raise StoreUnavailable("the store does not answer")
        if what == "stop":
            clock.stop()
        return step()

    monkeypatch.setattr(room.sender, "step", turn)
    room.sender.run()
    assert state(room, draft.id) is DraftState.SENT
    assert clock.waits == [0.5, 1.0, 0.5, 0.5]
