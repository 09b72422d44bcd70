from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Row, select

from desk import events
from desk.calendar_settings import calendars_from
from desk.desk import Desk, QueueRules
from desk.events import Event
from desk.facts import Facts
from desk.outcome import outcome
from desk.policies import policy_from
from pipeline.clock import ManualClock
from pipeline.mention import Author, Sentiment, Tags
from pipeline.store import Store
from pipeline.store.fact_tables import case_breaches, case_facts, case_spans, handles
from pipeline.store.work_tables import agents
from tests.desk.build import Room
from tests.desk.pasts import MINUTE, START, opened, put, put_draft
from tests.store.samples import removal, routed

HOUR = timedelta(hours=1)
SAD, GLAD = (Tags(sentiment=Sentiment(label="neutral", score=score)) for score in (-0.8, 0.6))


def rows(store: Store) -> list[Row[Any]]:
    with store._db.read() as transaction:
        return list(transaction.run(select(case_facts).order_by(case_facts.c.case_id)).all())


def only(store: Store) -> Row[Any]:
    (row,) = rows(store)
    return row


def everything(store: Store) -> list[Any]:
    with store._db.read() as transaction:
        return [
            transaction.run(select(table).order_by(*table.primary_key)).all()
            for table in (case_facts, case_spans, case_breaches, handles)
        ]


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def test_a_case_is_told_from_its_first_word_to_its_end(store: Store, clock: ManualClock) -> None:
    with store._db.write() as transaction:
        blank = {column.name: "" for column in agents.c if not column.nullable}
        transaction.run(agents.insert(), [blank | {"user": "user:ana", "team": "day", "capacity": 1}])
    put_draft(store, "d1", macro="sorry")
    past: list[Event] = [
        opened(START, START - 10 * MINUTE),
        events.Claimed(at=START, actor="user:ana", owner="user:ana", token=1, until=START + 5 * MINUTE),
        events.LeaseExtended(at=START + 4 * MINUTE, actor="user:ana", token=1, until=START + 9 * MINUTE),
        events.ReplyQueued(at=START + 5 * MINUTE, actor="user:ana", draft="d1", key="k1"),
        events.ReplySent(at=START + 6 * MINUTE, actor="system:sender", native_id="1", key="k1"),
        events.LeaseExpired(at=START + 60 * MINUTE, actor="system:clock", token=1),
        events.TakenOver(
            at=START + 70 * MINUTE, actor="user:ben", owner="user:ben", token=2, until=START + 2 * HOUR, reason="away"
        ),
        events.Breached(at=START + 80 * MINUTE, actor="system:clock", alarm="resolution:1:breach:due", due=START),
        events.Resolved(at=START + 90 * MINUTE, actor="user:ben"),
    ]
    put(store, {"c1": past})
    facts = Facts(store._db, clock)
    assert facts.follow() == len(past)
    assert facts.follow() == 0
    row = only(store)
    assert (row.author, row.queue, row.source, row.team, row.agent) == (
        "test:zelda",
        "service",
        "test",
        "day",
        "user:ana",
    )
    assert (row.first_response_secs, row.resolution_secs) == (16 * 60, 100 * 60)
    assert row.handled_secs == (9 + 20) * 60  # a lease that ran out was over when it ran out, not when somebody saw
    assert (row.answers, row.breaches, row.reopenings, row.macro) == (1, 1, 0, "sorry")
    assert (row.first_response_open_secs, row.resolution_open_secs) == (None, None)


def test_a_native_answer_is_the_owners_and_nobodys_without_one() -> None:
    answered = events.AnsweredNatively(at=START + MINUTE, actor="system:intake")
    held = events.Claimed(at=START, actor="user:ana", owner="user:ana", token=1, until=START + HOUR)
    assert outcome("c", [opened(), held, answered]).agent == "user:ana"
    assert outcome("c", [opened(), answered]).agent == ""
    assert outcome("c", [opened(), held]).agent == ""


def test_a_reopened_case_is_not_resolved_and_its_first_span_is_undone() -> None:
    past: list[Event] = [
        opened(),
        events.Resolved(at=START + HOUR, actor="user:ana"),
        events.Reopened(at=START + 2 * HOUR, actor="user:ana", reason="again"),
    ]
    made = outcome("c", past)
    assert (made.resolved_at, made.resolution) == (None, None)
    assert [(span.since, span.until, span.ending) for span in made.spans] == [
        (START, START + HOUR, "resolved"),
        (START + 2 * HOUR, None, ""),
    ]


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    made = outcome("c", [opened(START, START + HOUR), events.Resolved(at=START - HOUR, actor="user:ana")])
    assert made.resolution == timedelta(0)


def test_a_corrected_calendar_is_counted_on_demand(store: Store, clock: ManualClock) -> None:
    def desk(hours: str) -> Desk:
        calendars = calendars_from({"office": {"timezone": "UTC", "hours": {"mon-sun": [hours]}}})
        care = {"calendar": "office", "first_response": "1h", "resolution": "8h"}
        return Desk(queues={"service": QueueRules(policy=policy_from("care", care, calendars))})

    past: list[Event] = [
        opened(),
        events.AnsweredNatively(at=START + 2 * HOUR, actor="user:ana"),
        events.Resolved(at=START + 3 * HOUR, actor="user:ana"),
    ]
    put(store, {"c1": past})
    Facts(store._db, clock, desk("09:00-17:00")).follow()
    assert (only(store).first_response_open_secs, only(store).resolution_open_secs) == (3600, 7200)
    assert Facts(store._db, clock, desk("08:30-17:00")).rebuild() == 1
    assert (only(store).first_response_open_secs, only(store).resolution_open_secs) == (5400, 9000)


def test_sentiment_is_that_of_the_customer_before_and_after_the_first_answer(room: Room, clock: ManualClock) -> None:
    facts = Facts(room.store._db, clock)
    case = room.say("test:1", author="ana", tags=SAD, created_at=clock.now())
    room.say("test:2", author="ana", conversation="test:1", tags=SAD, created_at=clock.now() + MINUTE)
    facts.follow()
    assert (only(room.store).sentiment_before, only(room.store).sentiment_after) == (None, None)
    clock.advance(3600)
    room.own("test:3", "test:1", created_at=clock.now())
    facts.follow()
    assert (only(room.store).sentiment_before, only(room.store).sentiment_after) == (pytest.approx(-0.8), None)
    clock.advance(60)
    room.say("test:4", author="ana", conversation="test:1", tags=GLAD, created_at=clock.now())
    room.say("test:5", author="ana", conversation="test:1", created_at=clock.now(), tags=Tags(repost=True))
    room.take_back("test:2")
    facts.follow()
    row = only(room.store)
    assert (row.case_id, row.sentiment_before, row.sentiment_after) == (case.id, -0.8, 0.6)


def test_made_anew_everything_is_the_same(room: Room, clock: ManualClock) -> None:
    facts = Facts(room.store._db, clock)
    for number in range(7):
        case = room.say(f"test:{number}", author=f"author{number}", created_at=clock.now())
        held = room.cases.claim(case.id, "user:ana")
        clock.advance(100)
        if number % 2:
            room.cases.release(case.id, "user:ana", held.lease.token)
        facts.follow(3)
    while facts.follow(3):
        pass
    before = everything(room.store)
    assert len(before[0]) == 7
    assert facts.rebuild(batch=3) == 7
    assert everything(room.store) == before


def test_what_is_erased_is_not_counted_any_more(room: Room, clock: ManualClock) -> None:
    facts = Facts(room.store._db, clock)
    room.say("test:1", author="ana")
    room.say("test:2", author="ben")
    facts.follow()
    room.store.erase_cases("test:ana")
    assert [row.author for row in rows(room.store)] == ["test:ben"]
    facts.rebuild()
    assert [row.author for row in rows(room.store)] == ["test:ben"]


def test_a_handle_is_known_until_nothing_of_its_author_is_left(room: Room, clock: ManualClock) -> None:
    facts = Facts(room.store._db, clock)
    said = routed("test:1")
    room.hear(replace(said, mention=replace(said.mention, author=Author(id="u1", handle="Zelda_Q"))))
    facts.follow()
    assert [tuple(row) for row in everything(room.store)[3]] == [("test:@zelda_q", "test:u1")]
    room.hear(removals=[removal("test:1", at=clock.now())])
    facts.follow()
    assert everything(room.store)[3] == []
