import pytest
from pydantic import ValidationError

from enrich import _cues
from enrich._together import Meetings
from tests.enrich.helpers import NLP

FILE = {
    "groups": {
        "object": {"weight": 0.0, "phrases": ["glass", "razor blade"]},
        "food": {"weight": 0.0, "phrases": ["salad", "soup"]},
        "eaten": {"weight": 0.0, "phrases": ["ate", "bit into"]},
        "wine": {"weight": 0.0, "phrases": ["wine"]},
    },
    "together": {
        "in the food": {"weight": 0.8, "kind": "safety", "of": [["object"], ["food"]], "within": 3, "unless": ["wine"]},
        "bitten": {"weight": 0.9, "of": [["object"], ["food"], ["eaten"]], "within": 8},
    },
}
VOCABULARY = _cues.Vocabulary.model_validate(FILE)
CUES, MEETINGS = _cues.Cues(NLP, {"test": VOCABULARY.early()}), Meetings(NLP, VOCABULARY)


def met(text: str) -> dict[str, list[str]]:
    doc = NLP.make_doc(text)
    return {it.name: [doc[hit.start : hit.end].text for hit in it.hits] for it in MEETINGS.find(doc, CUES.find(doc))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a razor blade in my soup", {"in the food": ["razor blade", "soup"]}),
        ("my soup had glass in it", {"in the food": ["glass", "soup"]}),
        ("glass, and then after all of that a soup", {}),
        ("a glass of wine with the soup", {}),
        ("glass", {}),
        ("soup and salad", {}),
        ("", {}),
        (
            "bit into the salad, found a piece of glass",
            {"bitten": ["glass", "salad", "bit into"]},
        ),
    ],
)
def test_groups_meet_in_any_order_near_each_other_unless_something_speaks_against_it(
    text: str, found: dict[str, list[str]]
) -> None:
    assert met(text) == found


def test_what_overlaps_does_not_meet_itself() -> None:
    one = {"weight": 0.0, "phrases": ["hot water", "water"]}
    file = {"groups": {"a": one, "b": one}, "together": {"both": {"weight": 1.0, "of": [["a"], ["b"]]}}}
    vocabulary = _cues.Vocabulary.model_validate(file)
    doc = NLP.make_doc("no hot water")
    assert not Meetings(NLP, vocabulary).find(doc, _cues.Cues(NLP, {"test": vocabulary.early()}).find(doc))


def test_what_says_something_only_beside_another_is_looked_for_only_beside_it() -> None:
    assert set(VOCABULARY.early().groups) == {"object"}
    assert set(VOCABULARY.late().groups) == {"food", "eaten", "wine"}


@pytest.mark.parametrize(
    ("together", "says"),
    [
        ({"wine": {"weight": 1.0, "of": [["food"], ["object"]]}}, "and a group"),
        ({"x": {"weight": 1.0, "of": [["food"], ["drink"]]}}, "'drink', which is no group"),
        ({"x": {"weight": 1.0, "of": [["food"], ["object"]], "unless": ["beer"]}}, "'beer', which is no group"),
        ({"x": {"weight": 1.0, "of": [["food"]]}}, "at least 2"),
    ],
)
def test_a_file_that_names_a_group_wrongly_is_refused_with_the_place(together: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        _cues.Vocabulary.model_validate(FILE | {"together": together})


def test_whose_it_is_does_not_matter() -> None:
    assert set(_cues.spellings("<my> hand")) == {f"{whose} hand" for whose in ("my", "our", "his", "her", "their")}


def test_what_was_found_can_be_looked_up_in_every_spelling() -> None:
    known = _cues.known(NLP, ["can't", "0 hours"])
    assert {("can", "'t"), ("cannot",), ("cant",), ("0", "hours")} <= known


@pytest.mark.parametrize("name", ["alarm", "irony", "spam", "target"])
def test_a_vocabulary_repeats_no_phrase_within_a_group_and_every_group_is_of_use(name: str) -> None:
    vocabulary = _cues.load(name)
    used = {group for together in vocabulary.together.values() for names in together.of for group in names}
    used |= {group for together in vocabulary.together.values() for group in together.unless}
    for title, group in vocabulary.groups.items():
        assert len(set(group.phrases)) == len(group.phrases), title
        assert all(phrase == phrase.lower() for phrase in group.phrases), title
        assert group.weight or title in used or name == "irony", title
