"""The clocks at work on both databases: queues are sorted by what was promised, and each alarm is told once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete

from desk import events
from desk.case import State
from desk.case_records import CaseFilter
from desk.feed import Feed
from desk.keeper import Keeper
from desk.refusals import NoSuchCase
from desk.service_levels import ClockState
from pipeline.clock import ManualClock
from pipeline.mention import Priority
from pipeline.store import Store
from pipeline.store.case_tables import case_events, cases
from tests.desk.build import ANA
from tests.desk.shop import OFFICE, Shop, desk_of
from tests.desk.test_waves import copy

FRIDAY = datetime(2026, 1, 2, 15, 45, tzinfo=UTC)  # 16:45 in Berlin
MONDAY = datetime(2026, 1, 5, 8, 15, tzinfo=UTC)  # 9:15 in Berlin


def settings(office: dict[str, Any] | None = None, **care: Any) -> dict[str, Any]:
    return {
        "calendars": {"office": office or OFFICE},
        "service_levels": {"care": {"calendar": "office", "first_response": "30m", **care}},
        "queues": {"service": {"service_level": "care"}},
    }


@pytest.fixture
def friday() -> ManualClock:
    return ManualClock(FRIDAY)


def shop(store: Store, clock: ManualClock, office: dict[str, Any] | None = None, **care: Any) -> Shop:
    return Shop(store, clock, **settings(office, **care))


# ------------------------------------------------------------------------------ due


def test_half_an_hour_from_friday_16_45_is_due_monday_9_15(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY)
    assert case.due is None
    made.keep()
    assert made.cases.case(case.id).due == MONDAY
    assert made.cases.claim(case.id, ANA.user).case.due == MONDAY  # whoever takes it is told the same
    assert made.keeper.why(case.id)[0].startswith("First response running: 30m of open time left, due Mon 2026-01-05")


def test_the_queue_is_in_the_order_of_what_was_promised(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, priorities={"high": {"first_response": "30m"}})
    at_once = datetime(2026, 1, 2, 15, 46, tzinfo=UTC)  # what the rules would say, by the clock on the wall
    made.say("test:1", author="a", created_at=FRIDAY, first_response_due=at_once)
    made.say("test:2", author="b", created_at=FRIDAY.replace(hour=10), first_response_due=MONDAY.replace(day=9))
    made.keep()
    listed = made.cases.cases(CaseFilter(queue="service"), "urgency").cases
    assert [case.author for case in listed] == ["test:b", "test:a"]
    assert [case.due for case in listed] == [FRIDAY.replace(hour=11, minute=15), MONDAY]
    taken = [made.cases.next(f"user:{number}", ["service"]) for number in range(2)]
    assert [held and held.case.author for held in taken] == ["test:b", "test:a"]
    made.keep()
    assert made.keeper.follow() == 0


def test_a_page_of_the_queue_goes_on_where_the_one_before_ended(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    for number in range(5):
        made.say(f"test:{number}", author=str(number), created_at=FRIDAY.replace(hour=9 + number))
    made.keep()
    seen: list[str] = []
    after = None
    while True:
        page = made.cases.cases(CaseFilter(queue="service"), "urgency", after, limit=2)
        seen += [case.author for case in page.cases]
        if (after := page.next) is None:
            break
    assert seen == [f"test:{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("hours", "said", "due"),
    [
        # A lunch break: 12:15 and half an hour, where nobody is there from 12:30 to 13:30, is 13:45.
        ({"mon-fri": ["09:00-12:30", "13:30-17:00"]}, "2026-01-05T11:15", "2026-01-05T12:45"),
        # Clocks go forward in the night to Sunday, 29 March: Monday 9:15 comes an hour of UTC sooner.
        ({"mon-fri": ["09:00-17:00"]}, "2026-03-27T15:45", "2026-03-30T07:15"),
        # And back again in the night to Sunday, 25 October.
        ({"mon-fri": ["09:00-17:00"]}, "2026-10-23T14:45", "2026-10-26T08:15"),
    ],
    ids=["lunch", "spring", "autumn"],
)
def test_breaks_and_daylight_saving_move_what_is_due(
    store: Store, hours: dict[str, list[str]], said: str, due: str
) -> None:
    at = datetime.fromisoformat(said).replace(tzinfo=UTC)
    made = shop(store, ManualClock(at), {**OFFICE, "hours": hours})
    case = made.say("test:1", created_at=at)
    made.keep()
    assert made.cases.case(case.id).due == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_work_on_a_case_does_not_bring_the_rules_due_time_back(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY, first_response_due=FRIDAY)
    made.keep()
    made.cases.note(case.id, ANA, "rang them")
    made.say("test:1b", created_at=FRIDAY, conversation="test:1", first_response_due=FRIDAY)
    assert made.cases.case(case.id).due == MONDAY
    made.keep()
    assert made.cases.case(case.id).due == MONDAY


def test_an_answer_ends_the_wait_and_the_next_word_starts_it_again(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, next_response="1h")
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    made.cases.answer_natively(case.id, ANA)
    made.keep()
    assert made.cases.case(case.id).due is None
    made.say("test:2", created_at=FRIDAY, conversation="test:1")
    made.keep()
    assert made.cases.case(case.id).due == datetime(2026, 1, 5, 8, 45, tzinfo=UTC)
    made.cases.resolve(case.id, ANA)
    made.keep()
    assert (made.cases.case(case.id).due, made.cases.case(case.id).state) == (None, State.RESOLVED)
    states = [clock.state for clock in made.keeper.clocks_of(case.id)]
    assert states == [ClockState.MET, ClockState.STOPPED]


def test_a_case_that_goes_to_a_queue_without_promises_is_due_by_the_rules(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY, first_response_due=FRIDAY)
    made.keep()
    made.cases.transfer(case.id, ANA, "marketing", "a question of price")
    made.keep()
    assert made.cases.case(case.id).due == FRIDAY
    assert made.keeper.clocks_of(case.id) == ()
    assert made.keeper.why(case.id) == ()


def test_what_is_in_a_queue_without_promises_is_left_alone(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", queue="press", created_at=FRIDAY, first_response_due=FRIDAY)
    assert made.keep() == []
    assert made.cases.case(case.id) == made.cases.rebuild(case.id) == case


def test_a_case_nobody_knows_has_no_clocks(store: Store, clock: ManualClock) -> None:
    made = shop(store, clock)
    with pytest.raises(NoSuchCase):
        made.keeper.clocks_of("nowhere")
    assert made.keeper.clocks_of_all(["nowhere"]) == {}


# ------------------------------------------------------------------ changed settings


def test_a_holiday_added_to_the_calendar_moves_what_is_open(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    opened = [made.say(f"test:{number}", author=str(number), created_at=FRIDAY) for number in range(5)]
    closed = made.say("test:9", author="z", created_at=FRIDAY)
    made.cases.resolve(closed.id, ANA)
    made.keep()
    monday_off = {**OFFICE, "holidays": [{"date": "2026-01-05", "name": "Inventory"}]}
    made.configure(**settings(monday_off))
    assert made.keeper.refresh(limit=2) == 2
    assert sum(made.cases.case(case.id).due == MONDAY.replace(day=6) for case in opened) == 2
    made.keep()
    assert {made.cases.case(case.id).due for case in opened} == {MONDAY.replace(day=6)}
    assert made.keeper.refresh() == 0
    assert any("Inventory" in line for line in made.keeper.why(opened[0].id)) is False  # it counts from Tuesday on
    assert made.cases.case(closed.id).due is None


def test_a_service_level_that_is_taken_away_leaves_what_the_rules_say(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY, first_response_due=FRIDAY)
    made.keep()
    made.configure()
    made.keep()
    assert made.cases.case(case.id).due == FRIDAY
    made.wait(days=30)
    assert made.keep() == []


def test_a_walk_that_broke_off_is_gone_on_with(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    opened = [made.say(f"test:{number}", author=str(number), created_at=FRIDAY) for number in range(3)]
    made.keep()
    made.configure(**settings(first_response="1h"))
    made.keeper.refresh(limit=1)
    made.configure(**settings(first_response="1h"))  # it died and started again
    assert made.keeper.refresh(limit=1) == 1
    made.keep()
    assert {made.cases.case(case.id).due for case in opened} == {MONDAY.replace(minute=45)}


def test_of_two_keepers_with_other_settings_the_one_that_started_last_is_obeyed(
    store: Store, friday: ManualClock
) -> None:
    made = shop(store, friday)
    old = made.keeper
    made.configure(**settings(first_response="1h"))
    case = made.say("test:1", created_at=FRIDAY)
    assert old.follow() == 0
    assert old.refresh() == 0
    made.keep()
    assert made.cases.case(case.id).due == MONDAY.replace(minute=45)
    made.wait(days=4)
    assert old.fire() == []
    assert [it.alarm.kind for it in made.keep()] == ["breach"]


def test_the_digest_says_when_a_clock_could_change_and_only_then() -> None:
    plain = desk_of(**settings())
    assert plain.digest == desk_of(**settings(), away_secs=60).digest
    others = [
        desk_of(**settings(first_response="31m")),
        desk_of(**settings({**OFFICE, "timezone": "Europe/Paris"})),
        desk_of(**settings({**OFFICE, "holidays": [{"date": "12-25", "name": "Christmas"}]})),
        desk_of(**settings(warn=["50%"])),
        desk_of(**settings(waiting_pauses=[])),
        desk_of(**settings() | {"queues": {"press": {"service_level": "care"}}}),
    ]
    assert len({plain.digest, *(desk.digest for desk in others)}) == len(others) + 1


# ---------------------------------------------------------------------------- alarms


def told_of(made: Shop, id: str) -> list[tuple[str, str]]:
    kinds = events.Warned | events.Breached | events.Escalated
    history = [it.event for it in made.cases.history(id)]
    return [(event.kind, event.alarm) for event in history if isinstance(event, kinds)]


def test_warnings_breaches_and_escalations_come_in_time_each_once(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, warn=["50%", "5m"], escalate=["1h"])
    case = made.say("test:1", created_at=FRIDAY)
    assert made.keep() == []
    heard: list[tuple[str, str]] = []
    for at, expected in [
        ("02 16:00", [("warning", "50%")]),
        ("05 08:09", []),
        ("05 08:10", [("warning", "5m")]),
        ("05 08:15", []),  # an answer on the last moment is in time
        ("05 08:16", [("breach", "due")]),
        ("05 09:15", [("escalation", "1h")]),
        ("09 09:15", []),
    ]:
        friday.advance((datetime.fromisoformat(f"2026-01-{at}+00:00") - friday.now()).total_seconds())
        told = made.keep()
        assert [(it.alarm.kind, it.alarm.step) for it in told] == expected, at
        assert all((it.case, it.queue) == (case.id, "service") for it in told)
        heard += [(it.alarm.kind, it.alarm.key) for it in told]
    assert [kind for kind, _ in told_of(made, case.id)] == ["warned", "warned", "breached", "escalated"]
    assert [key for _, key in told_of(made, case.id)] == [key for _, key in heard]
    assert made.cases.case(case.id).escalated
    breached = next(it.event for it in made.cases.history(case.id) if isinstance(it.event, events.Breached))
    assert (breached.due, breached.actor) == (MONDAY, "system:clock")
    assert made.keeper.late() == {"service": 1}


def test_what_came_due_while_nobody_looked_is_told_at_once_without_warnings(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, warn=["50%"], escalate=["1h", "2h"])
    case = made.say("test:1", created_at=FRIDAY)
    made.wait(days=10)
    assert [it.alarm.step for it in made.keep()] == ["due", "1h", "2h"]
    assert len(told_of(made, case.id)) == 3
    assert made.keep() == []


def test_a_late_answer_is_a_breach_also_when_nobody_looked_before_it(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, warn=["50%"])
    case = made.say("test:1", created_at=FRIDAY)
    made.wait(days=4)
    made.cases.answer_natively(case.id, ANA)
    made.cases.resolve(case.id, ANA)
    assert [it.alarm.kind for it in made.keep()] == ["breach"]
    assert made.cases.rebuild(case.id).state is State.RESOLVED


def test_an_answer_in_time_is_followed_by_no_alarm(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, warn=["50%"], escalate=["1h"])
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    made.cases.answer_natively(case.id, ANA)
    made.wait(days=10)
    assert made.keep() == []
    assert told_of(made, case.id) == []


def test_an_answer_between_looking_and_telling_is_not_told_as_late(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    friday.advance((MONDAY - FRIDAY).total_seconds())
    made.cases.answer_natively(case.id, ANA)  # on the last moment
    made.wait(minutes=1)
    assert made.keeper.fire() == []  # by the alarm noted before the answer
    assert made.keep() == []


def test_raising_the_priority_makes_it_due_sooner(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, priorities={"urgent": {"first_response": "5m"}})
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    made.cases.prioritise(case.id, ANA, Priority.URGENT)
    made.keep()
    assert made.cases.case(case.id).due == FRIDAY.replace(minute=50)


def test_the_copies_of_a_wave_are_late_by_their_lead_alone(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    made.hear(*(copy(number, created_at=FRIDAY, author=f"a{number}") for number in range(3)))
    lead, *copies = (made.of(f"test:{number}") for number in range(3))
    assert [case.lead for case in copies] == [lead.id, lead.id]
    made.keep()
    assert made.cases.case(copies[0].id).due == MONDAY
    made.wait(days=4)
    assert [it.case for it in made.keep()] == [lead.id]
    made.cases.answer_natively(lead.id, ANA)
    made.cases.settle_waves()
    assert made.keep() == []


def test_many_alarms_are_told_some_at_a_time(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    for number in range(7):
        made.say(f"test:{number}", author=str(number), created_at=FRIDAY)
    made.keep()
    made.wait(days=4)
    assert [len(made.keeper.fire(limit=3)) for _ in range(4)] == [3, 3, 1, 0]


def test_two_keepers_at_once_tell_each_alarm_once(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday, warn=["50%"], escalate=["1h"])
    opened = [made.say(f"test:{number}", author=str(number % 7), queue="service") for number in range(30)]
    made.keep()
    made.wait(days=4)
    desk = desk_of(**settings(warn=["50%"], escalate=["1h"]))
    keepers = [Keeper(store._db, friday, desk, Feed(store._db, friday)) for _ in range(4)]

    def work(keeper: Keeper) -> int:
        told = 0
        for _ in range(6):
            told += len(keeper.fire(limit=10))
            keeper.follow(limit=20)
        return told

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(work, keepers))
    made.keep()
    ids = {made.of(f"test:{number}").id for number in range(30)}
    every = [told_of(made, id) for id in ids]
    assert sum(counts) == sum(map(len, every))
    assert all(len(told) == len(set(told)) for told in every)
    assert all([kind for kind, _ in told] == ["breached", "escalated"] for told in every)
    assert len(opened) == 30


def test_a_crash_while_telling_leaves_no_half_and_is_made_up_for(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    made.wait(days=4)

    class Crashing(Keeper):
        def _next_alarm(self, *_: Any) -> Any:
            raise KeyboardInterrupt

    crashing = Crashing(store._db, friday, made.desk, Feed(store._db, friday))
    with pytest.raises(KeyboardInterrupt):
        crashing.fire()
    assert told_of(made, case.id) == []
    assert [it.alarm.kind for it in made.keep()] == ["breach"]


def test_a_case_that_was_erased_meanwhile_has_no_alarm(store: Store, friday: ManualClock) -> None:
    made = shop(store, friday)
    case = made.say("test:1", created_at=FRIDAY)
    made.keep()
    made.wait(days=4)
    with store._db.write() as transaction:
        transaction.run(delete(cases).where(cases.c.id == case.id))
        transaction.run(delete(case_events).where(case_events.c.case_id == case.id))
    assert made.keeper.fire() == []
    assert made.keep() == []
