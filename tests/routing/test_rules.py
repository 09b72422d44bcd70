"""Files of rules: what is refused and how it is told; what is the same and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import ConfigError
from routing.rules import DEFAULT, Rules, load, parse
from tests.routing.build import rules

ALWAYS = {"name": "default", "when": "always", "queue": "service"}


def told(document: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(document, "r.yaml")
    return [str(problem) for problem in caught.value.problems]


def with_rules(*some: Any, **top: Any) -> dict[str, Any]:
    return {"version": "1", "queues": ["service"], "rules": list(some)} | top


def test_the_rules_that_come_with_harken_are_valid() -> None:
    assert load().queues == ("service", "marketing")
    assert load() is not load(DEFAULT)
    assert load().version == load(DEFAULT).version


def test_every_problem_is_told_at_once_with_its_place() -> None:
    document = with_rules(
        {"name": "a", "when": {"spma": {"at_least": 0.5}}, "queue": "servce", "priorty": "high"},
        {"name": "a", "when": {"spam": {"least": 0.5}}, "filter": "spam", "first_response": "4h"},
        {"name": "B!", "queue": "service", "priority": "asap", "first_response": "2d", "resolution": "4 hours"},
        "complaint",
        quues=[],
    )
    assert told(document) == [
        "r.yaml: quues: there is no such setting (did you mean queues?)",
        "r.yaml: rules[0] (a).priorty: there is no such setting (did you mean priority?)",
        "r.yaml: rules[0] (a).when.spma: there is no such field (did you mean spam?)",
        "r.yaml: rules[0] (a).queue: 'servce' is not declared in queues (did you mean service?)",
        "r.yaml: rules[1] (a): has the name of rules[0] (give each rule its own name)",
        "r.yaml: rules[1] (a).when.spam.least: spam takes no operator 'least' (did you mean at_least?)",
        "r.yaml: rules[1] (a).first_response: is for queues; nobody waits for what is filtered (remove it)",
        "r.yaml: rules[2].name: is not a name (small letters, digits, spaces, _ and -)",
        "r.yaml: rules[2].when: is missing (a condition, or always)",
        "r.yaml: rules[2].resolution: '4 hours' is not a duration (write for example 15m, 4h or 2d)",
        "r.yaml: rules[2].priority: 'asap' is no priority (known here: high, low, normal, urgent)",
        "r.yaml: rules[3]: is not a rule (a rule has name:, when: and queue: or filter:)",
        "r.yaml: rules: has no default (end with a rule that has when: always, so that every mention is decided)",
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (None, "r.yaml: holds no rules"),
        ([], "r.yaml: holds no rules"),
        ({}, "r.yaml: queues: declares no queue"),
        (with_rules(), "r.yaml: rules: holds no rules"),
        (with_rules(ALWAYS, version=None), "r.yaml: version: is not a label"),
        (with_rules(ALWAYS, version="a b"), "r.yaml: version: is not a label"),
        (with_rules(ALWAYS, queues=["service", "service"]), "r.yaml: queues: service is declared twice"),
        (with_rules(ALWAYS, queues=["service", {}]), "r.yaml: queues: {} is no name for a queue"),
        (with_rules(ALWAYS | {"filter": "noise"}), "goes to both or neither"),
        (with_rules({"name": "default", "when": "always"}), "goes to both or neither"),
        (with_rules(ALWAYS | {"queue": ["service"]}), "['service'] is not declared in queues"),
        (with_rules({"name": "x", "when": "always", "filter": ""}), "filter: is not a reason"),
        (with_rules(ALWAYS | {"name": ["default"]}), "rules[0].name: is not a name"),
        (with_rules(ALWAYS | {"first_response": "2d", "resolution": "4h"}), "is due before the first response"),
        (with_rules(ALWAYS | {"first_response": "0h"}), "'0h' is not between one second and 366 days"),
        (with_rules(ALWAYS | {"when": True}), "when: is not a condition"),
    ],
    ids=str,
)
def test_a_faulty_file_is_refused(document: Any, problem: str) -> None:
    assert any(problem in line for line in told(document))


def test_a_rule_after_one_that_always_holds_is_never_reached() -> None:
    after = {"name": "late", "when": {"own": True}, "filter": "own"}
    assert told(with_rules(ALWAYS, after)) == [
        "r.yaml: rules[1] (late): is never reached: rules[0] (default) always holds (move it up, or remove it)"
    ]


def test_comments_and_layout_do_not_change_the_version(tmp_path: Path) -> None:
    document = yaml.safe_load(DEFAULT.read_text())
    bare = tmp_path / "bare.yaml"
    bare.write_text(yaml.safe_dump(document, sort_keys=True))
    assert load(bare).version == load().version


@pytest.mark.parametrize(
    "changed",
    [
        {"when": {"spam": {"at_least": 0.8}}},
        {"queue": "marketing"},
        {"first_response": "1h"},
        {"priority": "high"},
        {"name": "other"},
    ],
    ids=str,
)
def test_whatever_could_change_a_decision_changes_the_version(changed: dict[str, Any]) -> None:
    rule = {"name": "one", "when": {"spam": {"at_least": 0.9}}, "queue": "service"}
    assert rules(rule | changed).version != rules(rule).version


def test_the_order_of_rules_changes_the_version() -> None:
    one = {"name": "one", "when": {"own": True}, "filter": "own"}
    two = {"name": "two", "when": {"repost": True}, "filter": "repost"}
    assert rules(one, two).version != rules(two, one).version


def test_the_version_begins_with_the_files_own_label() -> None:
    made: Rules = rules()
    label, _, digest = made.version.partition("+")
    assert label == "1"
    assert len(digest) == 12
