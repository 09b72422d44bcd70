"""What sources brought against what is usual, what is left of their allowances, and the walk through what is stored."""

from __future__ import annotations

from datetime import timedelta

from pipeline.clock import ManualClock
from pipeline.ports import Usage
from pipeline.store import Store
from tests.store.samples import routed, taken

DAY = 86_400.0


def bring(store: Store, clock: ManualClock, number: int, day: int) -> None:
    store.take_in("rss", None, [taken(f"test:{day}-{one}") for one in range(number)])


def test_in_its_first_week_nothing_is_known_to_be_usual(store: Store, clock: ManualClock) -> None:
    bring(store, clock, 3, 0)
    clock.advance(DAY)
    (seen,) = store.seen().values()
    assert (seen.day, seen.usual) == (3, None)


def test_what_is_usual_is_the_mean_of_the_same_weekday(store: Store, clock: ManualClock) -> None:
    clock.advance(600)
    for day in range(21):  # every seventh day is busy
        bring(store, clock, 20 if day % 7 == 0 else 4, day)
        clock.advance(DAY)
    bring(store, clock, 1, 21)  # the fourth busy day brings one
    clock.advance(DAY / 2)
    assert store.seen()["rss"].usual is not None
    clock.advance(DAY / 2 - 300)
    seen = store.seen()["rss"]
    assert (seen.day, seen.usual) == (1, 20.0)


def test_an_allowance_is_what_was_said_last_and_starts_anew_in_time(store: Store, clock: ManualClock) -> None:
    resets = clock.now() + timedelta(hours=1)
    store.take_in("x", None, [], usage=[Usage("posts", 7, 100, resets), Usage("USD", 0.035)])
    store.take_in("x", None, [], usage=[Usage("posts", 9, 100, resets)])
    assert [it.usage for it in store.usages()["x"]] == [Usage("USD", 0.035), Usage("posts", 9, 100, resets)]
    clock.advance(3601)
    assert [it.usage.used for it in store.usages()["x"]] == [0.035, 0]


def test_the_walk_takes_each_stored_mention_of_its_network_once(store: Store, clock: ManualClock) -> None:
    ids = [f"test:{number}" for number in range(7)]
    store.take_in("rss", None, [taken(id) for id in [*ids, "testing:1"]])
    store.deliver([routed(id) for id in [*ids, "testing:1"]], [])
    walked: list[str] = []
    while page := store.said_on("test", walked[-1] if walked else "", clock.now() - timedelta(days=400), 3):
        walked += [mention.id for mention in page]
    assert walked == sorted(ids)
    assert not store.said_on("test", "", clock.now() + timedelta(days=1), 3)


def test_a_round_is_counted_when_it_is_over(store: Store, clock: ManualClock) -> None:
    assert store.rounds() == {}
    store.checked("reddit", "reddit:3", 3, 1, 0)
    store.checked("reddit", "", 2, 0, 1)
    store.checked("reddit", "reddit:1", 1, 0, 0)
    done = store.rounds()["reddit"]
    assert (done.position, done.rounds, done.checked, done.gone, done.reworded) == ("reddit:1", 1, 6, 1, 1)
