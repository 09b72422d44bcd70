from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import BrokenStage
from pipeline.mention import Metrics, Removal, Tags
from pipeline.store import Store, Withdrawn
from tests.fixtures.postgres import store_in
from tests.store.samples import NOON, dispatches, filtered, ids, letter, minutes, removal, routed, send_all, taken


def test_a_mention_is_stored_whole_with_its_outcome(store: Store) -> None:
    it = routed("test:1", text="naïve \0 💥", first_response_due=NOON + minutes(30))
    done = store.deliver([it, filtered("test:2")])
    assert (done.queued, done.filtered, done.unchanged, done.withdrawn) == (1, 1, 0, ())
    assert store.story("test:1").routed == it
    assert ids(store.queue("service")) == ["test:1"]
    assert ids(store.filtered()) == ["test:2"]


def test_the_same_batch_again_changes_nothing(store: Store) -> None:
    batch = [routed("test:1"), filtered("test:2")]
    store.deliver(batch, sinks=["file"])
    before = store.story("test:1")
    again = store.deliver(batch, sinks=["file"])
    assert (again.queued, again.filtered, again.unchanged, again.enqueued) == (0, 0, 2, 0)
    assert store.story("test:1") == before


def test_an_edit_replaces_the_wording_and_the_queue(store: Store) -> None:
    store.deliver([routed("test:1", text="bad")])
    edit = routed("test:1", text="good", edited_at=NOON, queue="marketing", decided_at=NOON + minutes(1))
    assert store.deliver([edit]).queued == 1
    assert (ids(store.queue("service")), ids(store.queue("marketing"))) == ([], ["test:1"])


def test_an_older_wording_that_arrives_late_changes_nothing(store: Store) -> None:
    store.deliver([routed("test:1", text="second", edited_at=NOON)])
    late = routed("test:1", text="first", decided_at=NOON + minutes(9))
    assert store.deliver([late], sinks=["file"]).unchanged == 1
    assert store.queue("service")[0].mention.text == "second"
    assert dispatches(store, "test:1") == []


def test_of_two_wordings_in_one_batch_the_later_wins(store: Store) -> None:
    old, new = routed("test:1", text="old"), routed("test:1", text="new", edited_at=NOON)
    done = store.deliver([new, old], sinks=["file"])
    assert (done.queued, done.unchanged, done.enqueued) == (1, 1, 1)
    assert store.queue("service")[0].mention.text == "new"


def test_the_clock_of_a_decision_does_not_start_again_when_only_its_times_differ(store: Store) -> None:
    first = routed("test:1", first_response_due=NOON + minutes(30))
    redone = routed(
        "test:1", first_response_due=NOON + minutes(35), decided_at=NOON + minutes(5), collected_at=NOON + minutes(4)
    )
    store.deliver([first])
    assert store.deliver([redone]).unchanged == 1
    assert store.queue("service") == [first]


def test_a_new_decision_on_the_same_wording_replaces_the_old_and_tells_the_sinks(store: Store) -> None:
    store.deliver([routed("test:1")], sinks=["file"])
    for number, queue in enumerate(("marketing", "service", "marketing"), start=1):
        moved = routed("test:1", queue=queue, decided_at=NOON + minutes(number))
        assert store.deliver([moved], sinks=["file"]).enqueued == 1
    assert ids(store.queue("marketing")) == ["test:1"]
    assert len(send_all(store, "file")) == 4


def test_new_numbers_on_the_same_wording_are_stored_but_no_news_to_a_sink(store: Store) -> None:
    store.deliver([routed("test:1")], sinks=["file"])
    liked = routed("test:1", metrics=Metrics(likes=99), decided_at=NOON + minutes(1))
    done = store.deliver([liked], sinks=["file"])
    assert (done.queued, done.enqueued) == (1, 0)
    assert store.queue("service") == [liked]


def test_an_outcome_takes_in_what_its_collector_could_not_record(store: Store) -> None:
    store.deliver([routed("test:1", via="stream")])
    story = store.story("test:1")
    assert story.arrival is not None
    assert story.arrival.via == "stream"
    assert store.known([("test:1", "")]) == {"test:1"}
    assert store.known([("test:1", "d1")]) == set()


def test_a_decision_that_goes_nowhere_is_a_broken_stage(store: Store) -> None:
    with pytest.raises(BrokenStage, match="complaints"):
        store.deliver([routed("test:1", queue=None)])
    assert store.story("test:1").arrival is None


def test_a_removal_leaves_nothing_but_that_it_happened(store: Store) -> None:
    store.take_in("stream", "1", [taken("test:1")])
    store.deliver([routed("test:1", text="SECRET", conversation="test:0")])
    done = store.deliver([], [removal("test:1", at=NOON + minutes(1))])
    assert done.withdrawn == (Withdrawn("test:1", "test:0"),)
    story = store.story("test:1")
    assert (story.routed, story.letters) == (None, ())
    assert story.tombstone is not None
    assert story.tombstone.noticed_at == NOON + minutes(1)
    assert store.queue("service") == []


def test_removed_text_is_gone_from_the_files_of_sqlite(tmp_path: Path, clock: ManualClock) -> None:
    store = store_in(tmp_path, clock)
    store.deliver([routed("test:1", text="SECRET" * 50)], sinks=["file"])
    assert any(b"SECRET" in path.read_bytes() for path in tmp_path.iterdir())
    store.deliver([], [removal("test:1")])
    assert not any(b"SECRET" in path.read_bytes() for path in tmp_path.iterdir())
    store.close()


def test_what_was_taken_back_never_comes_back_however_its_clock_ran(store: Store) -> None:
    store.deliver([routed("test:1")])
    store.deliver([], [removal("test:1")])
    ahead = routed("test:1", created_at=NOON + minutes(999), decided_at=NOON + minutes(9))
    done = store.deliver([ahead], sinks=["file"])
    assert [it.id for it in done.withdrawn] == ["test:1"]
    assert (store.queue("service"), done.enqueued) == ([], 0)


def test_a_removal_outruns_the_mention_in_one_batch_and_across_batches(store: Store) -> None:
    store.deliver([], [removal("test:1")])
    assert store.deliver([routed("test:1")]).withdrawn == (Withdrawn("test:1", "test:1"),)
    assert [it.id for it in store.deliver([routed("test:2")], [removal("test:2")]).withdrawn] == ["test:2"]
    assert store.queue("service") == []


def test_an_authors_removal_takes_all_they_had_said_and_nothing_they_say_after(store: Store) -> None:
    said = [routed(f"test:{number}", author="ana", created_at=NOON - minutes(number)) for number in range(3)]
    store.deliver([*said, routed("test:9", author="ben")])
    done = store.deliver([], [removal(author="test:ana")])
    assert sorted(it.id for it in done.withdrawn) == ["test:0", "test:1", "test:2"]
    after = routed("test:4", author="ana", created_at=NOON + minutes(1))
    before = routed("test:5", author="ana", created_at=NOON - minutes(1))
    assert [it.id for it in store.deliver([after, before]).withdrawn] == ["test:5"]
    assert sorted(ids(store.queue("service"))) == ["test:4", "test:9"]


def test_what_went_with_its_author_does_not_come_back_under_a_later_time(store: Store) -> None:
    store.bury([letter("a", "test:1", author="test:ana", created_at=NOON)])
    store.deliver([], [removal(author="test:ana")])
    later = routed("test:1", author="ana", created_at=NOON + minutes(1))
    assert [it.id for it in store.deliver([later]).withdrawn] == ["test:1"]


def test_a_time_in_the_future_does_not_outlive_its_authors_removal(store: Store) -> None:
    boast = routed("test:1", author="ana", created_at=NOON + minutes(999), collected_at=NOON - minutes(1))
    store.deliver([boast])
    assert [it.id for it in store.deliver([], [removal(author="test:ana")]).withdrawn] == ["test:1"]
    assert [it.id for it in store.deliver([boast]).withdrawn] == ["test:1"]


def test_the_topics_are_to_be_purged_until_someone_says_that_they_are(store: Store) -> None:
    store.deliver([routed("test:1", conversation="test:0")])
    store.deliver([], [removal("test:1")])
    assert store.to_purge() == [Withdrawn("test:1", "test:0")]
    store.purged(["test:1"])
    assert store.to_purge() == []
    store.deliver([routed("test:1", conversation="test:0")])
    assert store.to_purge() == [Withdrawn("test:1", "test:0")]


def test_a_removal_reaches_exactly_the_sinks_that_could_have_got_the_mention(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1")], sinks=["fast", "slow"])
    send_all(store, "fast")
    done = store.deliver([], [removal("test:1")], sinks=["fast", "slow"])
    assert done.enqueued == 1
    assert dispatches(store, "test:1") == [("fast", "routed", "sent"), ("fast", "removal", "pending")]
    (gone,) = send_all(store, "fast")
    assert gone == Removal(source="test", reason="deleted", noticed_at=NOON, mention="test:1", conversation="test:1")
    assert send_all(store, "slow") == []


def test_a_removal_waits_for_the_delivery_that_is_under_way(store: Store, clock: ManualClock) -> None:
    store.deliver([routed("test:1")], sinks=["slow"])
    (parcel,) = store.due("slow", 10, lease_seconds=60)
    store.deliver([], [removal("test:1")])
    assert store.due("slow", 10, 60) == []
    store.settle(sent=[parcel.delivery.key])
    clock.advance(61)
    (after,) = store.due("slow", 10, 60)
    assert isinstance(after.delivery.record, Removal)


def test_a_removal_takes_dead_letters_along(store: Store) -> None:
    store.bury([letter("a", "test:1"), letter("b", "test:2", author="test:ana", created_at=NOON)])
    store.deliver([], [removal("test:1"), removal(author="test:ana")])
    assert store.dead() == []
    assert store.story("test:2").removed_at is not None
    store.bury([letter("a", "test:1"), letter("b", "test:2", author="test:ana", created_at=NOON)])
    assert store.dead() == []


def test_the_same_removal_twice_does_no_more(store: Store) -> None:
    store.deliver([routed("test:1")], sinks=["file"])
    send_all(store, "file")
    store.deliver([], [removal("test:1")])
    assert store.deliver([], [removal("test:1")]).enqueued == 0
    assert len(dispatches(store, "test:1")) == 2


def test_a_mention_that_arrives_after_all_closes_its_dead_letter(store: Store) -> None:
    store.bury([letter("a", "test:1")])
    store.deliver([routed("test:1")])
    assert store.dead() == []


def test_hostile_strings_and_times_are_stored_and_found(store: Store) -> None:
    odd = routed("test:\0" + "é" * 5000, author="x" * 9000, tags=Tags(brand="b\0"))
    store.deliver([odd], sinks=["file"])
    store.bury([letter("l\0", odd.mention.id, reason="\0bad\ud800" * 999, place="\0")])
    assert store.deliver([odd], sinks=["file"]).unchanged == 1
    assert store.queue("service") == [odd]
    assert store.story(odd.mention.id).routed == odd
    assert len(store.deliver([], [removal(author=f"test:{'x' * 9000}")]).withdrawn) == 1
    assert len(store.deliver([odd]).withdrawn) == 1
