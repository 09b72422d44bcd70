"""How well kinds of urgency, kinds of spam, sarcasm and what is no company's fault are heard, on sentences that were
written before the vocabularies they are heard by: `kinds/KIND.txt`, `+` what is meant and `-` what only sounds like it.
Every other sentence was looked at while the vocabularies were written; the rest was held back.

Sentiment is given (negative) to what is meant and VADER's where it is not, so that no model decides these tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from pipeline.mention import Sentiment
from pipeline.ports import Brand, Draft
from tests.enrich.helpers import drafts, stage

FOLDER = Path(__file__).parent / "kinds"
URGENT = ("safety", "crime", "legal", "press", "outage", "vulnerable", "leaving")
SPAM = ("giveaway", "jobs", "bot", "advert")
HALVES = {"developed": 0, "held back": 1}
STAGES = [stage(name) for name in ("language", "sarcasm", "spam", "reach")]
VADER, URGENCY = stage("sentiment", model="none"), stage("urgency")
ACME = (Brand("Acme", ("Acme",), ("acme_help",), competitors={"Globex": ()}),)


@cache
def sentences(kind: str, sign: str, half: str) -> tuple[str, ...]:
    lines = (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines()
    return tuple([line[2:] for line in lines if line[0] == sign][HALVES[half] :: 2])


def heard(texts: tuple[str, ...], negative: bool) -> list[Draft]:
    batch = drafts(texts)
    for one in STAGES:
        one.annotate(batch)
    if negative:
        for draft in batch:
            draft.sentiment = Sentiment(label="negative", score=-0.6)
    else:
        VADER.annotate(batch)
    URGENCY.annotate(batch)
    return batch


def is_of(kind: str, draft: Draft) -> bool:
    assert draft.urgency is not None
    assert draft.spam is not None
    assert draft.sarcasm is not None
    if kind == "sarcasm":
        return draft.sarcasm.score >= 0.5
    return kind in (*draft.urgency.kinds, *draft.spam.kinds)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("kind", [*URGENT, *SPAM, "sarcasm"])
def test_what_is_meant_is_found_in_other_words_than_the_vocabularys(kind: str, half: str) -> None:
    batch = heard(sentences(kind, "+", half), negative=kind in URGENT)
    missed = [draft.mention.text for draft in batch if not is_of(kind, draft)]
    assert len(missed) <= 0.25 * len(batch), missed


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("kind", [*URGENT, *SPAM, "sarcasm"])
def test_what_only_sounds_like_it_is_mostly_left_alone(kind: str, half: str) -> None:
    batch = heard(sentences(kind, "-", half), negative=False)
    found = [draft.mention.text for draft in batch if is_of(kind, draft)]
    assert len(found) <= 0.4 * len(batch), found


def test_hard_negatives_of_every_kind_together_are_nearly_all_left_alone() -> None:
    for kinds, share in ((URGENT, 0.13), (SPAM, 0.06)):
        texts = tuple(text for kind in kinds for half in HALVES for text in sentences(kind, "-", half))
        found = [
            draft.mention.text for draft in heard(texts, negative=False) if any(is_of(kind, draft) for kind in kinds)
        ]
        assert len(found) <= share * len(texts), found


@pytest.mark.parametrize(("kind", "least"), [*((kind, 40) for kind in (*URGENT, *SPAM, "sarcasm")), ("elsewhere", 30)])
def test_a_list_is_long_enough_to_say_something_and_repeats_nothing(kind: str, least: int) -> None:
    lines = (FOLDER / f"{kind}.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines))
    assert {line[:2] for line in lines} == {"+ ", "- "}
    assert sum(line[0] == "+" for line in lines) >= least


@pytest.mark.parametrize(("sign", "of", "least"), [("+", "other", 0.55), ("-", "brand", 0.8)])
@pytest.mark.parametrize("half", HALVES)
def test_a_negative_text_may_be_about_something_else_than_the_brand_it_names(
    half: str, sign: str, of: str, least: float
) -> None:
    batch = drafts(sentences("elsewhere", sign, half))
    stage("brand", brands=ACME).annotate(batch)
    for draft in batch:
        draft.sentiment = Sentiment(label="negative", score=-0.6)
    stage("language").annotate(batch)
    stage("target", brands=ACME).annotate(batch)
    wrong = [draft.mention.text for draft in batch if draft.target is None or draft.target.of != of]
    assert len(batch) - len(wrong) >= least * len(batch), wrong
