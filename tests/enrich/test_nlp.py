import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrich import _nlp

NLP = _nlp.build()
PIECES = st.sampled_from(
    [
        "@a",
        "b",
        ".",
        "@",
        "#",
        "https://x.y/z",
        "www.a",
        "a@b.c",
        "don't",
        "\u2019s",
        " ",
        "\n",
        "é",
        "e\u0301",
        "アク",
        "🔥",
        "-",
        "१",
        "ก็",
        "\0",
    ]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_the_doc_holds_the_text_to_the_letter(text: str) -> None:
    doc = NLP.make_doc(text)
    assert doc.text == text == _nlp.text(doc)
    assert [token.text for token in doc] == list(_nlp.words(doc))
    assert all(text[token.idx : token.idx + len(token)] == token.text for token in doc)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (".@acme why?", [".", "@acme", "why", "?"]),
        ("don't acme\u2019s", ["don", "'t", "acme", "\u2019s"]),
        (
            "@acme.bsky.social, @acme.Please @a@b.social",
            ["@acme.bsky.social", ",", "@acme", ".", "Please", "@a@b.social"],
        ),
        ("mail a.b@acme.co.uk now", ["mail", "a.b@acme.co.uk", "now"]),
        ("#AcmeFail https://a.b/c?d=e", ["#", "AcmeFail", "https://a.b/c?d=e"]),
        ("今日Acmeだ", ["今", "日", "Acme", "だ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
    ],
)
def test_addresses_stay_whole_and_endings_come_off(text: str, tokens: list[str]) -> None:
    assert [token.text for token in NLP.make_doc(text)] == tokens


def test_the_plain_text_has_no_addresses() -> None:
    doc = NLP.make_doc("thanks @acme! see https://a.b/c or a@b.example, 3 @ 5")
    assert _nlp.plain(doc).split() == ["thanks", "!", "see", "or", ",", "3", "@", "5"]


@pytest.mark.parametrize(
    ("word", "normal"),
    [
        ("45", "0"),
        ("two", "0"),
        ("2k", "2k"),
        ("@Acme", "@"),
        ("@", "@"),
        ("HTTPS://x", "://"),
        ("\u2019T", "'t"),
        ("Thx", "thanks"),
        ("Acme", "acme"),
    ],
)
def test_the_normal_form(word: str, normal: str) -> None:
    assert _nlp.normal(word) == normal


def test_only_the_start_of_a_huge_text_is_read() -> None:
    doc = NLP.make_doc("word " * 300_000)
    assert len(_nlp.text(doc)) == _nlp.CHARS


def test_the_vocabulary_is_replaced_before_it_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nlp, "VOCABULARY", 200)
    tokenizer = _nlp.Tokenizer()
    docs = [tokenizer(" ".join(f"w{batch}x{word}" for word in range(50))) for batch in range(20)]
    assert len(tokenizer.vocab) < 300
    assert docs[0].text.startswith("w0x0 ")  # a doc outlives its vocabulary's turn
    assert docs[0][0].norm_ == "w0x0"
