"""The made firehose is what it says it is, and the connector can read all of it."""

from __future__ import annotations

import json
from collections import Counter

from benchmarks import firehose, texts
from connectors._bluesky_jetstream import read


def test_made_events_are_the_same_for_a_seed_mixed_as_told_and_all_readable() -> None:
    posts = texts.made(300)
    made = list(firehose.frames(3_000, posts))
    assert made == list(firehose.frames(3_000, posts))
    events = [read(frame.encode(), 2) for frame in made]
    assert [event.seq for event in events] == list(range(1, 3_001))
    kinds = Counter(
        event.kind if event.kind != "commit" else "delete" if event.operation == "delete" else event.collection
        for event in events
    )
    assert set(kinds) == set(firehose.MIX)
    assert all(abs(kinds[kind] / 3_000 - share) < 0.03 for kind, share in firehose.MIX.items())
    assert sum(firehose.MIX.values()) == 1


def test_the_terms_are_two_hundred_and_few_posts_name_one() -> None:
    terms = firehose.terms()
    assert len(set(terms)) == len(terms) == firehose.TERMS
    made = [json.loads(frame)["payload"].get("record", {}) for frame in firehose.frames(6_000, texts.made(300))]
    posts = [record["text"] for record in made if record.get("$type") == "app.bsky.feed.post"]
    named = sum(any(term in post for term in terms) for post in posts)
    assert 0 < named < len(posts) / 10
