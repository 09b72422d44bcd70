from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mention import Author, Metrics, Sentiment
from tests.enrich.helpers import drafts, stage, tags
from tests.fixtures.shapes import mention


@pytest.mark.parametrize(
    ("followers", "metrics", "reach"),
    [
        (None, Metrics(), 0),
        (1_500, Metrics(), 1_500),
        (1_500, Metrics(reposts=3), 2_100),
        (1_500, Metrics(views=90), 90),
        (None, Metrics(likes=10, replies=2), 12),
        (5, Metrics(views=1, likes=40), 40),
        (-5, Metrics(views=-1, likes=-2, reposts=-3, replies=-4), 0),
        (10**12, Metrics(), 8_000_000_000),
    ],
)
def test_reach_is_views_or_else_followers_and_reposts(followers: int | None, metrics: Metrics, reach: int) -> None:
    assert tags("x", author=Author(id="a", followers=followers), metrics=metrics).reach == reach


counts = st.none() | st.integers(-(10**15), 10**15)


@given(counts, counts, counts, counts, counts)
def test_reach_is_never_negative(followers, likes, reposts, replies, views) -> None:  # type: ignore[no-untyped-def]  # drawn
    author, metrics = (
        Author(id="a", followers=followers),
        Metrics(likes=likes, reposts=reposts, replies=replies, views=views),
    )
    assert tags("x", author=author, metrics=metrics).reach >= 0


def test_what_a_repost_is_worth_can_be_set() -> None:
    batch = drafts(["x"])
    batch[0].mention = mention(metrics=Metrics(reposts=2))
    stage("reach", per_repost=0).annotate(batch)
    assert batch[0].reach == 2


def urgency(text: str, **changes: object) -> tuple[float, tuple[str, ...]]:
    found = tags(text, **changes).urgency
    assert found is not None
    return found.score, found.words


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("@acme my charger caught fire last night", "caught fire"),
        ("@acme you will hear from my lawyer", "lawyer"),
        ("Hi, I'm a journalist, dm me for comment please", "journalist"),
        ("@acme someone used my card, this is fraud", "fraud"),
        ("my gran is in a wheelchair and stranded at the airport", "stranded"),
    ],
)
def test_what_cannot_wait_is_marked_with_its_words(text: str, word: str) -> None:
    score, words = urgency(text)
    assert score >= 0.6
    assert any(word in found for found in words)


def kinds(text: str, label: Literal["negative", "neutral"] = "negative") -> tuple[str, ...]:
    """By a sentiment that is given, so that no model decides these tests."""
    batch = drafts([text])
    batch[0].sentiment = Sentiment(label=label, score=-0.6 if label == "negative" else 0.0)
    stage("urgency").annotate(batch)
    assert batch[0].urgency is not None
    return batch[0].urgency.kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("the charger caught fire next to my bed", "safety"),
        ("found a piece of glass in my salad", "safety"),
        ("strong smell of gas since your engineer left", "safety"),
        ("my phone is on fire, literally", "safety"),
        ("somebody drained my account last night", "crime"),
        ("you will hear from my solicitor", "legal"),
        ("small claims papers go in on Monday", "legal"),
        ("I have escalated this to the ombudsman", "legal"),
        ("I'm a journalist, would you like to comment?", "press"),
        ("is acme down for everyone or just me?", "outage"),
        ("Acme down, third time today", "outage"),
        ("no one came for my mum, she is 84 and uses a wheelchair", "vulnerable"),
        ("left my pregnant wife standing for three hours", "vulnerable"),
        ("cancelling my contract today, never again", "leaving"),
        ("taking my business elsewhere", "leaving"),
    ],
)
def test_the_kind_of_urgency_is_told(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "this beat is fire",
        "our team is on fire tonight",
        "my lawyer friend says hi",
        "I'd sue for less lol",
        "it should be illegal how good this is",
        "sales are down 4% in march",
        "let's sit down and talk",
        "my wheelchair arrived, looks lovely",
        "leaving for work now",
        "press the button on the left",
        "he is 19 and 71% of his battery is gone",
        "this melted my heart",
    ],
)
def test_idle_talk_is_of_no_kind(text: str) -> None:
    assert kinds(text, "neutral") == ()


def test_a_wheelchair_is_no_emergency_but_being_left_in_one_is() -> None:
    text = "my gran uses a wheelchair"
    assert kinds(text, "neutral") == ()
    assert kinds(text) == ("vulnerable",)


@pytest.mark.parametrize("text", ["@acme what time do you open?", "love my acme phone", "", "i bought two shirts"])
def test_everyday_talk_is_not_urgent(text: str) -> None:
    assert urgency(text)[0] < 0.3


def test_a_large_audience_and_a_verified_author_raise_it_and_say_so() -> None:
    loud = Author(id="a", followers=2_000_000, verified=True)
    score, words = urgency("@acme this is bad", author=loud)
    assert score > urgency("@acme this is bad")[0] + 0.2
    assert words == ("reach 2000000", "verified author")


def test_english_alarm_words_in_another_language_raise_nothing() -> None:
    score, words = urgency("la police est une fonte de caractères", lang="fr")
    assert (score < 0.25, words) == (True, ())
