"""Marking words in what strangers wrote never makes anything of it but text."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from console.pages.marking import CUT_CHARS, LONG_CHARS, cut, marked, words_of
from console.pages.words import said

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&\"';/ ahtps:."), max_size=200)


@given(TEXT, st.lists(TEXT, max_size=4))
def test_a_marked_text_is_the_same_text_with_marks(text: str, words: list[str]) -> None:
    shown = str(marked(text, words))
    assert re.sub(r"</?mark>", "", shown) == str(said(text))
    assert re.fullmatch(r"(?:[^<]|<(?:/?mark|/?span|br|/?a)(?: [^<>]*)?>)*", shown)


def test_whole_words_are_marked_and_links_and_signs_are_left_alone() -> None:
    shown = str(marked("AT&T lost a lot, lostness; https://a.example/lost don't amp", ["lost", "amp", "don't", "T"]))
    read = re.findall("<mark>(.*?)</mark>", shown)
    assert [unescape(it) for it in read] == ["T", "lost", "don't", "amp"]
    assert ">https://a.example/lost</a>" in shown


def test_the_evidence_of_a_decision_names_words() -> None:
    evidence = ["text=my parcel, lost", "reach=120", "own=false", "intent=complaint", "nothing"]
    assert words_of(evidence) == ["my parcel", "lost", "complaint"]


def test_a_long_text_is_cut_at_a_word() -> None:
    assert cut("x" * LONG_CHARS) == "x" * LONG_CHARS
    assert cut("word " * 1000).endswith("word word …")
    assert len(cut("word " * 1000)) <= CUT_CHARS + 2
    assert len(cut("y" * 10_000)) == CUT_CHARS + 2
