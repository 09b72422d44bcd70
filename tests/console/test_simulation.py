"""A dozen people at one desk, over HTTP, on a clock that goes five times too fast; and whether the audit of what they
left would have seen it, had something gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import msgspec
import pytest

from benchmarks.desk.audit import Happened
from benchmarks.desk.day import Day, spend
from benchmarks.desk.office import Office
from desk import events
from tests.fixtures.postgres import PostgresServer

pytestmark = pytest.mark.long


PACE = 5.0

E = TypeVar("E")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("office")
    url = f"sqlite:///{folder}/store.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("CREATE DATABASE office")
        url = server.database_url("office")
    with closing(Office(folder, url, pace=PACE)) as office:
        yield spend(office, people=12, actions=400, cases=80, pause=0.02, seed=7)


def test_no_case_has_two_owners_and_no_answer_is_sent_twice_or_under_a_stale_token(day: Day) -> None:
    assert day.faults() == []


def test_all_that_could_go_wrong_was_tried(day: Day) -> None:
    assert {"next", "claim", "take over", "heartbeat", "send", "resolve", "transfer"} <= day.doings.done.keys()
    assert {"lease_expired", "taken_over", "mention_added"} <= day.record.kinds.keys()
    assert day.doings.refused["send late: 409"] > 0
    assert day.doings.refused["claim: 409"] > 0
    assert any(post.kept for post in day.posts)


# ------------------------------------------------------------- what the audit would see


def _planted(day: Day, kind: type[E], plant: Callable[[Happened, E], events.Event]) -> Day:
    """The same day until the last event of this kind, with one more behind it."""
    place = max(number for number, it in enumerate(day.log) if isinstance(it.event, kind))
    it = day.log[place]
    assert isinstance(it.event, kind)
    return replace(day, log=[*day.log[: place + 1], it._replace(event=plant(it, it.event))])


def _sees(day: Day, what: str) -> bool:
    return any(what in fault for fault in day.faults())


def test_the_audit_sees_a_second_owner(day: Day) -> None:
    def second(_: Happened, it: events.Claimed) -> events.Event:
        return msgspec.structs.replace(it, owner="user:second", token=it.token + 1)

    assert _sees(_planted(day, events.Claimed, second), "two owners")


def test_the_audit_sees_a_lease_that_was_ended_too_early(day: Day) -> None:
    def early(_: Happened, it: events.Claimed) -> events.Event:
        return events.LeaseExpired(at=it.until - timedelta(seconds=1), actor="system:clock", token=it.token)

    assert _sees(_planted(day, events.Claimed, early), "was ended at")


def test_the_audit_sees_an_answer_that_was_sent_twice(day: Day) -> None:
    kept = next(post for post in day.posts if post.kept and post.told)
    assert _sees(replace(day, posts=[*day.posts, kept]), "posted again")
    assert _sees(replace(day, posts=[*day.posts, replace(kept, key="another")]), "customers see 2 times")


def test_the_audit_sees_an_answer_under_a_stale_token(day: Day) -> None:
    attempts = [it._replace(token=it.token - 1) for it in day.doings.attempts]
    assert _sees(replace(day, doings=replace(day.doings, attempts=attempts)), "did not send under token")

    def another(_: Happened, it: events.ReplyQueued) -> events.Event:
        return msgspec.structs.replace(it, actor="user:second", key="another")

    assert _sees(_planted(day, events.ReplyQueued, another), "sent an answer while")


def test_the_audit_sees_an_answer_that_goes_out_after_a_take_over(day: Day) -> None:
    def taken(it: Happened, event: events.ReplyQueued) -> events.Event:
        return events.TakenOver(
            at=event.at,
            actor="user:second",
            owner="user:second",
            token=max(tenure.token for tenure in day.record.tenures[it.author]) + 1,
            until=event.at + timedelta(days=1),
            reason="planted",
        )

    late = _planted(day, events.ReplyQueued, taken)
    queued = late.record.queued[-1].event
    post = replace(day.posts[-1], key=queued.key, began_at=queued.at + timedelta(seconds=2 * PACE))
    assert _sees(replace(late, posts=[post]), "was posted at")


def test_the_audit_sees_a_case_that_is_not_what_its_events_say(day: Day) -> None:
    assert _sees(replace(day, log=day.log[:-1]), "is not what its events say")
