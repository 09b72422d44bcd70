"""A playbook says who is called and what may be said; what is wrong with it is told all at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pipeline.errors import ConfigError
from spikes._quiet import quiet_from
from spikes.detection import Kind
from spikes.playbooks import DEFAULT, Call, Playbook, filled, load, read
from tests.spikes.storm import CHAIN


def problems(text: str, **known: list[str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, "playbooks.yaml", **known)
    return [str(problem) for problem in caught.value.problems]


def test_those_that_come_with_harken_cover_every_kind_and_call_every_target() -> None:
    books = load(targets=["care"], brands=["larkline"])
    for kind in Kind:
        playbook = books.chosen(kind, "larkline")
        assert playbook is not None
        assert playbook.call[0].targets == ()
        assert playbook.call[0].after_minutes == 0
        assert all(books.statement(name) for name in playbook.statements)


def test_those_that_come_with_harken_are_written_to_be_copied() -> None:
    assert yaml.safe_load(DEFAULT.read_text(encoding="utf-8"))["playbooks"]


def test_the_first_that_covers_kind_and_brand_is_used() -> None:
    books = read(
        """
playbooks:
  - {name: ours, kinds: [firestorm], brands: [larkline]}
  - {name: storms, kinds: [firestorm, bot_flood]}
  - {name: rest}
""",
        "playbooks.yaml",
    )
    wanted = {("firestorm", "larkline"): "ours", ("firestorm", "acme"): "storms", ("praise", "larkline"): "rest"}
    for (kind, brand), name in wanted.items():
        playbook = books.chosen(kind, brand)
        assert playbook is not None
        assert playbook.name == name


def test_a_statement_is_filled_as_far_as_an_alert_can() -> None:
    books = read(CHAIN, "playbooks.yaml")
    statement = books.statement("sorry")
    assert statement is not None
    assert filled(books, statement, "Larkline", "i1") == "Larkline is sorry (i1), {customer.first_name}."


def test_every_problem_is_told_with_its_place_and_a_remedy() -> None:
    text = """
statements:
  - {name: sorry, texts: {en: "{brand.nam}"}}
  - {name: sorry, texts: {en: Sorry}}
playbooks:
  - {name: one, statements: [sory], brands: [larklin], call: [{targets: [car]}, {after_minutes: 0}]}
  - {name: one, kinds: [praise]}
"""
    assert problems(text, targets=["care"], brands=["larkline"]) == [
        "playbooks.yaml.statements[1].name: 'sorry' is statements[0] already (rename one)",
        "playbooks.yaml.statements[0].texts.en: there is no variable {brand.nam} (did you mean brand.name?)",
        "playbooks.yaml.playbooks[1].name: 'one' is playbooks[0] already (rename one)",
        "playbooks.yaml.playbooks[0].statements: there is no 'sory' (did you mean sorry?)",
        "playbooks.yaml.playbooks[0].brands: there is no 'larklin' (did you mean larkline?)",
        "playbooks.yaml.playbooks[0].call[0].targets: there is no 'car' (did you mean care?)",
        "playbooks.yaml.playbooks[0].call[1].after_minutes: is not after the call before (more than 0)",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "playbooks: [{name: a, kinds: [firestrom]}]",
            "playbooks[0].kinds[0]: there is no 'firestrom' (did you mean firestorm?)",
        ),
        (
            "playbooks: [{name: a, severity: majr}]",
            "playbooks[0].severity: there is no 'majr' (did you mean major?)",
        ),
        ("playbooks: [{name: a, cal: []}]", "playbooks[0].cal: there is no such setting (did you mean call?)"),
        (
            "playbooks: [{name: a, call: []}]",
            "playbooks[0].call: calls nobody (leave it out to call every target at once)",
        ),
        (
            "playbooks: [{name: a}, {name: b, kinds: [praise]}]",
            "playbooks[1]: is never used: 'a' before it covers all that it does (put it before)",
        ),
        (
            "playbooks: [{name: a, read: [{title: x, url: 'javascript:alert(1)'}]}]",
            "playbooks[0].read[0].url: is not an address (begin with https://, and write spaces as %20)",
        ),
        (
            "values: {brand.name: x}",
            "values: 'brand.name' cannot name a value (use a new name of small letters, such as links.status)",
        ),
        ("playbooks: [", "playbooks.yaml:1: not YAML"),
        ("playbooks: [{name: a, call: [{after_minutes: -1}]}]", "playbooks[0].call[0].after_minutes: "),
        ("playbooks: 3", "playbooks: "),
    ],
)
def test_a_slip_is_named_with_its_remedy(text: str, told: str) -> None:
    assert any(told in line for line in problems(text)), problems(text)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"timezone": "UTC", "hours": "always"}, "alerts.quiet_hours.hours: never end"),
        ({"timezone": "UTC", "hours": {"mon-sun": ["00:00-12:00", "12:00-24:00"]}}, "never end"),
        ({"timezone": "UTC", "hours": {"mon": "22:00-24:00"}, "let_through": "mayor"}, "did you mean major?"),
        ({"timezone": "Europe/Berln", "hours": {"mon": "22:00-24:00"}}, "did you mean Europe/Berlin?"),
        ({"timezone": "UTC", "hours": {"mon": "22:00-06:00"}}, "ends before it starts"),
        ("22-7", "is not a mapping"),
    ],
)
def test_quiet_hours_that_cannot_be_are_refused(values: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        quiet_from(values)
    assert told in str(caught.value)


def test_without_quiet_hours_it_is_never_quiet() -> None:
    assert quiet_from(None) is None


def test_the_example_of_the_documentation_is_one_and_every_setting_is_explained() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
    whole, example = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    alerts = yaml.safe_load(whole)["alerts"]
    read(example, "docs", targets=list(alerts["targets"]), brands=["larkline"])
    assert quiet_from(alerts["quiet_hours"]) is not None
    for setting in (*Playbook.model_fields, *(f"call[].{it}" for it in Call.model_fields)):
        assert f"| `{setting}` |" in page, setting
