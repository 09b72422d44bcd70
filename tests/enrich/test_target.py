"""Whom the negative feeling is about. The tags of the stages before are given, so that no model decides these tests."""

from __future__ import annotations

import pytest

from pipeline.mention import Intent, Language, Sentiment, Target
from pipeline.ports import Brand
from tests.enrich.helpers import drafts, stage

RIVALS = {"Globex": ("globex mobile", "@globex_help"), "Initech": ()}
BRANDS = (Brand("Acme", ("Acme",), ("acme_help",), competitors=RIVALS),)
NAMING, STAGE = stage("brand", brands=BRANDS), stage("target", brands=BRANDS)
UNHAPPY = Sentiment(label="negative", score=-0.8, words=(("bad", -2.0),))


def target(text: str, unhappy: bool = True, complaint: bool = True, lang: str = "en") -> Target | None:
    batch = drafts([text])
    NAMING.annotate(batch)
    (draft,) = batch
    draft.brand = "Acme"  # its own inbox
    draft.language = Language(code=lang, confidence=1.0, by="source")
    draft.sentiment = UNHAPPY if unhappy else Sentiment(label="neutral", score=0.0)
    draft.intents = (Intent(name="complaint", score=0.9, words=("lost",)),) if unhappy and complaint else ()
    STAGE.annotate(batch)
    return draft.target


def of(text: str, unhappy: bool = True) -> str | None:
    found = target(text, unhappy)
    return found.of if found else None


PAIRS = [
    "{A} is worse than {B}",
    "Unlike {B}, {A} lost my bag",
    "{A} lost my bag twice. {B} never did",
    "switched from {A} to {B} and never looked back, so fed up",
    "done with {A}, going to {B}",
    "never had this with {B}, {A} charges for everything",
    "@{a} your app is broken again, unlike {B}",
    "{B} is so much better than {A}",
    "I hate {A}. Back to {B} tomorrow",
    "{A} put me up 40 a month, off to {B}",
]


@pytest.mark.parametrize("frame", PAIRS)
def test_exchanging_our_name_and_a_competitors_exchanges_the_answer(frame: str) -> None:
    ours = target(frame.format(A="Acme", B="Globex", a="acme_help"))
    theirs = target(frame.format(A="Globex", B="Acme", a="globex_help"))
    assert ours is not None
    assert theirs is not None
    assert (ours.of, ours.name) == ("brand", "")
    assert (theirs.of, theirs.name) == ("competitor", "Globex")
    assert ours.score == pytest.approx(theirs.score, abs=0.001)
    assert ours.score > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "@acme_help still waiting for my parcel",
        "where is my refund??",
        "Acme keeps crashing",
        "your driver threw it over the fence",
    ],
)
def test_a_complaint_that_names_nobody_else_is_about_us(text: str) -> None:
    assert of(text) == "brand"


@pytest.mark.parametrize(
    "text",
    [
        "this traffic is awful, at least Acme is open",
        "The guy next to me stinks so bad on this Acme bus",
        "my boss is an idiot and now I miss my Acme delivery",
    ],
)
def test_weather_people_and_oneself_are_something_else(text: str) -> None:
    found = target(text, complaint=False)
    assert found is not None
    assert found.of == "other"


def test_a_competitor_may_be_complained_of_where_nothing_is_negative_about_us() -> None:
    found = target("Globex Mobile smashed 9 of my mugs. what does Acme charge?", unhappy=False)
    assert found is not None
    assert (found.of, found.name) == ("competitor", "Globex")
    assert "smashed" in found.words


@pytest.mark.parametrize(
    "text", ["Acme opens at nine", "is Acme or Globex nearer?", "Globex and Acme share a car park", "love you Acme", ""]
)
def test_where_nothing_is_negative_nobody_is_the_target(text: str) -> None:
    assert target(text, unhappy=False) is None


def test_case_an_emoji_and_a_trailing_hashtag_change_nothing() -> None:
    text = "Globex lost my bag twice. Acme never did"
    for other in (text.upper(), f"{text} \U0001f44d\U0001f3fe", f"{text} #travel"):
        found = target(other)
        assert found is not None
        assert (found.of, found.name) == ("competitor", "Globex")


def test_in_another_language_names_alone_decide() -> None:
    rival = target("Globex hat den Koffer verloren", lang="de")
    assert rival is not None
    assert (rival.of, rival.name, rival.words) == ("competitor", "Globex", ())
    found = target("wo bleibt mein Koffer", lang="de")
    assert found is not None
    assert (found.of, found.words) == ("brand", ("lost",))


def test_a_competitors_name_inside_a_word_or_a_link_is_none() -> None:
    assert of("globexit is a word, see https://globex.example", unhappy=False) is None


def test_the_version_changes_with_the_competitors() -> None:
    assert STAGE.version != stage("target").version
