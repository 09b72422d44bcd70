import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from enrich._vader import Vader
from pipeline.mention import Sentiment
from tests.enrich.helpers import drafts, stage, tags
from tests.fixtures.shapes import mention

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


def test_the_words_that_carried_it_come_with_their_valence_as_it_counted() -> None:
    assert dict(sentiment("The food was not good but the view is LOVELY").words) == {
        "good": pytest.approx(-0.7, abs=0.01),  # 1.9, negated, halved before a `but`
        "LOVELY": 4.0,  # in capitals and after a `but`: over the top of the scale, so cut to it
    }


CALM = "the parcel is broken and i am sad https://a.example/x"


@pytest.mark.parametrize(
    "text",
    [
        CALM.lower(),
        CALM.upper(),
        f"@happy_hater {CALM}",
        CALM.replace("https://a.example/x", "www.love.example/great?!?!"),
    ],
)
def test_case_handles_and_links_change_nothing(text: str) -> None:
    assert sentiment(text).score == sentiment(CALM).score


def test_words_of_another_language_are_not_read_as_english() -> None:
    german = "Die Lieferung ist da und die Verpackung war gut verschlossen"
    assert THEIRS.polarity_scores(german)["compound"] < 0  # `die`
    assert sentiment(german).label == "neutral"
    assert sentiment(german + " 😍").label == "positive"
    assert sentiment("Lieferung da :(", lang="de").label == "negative"


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
