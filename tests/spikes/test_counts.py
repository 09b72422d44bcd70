"""What counts, how often, when, and what is left when it is taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select

from pipeline.clock import ManualClock
from pipeline.errors import StoreUnavailable
from pipeline.mention import Enriched, Intent, Removal, Sentiment, Signal, Tags
from pipeline.store import Store
from pipeline.store.spike_tables import spike_buckets, spike_mentions
from spikes.buckets import Bucket
from spikes.counting import said, time_of
from spikes.detection import Key
from spikes.sketch import KEPT, Sketch, distinct
from spikes.upkeep import Upkeep
from tests.fixtures.postgres import empty
from tests.spikes.days import MIDNIGHT, day, dice, item, shuffled, storm, talk
from tests.spikes.rooms import NOW, Room

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ACME = Key("acme")
LONG = 4 * DAY
"""Twice `keep_hours`."""


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


def upkeep(room: Room, later: timedelta = timedelta(0), **settings: float) -> Upkeep:
    """By a clock that is so much ahead of the room's."""
    return Upkeep(room.store._db, ManualClock(NOW + later), **settings)


def roll_up(room: Room) -> None:
    while upkeep(room).roll_up():
        pass


def figures(buckets: Iterable[Bucket]) -> list[Bucket]:
    return [it for it in buckets if it.mentions]


def by_hand(items: Sequence[Enriched], key: Key, width: int) -> list[Bucket]:
    """The buckets, counted the plain way."""
    found: defaultdict[datetime, list[Enriched]] = defaultdict(list)
    for it in {it.mention.id: it for it in items if it.tags.brand == key.brand}.values():
        facets = {("all", ""), ("source", it.mention.source), *(("topic", topic) for topic in it.tags.topics)}
        if (key.facet, key.value) in facets:
            at = it.mention.created_at
            found[MIDNIGHT + (at - MIDNIGHT) // (width * MINUTE) * (width * MINUTE)].append(it)

    def tone(it: Enriched) -> str:
        return it.tags.sentiment.label if it.tags.sentiment else ""

    def who(items: Iterable[Enriched]) -> int:
        return len({(it.mention.source, it.mention.author.id) for it in items})

    return [
        Bucket(
            at=at,
            minutes=width,
            mentions=len(its),
            negative=sum(tone(it) == "negative" for it in its),
            authors=who(its),
            negative_authors=who(it for it in its if tone(it) == "negative"),
            positive_authors=who(it for it in its if tone(it) == "positive"),
            reposts=sum(it.tags.repost for it in its),
            reach=sum(it.tags.reach for it in its),
        )
        for at, its in sorted(found.items())
    ]


# ---------------------------------------------------------------------- what counts


def counts(mention: dict[str, Any] | None = None, **tags: Any) -> bool:
    one = replace(item(1, MIDNIGHT).mention, **(mention or {}))
    given = Tags(brand="acme", **tags) if "brand" not in tags else Tags(**tags)
    return said(Enriched(mention=one, tags=given), MIDNIGHT) is not None


def test_a_mention_counts_for_the_brand_it_is_about() -> None:
    assert counts()
    assert counts({"brand": "acme"}, brand=None)
    assert not counts(brand=None)


def test_our_own_posts_and_spam_do_not_count_but_what_may_be_a_complaint_does() -> None:
    assert not counts({"own": True})
    assert not counts(spam=Signal(score=0.9))
    assert counts(spam=Signal(score=0.79))
    assert counts(spam=Signal(score=0.9), intents=(Intent(name="complaint", score=0.3),))


def test_a_complaint_without_a_bad_word_is_negative_and_praise_is_not() -> None:
    def tone(label: Literal["positive", "neutral", "negative"], complaint: float) -> int:
        intents = (Intent(name="complaint", score=complaint),)
        tags = Tags(brand="acme", sentiment=Sentiment(label=label, score=0), intents=intents)
        it = said(replace(item(1, MIDNIGHT), tags=tags), MIDNIGHT)
        return it.tone if it else 9

    assert [tone("negative", 0), tone("neutral", 0.35), tone("neutral", 0.3), tone("positive", 0.9)] == [-1, -1, 0, 1]


def test_a_clock_that_is_ahead_does_not_pull_the_time_along() -> None:
    one = item(1, MIDNIGHT + 900 * DAY, collected_at=MIDNIGHT)
    assert (it := said(one, MIDNIGHT + 999 * DAY))
    assert time_of(it.minute) == MIDNIGHT
    assert (it := said(item(1, MIDNIGHT + 900 * DAY), MIDNIGHT + HOUR))
    assert time_of(it.minute) == MIDNIGHT + HOUR


def test_an_account_is_suspicious_that_is_new_and_has_no_followers() -> None:
    def suspicious(**account: Any) -> bool:
        it = said(item(1, MIDNIGHT, **account), MIDNIGHT)
        return bool(it and it.suspicious)

    assert suspicious(followers=0, joined=MIDNIGHT - 3 * DAY)
    assert not suspicious(followers=500, joined=MIDNIGHT - 3 * DAY)
    assert not suspicious(followers=0, joined=MIDNIGHT - 300 * DAY)
    assert not suspicious(followers=0)


# ---------------------------------------------------------------------- how often


@pytest.mark.parametrize("width", [1, 5, 60, 1440])
def test_buckets_of_every_width_are_what_counting_by_hand_gives(room: Room, width: Any) -> None:
    items = day(per_hour=15)
    room.take(shuffled(items, dice(1)), 90)
    roll_up(room)
    for key in (ACME, Key("acme", "source", "x"), Key("acme", "topic", "rats"), Key("brio", "topic", "late")):
        assert figures(room.counts.series(key, MIDNIGHT, MIDNIGHT + DAY, width)) == by_hand(items, key, width)


def test_a_mention_counts_once_whatever_comes_again(room: Room) -> None:
    items = day(per_hour=5)
    room.take(items, 100)
    once = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, 5)
    again = room.take(items, 70)
    assert sum(it.counted for it in again) == 0
    assert sum(it.repeated for it in again) == len(items)
    room.restart()
    room.take([*items, *items], 300)
    assert room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, 5) == once


def test_a_batch_that_is_not_committed_leaves_no_trace(room: Room) -> None:
    items = day(per_hour=5)
    for start in range(0, len(items), 100):
        with suppress(StoreUnavailable), room.store._db.write() as transaction:
            room.watch.look(transaction, room.counts.count(transaction, items[start : start + 100]))
            raise StoreUnavailable("gone in the middle")
        assert room.rows() == {it.mention.id for it in items[:start]}
        room.counts.lost()
        room.watch.lost()
        room.take(items[start : start + 100])
    found = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, 5)
    assert figures(found) == by_hand(items, ACME, 5)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_the_order_batches_copies_restarts_and_workers_the_counts_are_the_same(
    store: Store, data: st.DataObject
) -> None:
    empty(store)
    items = sorted(
        [*talk(dice(data.draw(st.integers(0, 9))), "acme", MIDNIGHT, 2, 20), *storm(dice(1), "acme", MIDNIGHT, 20, 90)],
        key=lambda it: it.mention.created_at,
    )
    arrivals = data.draw(st.permutations(items))
    arrivals += data.draw(st.lists(st.sampled_from(items), max_size=10))
    rooms = [Room(store), Room(store)]
    while arrivals:
        size = data.draw(st.integers(1, 30))
        room = rooms[data.draw(st.integers(0, 1))]
        if data.draw(st.integers(0, 9)) == 0:
            room.restart()
        room.take(arrivals[:size])
        arrivals = arrivals[size:]
    roll_up(rooms[0])
    for width in (1, 5, 60):
        found = rooms[1].counts.series(ACME, MIDNIGHT, MIDNIGHT + 3 * HOUR, width)
        assert figures(found) == by_hand(items, ACME, width)


def test_what_comes_hours_late_is_in_its_buckets(room: Room) -> None:
    items = day(per_hour=10)
    room.take([it for it in items if it.mention.created_at.hour != 3])
    roll_up(room)
    late = [it for it in items if it.mention.created_at.hour == 3]
    room.take([*late, item("end", MIDNIGHT + 26 * HOUR)])
    roll_up(room)
    for width in (5, 60, 1440):
        found = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, width)
        assert figures(found) == by_hand(items, ACME, width)


def test_history_counts_whatever_comes_before_it(room: Room) -> None:
    """Partitions are read one after the other, an old archive is brought after a new one."""
    items = [*talk(dice(3), "acme", MIDNIGHT, 200, 2)]
    third = len(items) // 3
    for part in (items[2 * third :], items[1:third:2], items[third : 2 * third], items[0:third:2]):
        room.take(part, 100)
        roll_up(room)
        assert not upkeep(room).expire()
    roll_up(room)
    for width in (5, 60, 1440):
        found = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + 9 * DAY, width)
        assert figures(found) == by_hand(items, ACME, width)


def test_what_is_of_a_time_of_which_nothing_is_kept_is_told_and_not_counted(room: Room) -> None:
    room.take([item("now", MIDNIGHT + 10 * DAY), item("then", MIDNIGHT)])
    roll_up(room)
    upkeep(room, LONG).expire()
    (touched,) = room.take([item("old", MIDNIGHT + HOUR), item("then", MIDNIGHT), item("kept", MIDNIGHT + 8 * DAY)])
    assert (touched.counted, touched.late, touched.repeated) == (1, 2, 0)
    assert room.rows() == {"x:now", "x:kept"}


def test_a_window_counts_distinct_authors_exactly(room: Room) -> None:
    room.take([item(n, MIDNIGHT + n * MINUTE, "negative", author=f"a{n % 3}") for n in range(30)])
    window = room.counts.window(ACME, MIDNIGHT + 20 * MINUTE, 15)
    assert (window.mentions, window.negative_authors, window.at) == (15, 3, MIDNIGHT + 5 * MINUTE)
    assert window.negative_share == 1.0
    assert room.counts.window(Key("nobody"), MIDNIGHT, 5).mentions == 0


def test_empty_buckets_are_there_too(room: Room) -> None:
    room.take([item(1, MIDNIGHT), item(2, MIDNIGHT + HOUR)])
    found = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + 2 * HOUR, 5)
    assert [it.at for it in found] == [MIDNIGHT + n * 5 * MINUTE for n in range(24)]
    assert [it.mentions for it in found if it.mentions] == [1, 1]
    assert room.counts.series(Key("nobody"), MIDNIGHT, MIDNIGHT + HOUR, 60)[0].mentions == 0


def test_the_edge_is_the_end_of_the_newest_minute(room: Room) -> None:
    room.take([item(1, MIDNIGHT + 30 * MINUTE), item(2, MIDNIGHT + 5 * MINUTE)])
    assert room.counts.edge("acme") == MIDNIGHT + 31 * MINUTE
    assert room.counts.edge("brio") is None
    assert room.counts.edges() == {"acme": MIDNIGHT + 31 * MINUTE}


def test_the_series_that_are_watched_are_listed(room: Room) -> None:
    room.take([*talk(dice(1), "acme", MIDNIGHT, 3, 30), *talk(dice(1), "brio", MIDNIGHT, 3, 30)])
    keys = room.counts.keys("acme")
    assert ACME in keys
    assert Key("acme", "topic", "delay") in keys
    every = room.counts.keys(None)
    assert {it.brand for it in every} == {"acme", "brio"}


# ---------------------------------------------------------------------- taken back


def removal(**target: str) -> Removal:
    return Removal(source="x", reason="deleted", noticed_at=MIDNIGHT + 12 * HOUR, **target)


def test_a_removal_takes_the_row_and_open_counts_back(room: Room) -> None:
    room.take([item(n, MIDNIGHT + n * MINUTE, "negative") for n in range(6)])
    (touched,) = room.take([], removals=[removal(mention="x:3"), removal(author="x:a4")])
    assert touched.taken_back == 2
    assert room.rows() == {"x:0", "x:1", "x:2", "x:5"}
    assert room.counts.window(ACME, MIDNIGHT + HOUR, 60).negative_authors == 4
    room.take([item(9, MIDNIGHT + HOUR, "negative")])
    found = room.counts.series(ACME, MIDNIGHT, MIDNIGHT + 10 * MINUTE, 5)
    assert [it.negative_authors for it in found] == [3, 1]


def test_a_removal_in_the_batch_of_its_mention_takes_it_back(room: Room) -> None:
    room.take([item(1, MIDNIGHT), item(2, MIDNIGHT)], removals=[removal(mention="x:1")])
    assert room.rows() == {"x:2"}


def test_an_author_who_comes_back_counts_again(room: Room) -> None:
    room.take([item(1, MIDNIGHT, author="ana"), item(2, MIDNIGHT + 13 * HOUR, author="ana")])
    room.take([], removals=[removal(author="x:ana")])
    assert room.rows() == {"x:2"}


def test_a_copy_of_what_was_taken_back_is_not_counted(room: Room) -> None:
    room.store.deliver([], [removal(mention="x:1"), removal(author="x:ana")])
    room.take([item(1, MIDNIGHT), item(2, MIDNIGHT, author="ana"), item(3, MIDNIGHT)])
    assert room.rows() == {"x:3"}


def test_other_workers_notice_what_one_takes_back(store: Store) -> None:
    one, other = Room(store), Room(store)
    spoken = [item(n, MIDNIGHT + n * MINUTE, "negative") for n in range(4)]
    one.take(spoken[:2])
    other.take(spoken[2:])
    one.take([], removals=[removal(mention="x:3")])
    other.take([item(9, MIDNIGHT + HOUR)])
    assert [it.negative for it in one.counts.series(ACME, MIDNIGHT, MIDNIGHT + 5 * MINUTE, 5)] == [3]


# ---------------------------------------------------------------------- what goes


def test_rows_go_when_their_time_is_over_and_the_numbers_stay(room: Room) -> None:
    first = [*talk(dice(1), "acme", MIDNIGHT, 24, 20)]
    room.take([*first, item("end", MIDNIGHT + 4 * DAY)])
    roll_up(room)
    assert not upkeep(room, LONG - HOUR).expire()
    assert len(room.rows()) == len(first) + 1  # history is kept for longer: more of it may come
    assert not upkeep(room, LONG).expire()
    assert room.rows() == {"x:end"}
    assert figures(room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, 1440)) == by_hand(first, ACME, 1440)
    upkeep(room, LONG, history_days=2).expire()
    with room.store._db.read() as transaction:
        widths = set(transaction.run(select(spike_buckets.c.width).where(spike_buckets.c.at < 0)).scalars())
        old = transaction.run(select(spike_buckets.c.at).where(spike_buckets.c.width == 5)).scalars().all()
    assert not widths
    assert all(time_of(at) >= MIDNIGHT + DAY for at in old)
    assert figures(room.counts.series(ACME, MIDNIGHT, MIDNIGHT + DAY, 60)) == by_hand(first, ACME, 60)


def test_rows_stay_until_their_day_is_added_up(room: Room) -> None:
    room.take([item("a", MIDNIGHT), item("end", MIDNIGHT + 3 * DAY)])
    upkeep(room, LONG).expire()
    assert room.rows() == {"x:a", "x:end"}


def test_brands_that_say_nothing_leave_the_memory(room: Room) -> None:
    room.take([item(n, MIDNIGHT, brand=f"b{n}") for n in range(50)])
    assert room.counts.remembered >= 100
    room.take([item(f"later-{n}", MIDNIGHT + 3 * HOUR + n * MINUTE) for n in range(130)], 1)
    assert room.counts.remembered <= 4


@given(st.lists(st.integers(0, 2**32 - 1), max_size=600), st.integers(1, 5))
def test_a_sketch_is_exact_while_few_and_never_minds_the_order(hashes: list[int], parts: int) -> None:
    sketches = [Sketch() for _ in range(parts)]
    for number, value in enumerate(hashes):
        sketches[number % parts].add(value)
        sketches[number % parts].add(value)
    other = [Sketch() for _ in range(parts)]
    for number, value in reversed(list(enumerate(hashes))):
        other[number % parts].add(value)
    assert distinct(sketches) == distinct(other)
    if all(len(set(hashes[part::parts])) <= KEPT for part in range(parts)):
        assert distinct(sketches) == len(set(hashes))


def test_a_sketch_of_many_is_near_and_small() -> None:
    rng = dice(1)
    sketches = [Sketch() for _ in range(10)]
    for sketch in sketches:
        for _ in range(5000):
            sketch.add(rng.getrandbits(32))
    assert abs(distinct(sketches) - 50_000) < 5_000
    assert all(len(it.hashes) == KEPT for it in sketches)


def test_what_others_write_into_names_breaks_nothing(room: Room) -> None:
    wild = ("a\nb", "x\0y", "é" * 500, ":", "", "%'\"")
    room.take([item(f"{n}", MIDNIGHT, "negative", topics=(name,), source="w\n:") for n, name in enumerate(wild)])
    assert room.counts.window(ACME, MIDNIGHT + MINUTE, 1).mentions == len(wild)
    with room.store._db.read() as transaction:
        assert len(transaction.run(select(spike_mentions.c.id)).all()) == len(wild)


def test_counting_again_needs_no_more_memory(room: Room) -> None:
    items = [*talk(dice(2), "acme", MIDNIGHT, 12, 30)]
    room.take(items)
    before = room.counts.remembered
    room.take(items)
    assert room.counts.remembered == before
