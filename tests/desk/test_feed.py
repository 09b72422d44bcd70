from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select

from desk.feed import START, Feed, place
from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.database import Transaction
from tests.desk.build import ANA, Room


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


@pytest.fixture
def feed(store: Store, clock: ManualClock) -> Feed:
    return Feed(store._db, clock)


def test_events_come_in_order_and_go_on_from_a_place(room: Room, feed: Feed) -> None:
    one, two = room.say("test:1", author="ana"), room.say("test:2", author="ben")
    room.cases.note(one.id, ANA, "called back")
    every = feed.after(START)
    assert [(it.case, it.event.kind) for _, it in every] == [(one.id, "opened"), (two.id, "opened"), (one.id, "noted")]
    assert feed.after(every[1][0]) == every[2:]
    assert feed.after(START, limit=1) == every[:1]
    assert feed.end() == every[-1][0]
    assert feed.after(feed.end()) == []


def test_what_commits_late_is_not_passed_over(room: Room, feed: Feed, store: Store) -> None:
    """A transaction that took its number first and commits last: whoever has read beyond it sees it all the same."""
    if store._db.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    slow = room.say("test:1", author="ana")
    before = feed.end()
    with store._db.write() as transaction:
        transaction.run(select(func.pg_current_xact_id()))  # it has its number from here on
        room.cases.note(slow.id, ANA, "by a later transaction, which commits first")
        assert feed.after(before) == []
    ((_, seen),) = feed.after(before)
    assert seen.event.kind == "noted"


def test_a_follower_is_told_each_case_once_and_goes_on_where_it_was(room: Room, feed: Feed) -> None:
    told: list[list[str]] = []

    def handle(transaction: Transaction, cases: Sequence[str]) -> None:
        told.append(list(cases))

    one = room.say("test:1", author="ana")
    room.cases.note(one.id, ANA, "a")
    two = room.say("test:2", author="ben")
    assert feed.follow("somebody", handle) == 3
    assert feed.follow("somebody", handle) == 0
    room.cases.note(one.id, ANA, "b")
    assert feed.follow("somebody", handle) == 1
    assert told == [[one.id, two.id], [one.id]]
    assert feed.follow("another", handle, limit=2) == 2


def test_what_a_follower_could_not_deal_with_comes_again(room: Room, feed: Feed) -> None:
    room.say("test:1")

    def fail(transaction: Transaction, cases: Sequence[str]) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        feed.follow("somebody", fail)
    assert feed.follow("somebody", lambda transaction, cases: None) == 1


def test_the_id_of_an_event_reads_back(feed: Feed) -> None:
    assert str(place("17-4")) == "17-4"
    for wrong in ("", "17", "a-b", "1-2-3", "-1-2", "9" * 30 + "-1"):
        with pytest.raises(Unfit):
            place(wrong)
