"""A macro says what it says, asks only for what exists, and is offered where it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.macros import VARIABLES, Filled, Macro, fill, first_name, holes, load, read, suggest, variables
from pipeline.errors import ConfigError
from pipeline.mention import Intent

FILE = """
values:
  links.returns: https://acme.example/returns
macros:
  - name: late_parcel
    title: A parcel is late
    intents: [complaint]
    topics: [delivery]
    texts:
      en: "Hello {customer.first_name}, I'm sorry your parcel is late ({case.reference})."
      no: "Hei {customer.first_name}, beklager at pakken er forsinket."
  - name: returns
    intents: [question]
    topics: [returns]
    networks: [x]
    texts: {en: "You can return it here: {links.returns}"}
  - name: thanks
    texts: {en: "Thank you for writing!"}
"""
INTENTS = ("complaint", "praise", "lead", "question")


def problems(text: str, **known: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, "macros.yaml", **known)
    return [str(problem) for problem in caught.value.problems]


def macro(name: str = "one", text: str = "Hello", **changes: Any) -> Macro:
    return Macro.model_validate({"name": name, "texts": {"en": text}} | changes)


def test_a_file_is_read_and_norwegian_is_not_taken_for_a_no(tmp_path: Path) -> None:
    path = tmp_path / "macros.yaml"
    path.write_text(FILE, encoding="utf-8")
    macros = load(path, intents=INTENTS, networks=["x", "bluesky"])
    assert [one.name for one in macros.macros] == ["late_parcel", "returns", "thanks"]
    late = macros.find("late_parcel")
    assert late is not None
    assert list(late.texts) == ["en", "no"]
    assert macros.find("early_parcel") is None


def test_every_problem_is_told_with_its_place_and_a_remedy() -> None:
    assert problems(
        """
macros:
  - {name: a, texts: {en: "Hi {agent.nam}"}, intents: [complant], networks: [bluesk]}
  - {name: a, texts: {en: "Hi"}}
""",
        intents=INTENTS,
        networks=["x", "bluesky"],
    ) == [
        "macros.yaml.macros[0].intents: there is no 'complant' (did you mean complaint?)",
        "macros.yaml.macros[0].networks: there is no 'bluesk' (did you mean bluesky?)",
        "macros.yaml.macros[0].texts.en: there is no variable {agent.nam} (did you mean agent.name?)",
        "macros.yaml.macros[1].name: 'a' is macros[0] already (rename one)",
    ]


def test_the_shape_of_the_file_is_checked_first_all_at_once() -> None:
    told = problems("macros:\n  - {name: a, texts: {}, topcis: [x]}\n  - {texts: {english: Hi}}\n")
    assert any(line.startswith("macros.yaml.macros[0].texts: ") for line in told)
    assert any(line.startswith("macros.yaml.macros[0].topcis: ") and "topics" in line for line in told)
    assert any(line.startswith("macros.yaml.macros[1].name: ") for line in told)
    assert any(line.startswith("macros.yaml.macros[1].texts: ") and "'english'" in line for line in told)


@pytest.mark.parametrize(
    "template",
    [
        "{customer.name.__class__}",
        "{customer.name!r}",
        "{customer.name:>100000000}",
        "{customer[name]}",
        "{0}",
        "{}",
        "{customer.name:{agent.name}}",
        "{ customer.name }",
        "{Customer.Name}",
        "open { brace",
        "closed } brace",
    ],
)
def test_a_template_knows_plain_names_and_nothing_else(template: str) -> None:
    with pytest.raises(ValueError, match=r"plain name|brace"):
        variables(template)
    (told,) = problems(f"macros: [{{name: a, texts: {{en: '{template}'}}}}]")
    assert told.startswith("macros.yaml.macros[0].texts.en: ")


def test_a_file_that_is_no_yaml_names_the_line_and_a_missing_one_its_path(tmp_path: Path) -> None:
    (told,) = problems("macros:\n  - [\n")
    assert told.startswith("macros.yaml:3: not YAML")
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load(tmp_path / "nowhere.yaml")


def test_a_value_may_not_take_the_name_of_a_variable() -> None:
    (told,) = problems("values: {customer.name: Ana}")
    assert told.startswith("macros.yaml.values: 'customer.name' cannot name a value")


def test_a_macro_too_long_for_its_network_even_when_empty_is_refused() -> None:
    long = "a" * 281
    (told,) = problems(f"macros: [{{name: a, networks: [x, reddit], texts: {{en: '{long}{{case.reference}}'}}}}]")
    assert told == "macros.yaml.macros[0].texts.en: 1 weighted characters too long for x (shorten it)"


def test_an_empty_file_holds_no_macros() -> None:
    assert read("", "macros.yaml").macros == ()


def test_a_macro_is_filled_in() -> None:
    one = macro(text="Hello {customer.first_name}, {{really}} {customer.first_name}: {links.a}")
    values = {"customer.first_name": " Ana\n", "links.a": "https://a.example"}
    assert fill(one, "en", values) == Filled("Hello Ana, {really} Ana: https://a.example")


def test_what_is_missing_is_named_and_stays_visible() -> None:
    one = macro(text="Hello {customer.first_name}, case {case.reference}.")
    filled = fill(one, "en", {"customer.first_name": "  ", "case.reference": None})
    assert filled == Filled(
        "Hello {customer.first_name}, case {case.reference}.", ("customer.first_name", "case.reference")
    )
    assert [filled.text[start:end] for start, end in holes(filled.text)] == [
        "{customer.first_name}",
        "{case.reference}",
    ]


def test_braces_in_a_customers_name_ask_for_nothing() -> None:
    one = macro(text="Hello {customer.name}")
    assert fill(one, "en", {"customer.name": "{agent.name}", "agent.name": "Sam"}).text == "Hello {agent.name}"
    assert len(fill(one, "en", {"customer.name": "a" * 5000}).text) == len("Hello ") + 200


def test_a_language_it_has_not_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        fill(macro(), "de", {})


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        ("Ana Berg", "Ana"),
        ("Jean-Luc P.", "Jean-Luc"),
        ("O'Neil", "O'Neil"),
        ("Zoë", "Zoë"),
        ("xX_Gamer_Xx", ""),
        ("J. Berg", ""),
        ("4ever young", ""),
        ("", ""),
    ],
)
def test_only_what_looks_like_a_first_name_is_one(shown: str, first: str) -> None:
    assert first_name(shown) == first


@pytest.mark.parametrize(
    "text", ["Hello {name}", "Hello [FIRST NAME]", "Hello <name>", "Case ____", "Case XXXX", "Hello {}"]
)
def test_a_hole_is_seen(text: str) -> None:
    assert len(holes(text)) == 1


@pytest.mark.parametrize(
    "text", ["size XXL or XL", "love it xxx", "a < b and b > c", "[see below]", "snake_case", "<3"]
)
def test_what_only_looks_like_a_hole_is_none(text: str) -> None:
    assert holes(text) == ()


# ------------------------------------------------------------------- suggesting


def offered(intents: dict[str, float], topics: list[str], language: str | None = "en", **more: Any) -> list[Any]:
    macros = read(FILE, "macros.yaml").macros
    found = suggest(
        macros, [Intent(name=name, score=score) for name, score in intents.items()], topics, language, **more
    )
    return [(one.macro.name, one.score, one.reasons) for one in found]


def test_the_best_fit_comes_first_and_says_why() -> None:
    assert offered({"complaint": 0.92, "question": 0.4}, ["delivery"]) == [
        ("late_parcel", 1.42, ("complaint 0.92", "topic delivery")),
        ("returns", 0.4, ("question 0.40",)),
        ("thanks", 0.0, ("fits everything",)),
    ]


def test_a_macro_that_shares_nothing_is_not_offered() -> None:
    assert offered({"praise": 0.9}, ["price"]) == [("thanks", 0.0, ("fits everything",))]


def test_language_and_network_are_conditions() -> None:
    assert [name for name, *_ in offered({"complaint": 0.9, "question": 0.9}, [], "no")] == ["late_parcel"]
    assert [name for name, *_ in offered({"question": 0.9}, [], network="bluesky")] == ["thanks"]
    assert [name for name, *_ in offered({"question": 0.9}, [], network="x")] == ["returns", "thanks"]
    assert offered({"question": 0.9}, [], "fr") == []


def test_an_unknown_language_offers_the_first_text() -> None:
    for language in (None, "und"):
        found = suggest(read(FILE, "macros.yaml").macros, [Intent(name="complaint", score=0.9)], [], language)
        assert [one.language for one in found] == ["en", "en"]


def test_no_more_than_asked_for_and_equals_in_the_files_order() -> None:
    many = [macro(f"m{number}") for number in range(9)]
    assert [one.macro.name for one in suggest(many, [], [], "en", most=3)] == ["m0", "m1", "m2"]


def test_every_variable_and_setting_is_documented() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "answering.md").read_text(encoding="utf-8")
    for name in (*VARIABLES, "values", *Macro.model_fields):
        assert f"`{name}`" in page, name


def test_the_macro_file_of_the_page_is_one() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "answering.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert len(read(example, "docs", intents=INTENTS, networks=["x", "bluesky", "mastodon", "reddit"]).macros) == 2


@given(
    st.lists(st.sampled_from([*VARIABLES, "plain words", "{{", "}}"]), max_size=8),
    st.dictionaries(st.sampled_from(list(VARIABLES)), st.text(st.characters(codec="ascii"), max_size=20)),
)
def test_a_filled_macro_is_complete_or_says_what_is_missing(parts: list[str], values: dict[str, str]) -> None:
    text = "t" + " ".join(f"{{{part}}}" if part in VARIABLES else part for part in parts)
    filled = fill(macro(text=text), "en", values)
    asked = set(variables(text))
    assert set(filled.missing) == {name for name in asked if not values.get(name, "").strip()}
