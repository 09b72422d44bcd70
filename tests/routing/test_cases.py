"""Tests of rules as data: the shipped ones pass, a failing one says how, a faulty file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from routing.cases import CaseResult, run_cases
from routing.rules import DEFAULT_CASES, load
from tests.routing.build import rules

SHIPPED = run_cases(load(), DEFAULT_CASES)


@pytest.mark.parametrize("result", SHIPPED, ids=lambda result: result.name)
def test_the_rules_that_come_with_harken_do_what_their_examples_say(result: CaseResult) -> None:
    assert result.passed, f"{result.failures}, because of {result.why}"


def test_every_rule_that_comes_with_harken_has_an_example() -> None:
    assert {rule.name for rule in load().rules} == {result.decision.rule for result in SHIPPED}


def written(folder: Path, text: str) -> Path:
    path = folder / "cases.yaml"
    path.write_text(text)
    return path


def test_a_failing_example_says_what_was_expected_and_what_came(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
- name: A complaint goes to marketing
  mention: {text: "my parcel is late"}
  tags: {brand: acme, intents: {complaint: 0.6}}
  expect: {queue: marketing, filtered: spam, first_response_due: 1h, rule: complaint}
""",
    )
    (result,) = run_cases(load(), path)
    assert not result.passed
    assert result.failures == (
        "queue: expected marketing, got service",
        "filtered: expected spam, got none",
        "first_response_due: expected 1h after it was written, got 4h after it was written",
    )
    assert result.why == "rule complaint: intents.complaint=0.6"


def test_an_example_may_spell_everything_out(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
- name: Spelled out
  mention:
    id: x:1
    source: x
    text: hello
    created_at: 2026-03-01T12:00:00+01:00
    author: {id: "7", handle: ana, followers: 10}
    metrics: {likes: 3}
  tags:
    language: {code: sv, confidence: 0.8, by: detector}
    sentiment: {label: negative, score: -0.7, words: [[bad, -2.5]]}
    spam: {score: 0.1, words: [win]}
    intents: [{name: lead, score: 0.3, words: [buy]}]
    cluster: {id: c, first: true}
  now: 2026-03-01T13:00:00+01:00
  expect: {rule: seen, first_response_due: 2026-03-01T15:00:00Z, resolution_due: null}
""",
    )
    seen = {
        "name": "seen",
        "when": {
            "language": "sv",
            "sentiment.score": -0.7,
            "spam.words": "win",
            "intents.lead": {"above": 0.2},
            "age": {"at_least": "1h"},
            "author.followers": 10,
        },
        "queue": "service",
        "first_response": "4h",
    }
    (result,) = run_cases(rules(seen), path)
    assert result.failures == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cases.yaml: holds no examples"),
        ("name: x", "cases.yaml: holds no examples"),
        ("- just text", "cases.yaml: [0]: is not an example"),
        ("- {expect: {queue: a}}", "cases.yaml: [0].name: is missing"),
        ("- {name: a}", "cases.yaml: [0].expect: expects nothing"),
        ("- {name: a, expect: {}}", "cases.yaml: [0].expect: expects nothing"),
        ("- {name: a, expect: {que: b}}", "cases.yaml: [0].expect.que: is not known here (did you mean queue?)"),
        ("- {name: a, tag: {}, expect: {queue: b}}", "cases.yaml: [0].tag: is not known here (did you mean tags?)"),
        ("- {name: a, mention: {txt: b}, expect: {queue: b}}", "mention.txt: is not known here (did you mean text?)"),
        ("- {name: a, mention: {author: {folowers: 1}}, expect: {queue: b}}", "mention.author.folowers: is not known"),
        ("- {name: a, mention: {author: {followers: x}}, expect: {queue: b}}", "mention.author.followers: Expected"),
        ("- {name: a, mention: {kind: letter}, expect: {queue: b}}", "[0].mention.kind: Invalid enum value 'letter'"),
        ("- {name: a, mention: [], expect: {queue: b}}", "[0].mention: Expected `object`"),
        ("- {name: a, tags: {spam: high}, expect: {queue: b}}", "[0].tags.spam.score: Expected `float`"),
        ("- {name: a, tags: {sentiment: bad}, expect: {queue: b}}", "tags.sentiment.label: Invalid enum value"),
        ("- {name: a, now: today, expect: {queue: b}}", "[0].now: 'today' is not a time with its zone"),
        ("- {name: a, now: 2026-01-01T00:00:00, expect: {queue: b}}", "is not a time with its zone"),
        ("- {name: a, expect: {resolution_due: soon}}", "[0].expect.resolution_due: 'soon' is not a time"),
        ("- {name: a, expect: {queue: b}}\n- {name: a, expect: {queue: b}}", "[1].name: is the name of another"),
    ],
)  # fmt: skip
def test_a_faulty_file_of_examples_is_told(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run_cases(rules(), written(tmp_path, text))
    assert problem in str(caught.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run_cases(rules(), written(tmp_path, "- {name: a}\n- {name: b, mention: {txt: c}, expect: {que: d}}"))
    assert len(caught.value.problems) == 3
