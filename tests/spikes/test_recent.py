"""The last hour in memory: packed or not, it says the same, and it takes little."""

from __future__ import annotations

import random
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spikes.counting import Said
from spikes.judging import WINDOWS
from spikes.minutes import BLOCK, WHO, Minute, Packed
from spikes.recent import KEPT, LATENESS, Brand, Series, Side
from spikes.sketch import ALL

START = 30_000_000
FACETS = ("", "topic:rats")


def saying(minute: int, author: int, tone: int, **changes: Any) -> Said:
    given: dict[str, Any] = {
        "repost": False,
        "reach": author,
        "suspicious": False,
        "copy": False,
        "facets": FACETS[1:],
    } | changes
    return Said(id="", brand="acme", minute=START + minute, author=f"x:{author}", tone=tone, **given)


def answers(series: Series, end: int) -> list[object]:
    """Everything that is asked of a window that ends then."""
    sides: tuple[Side, ...] = ("negative", "positive")
    found: list[object] = [series.voices(side, end, width) for side in sides for width in WINDOWS]
    found += [series.all_voices(side, end, WINDOWS) for side in sides]
    found += [series.voices("mentions", end, 5), series.authors(end, 60), series.negative(end, 60)]
    return [*found, *(series.window(end, width) for width in WINDOWS)]


talk = st.lists(
    st.builds(
        saying,
        st.integers(0, 90),
        st.integers(0, 400),
        st.sampled_from((-1, 0, 1)),
        repost=st.booleans(),
        suspicious=st.booleans(),
        copy=st.booleans(),
        reach=st.integers(0, 2_000_000_000),
    ),
    max_size=300,
)


@settings(deadline=None, max_examples=10)
@given(talk, st.integers(0, 3), st.randoms(use_true_random=False))
def test_what_is_packed_says_the_same(said: list[Said], crowds: int, rng: random.Random) -> None:
    for crowd in range(crowds):  # more than are counted exactly
        said += [saying(crowd * 20, 1000 + number, -1 if number % 2 else 1) for number in range(700)]
    said.sort(key=lambda it: it.minute)
    late = rng.sample(said, len(said) // 5)
    loose, packed = Brand(0, 0, START), Brand(0, 0, START)
    for minute in range(START, START + 95):
        now = [it for it in said if it.minute == minute] + [it for it in late if it.minute + 17 == minute]
        packed.age(minute)
        for brand in (loose, packed):
            brand.absorb(now)
        series, other = loose.series.get(""), packed.series.get("")
        if series and other and rng.random() < 0.2:
            for end in range(minute - LATENESS, minute + 2, 3):
                assert answers(other, end) == answers(series, end)
    if "" in packed.series:
        assert packed.newest == loose.newest
        kept = [it for it in loose.series[""].minutes if it >= packed.complete_from]
        assert packed.series[""].first == min(kept)


@settings(deadline=None, max_examples=25)
@given(talk, st.booleans())
def test_what_is_found_at_a_glance_is_never_less_than_there_is(said: list[Said], pack: bool) -> None:
    brand = Brand(0, 0, START)
    brand.absorb(said)
    series = brand.series.get("", Series())
    if pack:
        series.pack(START + 60, WHO)
    sides: tuple[Side, ...] = ("negative", "positive")
    for side in sides:
        for end in (START + 1, START + 42, START + 60, START + 91):
            most = series.at_most(side, end, WINDOWS)
            assert most is not None
            assert all(it >= count for it, count in zip(most, series.all_voices(side, end, WINDOWS), strict=True))
            if side == "negative":
                assert all(it >= series.negative(end, width) for it, width in zip(most, WINDOWS, strict=True))


def test_where_accounts_are_estimated_a_glance_says_nothing() -> None:
    brand = Brand(0, 0, START)
    brand.absorb(saying(0, number, -1) for number in range(1000))
    series = brand.series[""]
    assert series.at_most("negative", START + 1, WINDOWS) is None
    assert series.at_most("positive", START + 1, WINDOWS) == [0, 0, 0]
    series.pack(START + BLOCK, WHO)
    assert series.at_most("negative", START + 1, WINDOWS) is None
    assert series.at_most("negative", START + 100, WINDOWS) == [0, 0, 0]


def test_a_block_unpacks_to_what_was_packed() -> None:
    minutes = {START + 1: Minute(), START + 4: Minute()}
    for number in range(600):
        minutes[START + 1].add(saying(1, number, -1, repost=True, copy=True, suspicious=True), number * 7919 % ALL)
    minutes[START + 4].add(saying(4, 3, 1), 3)
    for tone in (-1, 1):
        minutes[START + 4].add(saying(4, 5, tone), 5)
    minutes[START + 4].add(saying(4, 6, -1), 6)
    minutes[START + 4].add(saying(4, 4, 0), 4)
    block = Packed(START, minutes)
    assert list(block) == [START + 1, START + 4]
    for at, it in block.minutes().items():
        for name in Minute.__slots__:
            was, now = getattr(minutes[at], name), getattr(it, name)
            if name in WHO:
                assert (was is None) == (now is None)
                was, now = was and (was.hashes, was.limit), now and (now.hashes, now.limit)
            assert was == now, name


def test_memory_is_bounded_and_small() -> None:
    """A brand of 240 mentions a minute by ever new accounts: an hour and a quarter of each series."""
    brand = Brand(0, 0, START)
    for minute in range(2 * KEPT):
        brand.age(START + minute)
        brand.absorb(saying(minute, minute * 240 + number, (-1, 0, 1, 0)[number % 4]) for number in range(240))
    topic = brand.series["topic:rats"]
    assert len(topic.minutes) <= LATENESS + BLOCK + 2
    assert len(topic.blocks) <= KEPT // BLOCK + 1
    sizes = [sys.getsizeof(it._data) for it in topic.blocks.values()]
    assert max(sizes) <= 5 * 240 * 4 + 300
    assert topic.voices("positive", START + 2 * KEPT - 30, 30) == 0, "who was pleased is kept of the whole brand alone"
    assert brand.series[""].voices("positive", START + 2 * KEPT - 30, 30) == 30 * 60
