"""Routing is total, explained and the same every time; a complaint is never filtered as noise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mention import (
    Author,
    Cluster,
    Intent,
    Kind,
    Language,
    Mention,
    Metrics,
    Priority,
    Sentiment,
    Signal,
    Tags,
)
from routing.router import Router
from routing.rules import load
from tests.fixtures.shapes import mention
from tests.routing.build import NOW, rules, tags

ROUTER = Router(load())
COMPLAINT = 0.3
"""From this score on, the rules that come with harken hold that it may be a complaint."""

_score = st.floats(0, 1)
_zones = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
_times = st.datetimes(timezones=_zones)
_signals = st.none() | st.builds(Signal, score=_score)
_maybe: Any = st.none() | st.integers(0, 10**9)
_authors = st.builds(Author, id=st.text(), followers=_maybe, created_at=st.none() | _times)
_mentions = st.builds(
    Mention,
    id=st.text(),
    source=st.text(),
    text=st.text(),
    author=_authors,
    created_at=_times,
    kind=st.sampled_from(Kind),
    rating=st.none() | st.floats(),
    brand=st.sampled_from([None, "", "acme"]),
    own=st.booleans(),
    metrics=st.builds(Metrics, likes=_maybe),
)
_tags = st.builds(
    Tags,
    brand=st.sampled_from([None, "acme"]),
    language=st.none() | st.builds(Language, code=st.text(), confidence=_score, by=st.just("source")),
    sentiment=st.none()
    | st.builds(Sentiment, label=st.sampled_from(["positive", "neutral", "negative"]), score=st.floats(-1, 1)),
    intents=st.lists(
        st.builds(Intent, name=st.sampled_from(["complaint", "praise", "lead", "question", "new"]), score=_score),
        unique_by=lambda intent: intent.name,
    ).map(tuple),
    spam=_signals,
    repost=st.booleans(),
    cluster=st.none() | st.builds(Cluster, id=st.text(), first=st.booleans()),
    reach=st.integers(0),
    urgency=_signals,
)


@settings(deadline=None)
@given(_mentions, _tags, st.datetimes(timezones=st.just(UTC)))
def test_every_mention_gets_exactly_one_decision(mention: Mention, tags: Tags, now: datetime) -> None:
    decision = ROUTER.route(mention, tags, now)
    assert (decision.queue is None) != (decision.filtered is None)
    assert decision.queue is None or decision.queue in ROUTER.rules.queues
    assert decision.rules_version == ROUTER.version
    assert decision.decided_at == now
    assert decision.evidence
    assert ROUTER.route(mention, tags, now) == decision


@settings(deadline=None)
@given(_mentions, _tags)
def test_the_trace_ends_with_the_rule_that_decided_and_its_evidence(mention: Mention, tags: Tags) -> None:
    decision = ROUTER.route(mention, tags, NOW)
    *tried, last = ROUTER.why(mention, tags, NOW)
    assert (last.rule, last.fired, last.saw) == (decision.rule, True, decision.evidence)
    names = [rule.name for rule in ROUTER.rules.rules]
    assert [step.rule for step in tried] == names[: names.index(decision.rule)]
    assert all(step.saw and not step.fired for step in tried)


@settings(deadline=None)
@given(_mentions, _tags, st.floats(COMPLAINT, 1))
def test_no_complaint_is_filtered_as_spam(mention: Mention, tags: Tags, score: float) -> None:
    others = tuple(intent for intent in tags.intents if intent.name != "complaint")
    complaint = Tags(
        **{name: getattr(tags, name) for name in Tags.__struct_fields__}
        | {"intents": (*others, Intent(name="complaint", score=score)), "spam": Signal(score=1.0)}
    )
    assert ROUTER.route(mention, complaint, NOW).filtered != "spam"


@settings(deadline=None)
@given(_mentions, _tags, st.floats(0.5, 1))
def test_a_complaint_about_us_in_its_own_words_reaches_service(mention: Mention, tags: Tags, score: float) -> None:
    fields = {name: getattr(mention, name) for name in Mention.__struct_fields__}
    ours = Mention(**fields | {"own": False, "kind": Kind.POST, "brand": "acme"})
    found = {name: getattr(tags, name) for name in Tags.__struct_fields__}
    complaint = Tags(**found | {"intents": (Intent(name="complaint", score=score),), "repost": False})
    assert ROUTER.route(ours, complaint, NOW).queue == "service"


def test_the_first_rule_that_holds_decides() -> None:
    both = Router(
        rules(
            {"name": "one", "when": {"spam": {"at_least": 0.5}}, "filter": "spam"},
            {"name": "two", "when": {"brand": "acme"}, "queue": "service"},
        )
    )
    assert both.route(mention(), tags(spam=0.5), NOW).rule == "one"
    assert both.route(mention(), tags(spam=0.4), NOW).rule == "two"
    assert both.route(mention(), Tags(), NOW).rule == "default"


def test_due_times_count_from_when_it_was_written_not_from_when_it_was_routed() -> None:
    router = Router(
        rules(
            {"name": "one", "when": {"brand": "acme"}, "queue": "service", "first_response": "15m", "resolution": "2d"}
        )
    )
    decision = router.route(mention(), tags(), NOW + timedelta(days=3))
    assert decision.first_response_due == datetime(2026, 1, 5, 9, 15, tzinfo=UTC)
    assert decision.resolution_due == datetime(2026, 1, 7, 9, 0, tzinfo=UTC)


def test_a_rule_that_names_no_times_sets_none() -> None:
    decision = Router(rules()).route(mention(), tags(), NOW)
    assert decision.first_response_due is None
    assert decision.resolution_due is None
    assert decision.priority is Priority.NORMAL
    assert decision.evidence == ("always=true",)


def test_the_evidence_names_the_words_behind_the_score() -> None:
    decision = ROUTER.route(mention(), tags(complaint=0.9), NOW)
    assert decision.evidence == ("intents.complaint=0.9 (complaint word)",)
