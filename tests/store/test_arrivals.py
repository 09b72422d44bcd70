from datetime import timedelta

from pipeline.clock import ManualClock
from pipeline.ports import Gap
from pipeline.store import Store
from tests.store.samples import NOON, letter, minutes, removal, taken


def test_a_source_that_never_saved_has_no_cursor(store: Store) -> None:
    assert store.cursor("bluesky") is None
    assert store.sources() == []


def test_the_cursor_is_saved_with_the_page_and_none_leaves_it(store: Store) -> None:
    store.take_in("bluesky", "17", [taken("test:1")])
    store.take_in("bluesky", None, [])
    assert store.cursor("bluesky") == "17"
    store.take_in("bluesky", "a\0é\ud800", [])
    assert store.cursor("bluesky") == "a\0é\ud800"


def test_only_the_same_content_is_known(store: Store) -> None:
    store.take_in("bluesky", "1", [taken("test:1", "d1"), taken("test:2", "d1")])
    assert store.known([("test:1", "d1"), ("test:2", "d2"), ("test:3", "d1")]) == {"test:1"}
    store.take_in("bluesky", "2", [taken("test:2", "d2")])
    assert store.known([("test:2", "d1"), ("test:2", "d2")]) == {"test:2"}


def test_what_was_removed_is_known_whatever_its_content(store: Store) -> None:
    store.take_in("bluesky", "1", [taken("test:1", "d1")])
    store.deliver([], [removal("test:1")])
    assert store.known([("test:1", "d9")]) == {"test:1"}


def test_more_ids_than_a_statement_has_parameters_are_looked_up_at_once(store: Store) -> None:
    items = [taken(f"test:{number}") for number in range(3000)]
    store.take_in("bluesky", "1", items)
    pairs = [(f"test:{number}", "d1") for number in range(70_000)]
    assert len(store.known(pairs)) == 3000


def test_a_source_tells_when_it_last_brought_something_and_was_last_heard(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    store.take_in("rss", "1", [taken("test:1")])
    clock.advance(60)
    store.take_in("rss", "2", [])
    clock.advance(60)
    store.take_in("rss", None, [], heard=False)
    (source,) = store.sources()
    assert (source.last_item_at, source.last_heard_at) == (start, start + minutes(1))
    assert source.saved_at == start + minutes(2)


def test_a_gap_is_recorded_once_and_its_repair_is_noted(store: Store, clock: ManualClock) -> None:
    gap = Gap(NOON, NOON + timedelta(hours=1), "disconnected")
    store.take_in("x", "1", [], gaps=[gap, gap])
    store.take_in("x", "2", [], gaps=[gap])
    (recorded,) = store.gaps(open_only=True)
    assert (recorded.via, recorded.since, recorded.until, recorded.reason) == ("x", gap.since, gap.until, gap.reason)
    store.take_in("x", "3", [], gaps=[Gap(gap.since, gap.until, gap.reason, repaired=True, note="by search")])
    assert store.gaps(open_only=True) == []
    (repaired,) = store.gaps()
    assert (repaired.repaired_at, repaired.note) == (clock.now(), "by search")
    store.take_in("x", "4", [], gaps=[gap])
    assert store.gaps(open_only=True) == []


def test_a_gap_can_be_repaired_by_hand_once(store: Store) -> None:
    store.take_in("x", "1", [], gaps=[Gap(NOON, NOON, "quota")])
    (gap,) = store.gaps()
    assert store.repair_gap(gap.id, "checked")
    assert not store.repair_gap(gap.id)
    assert store.gaps(open_only=True) == []
    assert store.reopen_gap(gap.id)
    assert not store.reopen_gap(gap.id)
    assert store.gaps() == [gap]


def test_what_could_not_be_read_is_taken_in_by_an_id_of_its_own(store: Store) -> None:
    unreadable = letter("r1", "file:line-17", role="collect", place="line 17")
    store.take_in("file", "17", [taken("test:1"), taken("file:line-17")], dead=[unreadable])
    story = store.story("file:line-17")
    assert story.arrival is not None
    assert [it.place for it in story.letters] == ["line 17"]


def test_a_removal_that_came_first_takes_the_mention_when_it_is_taken_in(store: Store) -> None:
    store.deliver([], [removal("test:1")])
    assert store.story("test:1").removed_at is None
    store.take_in("bluesky", "1", [taken("test:1")])
    assert store.story("test:1").removed_at is not None
