import pytest

from enrich import _cues
from enrich.intent import NAMES
from tests.enrich.helpers import drafts, stage, tags


def intents(text: str, **changes: object) -> set[str]:
    return {intent.name for intent in tags(text, **changes).intents}


@pytest.mark.parametrize(
    "text",
    [
        "@acme my order still hasn't arrived, this is ridiculous",
        "@acme I have been on hold for 45 minutes",
        "The acme app keeps crashing and support never replied",
        "@acme you charged me twice, I want a refund",
        "Never again, Acme. Worst hotel ever.",
        "hey @acme your website is not working",
        "@acme it dont work",
        "@acme it doesn\u2019t work",
        "@acme thanks for nothing",
    ],
)
def test_a_complaint_is_heard(text: str) -> None:
    found = tags(text)
    assert found.intent("complaint") >= 0.5
    assert found.intent("praise") == 0.0


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


@pytest.mark.parametrize(
    "text", ["I don't want an acme phone", "not going to buy from acme, too expensive", "The shop opens at 9"]
)
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
    found = tags("@acme my parcel never arrived and nobody answers, can you tell me where it is?").intents
    assert {intent.name for intent in found} == {"complaint", "question"}
    assert [intent.score for intent in found] == sorted((intent.score for intent in found), reverse=True)


def test_the_words_for_an_intent_are_quoted_as_written() -> None:
    (complaint,) = tags("@acme STILL WAITING for my refund").intents
    assert complaint.name == "complaint"
    assert complaint.words == ("STILL WAITING", "refund")


def test_another_language_is_judged_by_its_stars_and_never_by_english_words() -> None:
    german = "Also die Worst war fail, broken und joke, sagt man heute so unter jungen Leuten"
    assert intents(german, lang="de") == set()
    assert intents(german, lang="de", rating=0.0) == {"complaint"}
    assert intents(german, lang="de", rating=1.0) == {"praise"}


def test_the_threshold_can_be_set() -> None:
    batch = drafts(["@acme the queue was slow"] * 2)
    strict, lenient = stage("intent", threshold=0.99), stage("intent", threshold=0.05)
    strict.annotate(batch[:1])
    lenient.annotate(batch[1:])
    assert batch[0].intents == ()
    assert "complaint" in {intent.name for intent in batch[1].intents}
    assert strict.version != lenient.version


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
