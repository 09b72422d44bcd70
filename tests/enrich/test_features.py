"""What a model sees of a text, and what it must not see."""

import numpy as np
import pytest

from enrich._hearing import words as known
from enrich._hearing.features import Reader
from enrich._hearing.words import BRAND, KINDS, Words, fold
from pipeline.mention import BrandMatch
from tests.enrich.helpers import drafts


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("SOOOOO", "soo"),
        ("@Some_One", "@"),
        ("https://t.co/abc", ""),
        ("2024", "0"),
        ("45mins", "0mins"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d"),
        ("\U0001f3fd", ""),
        ("  ", ""),
        ("don\u2019t", "don\u2019t"),
    ],
)
def test_a_word_is_folded(word: str, folded: str) -> None:
    assert fold(word) == folded


def kinds(words: Words, word: str) -> set[str]:
    (number,) = words.ids([word])
    words.settle()
    return {kind for kind, has in zip(KINDS, words.kinds[number], strict=True) if has}


def test_a_word_has_its_kinds() -> None:
    words = Words()
    assert kinds(words, "NEVER") == {"word", "negation"}
    assert kinds(words, "sooooo") == {"word", "stretched"}
    assert kinds(words, "?") == {"question mark", "stop"}
    assert kinds(words, "\U0001f600") == {"emoji"}
    assert kinds(words, "@anyone") == {"handle"}


def test_spellings_of_one_word_share_their_row_and_their_n_grams() -> None:
    words = Words()
    small, large = words.ids(["refund", "REFUND"])
    words.settle()
    assert small == large
    long, longer = words.ids(["soo", "sooooo"])
    words.settle()
    assert long != longer  # one is stretched
    assert words.own[long] == words.own[longer]
    assert words.lengths[small] == 6 + 5 + 4  # of `<refund>`, three to five long


def test_handles_and_links_are_not_remembered_one_by_one() -> None:
    words = Words()
    words.ids(["@one", "https://a.example/1", "17"])
    words.settle()
    before = len(words)
    assert words.ids(["@two", "https://a.example/2", "18"]) == words.ids(["@one", "https://a.example/1", "17"])
    words.settle()
    assert len(words) == before


def test_the_memory_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "WORDS", 10)
    words = Words()
    words.ids([f"word{letter}" for letter in "abcdefghijklm"])
    words.settle()
    generation = words.generation
    words.make_room()
    assert words.generation is not generation
    assert len(words) == 3


def test_rows_are_spread_over_the_table_and_none_is_nil() -> None:
    rows = known.rows(np.arange(200_000, dtype=np.uint64), 1)
    assert rows.min() >= 1
    assert rows.max() < known.ROWS
    assert len(np.unique(rows)) > 0.5 * known.ROWS


def test_a_brands_name_is_one_token_whatever_the_brand() -> None:
    one, other = drafts(["my Acme Phone is broken", "my Globex is broken"])
    one.brands = (BrandMatch(brand="Acme", term="Acme Phone", start=3, end=13),)
    other.brands = (BrandMatch(brand="Globex", term="Globex", start=3, end=9),)
    reader = Reader()
    first, second = reader.reading(one, english=True), reader.reading(other, english=True)
    assert first.ids == second.ids
    assert reader.words.ids([BRAND])[0] in first.ids
    assert list(first.at) == [0, 1, 3, 4]


def test_words_after_a_negation_are_marked_until_punctuation() -> None:
    reader = Reader()
    batch = reader.read(drafts(["it is not good at all. it is nice"]), english=True)
    assert [batch.readings[0].at[place - 1] for place in batch.negated] == [3, 4, 5]


def test_a_batch_is_read_as_its_texts_are_one_by_one() -> None:
    texts = ["@acme still no refund?", "", "love it \U0001f60d", "RT @x: not bad at all"]
    reader = Reader()
    together = reader.read(drafts(texts), english=True)
    for place, text in enumerate(texts):
        alone = reader.read(drafts([text]), english=True)
        assert np.array_equal(alone.signals[0], together.signals[place])
        start = together.starts[place]
        assert np.array_equal(alone.pairs, together.pairs[start : start + together.lengths[place]])


def test_signals_of_a_text_that_is_addressed_to_somebody_stand_twice() -> None:
    reader = Reader()
    batch = reader.read(drafts(["@acme hello", "say hello to @acme"]), english=True)
    assert batch.addressed.tolist() == [1.0, 0.0]
    assert np.array_equal(batch.signals[0, batch.width :], batch.signals[0, : batch.width])
    assert not batch.signals[1, batch.width :].any()
    assert len(reader.signals) == batch.signals.shape[1]


def test_in_another_language_only_emoji_have_a_valence() -> None:
    reader = Reader()
    (german,) = drafts(["die Lieferung ist da \U0001f60d"])
    assert [word for word, _ in reader.reading(german, english=False).valences] == ["smiling"]
