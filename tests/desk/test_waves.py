from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desk.case import Case, Standing, State
from desk.case_records import CaseFilter
from desk.hearing import CaseSettings
from pipeline.clock import ManualClock
from pipeline.mention import Cluster, Kind, Priority, Routed, Tags
from pipeline.store import Store
from tests.desk.build import ANA, BEN, Room
from tests.store.samples import NOON, minutes, removal, routed

HOUR = timedelta(hours=1)


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def copy(number: int, wave: str = "wave", brand: str = "acme", **changes: Any) -> Routed:
    """The `number`th copy of a text, by an author of its own, a second after the one before."""
    tags = Tags(brand=brand, cluster=Cluster(id=wave, first=number == 0))
    fields: dict[str, Any] = {"author": f"a{number}", "created_at": NOON + timedelta(seconds=number)}
    fields["text"] = "my parcel has been lost for a week and nobody answers"
    return routed(f"test:{number}", tags=tags, **(fields | changes))


def hear(room: Room, *batch: Routed) -> list[Case]:
    room.hear(*batch)
    return [room.of(it.mention.id) for it in batch]


def taken(room: Room, *queues: str) -> list[str]:
    """The authors of everything that `next` gives, in order."""
    given: list[str] = []
    while held := room.cases.next(f"user:{len(given)}", queues or ("service",)):
        given.append(held.case.author)
    return given


def answer(room: Room, case: Case) -> None:
    room.cases.answer_natively(case.id, ANA)


def test_a_hundred_copies_are_offered_once_and_settled_by_one_answer(room: Room) -> None:
    for start in (0, 30, 60):  # what opens the wave is in the first batch, or stored before
        hear(room, *(copy(number) for number in range(start, start + (40 if start == 60 else 30))))
    held = room.cases.next("user:ana", ["service"])
    assert held is not None
    assert held.case.author == "test:a0"
    assert room.cases.next("user:ben", ["service"]) is None
    assert room.cases.settle_waves() == 0
    room.send(held.case.id, ANA._replace(token=held.lease.token))
    room.sent(held.case.id, "test:900")
    assert room.cases.settle_waves() == 99
    assert room.cases.settle_waves() == 0
    copies = room.cases.cases(CaseFilter(lead=held.case.id), limit=500).cases
    assert [case.state for case in copies] == [State.RESOLVED] * 99
    for case in copies:
        history = room.cases.history(case.id)
        assert [it.event.kind for it in history] == ["opened", "resolved"]
        assert (history[-1].event.actor, history[-1].event.lead) == ("system:wave", held.case.id)  # type: ignore[union-attr]
        assert held.case.id in history[-1].event.reason  # type: ignore[union-attr]
    assert [room.cases.rebuild(case.id) for case in copies] == list(copies)


def test_copies_can_be_seen_while_they_rest(room: Room) -> None:
    lead, *others = hear(room, *(copy(number) for number in range(4)))
    assert [case.lead for case in others] == [lead.id] * 3
    assert {case.standing for case in others} == {Standing.RESTING}
    for case in (lead, others[0]):
        family = room.cases.family(case.id, limit=2)
        assert (family.lead.id, family.copies) == (lead.id, 3)
        rest = room.cases.family(case.id, after=family.page.next, limit=2)
        assert [*family.page.cases, *rest.page.cases] == others
    alone = room.say("test:50", author="b")
    assert room.cases.family(alone.id)[:2] == (alone, 0)


def test_a_resolved_lead_settles_its_copies_in_bounded_steps(room: Room) -> None:
    lead, *others = hear(room, *(copy(number) for number in range(6)))
    room.cases.resolve(lead.id, ANA)
    assert [room.cases.settle_waves(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert {room.cases.case(case.id).state for case in others} == {State.RESOLVED}


def test_what_comes_after_the_answer_is_answered_by_it_and_its_author_may_write_again(
    room: Room, clock: ManualClock
) -> None:
    (lead,) = hear(room, copy(0))
    clock.advance(4 * 3600)
    answer(room, lead)
    (late,) = hear(room, copy(1, created_at=clock.now() + 2 * HOUR, conversation="test:1"))
    assert (late.state, late.lead) == (State.RESOLVED, lead.id)
    assert room.kinds(late.id) == ["opened", "resolved"]
    again = room.say("test:2", author="a1", conversation="test:1", created_at=clock.now() + 3 * HOUR)
    assert (again.id, again.state, again.standing) == (late.id, State.REOPENED, Standing.READY)
    (later,) = hear(room, copy(3, created_at=clock.now() + 25 * HOUR))
    assert (later.state, later.lead) == (State.NEW, None)


def test_a_wave_lasts_as_long_as_the_settings_say(store: Store, clock: ManualClock) -> None:
    room = Room(store, clock, CaseSettings(wave_hours=1))
    hear(room, copy(0), copy(1, created_at=NOON + minutes(59)), copy(2, created_at=NOON + minutes(61)))
    assert [case.lead is None for case in room.every()] == [True, False, True]
    off = Room(store, clock, CaseSettings(wave_hours=0))
    assert [case.lead for case in hear(off, copy(4, "next"), copy(5, "next"))] == [None, None]


@pytest.mark.parametrize(
    "changes",
    [
        {"priority": Priority.URGENT},
        {"priority": Priority.HIGH},
        {"kind": Kind.MESSAGE},
        {"queue": "marketing"},
        {"brand": "other"},
        {"wave": "another"},
        {"text": "still no parcel, so angry now"},
    ],
)
def test_what_needs_an_answer_of_its_own_follows_nobody(room: Room, changes: dict[str, Any]) -> None:
    lead, other = hear(room, copy(0, priority=Priority.NORMAL), copy(1, **({"priority": Priority.NORMAL} | changes)))
    assert (lead.lead, other.lead) == (None, None)
    assert len(taken(room, "service", "marketing")) == 2


def test_an_author_somebody_is_talking_to_follows_nobody(room: Room) -> None:
    hear(room, copy(0))
    known = room.say("test:50", author="a1", queue="marketing")
    room.cases.claim(known.id, "user:ana")
    (case,) = hear(room, copy(1))
    assert (case.lead, case.owner) == (None, "user:ana")


def test_what_one_author_repeats_stays_in_their_own_case(room: Room) -> None:
    (lead,) = hear(room, copy(0))
    (same,) = hear(room, copy(1, author="a0"))
    assert (same.id, same.mentions, same.lead) == (lead.id, 2, None)


def test_an_author_who_says_more_gets_an_answer_of_their_own(room: Room) -> None:
    _, case = hear(room, copy(0), copy(1))
    more = room.say("test:50", author="a1", created_at=NOON + minutes(1))
    assert (more.id, more.lead, more.standing) == (case.id, None, Standing.READY)
    assert room.kinds(case.id) == ["opened", "freed", "mention_added"]


def test_a_copy_taken_by_hand_is_worked_by_itself(room: Room) -> None:
    lead, case, other = hear(room, copy(0), copy(1), copy(2))
    token = room.cases.claim(case.id, ANA.user).lease.token
    assert room.cases.release(case.id, ANA.user, token).standing is Standing.READY
    room.cases.take_over(other.id, ANA.user, "I know her")
    assert room.kinds(other.id) == ["opened", "freed", "taken_over"]
    room.cases.resolve(lead.id, BEN)
    assert room.cases.settle_waves() == 0


def test_a_copy_of_an_author_who_is_held_waits_until_they_are_given_back(room: Room) -> None:
    lead, case = hear(room, copy(0), copy(1))
    known = room.say("test:50", author="a1", queue="marketing")
    token = room.cases.claim(known.id, ANA.user).lease.token
    answer(room, lead)
    assert room.cases.settle_waves() == 0
    assert room.cases.case(case.id).owner == ANA.user
    room.cases.release(known.id, ANA.user, token)
    assert room.cases.settle_waves() == 1
    assert room.cases.case(case.id).state is State.RESOLVED
    assert room.cases.case(known.id).state is State.NEW


@pytest.mark.parametrize("how", ["transfer", "prioritise", "reopen"])
def test_a_copy_somebody_turns_to_is_worked_by_itself(room: Room, how: str) -> None:
    lead, case = hear(room, copy(0), copy(1))
    if how == "transfer":
        room.cases.transfer(case.id, ANA, "marketing", "theirs")
    elif how == "prioritise":
        room.cases.prioritise(case.id, ANA, Priority.URGENT)
    else:
        room.cases.resolve(lead.id, ANA)
        room.cases.settle_waves()
        room.cases.reopen(case.id, BEN, "not the same after all")
    free = room.cases.case(case.id)
    assert (free.lead, free.standing) == (None, Standing.READY)
    assert room.cases.rebuild(case.id) == free


def test_a_copy_that_was_answered_itself_is_left_alone(room: Room) -> None:
    lead, case = hear(room, copy(0), copy(1))
    room.own("test:50", parent="test:1")
    answer(room, lead)
    assert room.cases.settle_waves() == 0
    assert room.cases.case(case.id).state is State.REPLIED


def test_the_next_leads_where_the_lead_was_taken_back(room: Room) -> None:
    lead, heir, *others = hear(room, *(copy(number) for number in range(5)))
    room.hear(removals=[removal(author="test:a0")])
    assert room.cases.case(lead.id).state is State.WITHDRAWN
    assert room.cases.settle_waves() == 4
    assert room.cases.settle_waves() == 0
    assert room.kinds(heir.id) == ["opened", "freed"]
    assert [room.cases.case(case.id).lead for case in others] == [heir.id] * 3
    assert [room.cases.rebuild(case.id).lead for case in others] == [heir.id] * 3
    assert taken(room) == [heir.author]


def test_who_came_between_leads_where_the_lead_was_taken_back(room: Room) -> None:
    _, case = hear(room, copy(0), copy(1))
    room.take_back("test:0")
    (between,) = hear(room, copy(2))
    assert between.lead is None
    room.cases.settle_waves()
    assert room.cases.case(case.id).lead == between.id
    assert taken(room) == [between.author]


def test_a_lead_is_followed_to_another_queue_and_its_heir_goes_there(room: Room) -> None:
    lead, case = hear(room, copy(0), copy(1))
    room.cases.transfer(lead.id, ANA, "marketing", "a campaign", wrong_route=True)
    (late,) = hear(room, copy(2))
    assert late.lead == lead.id
    assert taken(room, "service") == []
    room.take_back("test:0")
    room.cases.settle_waves()
    assert (room.cases.case(case.id).queue, room.cases.case(late.id).lead) == ("marketing", case.id)
    assert taken(room, "service") == []
    assert taken(room, "marketing") == [case.author]


def test_a_lead_that_is_opened_again_is_followed_again(room: Room) -> None:
    lead, case = hear(room, copy(0), copy(1))
    room.cases.resolve(lead.id, ANA)
    room.cases.settle_waves()
    room.cases.reopen(lead.id, BEN, "that was no answer")
    (late,) = hear(room, copy(2))
    assert (late.lead, late.standing) == (lead.id, Standing.RESTING)
    assert room.cases.case(case.id).state is State.RESOLVED
    room.cases.resolve(lead.id, ANA)
    assert room.cases.settle_waves() == 1


def test_copies_count_neither_as_right_nor_as_wrong(room: Room, clock: ManualClock) -> None:
    lead, *_ = hear(room, *(copy(number) for number in range(3)))
    room.cases.resolve(lead.id, ANA)
    room.cases.settle_waves()
    (counted,) = room.cases.confusion(clock.now() - HOUR, clock.now() + HOUR)
    assert (counted.routed_queue, counted.cases) == ("service", 1)


def test_several_who_settle_while_copies_come_in_settle_each_once(room: Room) -> None:
    (lead,) = hear(room, copy(0))
    hear(room, *(copy(number) for number in range(1, 40)))
    answer(room, lead)
    with ThreadPoolExecutor(3) as threads:
        late = threads.submit(hear, room, *(copy(number) for number in range(40, 60)))
        settled = sum(threads.map(lambda _: room.cases.settle_waves(), range(3)))
        late.result()
    assert settled + room.cases.settle_waves() == 39
    for case in room.cases.family(lead.id, limit=100).page.cases:
        assert room.kinds(case.id) == ["opened", "resolved"]


def test_times_that_somebody_made_up_make_no_trouble(room: Room) -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    hear(room, copy(0), copy(1, created_at=first), copy(2, created_at=last), copy(3, created_at=first))
    assert len(taken(room)) == 3
