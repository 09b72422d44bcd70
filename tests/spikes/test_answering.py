"""One approved statement answers many: each in their own thread, once, at a pace, until somebody stops it."""

from __future__ import annotations

import pytest

from desk.case import State
from desk.drafting import DraftState
from desk.handling import By
from desk.refusals import Conflict, NoSuchDraft, Unfit
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused
from pipeline.mention import Kind
from pipeline.store import Store
from spikes.answering import Answers, answer, stop
from spikes.family import Family
from tests.desk.answering import VIA
from tests.desk.build import BEN
from tests.spikes.family import LEA, MARA, SORRY, Storm
from tests.spikes.seen import START, at


@pytest.fixture
def storm(store: Store) -> Storm:
    return Storm(store, ManualClock(START))


def everybody(storm: Storm) -> dict[str, int]:
    return {f"{VIA}:{number + 1}": 1 for number in range(len(storm.ids))}


def test_each_follower_gets_the_approved_words_once_and_stays_settled(storm: Storm) -> None:
    storm.follow()
    by, draft = storm.approved()
    storm.drafts.send(draft.id, by)
    storm.work(10)
    assert {storm.cases.case(id).state for id in storm.ids[1:]} == {State.RESOLVED}
    storm.answer(draft.id)
    storm.work(120)
    assert storm.posted() == everybody(storm)
    assert set(storm.platform.texts) == {SORRY}
    assert storm.progress(draft.id) == Answers(sent=5, waiting=0, failed=0, left=0)
    for id in storm.ids[1:]:
        case = storm.cases.case(id)
        assert (case.state, case.answers, case.pending) == (State.RESOLVED, 1, ())
        assert storm.cases.rebuild(id) == case
        (copy,) = storm.drafts.drafts(id).drafts
        assert (copy.writer, copy.approver, copy.state) == ("user:ana", LEA, DraftState.SENT)
        (queued,) = [it.event for it in storm.cases.history(id) if it.event.kind == "reply_queued"]
        assert (queued.actor, queued.copied_from) == (MARA, draft.id)  # type: ignore[union-attr]
    told = storm.incidents.timeline(storm.id)[-1].event
    assert (told.kind, told.actor, told.text) == ("statement_out", MARA, SORRY)


def test_those_who_still_follow_are_answered_and_not_only_resolved(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    storm.work(120)
    assert {storm.cases.case(id).state for id in storm.ids[1:]} == {State.REPLIED}
    assert len(storm.posted()) == 5


def test_a_network_sees_no_flood(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    for _ in range(5):
        storm.restart()
        storm.work()
    assert len(storm.posted()) == 1
    storm.work(20)
    assert len(storm.posted()) == 3


def test_nothing_goes_out_twice_whoever_crashes_and_however_many_are_at_work(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    for _ in range(10):
        storm.restart()
        storm.work(10)
    stop(storm.incidents, storm.id, MARA)
    storm.answer(draft.id)
    storm.work(100)
    assert storm.posted() == {f"{VIA}:{number + 1}": 1 for number in range(1, 6)}


def test_only_what_somebody_else_approved_and_answers_the_lead_goes_to_all(storm: Storm) -> None:
    by = storm.takes(storm.lead)
    mine = storm.drafts.write(storm.lead, by, SORRY)
    gap = storm.drafts.write(storm.lead, by, "Dear {customer.first_name}")
    storm.drafts.submit(gap.id, by)
    storm.drafts.approve(gap.id, By(LEA))
    with pytest.raises(Conflict, match="is draft"):
        storm.answer(mine.id)
    storm.drafts.submit(mine.id, by)
    storm.drafts.approve(mine.id, By(LEA))
    with pytest.raises(Conflict, match="follow none"):
        storm.answer(mine.id)
    storm.follow()
    with pytest.raises(Unfit, match="not filled in"):
        storm.answer(gap.id)
    with pytest.raises(NoSuchDraft):
        storm.answer("none")
    sent = storm.drafts.write(storm.lead, by, "Without an approval")
    storm.drafts.send(sent.id, by, may_send=True)
    with pytest.raises(Conflict, match="nobody has approved"):
        storm.answer(sent.id)
    other = storm.takes(storm.ids[1], BEN)
    strange = storm.drafts.write(storm.ids[1], other, SORRY)
    storm.drafts.submit(strange.id, other)
    storm.drafts.approve(strange.id, By(LEA))
    with pytest.raises(Conflict, match="follow"):
        storm.answer(strange.id)
    storm.answer(mine.id)
    with pytest.raises(Conflict, match="already"):
        storm.answer(mine.id)


def test_who_needs_an_answer_of_their_own_gets_no_copy(storm: Storm) -> None:
    unreached = storm.angry(6, via="elsewhere")
    repost = storm.angry(7, kind=Kind.REPOST, parent=f"{VIA}:1")
    storm.incidents.gather()
    storm.follow()
    _, draft = storm.approved()
    storm.cases.claim(storm.ids[1], BEN.user)
    by_hand = storm.cases.resolve(storm.ids[2], BEN)
    storm.take_back(f"{VIA}:4")
    storm.answer(draft.id)
    storm.work(200)
    assert set(storm.posted()) == {f"{VIA}:5", f"{VIA}:6"}
    assert storm.cases.case(storm.ids[2]) == by_hand
    assert storm.cases.case(storm.ids[3]).state is State.WITHDRAWN
    assert not {unreached, repost} & {it.case for it in storm.drafts.drafts().drafts}
    by = storm.takes(storm.lead)
    storm.drafts.send(draft.id, by)
    storm.work(10)
    assert {storm.cases.case(id).state for id in (unreached, repost)} == {State.RESOLVED}


def test_who_talks_to_a_customer_is_not_talked_over(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.hears(f"{VIA}:own", author="a1", queue="marketing", created_at=at(2))
    held = storm.cases.claim(storm.of(f"{VIA}:own").id, BEN.user)
    storm.answer(draft.id)
    storm.work(60)
    assert f"{VIA}:2" not in storm.posted()
    storm.cases.release(held.case.id, BEN.user, held.lease.token)
    storm.work(60)
    assert storm.posted()[f"{VIA}:2"] == 1


def test_whoever_takes_a_customer_before_it_went_out_decides(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    storm.answering.step()
    storm.cases.claim(storm.ids[1], BEN.user)
    storm.work(60)
    (copy,) = storm.drafts.drafts(storm.ids[1]).drafts
    assert (copy.state, copy.approver) == (DraftState.DRAFT, None)
    assert f"{VIA}:2" not in storm.posted()
    storm.drafts.send(copy.id, storm.takes(storm.ids[1], BEN), may_send=True)
    stop(storm.incidents, storm.id, LEA)
    storm.work(60)
    assert storm.posted()[f"{VIA}:2"] == 1


def test_stopped_is_stopped_and_what_waits_is_taken_back(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    storm.answering.step()
    stop(storm.incidents, storm.id, LEA, "the police asked us to")
    storm.work(120)
    assert storm.posted() == {}
    (copy,) = storm.drafts.drafts(state=DraftState.WITHDRAWN).drafts
    assert storm.cases.case(copy.case).lead == storm.lead
    with pytest.raises(Conflict, match="no statement"):
        stop(storm.incidents, storm.id, LEA)


@pytest.mark.parametrize("how", ["closed", "edited", "discarded"])
def test_it_ends_with_the_incident_and_with_the_statement(storm: Storm, how: str) -> None:
    storm.follow()
    by, draft = storm.approved()
    storm.answer(draft.id)
    storm.work()
    if how == "closed":
        storm.incidents.close(storm.id, LEA)
    elif how == "edited":
        storm.drafts.write(storm.lead, by, "Other words", id=draft.id, version=draft.version)
    else:
        storm.drafts.discard(draft.id, by)
    storm.work(120)
    assert len(storm.posted()) == 1
    assert storm.incidents.incident(storm.id).work.answer == ""
    if how != "closed":
        assert storm.events()[-1] == "answers_stopped"


def test_what_the_platform_refuses_is_settled_with_the_lead(storm: Storm) -> None:
    storm.follow()
    by, draft = storm.approved()
    storm.answer(draft.id)
    storm.platform.trouble = [ReplyRefused("blocked")]
    storm.work(120)
    assert storm.progress(draft.id) == Answers(sent=4, waiting=0, failed=1, left=0)
    storm.drafts.send(draft.id, by._replace(token=storm.takes(storm.lead).token))
    storm.work(10)
    assert storm.cases.case(storm.ids[1]).state is State.RESOLVED


def test_later_cases_of_the_matter_join_and_are_answered_too(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.answer(draft.id)
    storm.work(60)
    late, train = storm.angry(8), storm.angry(9, text="acme is late as on any day, useless")
    storm.incidents.gather()
    assert (storm.family.step(), storm.family.step()) == (1, 0)
    assert Family(storm.store._db, storm.clock, storm.incidents).step() == 0
    assert storm.events().count("family_joined") == 1
    assert storm.cases.case(train).lead is None
    storm.work(60)
    assert storm.posted()[f"{VIA}:9"] == 1
    assert storm.cases.case(late).answers == 1


@pytest.mark.parametrize("how", ["lead", "incident"])
def test_nobody_joins_what_is_over(storm: Storm, how: str) -> None:
    storm.follow()
    late = storm.angry(8)
    storm.incidents.gather()
    if how == "lead":
        storm.cases.resolve(storm.lead, BEN)
    else:
        storm.incidents.close(storm.id, LEA)
    assert storm.family.step() == 0
    assert storm.cases.case(late).lead is None


def test_a_closed_incident_answers_nobody(storm: Storm) -> None:
    storm.follow()
    _, draft = storm.approved()
    storm.incidents.close(storm.id, LEA)
    with pytest.raises(Conflict, match="closed"):
        answer(storm.incidents, storm.store._db, storm.id, draft.id, MARA)
