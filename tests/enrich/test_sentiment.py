from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from enrich._hearing.chosen import SHIPPED
from enrich._hearing.linear import Model
from enrich._vader import Vader
from pipeline.mention import Language, Sentiment
from tests.enrich.helpers import drafts, stage, tags
from tests.fixtures.shapes import mention

MODEL: Any = stage("sentiment")
OURS, THEIRS = Vader(), SentimentIntensityAnalyzer()

# Words that take every path through VADER's rules.
RULES = [
    "good",
    "bad",
    "GREAT",
    "horrible",
    "not",
    "never",
    "without",
    "doubt",
    "so",
    "this",
    "no",
    "nor",
    "or",
    "least",
    "at",
    "very",
    "kind",
    "of",
    "sort",
    "just",
    "enough",
    "but",
    "the",
    "shit",
    "bomb",
    "yeah",
    "right",
    "kiss",
    "death",
    "to",
    "die",
    "for",
    "bus",
    "stop",
    "isn't",
    "isnt",
    "really",
    "EXTREMELY",
    "hardly",
    "cool,",
    "(ugly)",
    ":)",
    ":-(",
    "<3",
    "😀",
    "😡a",
    "b😀",
    "lol",
    "!!!",
    "??",
    "word",
    "Word",
    "WORD",
]


def sentiment(text: str, **changes: object) -> Sentiment:
    found = tags(text, **changes).sentiment
    assert found is not None
    return found


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(RULES), max_size=25).map(" ".join), st.text(max_size=60)))
def test_the_score_is_the_packages_own(text: str) -> None:
    assert OURS.compound(text)[0] == THEIRS.polarity_scores(text)["compound"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this phone, thank you", "positive"),
        ("This is the worst service I have ever had", "negative"),
        ("The shop opens on Monday", "neutral"),
        ("not good at all", "negative"),
        ("😢😢", "negative"),
        ("", "neutral"),
    ],
)
def test_the_label_follows_the_wording(text: str, label: str) -> None:
    assert sentiment(text).label == label


def test_the_words_that_carried_it_come_with_their_part() -> None:
    words = dict(sentiment("The waiter was rude but the view is LOVELY").words)
    assert words["LOVELY"] > 0
    assert "rude" in min(words, key=lambda word: words[word])


def test_a_word_in_capitals_carries_as_much_as_in_small_letters() -> None:
    shouted, said = sentiment("GREAT crew, Terrible food").words, sentiment("great crew, terrible food").words
    assert [(word.lower(), part) for word, part in shouted] == list(said)


def test_without_a_model_vader_judges_with_its_valences() -> None:
    batch = drafts(["The food was not good but the view is LOVELY"])
    stage("sentiment", model="none").annotate(batch)
    found = batch[0].sentiment
    assert found is not None
    assert found.by == "vader"
    assert dict(found.words) == {
        "good": pytest.approx(-0.7, abs=0.01),  # 1.9, negated, halved before a `but`
        "lovely": 4.0,  # after a `but`: over the top of the scale, so cut to it; capitals say nothing
    }


CALM = "@acme the parcel is broken and i am sad https://a.example/x"


@pytest.mark.parametrize(
    "text",
    [
        CALM.upper().replace("HTTPS://A.EXAMPLE/X", "https://a.example/x"),
        CALM.replace("@acme", "@happy_hater"),
        CALM.replace("https://a.example/x", "www.love.example/great?!?!"),
        f"{CALM} #monday",
    ],
)
def test_case_a_handles_name_a_link_and_a_trailing_hashtag_hardly_move_the_score(text: str) -> None:
    assert sentiment(text).label == sentiment(CALM).label
    assert sentiment(text).score == pytest.approx(sentiment(CALM).score, abs=0.1)


def test_not_does_change_it() -> None:
    assert sentiment("the new app is not good").score < sentiment("the new app is good").score - 0.5


def test_the_tone_of_an_emojis_skin_changes_nothing() -> None:
    assert sentiment("the new menu \U0001f44d\U0001f3ff").score == sentiment("the new menu \U0001f44d").score


def test_a_language_of_the_model_is_judged_by_it() -> None:
    found = sentiment("Das Essen war furchtbar und der Kellner unversch\u00e4mt", lang="de")
    assert (found.label, found.by) == ("negative", "model")


def test_of_a_language_nobody_was_trained_in_only_emoji_are_read() -> None:
    german = "Die Lieferung ist da und die Verpackung war gut verschlossen"
    assert THEIRS.polarity_scores(german)["compound"] < 0  # `die`
    found = sentiment(german, lang="fi")
    assert (found.label, found.by) == ("neutral", "vader")
    assert sentiment(german + " \U0001f60d", lang="fi").label == "positive"
    assert sentiment("Lieferung da :(", lang="fi").label == "negative"


def test_scores_are_probabilities_and_empty_where_nobody_was_trained() -> None:
    batch = drafts(["I love this phone", "koira"])
    batch[1].language = Language(code="fi", confidence=1.0, by="source")
    known, unknown = MODEL.scores(batch)
    assert sum(known.values()) == pytest.approx(1.0)
    assert max(known, key=lambda label: known[label]) == "positive"
    assert unknown == {}


def test_a_model_in_shadow_changes_nothing_but_tells_where_it_differs(tmp_path: Path) -> None:
    sour = Model.load(SHIPPED / "sentiment")
    sour.parts[0].thresholds[:] = [0.001, 1.0, 1.0]
    sour.save(tmp_path / "sour")
    plain, beside = drafts(["I love this phone"]), drafts(["I love this phone"])
    stage("sentiment").annotate(plain)
    stage("sentiment", shadow=tmp_path / "sour").annotate(beside)
    assert beside[0].sentiment == plain[0].sentiment
    (line,) = beside[0].shadow
    assert line.startswith("sentiment: positive")
    assert " -> negative " in line


@pytest.mark.parametrize(
    ("rating", "label"), [(0.0, "negative"), (0.25, "negative"), (1.0, "positive"), (7.0, "positive")]
)
def test_a_reviews_stars_outweigh_its_wording(rating: float, label: str) -> None:
    wording = "great, just great" if label == "negative" else "terrible weather"
    found = sentiment(wording, rating=rating)
    assert found.label == label
    assert -1.0 <= found.score <= 1.0


def test_stars_in_the_middle_leave_it_to_the_wording() -> None:
    assert sentiment("horrible taste", rating=0.5).label == "negative"
    assert sentiment("lovely taste", rating=0.5).label == "positive"


def test_the_weight_of_the_stars_can_be_set() -> None:
    batch = drafts(["horrible"])
    batch[0].mention = mention(text="horrible", rating=1.0)
    stage("sentiment", rating_weight=0.0).annotate(batch)
    assert batch[0].sentiment is not None
    assert batch[0].sentiment.label == "negative"
