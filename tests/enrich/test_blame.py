"""Of two companies in a sentence one is blamed; exchanging their names exchanges whom the feeling is about. The tags of
the stages before are given, so that no model decides these tests."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrich._blame import SAID, Name, compared
from pipeline.mention import Intent, Language, Sentiment, Target
from pipeline.ports import Brand
from tests.enrich.helpers import drafts, stage
from tests.enrich.shapes_of_blame import DEVELOPED, HELD_BACK

RIVALS = ("Globex", "Initech", "Nord & Sons", "Blue Kite", "7-Ten")
BRANDS = (
    Brand("Acme", ("Acme",), ("acme_help",), competitors=dict.fromkeys(RIVALS, ()) | {"Globex": ("@globex_help",)}),
)
NAMING, STAGE = stage("brand", brands=BRANDS), stage("target", brands=BRANDS)


def target(text: str, unhappy: bool = True) -> Target | None:
    (draft,) = batch = drafts([text])
    NAMING.annotate(batch)
    draft.brand = "Acme"
    draft.language = Language(code="en", confidence=1.0, by="source")
    draft.sentiment = Sentiment(label="negative", score=-0.8) if unhappy else Sentiment(label="neutral", score=0.0)
    draft.intents = (Intent(name="complaint", score=0.9),) if unhappy else ()
    STAGE.annotate(batch)
    return draft.target


def told(text: str, unhappy: bool) -> tuple[str, str] | None:
    found = target(text, unhappy)
    return (found.of, found.name) if found else None


def ours(shape: str, rival: str = "Globex") -> str:
    return shape.format(A="Acme", B=rival, a="acme_help", b="globex_help")


def theirs(shape: str, rival: str = "Globex") -> str:
    return shape.format(A=rival, B="Acme", a="globex_help", b="acme_help")


def flips(shape: str, unhappy: bool) -> bool:
    return told(ours(shape), unhappy) == ("brand", "") and told(theirs(shape), unhappy) == ("competitor", "Globex")


@pytest.mark.parametrize("unhappy", [True, False], ids=["negative", "neutral"])
@pytest.mark.parametrize("shape", DEVELOPED)
def test_exchanging_the_names_exchanges_the_target(shape: str, unhappy: bool) -> None:
    assert told(ours(shape), unhappy) == ("brand", "")
    assert told(theirs(shape), unhappy) == ("competitor", "Globex")


@pytest.mark.parametrize("shape", DEVELOPED)
def test_it_is_as_sure_of_a_competitor_as_of_us(shape: str) -> None:
    mine, other = target(ours(shape)), target(theirs(shape))
    assert mine is not None
    assert other is not None
    assert mine.score == pytest.approx(other.score, abs=0.001)


def test_most_shapes_that_were_held_back_are_heard() -> None:
    assert sum(flips(shape, unhappy) for shape in HELD_BACK for unhappy in (True, False)) >= 1.6 * len(HELD_BACK)


def test_no_shape_is_there_twice() -> None:
    assert len({*DEVELOPED, *HELD_BACK}) == len(DEVELOPED) + len(HELD_BACK)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from([shape for shape in DEVELOPED if "{a}" not in shape and "{b}" not in shape]),
    st.sampled_from(RIVALS),
    st.sampled_from(
        [str.lower, str.upper, str, lambda text: f"{text} #travel", lambda text: f"{text} \U0001f44e\U0001f3fd"]
    ),
)
def test_neither_the_rivals_name_nor_case_nor_a_trailing_tag_changes_the_answer(shape, rival, change) -> None:  # type: ignore[no-untyped-def]  # drawn
    assert told(change(ours(shape, rival)), True) == ("brand", "")
    assert told(change(theirs(shape, rival)), True) == ("competitor", rival)


WORDS = (
    "late",
    "never",
    "the",
    "worse",
    "than",
    "not",
    "great",
    "lost",
    "and",
    "refund",
    ".",
    "but",
    "my",
    "they",
    "is",
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(WORDS), max_size=6),
    st.lists(st.sampled_from(WORDS), max_size=6),
    st.lists(st.sampled_from(WORDS), max_size=6),
    st.booleans(),
)
def test_whatever_is_said_exchanging_the_names_exchanges_the_answer(before, between, after, unhappy) -> None:  # type: ignore[no-untyped-def]  # drawn
    shape = " ".join([*before, "{A}", *between, "{B}", *after])
    exchanged = {("brand", ""): ("competitor", "Globex"), ("competitor", "Globex"): ("brand", "")}
    found = told(ours(shape), unhappy)
    assert told(theirs(shape), unhappy) == (exchanged.get(found, found) if found else None)


@pytest.mark.parametrize(
    ("text", "blamed"),
    [
        ("X is better than Y", "Y"),
        ("X is no better than Y", "X"),
        ("I regret choosing X over Y", "X"),
        ("I should never have left X for Y", "Y"),
        ("left X for Y", "X"),
        ("let down by X", "X"),
        ("helped by X", None),
        ("X opens at nine, Y at ten", None),
    ],
)
def test_a_regret_and_a_not_turn_a_comparison_round(text: str, blamed: str | None) -> None:
    names = [Name(sign, place, place + 1) for place, sign in enumerate(text) if sign in "XY"]
    found = compared(text, names)
    assert [who for who, weight in found.items() if weight > 0] == ([blamed] if blamed else [])
    assert all(abs(weight) == SAID for weight in found.values())


def test_they_are_those_named_last_and_not_those_addressed() -> None:
    found = target("hey @acme_help do you take customers from Globex? they are hopeless", unhappy=False)
    assert found is not None
    assert (found.of, found.name) == ("competitor", "Globex")


def test_in_another_language_english_sentences_are_not_looked_for() -> None:
    (draft,) = batch = drafts(["left Globex for Acme"])
    NAMING.annotate(batch)
    draft.brand, draft.language = "Acme", Language(code="de", confidence=1.0, by="source")
    draft.sentiment = Sentiment(label="neutral", score=0.0)
    STAGE.annotate(batch)
    assert draft.target is None
