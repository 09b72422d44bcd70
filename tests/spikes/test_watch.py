"""What the watch finds, and that it finds the same whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import msgspec
import pytest
from sqlalchemy import select

from pipeline.mention import Enriched
from pipeline.store import Store
from pipeline.store.spike_tables import spike_detections, spike_states
from spikes.detection import Detection, Kind, Severity
from spikes.detector import Sensitivity
from spikes.tracks import Known
from spikes.watch import Watch
from tests.fixtures.postgres import empty
from tests.spikes.days import MIDNIGHT, day, dice, item, shuffled, storm, talk
from tests.spikes.rooms import Found, Room

HOUR = timedelta(hours=1)

_read = msgspec.msgpack.Decoder(Known).decode


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


@cache
def the_day() -> tuple[Enriched, ...]:
    return tuple(day(per_hour=40))


def kinds(found: Found) -> set[tuple[str, str, str]]:
    return {(brand, facet, kind) for brand, facet, kind, _, _ in found}


def test_a_day_out_of_order_doubled_and_with_restarts_gives_what_the_clean_day_gives(store: Store) -> None:
    clean = Room(store)
    clean.take(the_day(), 100)
    expected = clean.found()
    assert {kind for _, _, kind in kinds(expected)} >= {"firestorm", "repost_storm", "single_author", "bot_flood"}
    for seed in (1, 2):
        empty(store)
        rough = Room(store)
        arrivals = shuffled(the_day(), dice(seed))
        third = len(arrivals) // 3
        rough.take(arrivals[:third], 170)
        rough.restart()
        rough.take(arrivals[third - 60 : 2 * third], 500)
        rough.restart()
        rough.take(arrivals[2 * third - 90 :], 33)
        assert rough.found() == expected


def test_two_workers_who_share_a_day_find_what_one_finds(store: Store) -> None:
    one = Room(store)
    one.take(the_day(), 100)
    expected = one.found()
    empty(store)
    first, second = Room(store), Room(store)
    items = the_day()
    for start in range(0, len(items), 40):
        first.take(items[start : start + 25])
        second.take(items[start + 25 : start + 40])
    assert one.found() == expected


def test_a_firestorm_is_seen_within_minutes_with_its_onset(room: Room) -> None:
    began = MIDNIGHT + 14 * HOUR
    calm = [*talk(dice(1), "acme", MIDNIGHT, 14, 20)]
    rise = sorted(storm(dice(2), "acme", began, 60, 30), key=lambda it: it.mention.created_at)
    room.take([*calm, *rise], 10)
    first = next(it for it in room.told if it.kind is Kind.FIRESTORM)
    assert first.at <= began + timedelta(minutes=6)
    assert began - timedelta(minutes=10) <= first.onset <= began  # found while it is small: to within two buckets
    assert first.evidence.negative_authors >= 8
    assert first.evidence.expected < 3
    assert any(it.key.facet == "topic" and it.key.value == "rats" for it in room.told)


def test_an_ordinary_day_is_none(room: Room) -> None:
    room.take(talk(dice(3), "acme", MIDNIGHT, 24, 60))
    assert room.told == []


def test_a_campaign_that_brings_everybody_is_no_firestorm(room: Room) -> None:
    """Twenty times as much talk, with the usual share of complaints."""
    usual = [*talk(dice(4), "acme", MIDNIGHT, 12, 30)]
    rush = [*talk(dice(5), "acme", MIDNIGHT + 12 * HOUR, 2, 600, "rush")]
    room.take([*usual, *rush], 50)
    assert [it.kind for it in room.told if it.key.facet != "intent"] == []


STORMS: list[tuple[Kind, Callable[[], list[Enriched]]]] = [
    (Kind.FIRESTORM, lambda: [*storm(dice(1), "acme", MIDNIGHT + 9 * HOUR, 60, 20)]),
    (Kind.REPOST_STORM, lambda: [*storm(dice(1), "acme", MIDNIGHT + 9 * HOUR, 60, 20, repost=True)]),
    (Kind.SINGLE_AUTHOR, lambda: [*storm(dice(1), "acme", MIDNIGHT + 9 * HOUR, 40, 20, author="one")]),
    (
        Kind.BOT_FLOOD,
        lambda: [*storm(dice(1), "acme", MIDNIGHT + 9 * HOUR, 60, 20, followers=0, joined=MIDNIGHT)],
    ),
]


@pytest.mark.parametrize(("kind", "rise"), STORMS, ids=lambda it: it.value if isinstance(it, Kind) else "")
def test_trouble_is_called_what_it_is(room: Room, kind: Kind, rise: Callable[[], list[Enriched]]) -> None:
    calm = [*talk(dice(7), "acme", MIDNIGHT, 9, 5)]
    room.take([*calm, *sorted(rise(), key=lambda it: it.mention.created_at)], 5)
    assert {it.kind for it in room.told} == {kind}
    if kind is Kind.SINGLE_AUTHOR:
        assert {it.severity for it in room.told} == {Severity.MINOR}
        assert {it.evidence.negative_authors for it in room.told} <= {1, 2, 3}


def test_praise_is_seen_and_is_no_trouble(room: Room) -> None:
    calm = [*talk(dice(7), "acme", MIDNIGHT, 9, 5)]
    wave = [item(f"wave-{n}", MIDNIGHT + 9 * HOUR + timedelta(seconds=20 * n), "positive") for n in range(60)]
    room.take([*calm, *wave])
    assert {it.kind for it in room.told} == {Kind.PRAISE}
    assert {it.key.facet for it in room.told} == {"all"}


def test_a_brand_that_falls_silent_is_told_when_somebody_speaks_again(room: Room) -> None:
    busy = [*talk(dice(8), "acme", MIDNIGHT, 48, 40)]
    again = [item("again", MIDNIGHT + 84 * HOUR)]
    room.take([*busy, *again])
    silences = [it for it in room.told if it.kind is Kind.SILENCE]
    assert {it.key.facet for it in silences} >= {"all", "source"}
    assert all(it.onset <= MIDNIGHT + 49 * HOUR for it in silences)


def test_a_brand_that_is_silent_now_is_told_before_it_speaks_again(store: Store) -> None:
    room = Room(store)
    room.take(talk(dice(8), "acme", MIDNIGHT, 48, 40))
    for _ in range(2):
        room.listen(MIDNIGHT + 80 * HOUR)
    before = [it for it in room.told if it.kind is Kind.SILENCE]
    assert before
    room.restart()
    room.take([item("again", MIDNIGHT + 84 * HOUR)])
    assert {(it.key, it.at, it.onset) for it in before} < {
        (it.key, it.at, it.onset) for it in room.told if it.kind is Kind.SILENCE
    }


def test_a_storm_after_a_year_s_rest_is_seen_and_the_rest_costs_a_week(store: Store) -> None:
    busy = [*talk(dice(8), "acme", MIDNIGHT, 48, 40)]
    back = MIDNIGHT + 300 * 24 * HOUR
    alone = [item("alone", back - 20 * 24 * HOUR, "negative")]
    rise = sorted(storm(dice(2), "acme", back, 60, 20), key=lambda it: it.mention.created_at)
    found = []
    for batch, restarts, listens in ((5000, False, False), (37, True, False), (500, False, True), (50, True, True)):
        empty(store)
        room = Room(store)
        for part in (busy, alone, rise):
            room.take(part, batch)
            if restarts:
                room.restart()
            for days in (3, 5, 250) if listens and part is busy else ():
                room.listen(MIDNIGHT + days * 24 * HOUR)
        found.append(room.found())
        told = {kind: [it for it in room.told if it.kind is kind] for kind in Kind}
        assert told[Kind.FIRESTORM]
        assert all(it.at <= MIDNIGHT + 10 * 24 * HOUR for it in told[Kind.SILENCE])
        assert len([it for it in told[Kind.SILENCE] if it.key.facet == "all"]) > 100
        with store._db.read() as transaction:
            learned = [_read(body).detector.seen for body in transaction.run(select(spike_states.c.body)).scalars()]
        assert 0 < max(learned) < 18 * 288  # two days, a week after them, a week after the one alone, and a day
    assert all(it == found[0] for it in found)


def test_a_higher_sensitivity_sees_no_later(store: Store) -> None:
    seen: dict[str, Detection] = {}
    levels: tuple[Sensitivity, ...] = ("low", "normal", "high")
    for sensitivity in levels:
        empty(store)
        room = Room(store, sensitivity)
        calm = [*talk(dice(1), "acme", MIDNIGHT, 9, 20)]
        rise = sorted(storm(dice(2), "acme", MIDNIGHT + 9 * HOUR, 60, 60), key=lambda it: it.mention.created_at)
        room.take([*calm, *rise], 1)
        seen[sensitivity] = min((it for it in room.told if it.kind is Kind.FIRESTORM), key=lambda it: it.at)
    assert seen["high"].at <= seen["normal"].at <= seen["low"].at
    assert seen["high"].evidence.negative_authors < seen["low"].evidence.negative_authors


def test_what_was_found_is_kept_with_its_evidence(room: Room) -> None:
    room.take([*talk(dice(1), "acme", MIDNIGHT, 9, 5), *storm(dice(2), "acme", MIDNIGHT + 9 * HOUR, 60, 20)])
    with room.store._db.read() as transaction:
        bodies = transaction.run(select(spike_detections.c.body)).scalars().all()
    assert bodies
    assert all(b'"negative_authors"' in bytes(body) and b'"expected"' in bytes(body) for body in bodies)


def test_without_a_listener_nothing_is_told(store: Store) -> None:
    room = Room(store)
    room.watch = Watch()
    room.take(the_day())
    assert room.told == []
    assert room.found()
