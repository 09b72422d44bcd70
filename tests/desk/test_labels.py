"""Labels that people put right: the last word counts, and it can be learnt from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from desk.labels import Labels
from desk.refusals import NoSuchCase, Unfit
from pipeline.clock import ManualClock
from pipeline.mention import Intent, Sentiment, Tags
from pipeline.store import Store
from tests.desk.build import ANA, BEN, Room

LONG_AGO, LATER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ANGRY = Tags(
    brand="acme", sentiment=Sentiment(label="negative", score=-0.5), intents=(Intent(name="complaint", score=0.9),)
)


@pytest.fixture
def labels(store: Store, clock: ManualClock) -> Labels:
    return Labels(store._db, clock)


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def test_the_last_word_counts_and_one_that_agrees_with_the_tags_takes_it_back(room: Room, labels: Labels) -> None:
    case = room.say("test:1", tags=ANGRY).id
    labels.correct(case, ANA, "test:1", "sentiment", "neutral")
    labels.correct(case, BEN, "test:1", "sentiment", "positive")
    labels.correct(case, BEN, "test:1", "sentiment", "positive")
    (it,) = labels.of_case(case)
    assert (it.found, it.right, it.actor, it.label) == ("negative", "positive", BEN.user, "sentiment")
    labels.correct(case, ANA, "test:1", "sentiment", "negative")
    assert labels.of_case(case) == []
    assert room.kinds(case) == ["opened", *["label_corrected"] * 3]
    assert room.cases.rebuild(case) == room.cases.case(case)


def test_an_intent_holds_or_does_not(room: Room, labels: Labels) -> None:
    case = room.say("test:1", tags=ANGRY).id
    labels.correct(case, ANA, "test:1", "complaint", "no")
    labels.correct(case, ANA, "test:1", "lead", "yes")
    labels.correct(case, ANA, "test:1", "praise", "no")
    assert {(it.label, it.found, it.right) for it in labels.of_case(case)} == {
        ("complaint", "yes", "no"),
        ("lead", "no", "yes"),
    }


def test_what_cannot_be_corrected_is_refused(room: Room, labels: Labels) -> None:
    case = room.say("test:1", tags=ANGRY).id
    elsewhere = room.say("test:2", author="lou", conversation="test:2").id
    with pytest.raises(Unfit, match="right: is one of yes, no"):
        labels.correct(case, ANA, "test:1", "lead", "positive")
    with pytest.raises(Unfit, match="mention"):
        labels.correct(elsewhere, ANA, "test:1", "lead", "yes")
    with pytest.raises(NoSuchCase):
        labels.correct("nowhere", ANA, "test:1", "lead", "yes")


def test_they_are_read_in_order_a_batch_at_a_time_with_what_was_tagged(
    room: Room, labels: Labels, clock: ManualClock
) -> None:
    for number in range(5):
        case = room.say(f"test:{number}", author=str(number), conversation=f"test:{number}", tags=ANGRY).id
        labels.correct(case, ANA, f"test:{number}", "lead", "yes")
        clock.advance(number % 2)
    found = list(labels.between(LONG_AGO, LATER, batch=2))
    assert [it.mention for it in found] == [f"test:{number}" for number in range(5)]
    assert found[0].routed is not None
    assert found[0].routed.tags == ANGRY
    after = (found[2].at, found[2].mention, found[2].label)
    assert [it.mention for it in labels.between(LONG_AGO, LATER, after)] == ["test:3", "test:4"]


def test_what_its_author_took_back_is_not_learnt_from(room: Room, labels: Labels) -> None:
    case = room.say("test:1", tags=ANGRY).id
    labels.correct(case, ANA, "test:1", "lead", "yes")
    room.take_back("test:1")
    assert list(labels.between(LONG_AGO, LATER)) == []
