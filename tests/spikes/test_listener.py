"""The role's part: batches of several partitions, in one transaction each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from pipeline.clock import ManualClock
from pipeline.errors import StoreUnavailable
from pipeline.mention import Enriched, Removal
from pipeline.store import Store
from pipeline.store.database import Transaction
from pipeline.store.spike_tables import spike_mentions
from spikes.counts import Counts
from spikes.detection import Detection, Kind
from spikes.listener import Listener
from spikes.watch import Watch
from tests.fixtures.postgres import empty
from tests.spikes.days import MIDNIGHT, day, dice, item, storm, talk
from tests.spikes.rooms import NOW, Room


def listener(store: Store, told: list[Detection] | None = None, clock: ManualClock | None = None) -> Listener:
    def tell(_transaction: Transaction, detection: Detection) -> None:
        if told is not None:
            told.append(detection)

    clock = clock or ManualClock(NOW)
    return Listener(store._db, clock, Counts(store._db, clock), Watch("normal", tell))


def parted(items: Sequence[Enriched], partitions: int) -> dict[int, list[Enriched]]:
    found: defaultdict[int, list[Enriched]] = defaultdict(list)
    for number, it in enumerate(items):
        found[number % partitions].append(it)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_partitions_that_are_read_one_after_the_other_give_what_reading_in_step_gives(
    store: Store, workers: int
) -> None:
    items = day(per_hour=20)
    clean = Room(store)
    clean.take(items, 100)
    expected = clean.found()
    empty(store)
    listeners = [listener(store) for _ in range(workers)]
    parts = parted(items, 3)
    left = {number: len(its) for number, its in parts.items()}
    turn = 0
    while any(left.values()):
        number = max((it for it in left if left[it]), key=lambda it: (left[it] // 400, -it))  # a long stretch of each
        begin = len(parts[number]) - left[number]
        batch = parts[number][begin : begin + 130]
        left[number] -= len(batch)
        lagging = {it for it in left if left[it]}
        listeners[turn % workers].take([(number, it) for it in batch], (), lagging)
        turn += 1
    for one in listeners:
        one.go_on()
    assert clean.found() == expected


def test_an_archive_of_a_year_in_one_batch_gives_what_reading_it_bit_by_bit_gives(store: Store) -> None:
    items = []
    for days in (0, 3, 40, 200, 300):
        since = MIDNIGHT + timedelta(days=days)
        rise = storm(dice(days), "acme", since + timedelta(hours=9), 60, 20, name=f"storm-{days}")
        items += sorted(
            [*talk(dice(days), "acme", since, 12, 10, f"talk-{days}"), *rise], key=lambda it: it.mention.created_at
        )
    clean = Room(store)
    clean.take(items, 40)
    expected = clean.found()
    assert len({at for _, facet, kind, at, _ in expected if kind == "firestorm" and not facet}) >= 5
    for lagging in ((), {1}):
        empty(store)
        told: list[Detection] = []
        one = listener(store, told)
        heard = one.take([(0, it) for it in items], (), lagging)
        assert heard.outcomes["counted"] == len(items)
        assert bool(heard.detections) is not bool(lagging)
        one.go_on()
        assert clean.found() == expected
        assert {it.kind for it in told} >= {Kind.FIRESTORM}


def test_what_is_removed_in_a_batch_of_months_is_gone(store: Store) -> None:
    items = [item(n, MIDNIGHT + timedelta(days=30 * n), "negative") for n in range(5)]
    gone = Removal(source="x", mention="x:4", reason="deleted", noticed_at=NOW)
    heard = listener(store).take([(0, it) for it in items], [gone])
    assert (heard.outcomes["counted"], heard.outcomes["taken_back"]) == (5, 1)
    assert Room(store).rows() == {"x:0", "x:1", "x:2", "x:3"}


def test_nothing_is_judged_beyond_what_every_partition_with_records_left_has_said(store: Store) -> None:
    told: list[Detection] = []
    one = listener(store, told)
    calm = [*talk(dice(1), "acme", MIDNIGHT, 9, 10)]
    rise = sorted(storm(dice(2), "acme", MIDNIGHT + timedelta(hours=9), 60, 20), key=lambda it: it.mention.created_at)
    one.take([(0, it) for it in [*calm, *rise]], (), {1})
    one.go_on({1})
    assert not told
    one.take([(1, item("quiet", MIDNIGHT + timedelta(hours=8)))], (), {1})
    assert not told
    one.go_on()
    assert {it.kind for it in told} == {Kind.FIRESTORM}


def test_what_was_held_back_is_judged_after_a_restart(store: Store) -> None:
    told: list[Detection] = []
    calm = [*talk(dice(1), "acme", MIDNIGHT, 9, 10)]
    rise = storm(dice(2), "acme", MIDNIGHT + timedelta(hours=9), 60, 20)
    listener(store).take([(0, it) for it in [*calm, *rise]], (), {1})
    listener(store, told).take([(1, item("next", MIDNIGHT + timedelta(hours=9, minutes=20)))], ())
    assert {it.kind for it in told} == {Kind.FIRESTORM}


def test_what_the_incidents_refuse_is_not_counted_either(store: Store) -> None:
    def refuse(_transaction: Transaction, _detection: Detection) -> None:
        raise StoreUnavailable("not now")

    clock = ManualClock(NOW)
    counts, watch = Counts(store._db, clock), Watch("normal", refuse)
    one = Listener(store._db, clock, counts, watch)
    calm = [(0, it) for it in talk(dice(1), "acme", MIDNIGHT, 9, 10)]
    rise = [(0, it) for it in storm(dice(2), "acme", MIDNIGHT + timedelta(hours=9), 60, 20)]
    one.take(calm, ())
    with pytest.raises(StoreUnavailable):
        one.take(rise, ())
    with store._db.read() as transaction:
        assert len(transaction.run(select(spike_mentions.c.id)).all()) == len(calm)
    watch._detected = None
    heard = one.take(rise, ())
    assert heard.outcomes["counted"] == 60
    assert {kind for kind, _ in heard.detections} == {"firestorm"}


def test_silence_is_heard_without_anybody_speaking(store: Store) -> None:
    clock = ManualClock(MIDNIGHT + timedelta(hours=49))
    told: list[Detection] = []
    one = listener(store, told, clock)
    one.take([(0, it) for it in talk(dice(8), "acme", MIDNIGHT, 48, 40)], ())
    one.silence()
    assert not told
    clock.advance(36 * 3600)
    heard = one.silence()
    assert {it.kind for it in told} == {Kind.SILENCE}
    assert {kind for kind, _ in heard.detections} == {"silence"}
    assert one.silence().detections == []
