import unicodedata

import pytest
from pydantic import ValidationError

from enrich import topics
from pipeline.mention import Enriched
from pipeline.ports import Stage
from tests.enrich.helpers import drafts, enrichment, stage
from tests.fixtures.shapes import mention

OWN = {"catering": ["buffet", "tea trolley"]}


def found(text: str, built: Stage | None = None) -> dict[str, tuple[str, ...]]:
    (draft,) = drafts([text])
    (built or stage("topics")).annotate([draft])
    assert draft.topics == tuple(draft.topic_words)
    return draft.topic_words


@pytest.mark.parametrize(
    ("text", "topic", "words"),
    [
        ("Where is my parcel? The COURIER never came", "delivery", ("parcel", "COURIER")),
        ("I was charged twice on my last invoice", "billing", ("was charged twice", "invoice")),
        ("still no #refund from you", "refund", ("refund",)),
        ("Ich will mein Geld zurück!", "refund", ("Geld zurück",)),
        ("the app crashed again", "app", ("app", "crashed")),
        ("Seit Stunden Störung, kein Internet", "outage", ("Störung", "kein Internet")),
        ("Die Schaffnerin war sehr unfreundlich", "staff", ("Schaffnerin", "unfreundlich")),
        ("hasnt arrived, my suitcase", "baggage", ("suitcase",)),
        ("Mein Koffer ist weg", "baggage", ("Koffer",)),
        ("ausverkauft, schon wieder", "availability", ("ausverkauft",)),
        ("this is a data breach", "privacy", ("data breach",)),
        ("left a wheelchair user on the platform", "accessibility", ("wheelchair",)),
    ],
)
def test_a_topic_is_found_by_its_words_which_are_told(text: str, topic: str, words: tuple[str, ...]) -> None:
    told = found(text)[topic]
    assert set(words) <= set(told) or " ".join(words) in " ".join(told) or words[0].startswith(told[0])


@pytest.mark.parametrize(
    "text",
    [
        "an application for happiness",  # not "app"
        "unpriced, sofa, courierless",
        "see https://refund.example/parcel and mail refund@price.example, @refund",
        "our brand and its personal note",  # German words for fire and staff
        "I recall that Bill came late last night",
        "",
    ],
)
def test_parts_of_words_addresses_and_words_of_two_meanings_make_no_topic(text: str) -> None:
    assert found(text) == {}


def test_accents_count_composed_or_not_and_in_capitals() -> None:
    for text in ("Rückerstattung", unicodedata.normalize("NFD", "Rückerstattung"), "RÜCKERSTATTUNG"):
        assert list(found(text)) == ["refund"]
    built = stage("topics", topics={"Wege": ["große Straße"]})
    assert next(iter(found("GROSSE STRASSE gesperrt?", built))) == "Wege"


def test_the_topic_with_most_different_words_comes_first_then_the_one_named_first() -> None:
    assert list(found("the app, my parcel, the courier")) == ["delivery", "app"]
    assert list(found("the app, my parcel")) == ["app", "delivery"]
    assert list(found("app app app App, the parcel and its courier")) == ["delivery", "app"]


def test_topics_of_ones_own_are_added_and_take_the_place_of_those_of_the_same_name() -> None:
    built = stage("topics", topics=OWN | {"refund": ["pennies"], "price": []})
    assert found("the tea trolley and the app", built) == {"catering": ("tea trolley",), "app": ("app",)}
    assert found("a refund", built) == {}
    assert found("pennies", built) == {"refund": ("pennies",)}
    assert found("too expensive", built) == {}


def test_a_name_is_found_in_a_script_without_spaces() -> None:
    assert found("新しいバッテリーが膨らむ", stage("topics", topics={"battery": ["バッテリー"]})) == {
        "battery": ("バッテリー",)
    }


def test_the_version_changes_with_the_topics() -> None:
    assert stage("topics").version == stage("topics").version != stage("topics", topics=OWN).version


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"": ["x"]}, "at least 1 character"),
        ({"a\nb": ["x"]}, "pattern"),
        ({"numbers": ["404"]}, "a phrase needs a letter: '404'"),
        ({"refund": "money"}, "list"),
        ({"blank": [" "]}, "a phrase needs a letter"),
    ],
)
def test_topics_that_cannot_be_matched_are_refused(given: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        topics.Config(topics=given)


def test_those_that_ship_are_found_by_every_phrase_of_theirs() -> None:
    built = stage("topics")
    for name, phrases in topics.shipped().items():
        assert len(set(phrases)) == len(phrases) > 15, name
        for phrase in phrases:
            assert name in found(f"they said: {phrase}.", built), phrase


def test_the_tags_hold_topics_and_their_words() -> None:
    (result,) = enrichment()([mention(text="Acme lost my parcel")])
    assert isinstance(result, Enriched)
    assert result.tags.topics == ("delivery",)
    assert result.tags.topic_words == {"delivery": ("my parcel",)}
