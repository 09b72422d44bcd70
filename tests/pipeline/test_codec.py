"""The wire form: what is written is read back, old versions are upgraded, rubbish is a value error of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import codec, schema
from pipeline.config import TopicSettings
from pipeline.errors import BadRecord
from pipeline.mention import (
    Author,
    Cluster,
    Decision,
    Enriched,
    Intent,
    Kind,
    Language,
    Mention,
    Removal,
    Routed,
    Sentiment,
    Signal,
    Tags,
)
from tests.fixtures.shapes import mention

TEXT = st.text(st.characters(codec="utf-8"), max_size=50)
TIMES = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))
MENTIONS = st.builds(
    Mention,
    id=TEXT.map("src:{}".format),
    source=st.just("src"),
    text=TEXT,
    author=st.builds(Author, id=TEXT, name=TEXT, followers=st.none() | st.integers(0, 2**40)),
    created_at=TIMES,
    edited_at=st.none() | TIMES,
    kind=st.sampled_from(Kind),
    conversation=TEXT,
    rating=st.none() | st.floats(0, 1),
    reply_ref=st.dictionaries(TEXT, TEXT, max_size=2),
    suspicions=st.lists(TEXT, max_size=2).map(tuple),
)


@given(MENTIONS)
def test_a_mention_comes_back_as_it_went(mention: Mention) -> None:
    assert codec.decode(codec.encode(mention)) == mention


def full() -> Routed:
    tags = Tags(
        brand="acme",
        language=Language(code="en", confidence=0.9, by="detector"),
        sentiment=Sentiment(label="negative", score=-0.5, words=(("lost", -1.3),)),
        intents=(Intent(name="complaint", score=0.9, words=("lost",)),),
        spam=Signal(score=0.0),
        urgency=Signal(score=0.2),
        cluster=Cluster(id="c", first=True),
        stages={"brand": "1"},
    )
    decision = Decision(rule="r", rules_version="1", decided_at=datetime(2026, 1, 1, tzinfo=UTC), queue="service")
    return Routed(mention=mention(), tags=tags, decision=decision)


@pytest.mark.parametrize(
    "shape",
    [
        mention(),
        Enriched(mention=mention(), tags=Tags()),
        full(),
        Removal(source="x", mention="x:1", reason="deleted", noticed_at=datetime(2026, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda shape: type(shape).__name__,
)
def test_every_shape_fits_the_published_schema(shape: Any) -> None:
    published = schema.json_schema()
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(msgspec.json.decode(codec.encode(shape)), published)


def test_the_published_schema_refuses_what_we_refuse() -> None:
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    assert list(validator.iter_errors({"schema": "mention/1", "id": 7}))


def test_the_topics_document_names_each_topic_and_resolves() -> None:
    document = schema.asyncapi(TopicSettings(prefix="ours"))
    assert [channel["address"] for channel in document["channels"].values()] == [
        "ours.raw", "ours.enriched", "ours.routed",
    ]  # fmt: skip
    for place in _references(document):
        node = document
        for step in place.removeprefix("#/").split("/"):
            node = node[step]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [place for value in node.values() for place in _references(value)]
    return [place for value in node for place in _references(value)] if isinstance(node, list) else []


def test_an_older_version_is_upgraded_on_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "schema": "mention/1", "text": old["body"]}

    monkeypatch.setitem(codec.UPGRADES, "mention/0", renamed)
    old = msgspec.json.decode(codec.encode(mention(text="hello")))
    old |= {"schema": "mention/0", "body": old.pop("text")}
    assert codec.decode(msgspec.json.encode(old)) == mention(text="hello")
    del old["body"]
    with pytest.raises(BadRecord, match="cannot upgrade mention/0"):
        codec.decode(msgspec.json.encode(old))


@given(st.binary(max_size=200))
def test_rubbish_is_a_bad_record(data: bytes) -> None:
    with pytest.raises(BadRecord):
        codec.decode(data)


def test_a_time_without_a_zone_is_a_bad_record() -> None:
    with pytest.raises(BadRecord):
        codec.decode(codec.encode(mention()).replace(b"09:00:00Z", b"09:00:00"))


def test_a_version_from_the_future_is_a_bad_record() -> None:
    data = codec.encode(mention()).replace(b"mention/1", b"mention/9")
    with pytest.raises(BadRecord, match="not a record this version reads"):
        codec.decode(data)


def test_an_unknown_field_from_a_newer_minor_version_is_ignored() -> None:
    data = codec.encode(mention()).replace(b'"source"', b'"novelty":1,"source"')
    assert codec.decode(data) == mention()
