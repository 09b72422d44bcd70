import pytest

from pipeline.mention import BrandMatch
from pipeline.ports import Brand, Draft
from tests.enrich.helpers import NLP, drafts, stage, tags
from tests.fixtures.shapes import mention


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Acme lost my parcel", ["Acme"]),
        ("I hate ACME, and acme's queue", ["ACME", "acme"]),
        (".@Acme please answer", ["@Acme"]),
        ("thanks @acme!", ["@acme"]),
        ("(acme) *acme* acme/widget acme|globex", ["acme", "acme", "acme", "acme", "globex"]),
        ("#Acme is trending", ["Acme"]),
        ("late again.Acme never learns", ["Acme"]),
        ("my acme phone broke", ["acme phone"]),
        ("Acmeville is a town, and so is New_Acme", []),
        ("#AcmeFail", []),
        ("@acmehelp is somebody else, so is @acme@example.social and @acme.example.org", []),
        ("hello @acme.bsky.social", ["@acme.bsky.social"]),
        ("mail me at bob@acme.com", []),
        ("see https://acme.com/broken and www.acme.com", []),
        ("the acme of skill", []),
        ("the acme of skill is an Acme", ["Acme"]),
        ("caf\u00e9 acme is shut", ["caf\u00e9 acme"]),
        ("cafe\u0301 acme is shut", ["cafe\u0301 acme"]),
        ("Straße 7, STRASSE 7", ["Straße 7", "STRASSE 7"]),
        ("a C++ course with a 7-up", ["C++", "7-up"]),
        ("昨日アクメの新しいAcmeを買った", ["アクメ", "Acme"]),
        ("🔥Acme🔥", ["Acme"]),
        ("", []),
    ],
)
def test_a_term_is_found_as_a_whole_word_and_where_it_stands(text: str, terms: list[str]) -> None:
    found = tags(text).brands
    assert [match.term for match in found] == terms
    assert [text[match.start : match.end] for match in found] == terms


def test_the_brand_named_most_often_is_the_one_it_is_about() -> None:
    found = tags("Acme sold me this, but Globex repaired it. Thank you Globex")
    assert found.brand == "Globex"
    assert {match.brand for match in found.brands} == {"Acme", "Globex"}


def test_of_brands_named_equally_often_the_first_wins() -> None:
    assert tags("Globex or Acme?").brand == "Globex"


def test_a_source_that_belongs_to_a_brand_decides_even_for_one_we_do_not_know() -> None:
    found = tags("Acme lost my parcel", brand="Initech")
    assert found.brand == "Initech"
    assert found.brands == (BrandMatch(brand="Acme", term="Acme", start=0, end=4),)


def test_the_title_decides_when_the_text_names_no_brand() -> None:
    found = tags("It caught fire.", title="Acme recalls a toaster")
    assert (found.brand, found.brands) == ("Acme", ())


def test_without_brands_nothing_is_matched() -> None:
    batch = drafts(["Acme", ""])
    stage("brand", brands=()).annotate(batch)
    assert [(draft.brand, draft.brands) for draft in batch] == [(None, ()), (None, ())]


def test_a_term_in_one_brands_exclude_still_counts_for_another() -> None:
    brands = (Brand("Pie", ("apple pie",)), Brand("Apple", ("apple",), exclude=("apple pie",)))
    batch = drafts(["apple pie"])
    stage("brand", brands=brands).annotate(batch)
    assert [match.brand for match in batch[0].brands] == ["Pie"]


def test_blank_terms_match_nothing() -> None:
    batch = drafts(["a b", ""])
    stage("brand", brands=(Brand("Odd", ("", "  "), ("",)),)).annotate(batch)
    assert [draft.brands for draft in batch] == [(), ()]


def test_the_version_changes_with_the_brands() -> None:
    one, other = stage("brand", brands=(Brand("A", ("a",)),)), stage("brand", brands=(Brand("A", ("b",)),))
    assert one.version != other.version


def test_an_answer_in_a_thread_is_about_what_the_thread_is_about() -> None:
    fresh = stage("brand")
    said = [
        mention("t:1", text="acme lost my parcel"),
        mention("t:2", text="same here, weeks ago", conversation="t:1"),
        mention("t:3", text="and globex is no better", conversation="t:1"),
        mention("t:4", text="same here", conversation="t:9"),
    ]
    batch = [Draft(mention=one, doc=NLP.make_doc(one.text)) for one in said]
    fresh.annotate(batch)
    assert [draft.brand for draft in batch] == ["Acme", "Acme", "Globex", None]
    assert batch[1].brands == ()


DELTA = Brand("Delta", ("delta",), ("Delta",), context=("flight", "lost luggage"), languages=("en", "es"))


@pytest.mark.parametrize(
    ("text", "title", "lang", "about"),
    [
        ("Delta cancelled my flight", "", None, "Delta"),
        ("the delta of the Mekong", "", None, None),
        ("hey @delta what is this", "", None, "Delta"),
        ("delta and @delta", "", None, "Delta"),
        ("delta again", "My flight to Rome", None, "Delta"),
        ("my flight", "Delta, never again", None, "Delta"),
        ("Delta cancelled my flight", "", "en-GB", "Delta"),
        ("Delta cancelled my flight", "", "und", "Delta"),
        ("Delta cancelled my flight", "", "de", None),
        ("@delta", "", "de", None),
    ],
)
def test_context_and_languages_narrow_what_a_term_means(
    text: str, title: str, lang: str | None, about: str | None
) -> None:
    draft = Draft(mention=mention(text=text, title=title, lang=lang), doc=NLP.make_doc(text))
    stage("brand", [DELTA]).annotate([draft])
    assert draft.brand == about


def test_of_a_brand_in_context_every_term_counts() -> None:
    draft = Draft(mention=mention(text="delta @delta delta"), doc=NLP.make_doc("delta @delta delta"))
    stage("brand", [DELTA]).annotate([draft])
    assert [match.start for match in draft.brands] == [0, 6, 13]
