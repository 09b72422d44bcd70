from __future__ import annotations

import pytest
from sqlalchemy import delete

from pipeline.ledger import Columns, Ledger, read_ledger
from pipeline.store import Store
from pipeline.store.tables import intake, mentions
from tests.store.samples import filtered, letter, removal, routed, taken

EMPTY = [("mentions.raw", 0), ("mentions.enriched", 0), ("mentions.routed", 0)]
BUSY = [("mentions.raw", 0), ("mentions.enriched", 3), ("mentions.routed", 0)]


def drained(store: Store) -> Ledger:
    return read_ledger(store, lambda: EMPTY)


def test_every_mention_stands_in_exactly_one_column(store: Store) -> None:
    store.take_in("stream", "1", [taken(f"test:{number}") for number in range(6)])
    store.take_in("file", "1", [], dead=[letter("l1", "file:line-1", source="file")])
    store.deliver([routed("test:0"), filtered("test:1"), filtered("test:2", "spam"), routed("test:3")])
    store.deliver([], [removal("test:3")])
    store.bury([letter("l2", "test:4"), letter("l3", "test:4")])
    store.discard(["l1"], "ana")
    ledger = read_ledger(store, lambda: BUSY)
    assert ledger.total == Columns(taken_in=7, queued=1, filtered=3, dead=1, removed=1, in_flight=1)
    assert ledger.sources == {
        "file": Columns(taken_in=1, filtered=1),
        "test": Columns(taken_in=6, queued=1, filtered=2, dead=1, removed=1, in_flight=1),
    }
    assert ledger.filtered_by_reason == {"discarded": 1, "noise": 1, "spam": 1}
    assert ledger.balanced


def test_an_empty_store_balances(store: Store) -> None:
    assert drained(store).balanced


def test_what_is_on_its_way_is_not_missing_while_a_topic_holds_something(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    ledger = read_ledger(store, lambda: BUSY)
    assert (ledger.total.in_flight, ledger.total.missing, ledger.balanced) == (1, 0, True)


def test_what_has_no_outcome_when_the_topics_are_empty_is_missing(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1"), taken("test:2")])
    store.deliver([routed("test:2")])
    ledger = drained(store)
    assert ledger.total == Columns(taken_in=2, queued=1, missing=1)
    assert ledger.evidence.missing == ("test:1",)
    assert not ledger.balanced


def test_what_arrives_while_the_ledger_looks_is_not_missing(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    readings = 0

    def lag() -> list[tuple[str, int]]:
        nonlocal readings
        readings += 1
        if readings == 2:
            store.deliver([routed("test:1")])
            store.take_in("stream", "2", [taken("test:2")])
        return EMPTY

    ledger = read_ledger(store, lag)
    assert ledger.total == Columns(taken_in=2, queued=1, in_flight=1)
    assert ledger.balanced


def test_without_topics_to_look_at_nothing_is_proved(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    ledger = read_ledger(store, list)
    assert (ledger.total.in_flight, ledger.evidence.drained) == (1, False)


def test_a_retried_letter_is_in_flight_until_its_outcome(store: Store) -> None:
    store.bury([letter("a", "test:1")])
    store.retrying(store.dead())
    assert read_ledger(store, lambda: BUSY).total == Columns(taken_in=1, in_flight=1)
    store.deliver([filtered("test:1")])
    assert drained(store).total == Columns(taken_in=1, filtered=1)


def test_a_removal_of_something_never_seen_does_not_count_until_it_comes(store: Store) -> None:
    store.deliver([], [removal("test:1")])
    assert drained(store).total == Columns()
    store.deliver([routed("test:1")])
    assert drained(store).total == Columns(taken_in=1, removed=1)


def test_a_removal_finds_what_is_still_on_its_way(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    store.deliver([], [removal("test:1")])
    assert drained(store).total == Columns(taken_in=1, removed=1)


def test_an_unreadable_item_that_was_read_later_counts_as_its_mentions(store: Store) -> None:
    store.take_in("file", "1", [], dead=[letter("a", "file:line-1", source="file")])
    store.revive("a", [taken("test:1"), taken("test:2")])
    store.deliver([routed("test:1"), routed("test:2")])
    assert drained(store).sources == {"test": Columns(taken_in=2, queued=2)}


@pytest.mark.parametrize("kept", ["mention", "removed", "letter"])
def test_an_outcome_of_something_never_taken_in_is_named(store: Store, kept: str) -> None:
    if kept == "letter":
        store.bury([letter("a", "test:1")])
    else:
        store.deliver([routed("test:1")])
        store.deliver([], [removal("test:1")] if kept == "removed" else [])
    with store._db.write() as transaction:
        transaction.run(delete(intake))
    ledger = drained(store)
    assert not ledger.balanced
    assert ledger.evidence.orphans == ("test:1",)


def test_a_mention_both_kept_and_removed_is_named(store: Store) -> None:
    store.deliver([routed("test:1")])
    with store._db.read() as transaction:
        row = dict(transaction.run(mentions.select()).one()._mapping)
    store.deliver([], [removal("test:1")])
    with store._db.write() as transaction:
        transaction.insert(mentions, [row], "id")
    ledger = drained(store)
    assert (ledger.balanced, ledger.evidence.twice) == (False, ("test:1",))


def test_two_sources_that_are_wrong_by_the_same_number_do_not_balance(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    store.deliver([routed("test:1", source="other")])
    assert not drained(store).balanced


def test_the_json_has_the_columns_and_how_it_knows(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    store.deliver([filtered("test:1")])
    assert drained(store).as_json() == {
        "taken_in": 1,
        "queued": 0,
        "filtered": 1,
        "dead": 0,
        "removed": 0,
        "in_flight": 0,
        "missing": 0,
        "balanced": True,
        "filtered_by_reason": {"noise": 1},
        "sources": {
            "test": {
                "taken_in": 1,
                "queued": 0,
                "filtered": 1,
                "dead": 0,
                "removed": 0,
                "in_flight": 0,
                "missing": 0,
                "balanced": True,
            }
        },
        "evidence": {"lags": dict(EMPTY), "drained": True, "noted": 0, "missing": (), "orphans": (), "twice": ()},
    }


def test_reading_the_ledger_again_on_the_same_connection_works(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    first, second = drained(store), drained(store)
    assert first == second
