from __future__ import annotations

from dataclasses import replace

from pipeline.ledger import read_ledger
from pipeline.store import Store
from tests.store.samples import NOON, letter, minutes, routed, taken


def test_a_dead_letter_keeps_its_bytes_and_reason_and_counts_as_taken_in(store: Store) -> None:
    it = letter("a", "test:1", author="test:ana")
    store.bury([it])
    assert store.dead() == [it]
    assert store.dead_letter("a") == it
    assert store.dead_letter("b") is None
    assert store.story("test:1").arrival is not None


def test_dead_letters_are_listed_oldest_first_page_by_page(store: Store) -> None:
    store.bury([letter(f"l{number}", f"test:{number}", at=NOON - minutes(number // 2)) for number in range(5)])
    first = store.dead(limit=2)
    rest = store.dead(limit=9, after=first[-1])
    assert [it.id for it in [*first, *rest]] == ["l4", "l2", "l3", "l0", "l1"]


def test_burying_the_same_letter_twice_changes_nothing(store: Store) -> None:
    store.bury([letter("a"), letter("a")])
    store.bury([letter("a")])
    assert [it.attempts for it in store.dead()] == [1]


def test_a_retried_letter_is_dead_again_only_when_it_dies_again(store: Store) -> None:
    it = letter("a")
    store.bury([it])
    assert store.retrying(store.dead()) == 1
    store.bury([it])
    assert store.dead() == []
    store.bury([letter("a", at=NOON + minutes(1), reason="still bad")])
    assert [(dead.attempts, dead.reason) for dead in store.dead()] == [(2, "still bad")]


def test_a_letter_that_died_again_before_its_retry_was_noted_stays_dead(store: Store) -> None:
    store.bury([letter("a")])
    as_read = store.dead()
    store.bury([letter("a", at=NOON + minutes(1))])
    assert store.retrying(as_read) == 0
    assert len(store.dead()) == 1


def test_a_discarded_letter_keeps_who_and_why_and_stays_discarded(store: Store) -> None:
    store.bury([letter("a")])
    assert store.discard(["a", "unknown"], "ana: test data") == 1
    assert store.discard(["a"], "ben") == 0
    store.bury([letter("a", at=NOON + minutes(1))])
    assert store.dead() == []
    assert store.dead_letter("a") == replace(letter("a"), state="discarded", note="ana: test data")


def test_an_unreadable_item_that_a_later_version_reads_gives_way_to_its_mentions(store: Store) -> None:
    unreadable = letter("a", "file:line-17", role="collect")
    store.take_in("file", "1", [], dead=[unreadable])
    assert store.revive("a", [taken("test:1")])
    assert not store.revive("a", [taken("test:1")])
    assert store.story("file:line-17").arrival is None
    assert store.story("test:1").arrival is not None
    store.take_in("file", "1", [], dead=[letter("a", "file:line-17", at=NOON + minutes(1))])
    assert store.dead() == []
    assert store.story("file:line-17").arrival is None


def test_an_edit_that_dies_is_listed_though_the_mention_waits_in_its_queue(store: Store) -> None:
    store.deliver([routed("test:1")])
    store.bury([letter("a", "test:1")])
    store.deliver([routed("test:1")])
    assert [it.id for it in store.dead()] == ["a"]


def test_dead_letters_are_found_by_what_they_died_of_the_newest_first(store: Store) -> None:
    store.bury([letter(f"l{n}", f"test:{n}", at=NOON + minutes(n), reason="broken") for n in range(3)])
    store.bury([letter("other", "test:9", at=NOON, reason="huge", role="route", via="elsewhere")])
    first = store.letters(reason="broken", limit=2)
    assert [it.id for it in first] == ["l2", "l1"]
    assert [it.id for it in store.letters(reason="broken", limit=2, before=first[-1])] == ["l0"]
    assert [it.id for it in store.letters(role="route", via="elsewhere")] == ["other"]
    assert store.letters("discarded") == []
    faults = store.faults()
    assert [(it.reason, it.letters, it.newest) for it in faults] == [
        ("broken", 3, NOON + minutes(2)),
        ("huge", 1, NOON),
    ]


def test_what_was_discarded_together_is_taken_back_together(store: Store) -> None:
    store.take_in("test", None, [taken(f"test:{n}") for n in range(3)], [], [], True)
    store.bury([letter(f"l{n}", f"test:{n}") for n in range(3)])
    store.discard(["l0", "l1"], "ana: noise")
    store.discard(["l2"], "ana: spam")
    assert store.restore([], "ana: noise") == 2
    assert sorted(it.id for it in store.dead()) == ["l0", "l1"]
    assert store.restore(["l2", "l0", "unknown"]) == 1
    found = store.dead_letter("l2")
    assert found is not None
    assert (found.state, found.note) == ("dead", "")
    assert read_ledger(store, list).balanced
