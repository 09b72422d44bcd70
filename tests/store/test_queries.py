from __future__ import annotations

from itertools import pairwise

from pipeline.clock import ManualClock
from pipeline.mention import Priority, Tags
from pipeline.store import QueueSummary, Store, Worker
from tests.store.samples import NOON, filtered, ids, letter, minutes, routed, send_all


def test_a_queue_is_read_most_pressing_first(store: Store) -> None:
    store.deliver(
        [
            routed("test:old", created_at=NOON - minutes(9)),
            routed("test:new", created_at=NOON),
            routed("test:due", created_at=NOON, first_response_due=NOON + minutes(5)),
            routed("test:sooner", created_at=NOON, first_response_due=NOON + minutes(4)),
            routed("test:urgent", created_at=NOON, priority=Priority.URGENT),
            routed("test:elsewhere", queue="marketing"),
            filtered("test:noise"),
        ]
    )
    order = ["test:urgent", "test:sooner", "test:due", "test:old", "test:new"]
    assert ids(store.queue("service")) == order
    pages, last = [], None
    while page := store.queue("service", limit=2, after=last):
        pages += ids(page)
        last = page[-1]
    assert pages == order
    assert store.queue("unknown") == []


def test_a_page_goes_on_though_the_last_one_was_taken_away(store: Store) -> None:
    store.deliver([routed(f"test:{number}", created_at=NOON + minutes(number)) for number in range(4)])
    page = store.queue("service", limit=2)
    store.deliver([routed("test:1", queue="marketing", decided_at=NOON + minutes(1))])
    assert ids(store.queue("service", after=page[-1])) == ["test:2", "test:3"]


def test_queues_are_summed_up_by_priority_with_the_next_due_time(store: Store) -> None:
    store.deliver(
        [
            routed("test:1", priority=Priority.URGENT, first_response_due=NOON + minutes(9)),
            routed("test:2", first_response_due=NOON + minutes(3)),
            routed("test:3", queue="marketing", priority=Priority.LOW),
        ]
    )
    assert store.queues() == [
        QueueSummary("marketing", 1, (0, 0, 0, 1), None),
        QueueSummary("service", 2, (1, 1, 0, 0), NOON + minutes(3)),
    ]


def test_what_was_filtered_can_be_found_by_its_reason_newest_first(store: Store) -> None:
    store.deliver([filtered(f"test:{number}", created_at=NOON + minutes(number)) for number in range(3)])
    store.deliver([filtered("test:spam", "spam")])
    assert ids(store.filtered("noise", limit=2)) == ["test:2", "test:1"]
    assert ids(store.filtered("spam")) == ["test:spam"]
    assert len(store.filtered()) == 4


def test_history_is_replayed_oldest_first_and_whole_whatever_the_page(store: Store) -> None:
    said = [routed(f"test:{number}", created_at=NOON + minutes(number // 3)) for number in range(10)]
    other = routed("test:other", created_at=NOON + minutes(2), tags=Tags(brand="zenith"))
    store.deliver([*said, other])
    history = list(store.history(NOON + minutes(1), batch=2))
    assert len(history) == 8
    assert all(one.mention.created_at <= next_.mention.created_at for one, next_ in pairwise(history))
    assert ids(list(store.history(NOON, brand="zenith"))) == ["test:other"]


def test_a_story_tells_all_there_is(store: Store, clock: ManualClock) -> None:
    store.bury([letter("a", "test:1")])
    store.deliver([routed("test:1")], sinks=["file"])
    send_all(store, "file")
    story = store.story("test:1")
    assert story.routed == routed("test:1")
    assert story.stored_at == clock.now()
    assert [it.state for it in story.letters] == ["retried"]
    assert [(it.sink, it.state, it.sent_at) for it in story.dispatches] == [("file", "sent", clock.now())]
    nothing = store.story("test:unknown")
    assert (nothing.arrival, nothing.routed, nothing.letters) == (None, None, ())


def test_workers_beat_leave_and_are_forgotten_after_a_day(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    store.beat("route-1", "route", start, 10, 5.0)
    store.beat("route-1", "route", start, 5_000_000_000, 7.5)
    store.beat("enrich-1", "enrich", start, 1, 0.0)
    assert store.workers() == [
        Worker("enrich-1", "enrich", start, start, 1, 0.0),
        Worker("route-1", "route", start, start, 5_000_000_000, 7.5),
    ]
    store.leave("enrich-1")
    clock.advance(25 * 3600)
    store.beat("route-2", "route", clock.now(), 0, 0.0)
    assert [worker.member for worker in store.workers()] == ["route-2"]
