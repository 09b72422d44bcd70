from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import update

from pipeline.clock import ManualClock
from pipeline.mention import Routed
from pipeline.store import Backlog, Parcel, Store
from pipeline.store.tables import outbox
from tests.store.samples import NOON, dispatches, minutes, routed


def keys(parcels: list[Parcel]) -> list[str]:
    return [parcel.delivery.key for parcel in parcels]


def mentions_of(parcels: list[Parcel]) -> list[str]:
    return [it.delivery.record.mention.id for it in parcels if isinstance(it.delivery.record, Routed)]


def test_each_sink_gets_everything_once_in_the_order_it_was_stored(store: Store) -> None:
    store.deliver([routed("test:2")], sinks=["a", "b"])
    store.deliver([routed("test:1")], sinks=["a", "b"])
    assert mentions_of(store.due("a", 10, 60)) == ["test:2", "test:1"]
    assert mentions_of(store.due("b", 1, 60)) == ["test:2"]
    assert store.due("c", 10, 60) == []


def test_what_is_claimed_is_handed_to_nobody_else_until_its_lease_ends(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1")], sinks=["a"])
    (first,) = store.due("a", 10, 60)
    assert store.due("a", 10, 60) == []
    clock.advance(61)
    (second,) = store.due("a", 10, 60)
    assert (second.delivery.key, first.attempt, second.attempt) == (first.delivery.key, 1, 2)


def test_many_at_once_claim_each_delivery_once(store: Store) -> None:
    store.deliver([routed(f"test:{number}") for number in range(200)], sinks=["a"])
    with ThreadPoolExecutor(4) as threads:
        claims = [threads.submit(store.due, "a", 30, 60) for _ in range(8)]
        claimed = [key for claim in claims for key in keys(claim.result())]
    assert len(claimed) == len(set(claimed))
    rest = keys(store.due("a", 1000, 60))
    assert len(claimed) + len(rest) == 200


def test_a_later_wording_waits_for_the_earlier(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1", text="one")], sinks=["a"])
    store.deliver([routed("test:1", text="two", edited_at=NOON), routed("test:2")], sinks=["a"])
    first, other = store.due("a", 10, 60)
    assert mentions_of([first, other]) == ["test:1", "test:2"]
    assert store.due("a", 10, 60) == []
    store.settle(sent=[other.delivery.key], retry=[(first.delivery.key, "HTTP 503", clock.now() + minutes(5))])
    assert store.due("a", 10, 60) == []
    clock.advance(301)
    (again,) = store.due("a", 10, 60)
    assert again.delivery.key == first.delivery.key
    store.settle(sent=[again.delivery.key])
    (second,) = store.due("a", 10, 60)
    assert isinstance(second.delivery.record, Routed)
    assert second.delivery.record.mention.text == "two"


def test_a_refusal_is_final_and_lets_the_next_pass(store: Store) -> None:
    store.deliver([routed("test:1")], sinks=["a"])
    store.deliver([routed("test:1", edited_at=NOON)], sinks=["a"])
    (first,) = store.due("a", 10, 60)
    store.settle(refused=[(first.delivery.key, "too long")])
    assert len(store.due("a", 10, 60)) == 1
    story = store.story("test:1")
    assert [(it.state, it.last_error) for it in story.dispatches] == [("refused", "too long"), ("pending", "")]
    (refusal,) = store.refusals()
    assert (refusal.sink, refusal.last_error) == (story.dispatches[0].sink, "too long")


def test_the_backlog_tells_how_much_waits_and_since_when(store: Store, clock: ManualClock) -> None:
    assert store.backlog("a") == Backlog(0, None, 0)
    start = clock.now()
    store.deliver([routed("test:1")], sinks=["a"])
    clock.advance(60)
    store.deliver([routed("test:2"), routed("test:3")], sinks=["a"])
    assert store.backlog("a") == Backlog(3, start, 0)
    first, second, _ = keys(store.due("a", 10, 60))
    store.settle(sent=[first], refused=[(second, "no")])
    assert store.backlog("a") == Backlog(1, start + minutes(1), 1)


def test_settling_twice_or_too_late_does_no_harm(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1")], sinks=["a"])
    (key,) = keys(store.due("a", 10, 60))
    store.settle(sent=[key])
    store.settle(retry=[(key, "late", clock.now())], refused=[(key, "late"), ("unknown", "x")])
    assert dispatches(store, "test:1") == [("a", "routed", "sent")]


def test_a_record_this_version_cannot_read_is_refused_and_holds_up_nobody(store: Store) -> None:
    store.deliver([routed("test:1"), routed("test:2")], sinks=["a"])
    with store._db.write() as transaction:
        transaction.run(update(outbox).where(outbox.c.mention_id == "test:1").values(payload=b'{"schema":"routed/99"}'))
    assert mentions_of(store.due("a", 10, 60)) == ["test:2"]
    assert dispatches(store, "test:1") == [("a", "routed", "refused")]
