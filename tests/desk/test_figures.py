"""Figures against a count by hand, over pasts that hypothesis draws."""

from __future__ import annotations

import csv as spreadsheet
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk import events
from desk.events import Event
from desk.facts import Facts
from desk.figures import Dimension, Figure, Figures, csv
from desk.periods import cut
from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.desk.pasts import MINUTE, START, opened, pasts, put, put_draft
from tests.fixtures.postgres import empty

HOUR = timedelta(hours=1)
DAYS = timedelta(days=1)
COST = 36.0
GROUPS: tuple[Dimension, ...] = ("queue", "agent", "source", "brand")


def counted(store: Store, clock: ManualClock, *past: Sequence[Event]) -> Figures:
    put(store, {f"case{number}": one for number, one in enumerate(past)})
    facts = Facts(store._db, clock)
    while facts.follow(7):
        pass
    return Figures(store._db, clock, COST)


# ---------------------------------------------------------------------- by hand


def closings(past: Sequence[Event]) -> list[tuple[datetime, str, bool]]:
    """When it was closed, how, and whether it was reopened after."""
    found: list[tuple[datetime, str, bool]] = []
    for event in past:
        if isinstance(event, events.Resolved | events.Withdrawn):
            found.append((event.at, event.kind, False))
        elif isinstance(event, events.Reopened):
            found[-1] = (*found[-1][:2], True)
    return found


def first_answer(past: Sequence[Event]) -> tuple[datetime, str] | None:
    """When, and by whom."""
    owner, queued = "", ""
    for event in past:
        match event:
            case events.Claimed():
                owner = event.owner
            case events.Released() | events.LeaseExpired() | events.Transferred():
                owner = ""
            case events.Resolved() | events.Withdrawn():
                owner = ""
            case events.ReplyQueued():
                queued = event.actor
            case events.ReplySent():
                return event.at, queued
            case events.AnsweredNatively():
                return event.at, owner
    return None


def open_at(past: Sequence[Event], moment: datetime) -> bool:
    state = False
    for event in past:
        if event.at >= moment:
            break
        state = not isinstance(event, events.Resolved | events.Withdrawn) if _turns(event) else state
    return state


def _turns(event: Event) -> bool:
    return isinstance(event, events.Opened | events.Reopened | events.Resolved | events.Withdrawn)


def held(past: Sequence[Event]) -> float:
    total, since = timedelta(0), None
    for event in past:
        ends = isinstance(
            event,
            events.Claimed
            | events.Released
            | events.LeaseExpired
            | events.Transferred
            | events.Resolved
            | events.Withdrawn,
        )
        if ends and since is not None:
            total += min(event.at - since, HOUR)
            since = None
        if isinstance(event, events.Claimed):
            since = event.at
    return total.total_seconds()


def last_answer_is_a_macro(past: Sequence[Event]) -> bool:
    macro = False
    for event in past:
        if isinstance(event, events.ReplyQueued):
            macro = event.draft.startswith("macro")
        elif isinstance(event, events.AnsweredNatively):
            macro = False
    return macro


def group_of(past: Sequence[Event], by: Dimension) -> str:
    first = past[0]
    assert isinstance(first, events.Opened)
    moves = [event.queue for event in past if isinstance(event, events.Transferred)]
    answer = first_answer(past)
    found = {
        "queue": [first.queue, *moves][-1],
        "source": first.author.partition(":")[0],
        "brand": first.brand or "",
        "agent": answer[1] if answer else "",
    }
    return found[by]


def by_hand(past: Sequence[Sequence[Event]], since: datetime, until: datetime) -> dict[str, Any]:
    def within(moment: datetime) -> bool:
        return since <= moment < until

    def begun(one: Sequence[Event]) -> datetime:
        first = one[0]
        assert isinstance(first, events.Opened)
        return min(first.created_at, first.at)

    def at(values: Iterable[float], share: float) -> float | None:
        given = list(values)
        return float(np.quantile(given, share)) if given else None

    waits = [(a[0] - begun(one)).total_seconds() for one in past if (a := first_answer(one)) and within(a[0])]
    done = [(one, *end) for one in past for end in closings(one) if end[1] == "resolved" and within(end[0])]
    final = [(one, moment) for one, moment, _, undone in done if not undone]
    spans = [(moment - begun(one)).total_seconds() for one, moment in final]
    again = len(done) - len(final)
    macros = [one for one, _ in final if last_answer_is_a_macro(one) and not any(it.kind == "reopened" for it in one)]
    hours = sum(held(one) for one, _ in final) / 3600
    return {
        "volume": sum(within(one[0].at) for one in past),
        "backlog": sum(open_at(one, until) for one in past),
        "answered": len(waits),
        "first_response_median_secs": at(waits, 0.5),
        "first_response_p90_secs": at(waits, 0.9),
        "resolutions": len(done),
        "resolution_median_secs": at(spans, 0.5),
        "resolution_p90_secs": at(spans, 0.9),
        "breaches": sum(isinstance(it, events.Breached) and within(it.due) for one in past for it in one),
        "reopened": again,
        "reopen_rate": again / len(done) if done else None,
        "held_hours": hours,
        "cost_per_resolution": hours * COST / len(final) if final else None,
        "deflected": len(macros),
        "deflection_rate": len(macros) / len(done) if done else None,
    }


def same(figure: Figure, expected: dict[str, Any]) -> None:
    shown = {name: getattr(figure, name) for name in expected}
    assert shown == pytest.approx(expected), figure.key


PERIODS = st.tuples(st.integers(-600, 8000), st.integers(1, 3000)).map(
    lambda it: (START + it[0] * MINUTE, START + (it[0] + it[1]) * MINUTE)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=pasts(), period=PERIODS, by=st.sampled_from(GROUPS))
def test_figures_are_what_one_counts_by_hand(
    store: Store, clock: ManualClock, past: list[list[Event]], period: tuple[datetime, datetime], by: Dimension
) -> None:
    empty(store)
    for draft in {it.draft for one in past for it in one if isinstance(it, events.ReplyQueued)}:
        put_draft(store, draft, macro="sorry" if draft.startswith("macro") else None)
    figures = counted(store, clock, *past)
    found = {figure.key: figure for figure in figures.figures(*period, by)}
    keys = {group_of(one, by) for one in past}
    nothing = by_hand([], *period)
    for key in keys:
        expected = by_hand([one for one in past if group_of(one, by) == key], *period)
        if key in found:
            same(found.pop(key), expected)
        else:
            assert expected == nothing
    assert not found


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=pasts(), period=PERIODS, by=st.sampled_from(("hour", "day")))
def test_figures_over_time_are_what_one_counts_by_hand(
    store: Store, clock: ManualClock, past: list[list[Event]], period: tuple[datetime, datetime], by: Any
) -> None:
    empty(store)
    for draft in {it.draft for one in past for it in one if isinstance(it, events.ReplyQueued)}:
        put_draft(store, draft, macro="sorry" if draft.startswith("macro") else None)
    figures = counted(store, clock, *past).figures(*period, by, timezone="Europe/Berlin")
    expected = cut(*period, by, "Europe/Berlin")
    assert [figure.key for figure in figures] == [one.label for one in expected]
    for figure, one in zip(figures, expected, strict=True):
        same(figure, by_hand(past, one.since, one.until))


# ---------------------------------------------------------------------- the edges


def test_without_a_case_there_is_nothing_and_hours_are_empty(store: Store, clock: ManualClock) -> None:
    figures = counted(store, clock)
    assert figures.figures(START, START + DAYS) == []
    (hour,) = figures.figures(START, START + HOUR, "hour")
    assert (hour.key, hour.volume, hour.backlog) == ("2026-03-27T08:00+00:00", 0, 0)
    assert (hour.reopen_rate, hour.cost_per_resolution, hour.first_response_median_secs) == (None, None, None)


def test_one_case_is_its_own_median(store: Store, clock: ManualClock) -> None:
    past: list[Event] = [
        opened(),
        events.Claimed(at=START, actor="user:ana", owner="user:ana", token=1, until=START + HOUR),
        events.AnsweredNatively(at=START + 10 * MINUTE, actor="user:ana"),
        events.Resolved(at=START + 30 * MINUTE, actor="user:ana"),
    ]
    (figure,) = counted(store, clock, past).figures(START, START + DAYS, "agent")
    assert (figure.key, figure.volume, figure.backlog, figure.resolutions) == ("user:ana", 1, 0, 1)
    assert (figure.first_response_median_secs, figure.first_response_p90_secs) == (600, 600)
    assert (figure.resolution_median_secs, figure.held_hours, figure.cost_per_resolution) == (1800, 0.5, 18)


def test_the_end_of_a_period_is_not_in_it(store: Store, clock: ManualClock) -> None:
    figures = counted(store, clock, [opened()])
    assert figures.figures(START - HOUR, START) == []
    assert [it.volume for it in figures.figures(START, START + MINUTE)] == [1]
    assert [(it.volume, it.backlog) for it in figures.figures(START + MINUTE, START + HOUR)] == [(0, 1)]


def test_a_filter_leaves_the_rest_out(store: Store, clock: ManualClock) -> None:
    other = opened(author="x:bob", queue="marketing", mention="x:2", brand="acme")
    figures = counted(store, clock, [opened()], [other])
    for wanted in ({"queue": "marketing"}, {"source": "x"}, {"brand": "acme"}):
        assert [it.key for it in figures.figures(START, START + DAYS, **wanted)] == ["marketing"]  # type: ignore[arg-type]  # one of three
    assert figures.figures(START, START + DAYS, agent="user:nobody") == []


def test_a_day_on_which_the_clocks_go_forward_has_23_hours(store: Store, clock: ManualClock) -> None:
    first = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight in Berlin
    hours = counted(store, clock).figures(first, first + 23 * HOUR, "hour", timezone="Europe/Berlin")
    assert [it.key[11:13] for it in hours[:4]] == ["00", "01", "03", "04"]
    assert len(counted(store, clock).figures(first, first + 23 * HOUR, "day", timezone="Europe/Berlin")) == 1


def test_a_period_must_be_one(store: Store, clock: ManualClock) -> None:
    figures = counted(store, clock)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("since", {"since": START, "until": START}),
        ("since", {"since": START - timedelta(days=4000), "until": START}),
        ("since", {"since": START.replace(tzinfo=None), "until": START}),
        ("by", {"since": START - 60 * DAYS, "until": START, "by": "hour"}),
        ("by", {"since": START - DAYS, "until": START, "by": "mood"}),
        ("timezone", {"since": START - DAYS, "until": START, "by": "hour", "timezone": "Mars/Olympus"}),
        ("timezone", {"since": START - DAYS, "until": START, "by": "hour", "timezone": "../passwd"}),
    ]
    for field, given_ in wrong:
        with pytest.raises(Unfit) as caught:
            figures.figures(**given_)
        assert caught.value.field == field


def test_csv_is_read_by_spreadsheets_and_not_run(store: Store, clock: ManualClock) -> None:
    (figure,) = counted(store, clock, [opened(queue="service")]).figures(START, START + DAYS)
    evil = ["=cmd|'/c calc'!A1", "+1", "-1+2", "@SUM(A1)", "\t=1", " =1", "\uff1d1"]
    text = csv([replace(figure, key=it, name="fine, really", sentiment_before=-0.25) for it in evil])
    rows = list(spreadsheet.DictReader(io.StringIO(text, newline="")))
    assert [row["key"] for row in rows] == [f"'{it}" for it in evil]
    assert {(row["name"], row["volume"], row["sentiment_before"]) for row in rows} == {("fine, really", "1", "-0.25")}
