import re
from pathlib import Path
from typing import Any

import pytest

from enrich import _cues
from enrich._hearing.chosen import SHIPPED
from enrich._hearing.linear import Model
from enrich.intent import NAMES
from pipeline.errors import ConfigError
from tests.enrich.helpers import drafts, stage, tags
from tests.fixtures.shapes import mention

MODEL: Any = stage("intent")


def intents(text: str, **changes: object) -> set[str]:
    return {intent.name for intent in tags(text, **changes).intents}


@pytest.mark.parametrize(
    "text",
    [
        "@acme my order still hasn't arrived, this is ridiculous",
        "@acme I have been on hold for 45 minutes",
        "The acme app keeps crashing and support never replied",
        "@acme you charged me twice, I want a refund",
        "@acme never again, worst hotel ever",
        "hey @acme your website is not working",
        "@acme my card dont work since monday",
        "@acme my card doesn\u2019t work since monday",
        "@acme thanks for nothing, still no refund",
    ],
)
def test_a_complaint_is_heard(text: str) -> None:
    assert "complaint" in intents(text)
    assert "praise" not in intents(text)


@pytest.mark.parametrize(
    "text",
    [
        "@acme thank you so much, great service today!",
        "Shout out to Acme, love my new phone",
        "The crew at @acme were amazing and so helpful",
    ],
)
def test_praise_is_heard_and_is_no_complaint(text: str) -> None:
    assert "praise" in intents(text)
    assert "complaint" not in intents(text)


@pytest.mark.parametrize(
    "text",
    [
        "Can anyone recommend a good broadband provider?",
        "We are moving house in May and looking for a new internet provider",
        "thinking of switching from Globex to @acme",
        "where can I buy the acme phone?",
        "i wanna buy an acme phone so bad",
        "My contract ends next month, time to upgrade",
    ],
)
def test_a_lead_is_heard(text: str) -> None:
    assert "lead" in intents(text)


@pytest.mark.parametrize("text", ["not going to buy from acme, too expensive", "The shop opens at 9"])
def test_who_does_not_want_to_buy_is_no_lead(text: str) -> None:
    assert "lead" not in intents(text)


@pytest.mark.parametrize(
    "text",
    [
        "@acme what time do you open on Sunday?",
        "does anyone know if acme ships to Norway",
        "@acme how do i reset my password",
        "¿A qué hora abren?",
        "متى تفتح؟",
        "何時に開きますか\uff1f",
    ],
)
def test_a_question_is_heard_in_every_language(text: str) -> None:
    assert "question" in intents(text)


def test_a_question_mark_in_a_link_asks_nothing() -> None:
    assert "question" not in intents("Our new page https://example.com/a?b=1&c=2")


def test_several_intents_may_hold_and_the_strongest_comes_first() -> None:
    found = tags("@acme my parcel never arrived and nobody answers, where is it and when will it come?").intents
    assert {intent.name for intent in found} == {"complaint", "question"}
    assert [intent.score for intent in found] == sorted((intent.score for intent in found), reverse=True)


def test_the_words_for_an_intent_are_quoted_as_written_with_what_each_carried() -> None:
    complaint = next(one for one in tags("@acme STILL WAITING for my refund").intents if one.name == "complaint")
    assert "STILL WAITING" in " ".join(complaint.words)
    assert len(complaint.weights) == len(complaint.words)
    assert list(complaint.weights) == sorted(complaint.weights, reverse=True)
    assert all(weight > 0 for weight in complaint.weights)


FINNISH = "Also die Worst war fail, broken und joke, sagt man heute so unter jungen Leuten"


def test_a_language_nobody_was_trained_in_is_judged_by_its_stars_and_never_by_other_words() -> None:
    assert intents(FINNISH, lang="fi") == set()
    assert intents(FINNISH, lang="fi", rating=0.0) == {"complaint"}
    assert intents(FINNISH, lang="fi", rating=1.0) == {"praise"}


def test_a_complaint_in_german_is_heard() -> None:
    assert "complaint" in intents("@acme mein Paket ist seit drei Wochen nicht da, keiner antwortet", lang="de")


def test_a_reviews_stars_move_the_probability() -> None:
    text = "The room was as in the picture"
    low, none, high = (score(text, rating=rating) for rating in (0.0, None, 1.0))
    assert low["complaint"] > none["complaint"] > high["complaint"]
    assert low["praise"] < none["praise"] < high["praise"]


def score(text: str, **changes: Any) -> dict[str, float]:
    batch = drafts([text])
    batch[0].mention = mention(text=text, **changes)
    found: dict[str, float] = MODEL.scores(batch)[0]
    return found


def test_probabilities_are_told_before_any_threshold() -> None:
    assert set(score("@acme what time do you open on Sunday?")) == set(NAMES)


def test_the_threshold_can_be_set() -> None:
    batch = drafts(["@acme the queue was slow"] * 2)
    strict, lenient = stage("intent", threshold=0.999), stage("intent", threshold=0.01)
    strict.annotate(batch[:1])
    lenient.annotate(batch[1:])
    assert batch[0].intents == ()
    assert "complaint" in {intent.name for intent in batch[1].intents}
    assert strict.version != lenient.version


def test_without_a_model_the_cues_judge_and_are_quoted() -> None:
    batch = drafts(["@acme STILL WAITING for my refund"])
    cues = stage("intent", model="none")
    cues.annotate(batch)
    (complaint,) = batch[0].intents
    assert complaint.words == ("STILL WAITING", "refund")
    assert complaint.weights == (1.6, 1.4)
    assert cues.version != stage("intent").version


CALM = "@acme my parcel is broken and i want my money back"


@pytest.mark.parametrize(
    "text",
    [CALM.upper().replace("@ACME", "@acme"), CALM.replace("@acme", "@globex_help"), f"{CALM} https://a.example/x"],
)
def test_case_a_handles_name_and_a_link_hardly_move_the_probability(text: str) -> None:
    assert score(text)["complaint"] == pytest.approx(score(CALM)["complaint"], abs=0.05)


def test_a_trailing_hashtag_and_an_emojis_skin_tone_change_no_intent() -> None:
    assert intents(f"{CALM} #monday") == intents(CALM)
    assert score(f"{CALM} \U0001f44e\U0001f3fd") == score(f"{CALM} \U0001f44e")


def test_not_does_change_it() -> None:
    works, broken = "@acme the app is working now", "@acme the app is not working now"
    assert score(broken)["complaint"] > score(works)["complaint"] + 0.2


def test_a_model_in_shadow_changes_nothing_but_tells_where_it_differs(tmp_path: Path) -> None:
    eager = Model.load(SHIPPED / "intent")
    eager.parts[0].thresholds[:] = [0.001, 0.999, 0.999, 0.999]
    eager.save(tmp_path / "eager")
    texts = [CALM, "The shop opens on Monday morning"]
    plain, beside = drafts(texts), drafts(texts)
    stage("intent").annotate(plain)
    stage("intent", shadow=tmp_path / "eager").annotate(beside)
    assert [draft.intents for draft in beside] == [draft.intents for draft in plain]
    assert plain[0].shadow == ()
    assert [re.sub(r"\d\.\d\d", "N", line) for line in beside[1].shadow] == ["complaint: no N -> yes N"]


def test_a_model_of_the_wrong_kind_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"holds a model of sentiment.*name the folder of a model of intent"):
        stage("intent", model=SHIPPED / "sentiment")


@pytest.mark.parametrize("name", [*NAMES, "urgency", "spam"])
def test_a_vocabulary_repeats_no_phrase_within_a_group(name: str) -> None:
    for title, group in _cues.load(name).groups.items():
        repeated = {phrase for phrase in group.phrases if group.phrases.count(phrase) > 1}
        assert not repeated, f"{name}/{title}"
        assert all(phrase == phrase.lower() for phrase in group.phrases), f"{name}/{title}"


def test_a_phrase_of_numbers_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a word"):
        _cues.Group(weight=1.0, phrases=["24"])


def test_a_phrase_stands_for_its_other_spellings() -> None:
    assert set(_cues.spellings("can't go")) == {"can't go", "cant go", "cannot go", "can not go"}
    assert set(_cues.spellings("want to buy")) == {"want to buy", "wanna buy"}
