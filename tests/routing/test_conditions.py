"""What conditions see: fields, operators, groups, times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Problem
from pipeline.mention import Author, BrandMatch, Cluster, Language, Metrics, Signal, Tags, Target
from routing.conditions import Condition, compile_condition
from routing.fields import FIELDS
from routing.operators import OPERATORS
from tests.routing.build import facts, tags


def compiled(written: object) -> Condition:
    problems: list[Problem] = []
    condition = compile_condition(written, "when", problems)
    assert not problems
    return condition


def problems_of(written: object) -> list[str]:
    problems: list[Problem] = []
    compile_condition(written, "when", problems)
    return [str(problem) for problem in problems]


KNOWN = facts(
    text='The refund never came. ACME is "great", right? 返金してください',
    id="bluesky:1",
    source="bluesky",
    kind="reply",
    author=Author(id="Ana", handle="Ana.Example", followers=1200, verified=True),
    rating=0.2,
    metrics=Metrics(likes=7),
    title="Late",
    found=tags(
        complaint=0.7,
        spam=0.1,
        urgency=Signal(score=0.4, words=("loud",), kinds=("legal", "outage")),
        sarcasm=0.6,
        target=Target(of="competitor", score=0.8, name="Globex", words=("worse",)),
        sentiment="negative",
        topics=("Delivery", "refund"),
        reach=1300,
        repost=False,
        cluster=Cluster(id="c1", first=True),
        brands=(
            BrandMatch(brand="acme", term="ACME", start=0, end=4),
            BrandMatch(brand="bolt", term="x", start=1, end=2),
        ),
    ),
)


@pytest.mark.parametrize(
    "written",
    [
        {"source": "bluesky"},
        {"source": "Bluesky"},
        {"mention.source": ["x", "bluesky"]},
        {"kind": "reply"},
        {"kind": {"not": ["post", "repost"]}},
        {"author.handle": "ana.example"},
        {"author.handle": {"contains": "example"}},
        {"author.id": "Ana"},
        {"author.followers": {"at_least": 1200, "at_most": 1200}},
        {"mention.author.verified": True},
        {"metrics.likes": {"above": 6, "below": 8}},
        {"metrics.views": {"exists": False}},
        {"rating": 0.2},
        {"brand": "acme"},
        {"brands": "bolt"},
        {"brands": {"not": ["other"]}},
        {"topics": ["delivery", "price"]},
        {"language": "en"},
        {"tags.language.by": "detector"},
        {"sentiment": "negative"},
        {"tags.sentiment.label": {"not": "positive"}},
        {"sentiment.score": {"at_most": 0}},
        {"intents.complaint": {"at_least": 0.7}},
        {"intents.praise": {"below": 0.1}},
        {"tags.spam.score": {"below": 0.2}},
        {"urgency": {"above": 0.3}},
        {"urgency.kinds": ["legal", "press"]},
        {"spam.kinds": {"not": "bot"}},
        {"sarcasm": {"at_least": 0.6}},
        {"target": "competitor"},
        {"tags.target.of": {"not": "brand"}},
        {"target.name": "globex"},
        {"target.score": {"above": 0.7}},
        {"reach": {"at_least": 1000}},
        {"repost": False},
        {"cluster.first": True},
        {"text": {"contains": "refund"}},
        {"text": {"contains": ["nothing", "THE  refund"]}},
        {"text": {"contains": "返金"}},
        {"text": {"contains": "?"}},
        {"text": {"matches": r"refund (never|not)"}},
        {"text": {"matches": "ACME"}},
        {"title": {"exists": True}},
        {"created_at": {"at_least": "2026-01-05", "below": "2026-01-05T09:00:01Z"}},
        {"age": {"at_least": "30m", "at_most": "30m"}},
        {"all": [{"source": "bluesky"}, {"own": False}]},
        {"any": [{"source": "x"}, {"own": False}]},
        {"not": {"source": "x"}},
        {"not": {"source": "bluesky", "own": True}},
        {"source": "bluesky", "any": [{"kind": "reply"}, {"kind": "post"}]},
    ],
    ids=str,
)
def test_a_condition_that_holds(written: dict[str, Any]) -> None:
    condition = compiled(written)
    assert condition.holds(KNOWN)
    assert list(condition.reasons(KNOWN, True))
    assert not compiled({"not": written}).holds(KNOWN)


@pytest.mark.parametrize(
    "written",
    [
        {"source": "x"},
        {"author.id": "ana"},
        {"author.followers": {"above": 1200}},
        {"metrics.views": {"at_least": 0}},
        {"metrics.views": {"below": 1}},
        {"topics": {"not": ["refund"]}},
        {"urgency.kinds": "press"},
        {"target": ["brand", "other"]},
        {"intents.lead": {"at_least": 0.1}},
        {"text": {"contains": "fund"}},
        {"text": {"contains": "refunds"}},
        {"text": {"contains": "refund came"}},
        {"text": {"matches": "refund$"}},
        {"source": "bluesky", "own": True},
        {"age": {"above": "30m"}},
        {"created_at": {"above": "2026-01-05T10:00:00+01:00"}},
        {"any": [{"source": "x"}, {"own": True}]},
        {"all": [{"source": "bluesky"}, {"own": True}]},
    ],
    ids=str,
)
def test_a_condition_that_does_not_hold(written: dict[str, Any]) -> None:
    condition = compiled(written)
    assert not condition.holds(KNOWN)
    assert list(condition.reasons(KNOWN, False))


def test_what_nobody_found_satisfies_nothing_but_its_absence() -> None:
    empty = facts(found=Tags())
    for name, field in FIELDS.items():
        if name.startswith("tags.") and field.kind in ("number", "text", "word") and field.read(empty) is None:
            assert not compiled({name: {"exists": True}}).holds(empty)
            assert compiled({name: {"exists": False}}).holds(empty)
    assert not compiled({"sentiment": "negative"}).holds(empty)
    assert compiled({"language": {"not": "en"}}).holds(empty)
    assert compiled({"spam": {"below": 0.5}, "intents.complaint": {"at_most": 0}}).holds(empty)


def test_the_brand_of_a_source_counts_where_the_words_name_none() -> None:
    inbox = facts(found=Tags(), brand="acme")
    assert compiled({"brand": "acme"}).holds(inbox)
    assert not compiled({"tags.brand": {"exists": True}}).holds(inbox)


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-01-09T21:59:00+01:00", False),
        ("2026-01-09T22:00:00+01:00", True),  # Friday night
        ("2026-01-10T05:59:59+01:00", True),  # still Friday night
        ("2026-01-10T06:00:00+01:00", False),
        ("2026-01-10T23:00:00+01:00", False),  # Saturday night
        ("2026-01-09T04:00:00+01:00", False),  # Thursday night
        ("2026-07-10T20:30:00+00:00", True),  # summer time
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_began(moment: str, holds: bool) -> None:
    night = compiled({"time": {"between": ["22:00", "06:00"], "timezone": "Europe/Berlin", "weekdays": ["fri"]}})
    assert night.holds(facts(created_at=datetime.fromisoformat(moment))) is holds


def test_a_time_within_a_day_ends_before_its_second_time() -> None:
    office = compiled({"time": {"between": ["09:00", "17:00"]}})
    on = datetime(2026, 1, 5, tzinfo=UTC)
    assert [office.holds(facts(created_at=on.replace(hour=hour))) for hour in (8, 9, 16, 17)] == [
        False,
        True,
        True,
        False,
    ]


def test_days_alone_are_enough() -> None:
    weekend = compiled({"time": {"weekdays": ["sat", "sun"]}})
    assert [weekend.holds(facts(created_at=datetime(2026, 1, day, 12, tzinfo=UTC))) for day in (9, 10, 11, 12)] == [
        *(False, True, True, False)
    ]
    assert list(weekend.reasons(facts(), False)) == ["time=mon 09:00 UTC"]


def test_the_ends_of_the_calendar_have_a_time_too() -> None:
    night = compiled({"time": {"between": ["22:00", "06:00"], "timezone": "Pacific/Kiritimati"}})
    assert night.holds(facts(created_at=datetime.max.replace(tzinfo=UTC)))


# ------------------------------------------------------------------------ evidence


@pytest.mark.parametrize(
    ("written", "evidence"),
    [
        ({"intents.complaint": {"at_least": 0.5}}, ["intents.complaint=0.7 (complaint word)"]),
        ({"tags.spam.score": {"below": 0.5}}, ["tags.spam.score=0.1 (loud)"]),
        ({"sentiment": "negative"}, ["sentiment=negative (bad)"]),
        ({"target": "competitor"}, ["target=competitor (worse)"]),
        ({"sarcasm": {"above": 0.5}, "urgency.kinds": "legal"}, ["sarcasm=0.6 (loud)", "urgency.kinds=legal, outage"]),
        ({"text": {"contains": ["refund", "great", "no"]}}, ["text=refund, great"]),
        ({"text": {"matches": "n[a-z]+r"}}, ["text=never"]),
        ({"text": {"exists": True}}, ["text=(present)"]),
        ({"not": {"text": {"contains": "invoice"}}}, ["text=(no match)"]),
        ({"metrics.views": {"exists": False}}, ["metrics.views=(absent)"]),
        ({"any": [{"source": "x"}, {"own": False}, {"kind": "reply"}]}, ["own=false", "kind=reply"]),
        ({"source": "bluesky", "reach": {"above": 1}}, ["source=bluesky", "reach=1300"]),
        ({"brands": "acme"}, ["brands=acme, bolt"]),
        ({"created_at": {"above": "2026-01-01"}}, ["created_at=2026-01-05T09:00:00+00:00"]),
        ({"age": {"above": "1m"}}, ["age=30m"]),
    ],
    ids=str,
)
def test_the_evidence_is_what_the_condition_saw(written: dict[str, Any], evidence: list[str]) -> None:
    assert list(compiled(written).reasons(KNOWN, True)) == evidence


def test_what_did_not_hold_is_told_by_the_part_that_failed() -> None:
    condition = compiled({"source": "bluesky", "own": True, "kind": "post"})
    assert list(condition.reasons(KNOWN, condition.holds(KNOWN))) == ["own=false"]


def test_the_evidence_never_holds_a_whole_text() -> None:
    long = facts("word " * 500, author=Author(id="a", name="n" * 500))
    seen = [
        *compiled({"text": {"contains": "word"}, "author.name": {"exists": True}}).reasons(long, True),
        *compiled({"text": {"matches": "w.*d"}}).reasons(long, True),
    ]
    assert all(len(line) < 80 for line in seen)


# ------------------------------------------------------------------------ patterns cannot stall the router


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){12}$", "(x+x+)+y"])
def test_no_text_makes_a_pattern_slow(pattern: str) -> None:
    """A backtracking engine would need longer than the universe has."""
    assert not compiled({"text": {"matches": pattern}}).holds(facts("a" * 50_000 + "x" * 50_000 + "!"))


@settings(deadline=None)
@given(text=st.text(), words=st.lists(st.text(min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=3))
def test_contains_finds_the_words_of_any_text(text: str, words: list[str]) -> None:
    condition = compiled({"text": {"contains": words}})
    assert condition.holds(facts(f"{text} {words[0]} {text}"))
    condition.holds(facts(text))


@settings(deadline=None)
@given(st.text(alphabet=st.characters()))
def test_no_text_upsets_a_pattern(text: str) -> None:
    condition = compiled({"text": {"matches": r"\p{Greek}+|[a-z]{3}"}})
    assert list(condition.reasons(facts(text), condition.holds(facts(text))))


# ------------------------------------------------------------------------ problems


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"intents.complant": {"at_least": 1}}, "there is no such field (did you mean intents.complaint?)"),
        ({"autor.followers": {"above": 1}}, "when.autor.followers: there is no such field (did you mean author."),
        ({"spam": {"atleast": 0.5}}, "when.spam.atleast: spam takes no operator 'atleast' (did you mean at_least?)"),
        ({"spam": 0.5}, "when.spam: spam takes no operator 'is' (known here: above, at_least, at_most, below)"),
        ({"spam": {"at_least": 80}}, "when.spam.at_least: 80 is no score (scores go from 0 to 1)"),
        ({"reach": {"at_least": "many"}}, "when.reach.at_least: 'many' is not a number"),
        ({"reach": {"at_least": True}}, "when.reach.at_least: True is not a number"),
        ({"reach": {}}, "when.reach: asks nothing"),
        ({"kind": "revew"}, "when.kind: 'revew' is no value of kind (did you mean review?)"),
        ({"sentiment": {"in": ["negativ"]}}, "'negativ' is no value of sentiment (did you mean negative?)"),
        ({"source": {"is": ["a", "b"]}}, "when.source.is: is takes one value (write in: […] for several)"),
        ({"source": {"in": "a"}}, "when.source.in: in takes a list, for example [a, b]"),
        ({"source": []}, "when.source: an empty list never matches"),
        ({"source": 7}, "when.source: 7 is not text (put it in quotes)"),
        ({"own": "yes"}, "when.own: 'yes' is neither true nor false"),
        ({"text": "hello"}, "when.text: text takes no operator 'is'"),
        ({"text": {"contains": ""}}, "when.text.contains: contains takes a word or phrase"),
        ({"text": {"contains": ["a", 3]}}, "when.text.contains: contains takes a word or phrase"),
        ({"text": {"matches": "(a"}}, "when.text.matches: not a regular expression: missing ): (a"),
        ({"text": {"matches": "(?=a)"}}, "no look-around"),
        ({"text": {"matches": "a*"}}, "when.text.matches: the pattern matches the empty text, so always"),
        ({"text": {"matches": "a" * 1001}}, "when.text.matches: the pattern is longer than 1000 characters"),
        ({"age": {"above": "2 days"}}, "when.age.above: '2 days' is not a duration (write for example 15m, 4h or 2d)"),
        ({"created_at": {"above": "yesterday"}}, "when.created_at.above: 'yesterday' is not a time"),
        ({"all": []}, "when.all: all takes a list of conditions"),
        ({"any": {"own": True}}, "when.any: any takes a list of conditions"),
        ({"any": [{"own": True}, "spam"]}, "when.any[1]: is not a condition"),
        ({"not": {}}, "when.not: is not a condition"),
        ({}, "when: is not a condition"),
        ({"time": {}}, "when.time: asks nothing"),
        ({"time": {"timezone": "UTC"}}, "when.time: asks nothing"),
        ({"time": {"between": ["9", "17:00"]}}, "when.time.between: is not two different times of day"),
        ({"time": {"between": ["09:00", "09:00"]}}, "when.time.between: is not two different times of day"),
        ({"time": {"between": ["25:00", "06:00"]}}, "when.time.between: is not two different times of day"),
        ({"time": {"weekdays": ["fri", "satt"]}}, "when.time.weekdays: 'satt' is no day (did you mean sat?)"),
        ({"time": {"weekdays": []}}, "when.time.weekdays: names no day"),
        ({"time": {"weekdays": ["fri"], "timezone": "Europe/Berlim"}}, "'Europe/Berlim' is no time zone"),
        ({"time": {"weekdays": ["fri"], "timezone": "../../etc/passwd"}}, "is no time zone"),
        ({"time": {"weekday": ["fri"], "weekdays": ["fri"]}}, "no such setting (did you mean weekdays?)"),
    ],
    ids=str,
)  # fmt: skip
def test_a_faulty_condition_is_told_with_its_place_and_a_remedy(written: object, problem: str) -> None:
    (told,) = problems_of(written)
    assert problem in told


def test_conditions_nest_only_so_deep() -> None:
    written: dict[str, Any] = {"own": True}
    for _ in range(20):
        written = {"not": written}
    assert problems_of(written) == [f"when{'.not' * 9}: nested more than 8 deep (split the rule in two)"]


# ------------------------------------------------------------------------ the documentation is complete


def test_every_field_and_operator_has_its_place_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([^`\n]+)`", text))
    short = {field.name for name, field in FIELDS.items() if not name.startswith(("mention.", "tags."))}
    operators = {operator for some in OPERATORS.values() for operator in some}
    assert not (short | operators | set(OPERATORS) | {"all", "any", "time"}) - documented


def test_every_field_can_be_read_from_any_mention() -> None:
    bare, full = facts(found=Tags()), KNOWN
    for field in FIELDS.values():
        field.read(bare)
        field.read(full)
        if field.words:
            assert isinstance(field.words(bare), tuple)
    assert FIELDS["language"].read(facts(found=tags(language=Language(code="de", confidence=1, by="source")))) == "de"
