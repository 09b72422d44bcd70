"""What clocks promise whatever happens to a case; alarms; explanations; and policies that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk import events
from desk.calendar import Calendar, Holiday, NoOpenHours
from desk.calendar_settings import calendars_from
from desk.events import Event
from desk.explanations import MOST_LINES, why
from desk.policies import Policy, policy_from
from desk.service_levels import Clock, alarms, clocks, next_alarm, soonest
from pipeline.errors import ConfigError
from pipeline.mention import Priority

CALENDARS = calendars_from(
    {
        "office": {
            "timezone": "Europe/Berlin",
            "hours": {"mon-fri": ["09:00-12:30", "13:30-17:00"]},
            "holidays": [{"date": "2026-01-06", "name": "Epiphany", "hours": "09:00-11:00"}],
        },
        "always": {"timezone": "UTC", "hours": "always"},
    }
)
OFFICE = CALENDARS["office"]
CARE: dict[str, Any] = {
    "calendar": "office",
    "first_response": "30m",
    "next_response": "1h",
    "resolution": "8h",
    "warn": ["80%", "5m"],
    "escalate": ["30m", "1h"],
}
ALL = ["first_response", "next_response", "resolution"]
FRIDAY = datetime(2026, 1, 2, 15, 45, tzinfo=UTC)  # 16:45 in Berlin
MONDAY = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)  # 9:00 in Berlin
MINUTE = timedelta(minutes=1)


def policy(calendars: dict[str, Calendar] = CALENDARS, **changes: object) -> Policy:
    return policy_from("care", CARE | changes, calendars)


def opened(at: datetime, said: datetime | None = None) -> Event:
    return events.Opened(
        at=at,
        actor="system:desk",
        queue="care",
        author="test:ana",
        conversation="test:1",
        priority=Priority.NORMAL,
        mention="test:1",
        created_at=said or at,
    )


def replied(at: datetime, said: datetime | None = None) -> Event:
    return events.CustomerReplied(
        at=at, actor="system:desk", mention="test:2", created_at=said or at, priority=Priority.NORMAL
    )


def sent(at: datetime, *, awaiting: bool = False) -> Event:
    return events.ReplySent(at=at, actor="user:bo", native_id="1", awaiting=awaiting)


def one(name: str, made: tuple[Clock, ...]) -> Clock:
    [clock] = [clock for clock in made if clock.name == name]
    return clock


# ---------------------------------------------------------------------------- whatever happens


def happening(at: datetime, what: str) -> Event:
    about: dict[str, Any] = {"at": at, "actor": "user:bo"}
    made: dict[str, Callable[[], Event]] = {
        "said": lambda: events.MentionAdded(mention="test:3", created_at=at, priority=Priority.HIGH, **about),
        "replied": lambda: replied(at),
        "sent": lambda: sent(at),
        "asked": lambda: sent(at, awaiting=True),
        "native": lambda: events.AnsweredNatively(**about),
        "snoozed": lambda: events.Snoozed(until=at + 90 * MINUTE, **about),
        "woken": lambda: events.Woken(**about),
        "resolved": lambda: events.Resolved(**about),
        "reopened": lambda: events.Reopened(reason="again", **about),
        "withdrawn": lambda: events.Withdrawn(reason="deleted", **about),
        "noted": lambda: events.Noted(text="hm", **about),
        "transferred": lambda: events.Transferred(queue="other", reason="theirs", **about),
    }
    return made[what]()


KINDS = [
    "said",
    "replied",
    "sent",
    "asked",
    "native",
    "snoozed",
    "woken",
    "resolved",
    "reopened",
    "withdrawn",
    "noted",
    "transferred",
]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    history, at = [opened(FRIDAY)], FRIDAY
    for minutes, what in draw(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(KINDS)), max_size=10)):
        at += minutes * MINUTE
        history.append(happening(at, what))
    return history


policies = st.builds(
    lambda waiting, snoozing, reopened: policy(waiting_pauses=waiting, snoozing_pauses=snoozing, reopened=reopened),
    st.sets(st.sampled_from(ALL)),
    st.sets(st.sampled_from(ALL)),
    st.sampled_from(["continue", "restart"]),
)
laters = st.integers(0, 10_000).map(lambda minutes: minutes * MINUTE)


@settings(max_examples=80, deadline=None)
@given(policies, histories(), laters)
def test_a_clock_is_never_due_before_it_started_and_counts_what_it_says(
    rules: Policy, history: list[Event], later: timedelta
) -> None:
    for clock in clocks(rules, history, history[-1].at + later):
        assert clock.due is None or clock.due >= clock.started
        assert clock.elapsed == sum((clock.calendar.between(*span) for span in clock.counted), timedelta(0))
        assert all(one.end <= other.start for one, other in zip(clock.counted, clock.counted[1:], strict=False))
        assert clock.live or not clock.alarms
        assert (clock.state in ("running", "paused")) <= clock.live
        if clock.state == "breached":
            assert clock.remaining <= timedelta(0)
        elif clock.due is not None or clock.state != "stopped":
            assert clock.remaining >= timedelta(0)
        assert all("\n" not in line for line in why(clock))


@settings(max_examples=80, deadline=None)
@given(policies, histories(), laters, laters)
def test_a_clock_never_runs_backwards(rules: Policy, history: list[Event], later: timedelta, more: timedelta) -> None:
    now = history[-1].at + later
    for before, after in zip(clocks(rules, history, now), clocks(rules, history, now + more), strict=True):
        assert before.elapsed <= after.elapsed <= before.elapsed + more
        assert before.state != "breached" or after.state == "breached"
        assert before.due == after.due


@settings(max_examples=80, deadline=None)
@given(policies, histories())
def test_more_reasons_to_pause_never_make_a_clock_due_earlier(rules: Policy, history: list[Event]) -> None:
    reopened = "restart" if rules.restart else "continue"
    never = policy(waiting_pauses=[], snoozing_pauses=[], reopened=reopened)
    for paused, running in zip(
        clocks(rules, history, history[-1].at), clocks(never, history, history[-1].at), strict=True
    ):
        assert (paused.name, paused.number) == (running.name, running.number)
        assert paused.elapsed <= running.elapsed
        assert paused.due is None or (running.due is not None and paused.due >= running.due)


@settings(max_examples=100, deadline=None)
@given(policies, histories(), laters)
def test_a_day_off_never_makes_a_clock_due_earlier(rules: Policy, history: list[Event], later: timedelta) -> None:
    shut = Calendar("office", OFFICE.timezone, OFFICE.week, {**OFFICE.holidays, date(2026, 1, 5): Holiday("Storm")})
    reopened = "restart" if rules.restart else "continue"
    corrected = policy(
        CALENDARS | {"office": shut},
        waiting_pauses=rules.waiting_pauses,
        snoozing_pauses=rules.snoozing_pauses,
        reopened=reopened,
    )
    now = history[-1].at + later
    for before, after in zip(clocks(rules, history, now), clocks(corrected, history, now), strict=True):
        assert after.elapsed <= before.elapsed
        assert before.due is None or after.due is None or after.due >= before.due


@settings(max_examples=100, deadline=None)
@given(policies, histories(), laters)
def test_there_is_one_live_clock_of_a_name_at_most_and_none_of_a_closed_case(
    rules: Policy, history: list[Event], later: timedelta
) -> None:
    live = [clock.name for clock in clocks(rules, history, history[-1].at + later) if clock.live]
    assert len(live) == len(set(live))
    assert not {"first_response", "next_response"} <= set(live)
    if isinstance(history[-1], events.Resolved | events.Withdrawn):
        assert not live


# ------------------------------------------------------------------------- edges of the customer's time


def test_the_clock_starts_when_the_customer_wrote_not_when_we_heard_it() -> None:
    clock = one("first_response", clocks(policy(), [opened(MONDAY, FRIDAY)], MONDAY))
    assert clock.started == FRIDAY
    assert OFFICE.local(clock.due or MONDAY) == "Mon 2026-01-05 09:15"


def test_a_date_in_the_future_is_taken_for_the_moment_we_heard_it() -> None:
    clock = one("first_response", clocks(policy(), [opened(MONDAY, MONDAY + timedelta(days=900))], MONDAY))
    assert clock.started == MONDAY


def test_what_crossed_with_our_answer_counts_from_the_answer() -> None:
    answer, heard = MONDAY + 10 * MINUTE, MONDAY + 15 * MINUTE
    history = [opened(MONDAY), sent(answer), replied(heard, MONDAY + 5 * MINUTE)]
    assert one("next_response", clocks(policy(), history, heard)).started == answer


def test_what_was_said_while_closed_wants_an_answer_once_it_is_reopened() -> None:
    said, again = MONDAY + 60 * MINUTE, MONDAY + 65 * MINUTE
    about: dict[str, Any] = {"actor": "user:bo"}
    added = events.MentionAdded(at=said, mention="test:2", created_at=said, priority=Priority.NORMAL, **about)
    history = [
        opened(MONDAY),
        sent(MONDAY + 10 * MINUTE),
        events.Resolved(at=MONDAY + 20 * MINUTE, **about),
        added,
        events.Reopened(at=again, reason="they wrote", **about),
    ]
    clock = one("next_response", clocks(policy(), history, again))
    assert (clock.started, clock.state) == (said, "running")


def test_an_event_that_is_dated_before_the_last_does_not_turn_time_back() -> None:
    history = [opened(MONDAY), sent(MONDAY - 5 * MINUTE)]
    clock = one("first_response", clocks(policy(), history, MONDAY + MINUTE))
    assert (clock.ended, clock.state, clock.elapsed) == (MONDAY, "met", timedelta(0))


def test_a_case_without_events_has_no_clocks_and_one_that_begins_otherwise_is_an_error() -> None:
    assert clocks(policy(), [], MONDAY) == ()
    with pytest.raises(ValueError, match="begins with opened, not with reply_sent"):
        clocks(policy(), [sent(MONDAY)], MONDAY)


def test_the_soonest_is_of_the_live_clocks() -> None:
    assert soonest(clocks(policy(), [opened(MONDAY)], MONDAY)) == MONDAY + 30 * MINUTE
    answered = [opened(MONDAY), sent(MONDAY + MINUTE)]
    assert soonest(clocks(policy(resolution=None), answered, MONDAY + MINUTE)) is None


# ---------------------------------------------------------------------------------------- alarms


def heard(made: tuple[Clock, ...], now: datetime) -> list[str]:
    return [alarm.key for alarm in alarms(made, now)]


def test_warnings_come_before_the_breach_and_escalations_after_in_open_time() -> None:
    made = clocks(policy(resolution=None), [opened(FRIDAY)], FRIDAY)
    told = [(alarm.key, OFFICE.local(alarm.at)) for alarm in alarms(made, MONDAY + timedelta(days=1))]
    assert told == [
        ("first_response:1:warning:80%", "Mon 2026-01-05 09:09"),
        ("first_response:1:warning:5m", "Mon 2026-01-05 09:10"),
        ("first_response:1:breach:due", "Mon 2026-01-05 09:15"),
        ("first_response:1:escalation:30m", "Mon 2026-01-05 09:45"),
        ("first_response:1:escalation:1h", "Mon 2026-01-05 10:15"),
    ]


def test_an_alarm_is_heard_at_its_moment_and_a_breach_just_after() -> None:
    made = clocks(policy(resolution=None, escalate=[]), [opened(MONDAY)], MONDAY)
    warned, due, tick = MONDAY + 25 * MINUTE, MONDAY + 30 * MINUTE, timedelta(microseconds=1)
    assert heard(made, MONDAY) == []
    assert next_alarm(made, MONDAY) == MONDAY + 24 * MINUTE
    assert len(heard(made, warned - tick)) == 1
    assert len(heard(made, warned)) == 2
    assert (len(heard(made, due)), next_alarm(made, due)) == (2, due)
    assert (len(heard(made, due + tick)), next_alarm(made, due + tick)) == (3, None)


def test_a_warning_longer_than_the_promise_comes_at_once() -> None:
    made = clocks(policy(resolution=None, warn=["2h"]), [opened(MONDAY)], MONDAY)
    assert heard(made, MONDAY) == ["first_response:1:warning:2h"]


def test_a_clock_that_ended_or_stands_still_raises_nothing() -> None:
    late = MONDAY + timedelta(days=3)
    answered = [opened(MONDAY), sent(MONDAY + MINUTE, awaiting=True)]
    made = clocks(policy(), answered, late)
    assert (heard(made, late), next_alarm(made, late)) == ([], None)


def test_an_alarm_keeps_its_key_when_its_time_moves() -> None:
    snoozed = events.Snoozed(at=MONDAY + MINUTE, actor="user:bo", until=MONDAY + 61 * MINUTE)
    rules = policy(snoozing_pauses=ALL)
    before, after = clocks(rules, [opened(MONDAY)], MONDAY), clocks(rules, [opened(MONDAY), snoozed], MONDAY)
    for one_clock, other in zip(before, after, strict=True):
        assert [alarm.key for alarm in one_clock.alarms] == [alarm.key for alarm in other.alarms]
        assert all(early.at < late.at for early, late in zip(one_clock.alarms, other.alarms, strict=True))


# ---------------------------------------------------------------------------------- explanations


def test_a_breach_is_explained_so_that_a_lead_can_check_it() -> None:
    history = [opened(FRIDAY), sent(MONDAY + 40 * MINUTE)]
    assert why(one("first_response", clocks(policy(), history, MONDAY + timedelta(days=1)))) == (
        "First response breached: due Mon 2026-01-05 09:15, answered Mon 2026-01-05 09:40, 25m of open time late",
        "30m of open time were promised (normal priority, calendar office, Europe/Berlin), "
        "counted from Fri 2026-01-02 16:45",
        "counted: Fri 2026-01-02 16:45 to 17:00, 15m",
        "counted: Mon 2026-01-05 09:00 to 09:40, 40m",
    )


def test_pauses_breaks_and_days_off_are_explained() -> None:
    history = [
        opened(MONDAY + timedelta(hours=2)),
        sent(MONDAY + timedelta(hours=3), awaiting=True),
        replied(MONDAY + timedelta(hours=7)),
    ]
    assert why(one("resolution", clocks(policy(), history, MONDAY + timedelta(days=2)))) == (
        "Resolution running: 4h of open time left, due Wed 2026-01-07 14:00",
        "8h of open time were promised (normal priority, calendar office, Europe/Berlin), "
        "counted from Mon 2026-01-05 11:00",
        "counted: Mon 2026-01-05 11:00 to 12:00, 1h",
        "counted: Mon 2026-01-05 16:00 to 17:00, 1h",
        "counted: Tue 2026-01-06 09:00 to 11:00, 2h",
        "not counted: Mon 2026-01-05 12:00 to 16:00, waiting for the customer",
        "not counted: Tue 2026-01-06, Epiphany (open 09:00-11:00)",
    )


def test_what_stands_still_and_what_was_stopped_is_explained() -> None:
    waiting = clocks(policy(), [opened(MONDAY), sent(MONDAY + MINUTE, awaiting=True)], MONDAY + 5 * MINUTE)
    explained = why(one("resolution", waiting))
    assert explained[0] == "Resolution paused: 7h59m of open time left, not due while it stands still"
    assert explained[-1] == "not counted: since Mon 2026-01-05 09:01, waiting for the customer"
    gone = events.Withdrawn(at=MONDAY + MINUTE, actor="system:desk", reason="deleted")
    stopped = clocks(policy(), [opened(MONDAY), gone], MONDAY + timedelta(days=1))
    assert why(one("first_response", stopped))[0] == (
        "First response stopped: withdrawn Mon 2026-01-05 09:01, before it was due"
    )
    assert why(one("first_response", clocks(policy(), [opened(MONDAY), sent(MONDAY + MINUTE)], MONDAY)))[0] == (
        "First response met: answered Mon 2026-01-05 09:01, due Mon 2026-01-05 09:30"
    )


def test_an_explanation_of_years_stays_readable() -> None:
    lines = why(one("resolution", clocks(policy(), [opened(MONDAY)], MONDAY + timedelta(days=2000))))
    assert len(lines) <= 2 * MOST_LINES + 4
    assert any(line.startswith("counted: and ") and line.endswith(" more") for line in lines)


# --------------------------------------------------------------------------------------- policies


def problems(values: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        policy_from("care", values, CALENDARS)
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_of_a_policy_is_told_with_its_place_and_a_remedy() -> None:
    assert problems(
        CARE
        | {
            "first_response": "2d",
            "resolution": "soon",
            "next_response": 30,
            "warn": ["75", "120%", "x%"],
            "escalate": ["0m"],
            "priorities": {"urgent": {"first_respons": "1m"}},
            "reopened": "maybe",
        }
    ) == [
        "service_levels.care.first_response: days mean nothing in open hours "
        "(write hours, for example 16h for two days of eight hours)",
        "service_levels.care.next_response: not a duration (for example 30m, 4h or 1h30m)",
        "service_levels.care.resolution: not a duration (for example 30m, 4h or 1h30m)",
        "service_levels.care.priorities.urgent.first_respons: there is no such setting (did you mean first_response?)",
        "service_levels.care.reopened: Input should be 'continue' or 'restart'",
        "service_levels.care.warn[0]: not a duration (for example 30m, 4h or 1h30m)",
        "service_levels.care.warn[1]: not between 0% and 100% (for example 75%, or 15m before it is due)",
        "service_levels.care.warn[2]: not a percentage (for example 75%, or 15m before it is due)",
        "service_levels.care.escalate[0]: not between one second and 2000 hours (for example 30m, 4h or 1h30m)",
    ]


def test_a_policy_names_calendars_that_exist_and_promises_something() -> None:
    assert problems({"calendar": "ofice", "priorities": {"low": {"calendar": "never"}}}) == [
        "service_levels.care.calendar: there is no calendar 'ofice' (did you mean office?)",
        "service_levels.care.priorities.low.calendar: there is no calendar 'never' (known here: always, office)",
        "service_levels.care: promises nothing (give it first_response, next_response, resolution, for example 1h)",
    ]
    assert problems(None)[0].startswith("service_levels.care: ")


def test_a_priority_falls_back_on_what_it_does_not_say() -> None:
    rules = policy(priorities={"urgent": {"first_response": "5m", "calendar": "always"}})
    urgent = rules.promises["first_response", Priority.URGENT]
    assert (urgent.span, urgent.calendar.name) == (5 * MINUTE, "always")
    assert rules.promises["resolution", Priority.URGENT].span == timedelta(hours=8)
    assert rules.promises["first_response", Priority.LOW].calendar.name == "office"


def test_what_is_not_promised_has_no_clock() -> None:
    rules = policy_from("care", {"calendar": "office", "first_response": "1h"}, CALENDARS)
    assert [clock.name for clock in clocks(rules, [opened(MONDAY)], MONDAY)] == ["first_response"]


def test_a_calendar_that_never_opens_again_is_told_and_not_waited_for() -> None:
    rules = policy({"office": Calendar("office", OFFICE.timezone, ((),) * 7)})
    with pytest.raises(NoOpenHours, match="'office' does not have 30m of open time after Mon 2026-01-05 09:00"):
        clocks(rules, [opened(MONDAY)], MONDAY)
