"""What every stage promises (pipeline/ports.py, Stage). A new stage is one line in ADAPTERS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrich import (
    _nlp,
    brand,
    cluster,
    escalate,
    intent,
    language,
    reach,
    repost,
    sarcasm,
    sentiment,
    spam,
    target,
    topics,
    urgency,
)
from pipeline.mention import Author, Kind, Mention, Metrics
from pipeline.ports import Brand, Draft, Settings, Stage, StageContext
from tests.fixtures.heavier import categoriser

ADAPTERS: dict[str, Callable[[StageContext], Stage]] = {
    "brand": lambda context: brand.Stage(brand.Config(), context),
    "language": lambda context: language.Stage(language.Config(), context),
    "sarcasm": lambda context: sarcasm.Stage(sarcasm.Config(), context),
    "sentiment": lambda context: sentiment.Stage(sentiment.Config(), context),
    "intent": lambda context: intent.Stage(intent.Config(), context),
    "escalate": lambda context: escalate.Stage(escalate.Config(spacy=categoriser(), uncertain=(0.0, 1.0)), context),
    "target": lambda context: target.Stage(target.Config(), context),
    "topics": lambda context: topics.Stage(topics.Config(), context),
    "spam": lambda context: spam.Stage(spam.Config(), context),
    "repost": lambda context: repost.Stage(repost.Config(), context),
    "cluster": lambda context: cluster.Stage(cluster.Config(), context),
    "reach": lambda context: reach.Stage(reach.Config(), context),
    "urgency": lambda context: urgency.Stage(urgency.Config(), context),
}
"""Stage module -> how to build it; in an order in which each finds what it needs."""

MODULES = (brand, language, sarcasm, sentiment, intent, escalate, target, topics, spam, repost, cluster, reach, urgency)
NLP = _nlp.build()
CONTEXT = StageContext(
    brands=(Brand("Acme", ("Acme",), ("acme",), ("acme of skill",), competitors={"Globex": ("@globex",)}),), nlp=NLP
)
FIELDS = frozenset(field.name for field in fields(Draft))
GIVEN = frozenset({"mention", "doc"})

TELLING = [
    "@acme my Acme parcel still hasn't arrived, this is fraud, where is it?",
    "RT @ana: love love love the new Acme phone, giveaway, follow and RT to win a free one!",
    "thanks for nothing @acme, Globex never lost my bag",
    "Das Paket ist nie angekommen und niemand geht ans Telefon",
    "Das Paket ist nie angekommen und niemand geht ans Telefon",
]
HOSTILE = [
    "",
    " ",
    "\0",
    "a" * 1_000_000,
    "Acme " * 200_000,
    "@acme" * 200_000,
    "😀👨‍👩‍👧‍👦" * 20_000,
    "\u202eemcA\u202c مرحبا Acme שלום",
    "e\u0301" * 10_000,
    "?" * 10_000,
    "#x " * 10_000,
    "but good " * 5_000,
    "not never so this kind of " * 4_000,
    "https://" * 10_000,
    "<script>alert(1)</script> {{ 7*7 }} %s {0} =cmd|'/c calc'!A1 ' OR 1=1 --",
    "\ufeff\u200b\u200d\u2028\x85\x1f",
]

stages = pytest.mark.parametrize("name", ADAPTERS)


def mentions(texts: Sequence[str]) -> list[Mention]:
    when = datetime(2026, 1, 5, tzinfo=UTC)
    author = Author(id="ana", handle="ana", followers=4_000, verified=True)
    return [
        Mention(
            id=f"t:{number}",
            source="t",
            text=text,
            author=author,
            created_at=when,
            metrics=Metrics(reposts=2),
            kind=Kind.POST,
        )
        for number, text in enumerate(texts)
    ]


def ready(name: str, texts: Sequence[str]) -> list[Draft]:
    """Drafts that have what the stage needs, from the stages before it."""
    drafts = [Draft(mention=mention, doc=NLP.make_doc(mention.text)) for mention in mentions(texts)]
    for earlier, build in ADAPTERS.items():
        if earlier == name:
            break
        build(CONTEXT).annotate(drafts)
    return drafts


def values(draft: Draft, names: frozenset[str]) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in names}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_module_holds_its_settings_and_runs_without_any(module: Any) -> None:
    assert issubclass(module.Config, Settings)
    module.Config()
    assert module.__doc__


@stages
def test_needs_and_provides_name_fields_of_a_draft(name: str) -> None:
    stage = ADAPTERS[name](CONTEXT)
    assert stage.needs <= FIELDS
    assert stage.provides
    assert stage.provides <= FIELDS - GIVEN - {"rejected"}
    assert stage.version


@stages
def test_what_is_needed_is_provided_before(name: str) -> None:
    available = set(GIVEN)
    for earlier, build in ADAPTERS.items():
        if earlier == name:
            break
        available |= build(CONTEXT).provides
    assert ADAPTERS[name](CONTEXT).needs <= available


@stages
def test_it_fills_what_it_provides_and_nothing_else(name: str) -> None:
    stage = ADAPTERS[name](CONTEXT)
    drafts = ready(name, TELLING)
    others = FIELDS - stage.provides
    before, filled = [values(draft, others) for draft in drafts], [values(draft, stage.provides) for draft in drafts]
    stage.annotate(drafts)
    assert [values(draft, others) for draft in drafts] == before
    for field in stage.provides:
        assert any(getattr(draft, field) != was[field] for draft, was in zip(drafts, filled, strict=True)), field


@stages
def test_two_of_the_same_give_the_same(name: str) -> None:
    one, other = ADAPTERS[name](CONTEXT), ADAPTERS[name](StageContext(brands=CONTEXT.brands, nlp=_nlp.build()))
    first, second = ready(name, TELLING), ready(name, TELLING)
    one.annotate(first)
    other.annotate(second)
    assert [values(d, one.provides) for d in first] == [values(d, one.provides) for d in second]
    assert one.version == other.version


@stages
def test_a_batch_is_annotated_as_its_mentions_are_one_by_one(name: str) -> None:
    batch_stage, single_stage = ADAPTERS[name](CONTEXT), ADAPTERS[name](CONTEXT)
    together, alone = ready(name, TELLING), ready(name, TELLING)
    batch_stage.annotate(together)
    for draft in alone:
        single_stage.annotate([draft])
    assert [values(d, batch_stage.provides) for d in together] == [values(d, batch_stage.provides) for d in alone]


@stages
def test_annotating_again_changes_nothing(name: str) -> None:
    stage = ADAPTERS[name](CONTEXT)
    drafts = ready(name, TELLING)
    stage.annotate(drafts)
    before = [values(draft, stage.provides) for draft in drafts]
    stage.annotate(drafts)
    assert [values(draft, stage.provides) for draft in drafts] == before


@stages
def test_an_empty_batch_is_nothing_to_do(name: str) -> None:
    ADAPTERS[name](CONTEXT).annotate([])


@stages
def test_hostile_texts_are_read_like_any_other(name: str) -> None:
    stage = ADAPTERS[name](CONTEXT)
    drafts = ready(name, HOSTILE)
    stage.annotate(drafts)
    assert [draft.rejected for draft in drafts] == [None] * len(HOSTILE)
    assert all(sum(map(len, map(str, values(draft, stage.provides).values()))) < 1_000_000 for draft in drafts)


_BUILT = {name: build(CONTEXT) for name, build in ADAPTERS.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=5), st.floats(0, 1) | st.none()
)
def test_any_text_goes_through_every_stage(texts: list[str], rating: float | None) -> None:
    drafts = [Draft(mention=mention, doc=NLP.make_doc(mention.text)) for mention in mentions(texts)]
    for stage in _BUILT.values():
        stage.annotate(drafts)
    for draft in drafts:
        assert draft.sentiment is not None
        assert -1.0 <= draft.sentiment.score <= 1.0
        assert all(0.0 <= found.score <= 1.0 for found in draft.intents)
        assert draft.spam is not None
        assert 0.0 <= draft.spam.score <= 1.0
        assert draft.urgency is not None
        assert 0.0 <= draft.urgency.score <= 1.0
        assert draft.sarcasm is not None
        assert 0.0 <= draft.sarcasm.score <= 1.0
        assert draft.target is None or 0.0 <= draft.target.score <= 1.0
        assert draft.reach >= 0
        assert all(draft.mention.text[m.start : m.end] == m.term for m in draft.brands)
