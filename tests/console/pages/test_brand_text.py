"""One brand is changed in the document; what others wrote of the rest stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.pages.brand_text import brands, with_brand
from pipeline.errors import ConfigError
from routing.documents import parsed

BODY = """\
# Whom we listen for.
acme:
  terms: [acme, "no"]   # the short one
  own_accounts:
    x: [12, acme]
# Bought in May.
globex:
  terms:
    - globex  # and its shops
  languages: [en]

# The end.
"""
LISTS = {"terms": ["acme", "widget"], "handles": [], "exclude": ["acme of perfection"]}
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)
WORDS = st.lists(TEXT, max_size=4)


def test_the_other_brands_keep_their_lines_and_comments() -> None:
    text = with_brand(BODY, "acme", LISTS)
    assert text == BODY.replace(
        '  terms: [acme, "no"]   # the short one\n  own_accounts:\n    x: [12, acme]\n',
        "  terms:\n  - acme\n  - widget\n  own_accounts:\n    x:\n    - 12\n    - acme\n"
        "  exclude:\n  - acme of perfection\n",
    )
    last = with_brand(BODY, "globex", {"terms": ["globex"], "languages": []})
    assert last.startswith(BODY.partition("globex:")[0])
    assert last.endswith("globex:\n  terms:\n  - globex\n\n# The end.\n")


def test_a_new_brand_comes_last() -> None:
    assert (
        with_brand("", "acme", LISTS) == "acme:\n  terms:\n  - acme\n  - widget\n  exclude:\n  - acme of perfection\n"
    )
    assert with_brand(BODY, "initech", {"terms": ["initech"]}) == BODY + "initech:\n  terms:\n  - initech\n"
    assert with_brand("acme: {}", "b", {"terms": ["b"]}) == "acme: {}\nb:\n  terms:\n  - b\n"


def test_what_says_the_same_already_is_left_as_it_is() -> None:
    assert with_brand(BODY, "globex", {"terms": ["globex"], "languages": ["en"], "context": []}) == BODY


@pytest.mark.parametrize(
    "body",
    [
        "{acme: {terms: [a]}, globex: {terms: [g]}}",
        "acme: {terms: [a]}\nglobex: {terms: [g]}",
        "? acme\n: terms: [a]\n? globex\n: terms: [g]\n",
        '"acme":\r\n  terms: [a]\r\nglobex:\r\n  terms: [g]',
        "---\nacme:\n  terms: [a]\nglobex:\n  terms: [g]\n...\n",
        "acme:\nglobex:\n  terms: [g]\n",
    ],
)
def test_however_it_is_written_it_says_the_right_thing_in_the_end(body: str) -> None:
    assert brands(with_brand(body, "acme", LISTS)) == {
        "acme": {"terms": ["acme", "widget"], "exclude": ["acme of perfection"]},
        "globex": {"terms": ["g"]},
    }


@given(name=TEXT, terms=WORDS, exclude=WORDS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_words_are_read_as_they_were_given(name: str, terms: list[str], exclude: list[str]) -> None:
    text = with_brand(BODY, name, {"terms": terms, "exclude": exclude})
    found = brands(text)
    assert (found[name].get("terms", []), found[name].get("exclude", [])) == (terms, exclude)
    assert {key: it for key, it in found.items() if key != name} == {
        key: it for key, it in brands(BODY).items() if key != name
    }


def test_a_term_that_looks_like_something_else_stays_text() -> None:
    odd = ["1.5e3", "1e3", "12", "no", "null", "~", "2026-01-01", "22:00", "- a", "#a", "a: b", "*a", "[a]", "'", "<<"]
    assert brands(with_brand(BODY, "acme", {"terms": odd}))["acme"]["terms"] == odd


def test_a_text_that_is_no_document_is_refused() -> None:
    with pytest.raises(ConfigError):
        with_brand("acme: [", "acme", LISTS)
    assert parsed(with_brand("- a list", "acme", {"terms": ["a"]}), "brands") == {"acme": {"terms": ["a"]}}
