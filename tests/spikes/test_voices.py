"""How much is said, by what, over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete

from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Enriched, Intent
from pipeline.store import Store
from pipeline.store.spike_tables import spike_mentions
from spikes.upkeep import Upkeep
from spikes.voices import LINES, WIDTHS, By, Line, Listening, Voices, width_for
from tests.spikes.days import MIDNIGHT, dice, item, talk
from tests.spikes.rooms import Room

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def room(store: Store) -> Room:
    return Room(store)


def listening(room: Room) -> Listening:
    return Listening(room.store._db, ManualClock())


def roll_up(room: Room) -> None:
    while Upkeep(room.store._db, ManualClock()).roll_up():
        pass


def voices(room: Room, by: By, hours: float, since: datetime = MIDNIGHT, brands: Iterable[str] = ("acme",)) -> Voices:
    return listening(room).voices([*brands], by, since, since + hours * HOUR)


def line(found: Voices, name: str) -> Line:
    return next(it for it in found.lines if it.name == name)


def by_hand(items: Iterable[Enriched], found: Voices, negative: bool | None = None) -> tuple[int, ...]:
    """What each point should hold of what was counted."""
    assert found.counted_to is not None
    counts: Counter[int] = Counter()
    for it in items:
        at = it.mention.created_at
        assert it.tags.sentiment
        if at < found.counted_to and negative in (None, it.tags.sentiment.label == "negative"):
            counts[(at - found.at[0]) // timedelta(minutes=found.minutes)] += 1
    return tuple(counts[point] for point in range(len(found.at)))


@pytest.mark.parametrize(("hours", "minutes"), [(3, 5), (24, 10), (7 * 24, 60), (30 * 24, 240), (90 * 24, 1440)])
def test_the_points_add_up_what_was_said_at_every_width(room: Room, hours: float, minutes: int) -> None:
    items = [*talk(dice(1), "acme", MIDNIGHT, 50, 6)]
    room.take(items)
    roll_up(room)
    found = voices(room, "tone", hours)
    inside = [it for it in items if it.mention.created_at < MIDNIGHT + hours * HOUR]
    assert found.minutes == minutes
    assert len(found.at) <= 200
    assert found.all.values == by_hand(inside, found)
    assert line(found, "negative").values == by_hand(inside, found, negative=True)
    assert found.mentions == sum(found.all.values) > 9
    assert found.negative == line(found, "negative").sum
    assert sum(it.sum for it in found.lines) == found.all.sum


def test_no_mention_is_read(room: Room) -> None:
    room.take(talk(dice(1), "acme", MIDNIGHT, 30, 6))
    roll_up(room)
    before = voices(room, "topic", 48)
    with room.store._db.write() as transaction:
        transaction.run(delete(spike_mentions))
    assert voices(room, "topic", 48) == before
    assert before.mentions


def test_what_is_not_rolled_up_yet_is_added_from_narrower_buckets(room: Room) -> None:
    room.take(talk(dice(1), "acme", MIDNIGHT, 50, 6))
    early = voices(room, "source", 90 * 24)
    roll_up(room)
    assert voices(room, "source", 90 * 24) == early
    assert early.minutes == 1440


def test_lines_are_of_topics_sources_intents_and_brands(room: Room) -> None:
    room.take([*talk(dice(1), "acme", MIDNIGHT, 20, 6), *talk(dice(2), "globex", MIDNIGHT, 20, 3)])
    topics, sources, intents = (voices(room, by, 24) for by in ("topic", "source", "intent"))
    assert {it.name for it in topics.lines} == {"delay", "price"}
    assert {it.name for it in sources.lines} == {"x", "reddit"}
    assert [it.name for it in intents.lines] == ["complaint"]
    assert sum(it.sum for it in sources.lines) == sources.all.sum == topics.all.sum
    brands = voices(room, "brand", 24, brands=("acme", "globex"))
    assert [it.name for it in brands.lines] == ["acme", "globex"]
    assert brands.all.sum == sum(it.sum for it in brands.lines) > topics.all.sum
    assert listening(room).brands() == ["acme", "globex"]
    assert set(listening(room).series()["globex"]) >= {"", "topic:delay", "source:x"}


def test_a_name_that_only_begins_like_another_is_not_of_it(room: Room) -> None:
    room.take(
        [item(1, MIDNIGHT, brand="acme"), item(2, MIDNIGHT, brand="acme2"), item(3, MIDNIGHT + HOUR, brand="acme")]
    )
    assert voices(room, "source", 24).mentions == 1


def test_people_are_for_against_or_neither(room: Room) -> None:
    said = [item(1, MIDNIGHT, "negative"), item(2, MIDNIGHT, "positive"), item(3, MIDNIGHT), item(4, MIDNIGHT)]
    twice = [item(5, MIDNIGHT, "negative", author="a1")]
    room.take([*said, *twice, item("end", MIDNIGHT + HOUR)])
    found = voices(room, "people", 24)
    assert {it.name: it.sum for it in found.lines} == {"against": 1, "for": 1, "other": 2}
    assert found.share(line(found, "against"), 0) == 0.25
    assert found.share(line(found, "against"), 1) is None
    assert found.counted_by == 5


def test_the_rest_of_many_sources_is_one_line_without_a_name(room: Room) -> None:
    every = [item(f"{n}-{m}", MIDNIGHT, source=f"s{n}", author="one") for n in range(LINES + 3) for m in range(n + 1)]
    room.take([*every, item("end", MIDNIGHT + HOUR)])
    found = voices(room, "source", 24)
    assert [it.name for it in found.lines] == [f"s{n}" for n in range(LINES + 2, 2, -1)] + [""]
    assert found.lines[-1].sum == 1 + 2 + 3
    room.take([item(f"i{n}", MIDNIGHT, intents=(Intent(name=f"i{n}", score=0.9),)) for n in range(LINES + 3)])
    assert len(voices(room, "intent", 24).lines) == LINES, "what is of several is of no rest"


def test_what_is_not_counted_yet_is_told_apart_from_silence(room: Room) -> None:
    room.take([item(1, MIDNIGHT), item(2, MIDNIGHT + 62 * MINUTE)])
    found = voices(room, "tone", 24)
    assert found.counted_to == MIDNIGHT + 50 * MINUTE
    assert found.told == range(5)
    assert found.is_whole(4)
    assert not found.is_whole(5)
    assert found.known_since == MIDNIGHT
    nothing = voices(room, "tone", 24, brands=("nobody",))
    assert (nothing.known_since, nothing.counted_to, len(nothing.told), nothing.mentions) == (None, None, 0, 0)


def test_where_five_minutes_are_gone_hours_are_shown(room: Room) -> None:
    items = [*talk(dice(1), "acme", MIDNIGHT, 30, 6)]
    room.take([*items, item("mid", MIDNIGHT + 39.4 * DAY), item("end", MIDNIGHT + 40 * DAY)])
    roll_up(room)
    upkeep = Upkeep(room.store._db, ManualClock(), history_days=10)
    while upkeep.expire():
        pass
    upkeep.expire()
    found = voices(room, "tone", 24)
    assert found.minutes == 60
    assert found.mentions == sum(it.mention.created_at < MIDNIGHT + DAY for it in items)
    late = voices(room, "tone", 24, since=MIDNIGHT + 39.5 * DAY)
    assert late.minutes == 10


def test_weeks_begin_on_mondays(room: Room) -> None:
    room.take(talk(dice(1), "acme", MIDNIGHT, 30, 6))
    found = voices(room, "tone", 24 * 400, since=MIDNIGHT - 300 * DAY)
    assert found.minutes == 10_080
    assert {it.weekday() for it in found.at} == {0}


@pytest.mark.parametrize("days", [0.01, 0.5, 1, 3, 7, 14, 30, 90, 365, 3650])
def test_a_chart_has_no_more_points_than_can_be_seen(days: float) -> None:
    assert width_for(timedelta(days=days)) in WIDTHS
    assert timedelta(days=days) / timedelta(minutes=width_for(timedelta(days=days))) <= 200


def test_what_cannot_be_shown_is_refused(room: Room) -> None:
    with pytest.raises(Unfit, match="not before"):
        voices(room, "tone", 0)
    with pytest.raises(Unfit, match="3,660 days"):
        voices(room, "tone", 24 * 4000)
    with pytest.raises(Unfit, match="by"):
        voices(room, "colour", 1)  # type: ignore[arg-type]
