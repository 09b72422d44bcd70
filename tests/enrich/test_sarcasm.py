import pytest

from enrich import _cues
from pipeline.mention import Signal
from tests.enrich.helpers import drafts, stage

STAGE = stage("sarcasm")


def sarcasm(text: str) -> Signal:
    (draft,) = drafts([text])
    STAGE.annotate([draft])
    assert draft.sarcasm is not None
    return draft.sarcasm


@pytest.mark.parametrize(
    ("text", "kind", "word"),
    [
        ("@acme thanks for nothing", "said outright", "thanks for nothing"),
        ("Oh great, another week without heating. Just what I needed", "said outright", "Just what I needed"),
        ("love how you lost my bag in a city I never flew to @acme", "praise and breach", "lost"),
        ("Great job cancelling my train five minutes before it left", "praise and breach", "Great job"),
        ("your \u201cpriority support\u201d takes a week", "own praise", "\u201cpriority support\u201d"),
        ("third replacement this year \U0001f644", "marks", "\U0001f644"),
        ("bravo acme \U0001f44f\U0001f3ff\U0001f44f\U0001f3ff", "marks", "\U0001f44f\U0001f3ff\U0001f44f"),
        ("lovely weather for a broken boiler #sarcasm", "marks", "#sarcasm"),
    ],
)
def test_a_cue_of_sarcasm_is_told_with_its_words(text: str, kind: str, word: str) -> None:
    found = sarcasm(text)
    assert found.score >= 0.3
    assert kind in found.kinds
    assert word in found.words


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for finding my lost bag so quickly, great service",
        "love the new app, it never crashes",
        "Great flight, no delays, lovely crew",
        "my train is delayed again and nobody knows anything",
        "what time do you open?",
        "we congratulated the bride and then the cake was late",
        "",
    ],
)
def test_praise_that_is_meant_and_a_plain_complaint_are_none(text: str) -> None:
    assert sarcasm(text) == Signal(score=0.0)


def test_cues_add_up_and_never_pass_one() -> None:
    one, two = sarcasm("thanks for nothing"), sarcasm("thanks for nothing \U0001f644 #sarcasm your \u201cservice\u201d")
    assert one.score < two.score <= 1.0


def test_case_handles_and_links_change_nothing() -> None:
    plain = sarcasm("love how you lost my bag")
    for text in ("LOVE HOW YOU LOST MY BAG", "@acme love how you lost my bag https://a.example/great"):
        assert sarcasm(text).score == plain.score


def test_in_another_language_the_marks_alone_count() -> None:
    batch = drafts(["Danke, oh great, Koffer lost \U0001f644"])
    stage("language").annotate(batch)
    batch[0].language = batch[0].language and type(batch[0].language)(code="de", confidence=1.0, by="source")
    STAGE.annotate(batch)
    assert batch[0].sarcasm is not None
    assert batch[0].sarcasm.kinds == ("marks",)


@pytest.mark.parametrize("name", ["sarcasm", "target"])
def test_a_vocabulary_repeats_no_phrase_within_a_group(name: str) -> None:
    for title, group in _cues.load(name).groups.items():
        assert len(set(group.phrases)) == len(group.phrases), title
        assert all(phrase == phrase.lower() for phrase in group.phrases), title
