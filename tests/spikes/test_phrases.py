"""What is complained of and praised more than before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from spikes.phrases import A_SLICE, Hearsay, Phrases
from tests.spikes.seen import START, at, keep, saying

DAY = timedelta(days=1)
NOW, BEFORE = 0.0, -1440.0


@pytest.fixture
def hearsay(store: Store) -> Hearsay:
    return Hearsay(store._db, ManualClock(at(0)))


def say(store: Store, day: float, text: str, number: int, score: float, **tags: object) -> None:
    said = [saying(f"{day}-{text}-{n}", text, day + n * 20, score=score, tags=dict(tags)) for n in range(number)]
    keep(store, *said)


def phrases(hearsay: Hearsay, *brands: str) -> Phrases:
    return hearsay.phrases(START, START + DAY, list(brands) or None)


def test_complaints_and_praise_are_compared_each_with_its_own(store: Store, hearsay: Hearsay) -> None:
    say(store, BEFORE, "the train is late again", 40, -0.6)
    say(store, BEFORE, "lovely crew on the night train", 40, 0.6)
    say(store, NOW, "the train is late again", 20, -0.6)
    say(store, NOW, "refund form does not load", 25, -0.6)
    say(store, NOW, "lovely crew on the night train", 20, 0.6)
    say(store, NOW, "great coffee on board", 25, 0.6)
    found = phrases(hearsay)
    assert "refund form" in {it.text for it in found.complaints}
    assert "great coffee" in {it.text for it in found.praises}
    assert not {"late", "lovely crew"} & {it.text for it in (*found.complaints, *found.praises)}
    assert (found.against, found.in_favour) == ((45, 40), (45, 40))


def test_only_the_brand_that_is_asked_for_counts(store: Store, hearsay: Hearsay) -> None:
    say(store, BEFORE, "the train is late again", 40, -0.6)
    say(store, NOW, "refund form does not load", 25, -0.6, brand="globex")
    assert phrases(hearsay, "acme").complaints == ()
    assert phrases(hearsay, "globex").against == (25, 0)


def test_reposts_and_what_two_people_say_are_no_phrase(store: Store, hearsay: Hearsay) -> None:
    say(store, BEFORE, "the train is late again", 40, -0.6)
    say(store, NOW, "refund form does not load", 25, -0.6, repost=True)
    say(store, NOW, "my secret name is told", 2, -0.6)
    found = phrases(hearsay)
    assert found.complaints == ()
    assert found.against == (2, 40)


def test_the_newest_of_each_part_of_the_time_are_read(store: Store, hearsay: Hearsay) -> None:
    early = [saying(f"early-{n}", "an early word", 1 + n / 100, score=-0.6) for n in range(20)]
    late = [saying(f"late-{n}", "a late word", 1400 + n / 100, score=-0.6) for n in range(A_SLICE + 50)]
    keep(store, *early, *late)
    assert phrases(hearsay).against == (A_SLICE + 20, 0)
