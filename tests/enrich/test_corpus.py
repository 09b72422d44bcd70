"""harken's own corpus: sound, broad, hardly repeating itself, and described as it is."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from enrich._hearing.corpus import FOLDER, Example, files, load
from enrich._hearing.coverage import DATASHEET, datasheet, faults, near_duplicates


@cache
def corpus() -> list[Example]:
    return load()


def test_nothing_is_wrong_in_it() -> None:
    assert list(faults(corpus())) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": " "}, "an empty text"),
        ({"sentiment": "happy"}, "the sentiment 'happy'"),
        ({"intents": frozenset({"rant"})}, "the intent 'rant'"),
        ({"target": "moon"}, "the target 'moon'"),
        ({"flags": frozenset({"odd"})}, "the flag 'odd'"),
        ({"sentiment": "positive"}, "nothing but a complaint"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: dict[str, object], told: str) -> None:
    fields: dict[str, object] = {"text": "late", "sentiment": "negative", "intents": frozenset({"complaint"})}
    (fault,) = faults([Example(**{**fields, "source": "mine", **change})])  # type: ignore[arg-type]  # wrong on purpose
    assert fault.startswith("mine")
    assert told in fault


def test_a_copy_and_a_near_copy_are_found() -> None:
    texts = ["my parcel from acme is late again today", "my parcel from acme is late again today!", "good morning all"]
    found = near_duplicates([Example(text=text) for text in texts])
    assert [(one.text, other.text) for one, other in found] == [(texts[1], texts[0])]
    assert list(faults([Example(text="x", sentiment="neutral", intents=frozenset())] * 2)) == [
        ": 'x' stands there twice"
    ]


def test_it_is_broad_and_hardly_repeats_itself() -> None:
    examples = corpus()
    intents = Counter(intent for one in examples for intent in one.intents or ())
    assert len(examples) > 10_000
    assert min(intents[name] for name in ("complaint", "praise", "lead", "question")) > 1_000
    assert len({one.lang for one in examples}) >= 8
    assert len({one.industry for one in examples}) >= 40
    assert len(near_duplicates(examples)) < len(examples) / 100


def test_the_data_sheet_says_what_is_in_it() -> None:
    assert (FOLDER / DATASHEET).read_text(encoding="utf-8") == datasheet(corpus()), (
        "run python -m enrich._hearing.coverage --write"
    )
    assert files()
