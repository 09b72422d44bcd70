import pytest

from pipeline.mention import Language
from tests.enrich.helpers import tags


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The parcel never arrived and nobody answers the phone", "en"),
        ("Das Paket ist nie angekommen und niemand geht ans Telefon", "de"),
        ("El paquete no ha llegado y nadie contesta al teléfono", "es"),
        ("Le colis n'est jamais arrivé et personne ne répond", "fr"),
        ("荷物が届かないし誰も電話に出ません", "ja"),
        ("الطرد لم يصل ولا أحد يرد على الهاتف", "ar"),
        ("Посылка так и не пришла, и никто не отвечает", "ru"),
    ],
)
def test_the_detector_knows_common_languages(text: str, code: str) -> None:
    found = tags(text).language
    assert found is not None
    assert (found.code, found.by) == (code, "detector")
    assert 0.0 < found.confidence <= 1.0


@pytest.mark.parametrize(
    ("lang", "code"),
    [("en-US", "en"), ("PT_br", "pt"), ("zh-Hant-TW", "zh"), ("deu", "de"), ("in", "id"), ("iw", "he"), ("nb", "nb")],
)
def test_the_sources_word_comes_first_and_becomes_two_letters(lang: str, code: str) -> None:
    assert tags("Das Paket ist nie angekommen", lang=lang).language == Language(code=code, confidence=1.0, by="source")


@pytest.mark.parametrize("lang", ["und", "qme", "zxx", "", "-", "x-klingon", "英", "a" * 1000])
def test_a_source_that_says_nothing_usable_leaves_it_to_the_detector(lang: str) -> None:
    found = tags("Das Paket ist nie angekommen", lang=lang).language
    assert found is not None
    assert (found.code, found.by) == ("de", "detector")


@pytest.mark.parametrize(
    "text", ["", "ok", "👍👍👍", "@acme @globex_help https://example.com/das-ist-ein-link", "12345 67890 !!!"]
)
def test_too_little_text_has_no_language(text: str) -> None:
    assert tags(text).language == Language(code="und", confidence=0.0, by="none")
