from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.cases import Cases
from desk.customers import Stance, advocate_score, customer, profile
from desk.subject_export import held_on, write
from pipeline.clock import ManualClock
from pipeline.errors import ConfigError
from pipeline.mention import Author, Decision, Intent, Removal, Routed, Sentiment, Tags
from pipeline.store import DeadLetter, Store
from tests.fixtures.shapes import mention

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ZELDA = Author(id="u-98761", handle="zelda_q", name="Zelda Quince", followers=900)


def said(id: str, text: str, days_ago: int, score: float, *intents: str, **changes: Any) -> Routed:
    at = NOW - timedelta(days=days_ago)
    fields = {"author": ZELDA, "created_at": at, "collected_at": at} | changes
    label: Any = "negative" if score < 0 else "positive"
    return Routed(
        mention=mention(f"x:{id}", text, **fields),
        tags=Tags(
            brand="acme",
            sentiment=Sentiment(label=label, score=score),
            intents=tuple(Intent(name=name, score=1.0) for name in intents),
            reach=1000,
        ),
        decision=Decision(rule="r", rules_version="1", decided_at=at, queue="service"),
    )


HISTORY = (
    said("1", "acme lost my parcel", 120, -0.8, "complaint"),
    said("2", "still no parcel, acme", 100, -0.6, "complaint"),
    said("3", "acme answered within minutes", 20, 0.7, "praise"),
    said("4", "can only recommend acme", 10, 0.9, "praise", author=replace(ZELDA, followers=1200)),
)


@pytest.fixture
def kept(store: Store, clock: ManualClock) -> Store:
    stranger = said("9", "acme? never heard of it", 5, 0.0, author=Author(id="bob"))
    store.deliver([*HISTORY, stranger], also=Cases(store._db, clock).take_in)
    return store


def test_a_profile_tells_a_customers_history(kept: Store) -> None:
    found = customer(kept, "x:u-98761", NOW)
    assert found is not None
    assert (found.mentions, found.author.name, found.followers, found.reach) == (4, "Zelda Quince", 1200, 1000)
    assert (found.first_at, found.last_at) == (NOW - timedelta(days=120), NOW - timedelta(days=10))
    assert (found.sentiment, found.trend) == (0.05, 1.5)
    assert [(it.month, it.mentions, it.sentiment) for it in found.months] == [
        ("2026-02", 2, -0.7),
        ("2026-05", 2, 0.8),
    ]
    assert (found.intents, found.queues, found.brands) == ({"complaint": 2, "praise": 2}, {"service": 4}, {"acme": 4})
    assert [it.mention for it in found.last] == ["x:4", "x:3", "x:2", "x:1"]
    assert found.advocate > 0  # what was said lately counts for more


def test_nobody_has_no_profile(kept: Store) -> None:
    assert customer(kept, "x:nobody", NOW) is None
    assert customer(kept, "rss:u-98761", NOW) is None


def test_what_is_not_their_word_says_nothing_about_how_they_feel() -> None:
    base = said("1", "acme is wonderful", 1, 0.9, "praise")
    spam = replace(base, decision=replace(base.decision, queue=None, filtered="spam"))
    repost = replace(base, tags=replace(base.tags, repost=True))
    own = replace(base, mention=replace(base.mention, own=True))
    found = profile("x:u-98761", [spam, repost, own], NOW)
    assert found is not None
    assert (found.mentions, found.sentiment, found.advocate, found.filtered) == (3, None, 0, {"spam": 1})


STANCES = st.lists(
    st.builds(
        Stance,
        days=st.floats(-1, 5000),
        sentiment=st.floats(-1, 1),
        praise=st.floats(0, 1),
        complaint=st.floats(0, 1),
    ),
    max_size=30,
)


@given(STANCES, st.integers(-5, 10**12))
def test_the_advocate_score_keeps_its_bounds_and_its_sign(stances: Sequence[Stance], reach: int) -> None:
    score = advocate_score(stances, reach)
    assert -100 <= score <= 100
    louder = advocate_score(stances, reach * 10 if reach > 0 else 10)
    assert abs(louder) >= abs(score)
    assert louder * score >= 0


def test_the_advocate_score_by_its_formula() -> None:
    cheer = Stance(days=0, sentiment=1.0, praise=1.0)
    assert advocate_score([], 10**6) == 0
    assert advocate_score([cheer], 0) == round(100 * (1 / 3) * 0.5)
    assert advocate_score([cheer] * 18, 10**6) == 90
    assert advocate_score([Stance(days=90, sentiment=-1.0, complaint=1.0)], 10**6) == round(-100 * 0.5 / 2.5)


def test_an_export_holds_all_that_is_kept_on_a_person_and_nothing_of_others(kept: Store, tmp_path: Path) -> None:
    letter = DeadLetter("enrich:x:5", "x:5", "x", "x", "enrich", "spam", "t[0]@1", "why", b"caf\xff", NOW, "x:u-98761")
    kept.bury([letter])
    kept.deliver([], [Removal(source="x", reason="deleted", noticed_at=NOW, mention="x:2")])
    path = tmp_path / "held.json"
    size = write(held_on(kept, "x:u-98761", NOW), path)
    assert size == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    held = json.loads(path.read_text())
    assert [it["mention"]["id"] for it in held["mentions"]] == ["x:1", "x:3", "x:4"]
    assert held["mentions"][0]["decision"]["rule"] == "r"
    assert [it["payload"] for it in held["dead_letters"]] == ["caf\\xff"]
    assert {it["id"] for it in held["intake"]} == {"x:1", "x:3", "x:4", "x:5"}
    assert {it["author"] for it in held["cases"]} == {"x:u-98761"}
    assert "opened" in {it["kind"] for it in held["case_events"]}
    assert (held["profile"]["mentions"], held["tombstone"]) == (3, None)
    assert "never heard" not in path.read_text()
    with pytest.raises(ConfigError, match="there already"):
        write({}, path)
    with pytest.raises(ConfigError, match="cannot be written"):
        write({}, tmp_path / "nowhere" / "held.json")


def test_an_export_of_nobody_says_that_nothing_is_held(kept: Store) -> None:
    held = held_on(kept, "x:nobody", NOW)
    assert (held["mentions"], held["dead_letters"], held["profile"], held["intake"]) == ([], [], None, [])
