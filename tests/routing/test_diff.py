"""What new rules would move, counted before they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.mention import Mention, Routed, Tags
from routing.diff import Change, Example, diff
from routing.router import Router
from tests.fixtures.shapes import mention
from tests.routing.build import NOW, rules, tags


def router(**complaint: Any) -> Router:
    rule = {"name": "complaint", "when": {"intents.complaint": {"at_least": 0.5}}, "queue": "service"}
    return Router(rules(rule | complaint))


def routed(old: Router, mention: Mention, tags: Tags) -> Routed:
    return Routed(mention=mention, tags=tags, decision=old.route(mention, tags, NOW))


def history(old: Router, *scores: float) -> list[Routed]:
    return [routed(old, mention(f"test:{number}"), tags(complaint=score)) for number, score in enumerate(scores)]


def test_the_same_rules_change_nothing() -> None:
    result = diff(history(router(), 0.1, 0.6, 0.9), router())
    assert (result.total, result.unchanged, result.moved) == (3, 3, 0)
    assert result.moves == []
    assert result.priorities == []
    assert result.old_places == result.new_places == {"service": 2, "marketing": 1}


def test_moves_are_counted_with_examples_and_the_rules_of_both_sides() -> None:
    old = router()
    new = router(name="furious", when={"intents.complaint": {"at_least": 0.8}})
    result = diff(history(old, 0.1, 0.6, 0.7, 0.75, 0.9), new, examples=2)
    assert (result.total, result.moved, result.unchanged) == (5, 3, 2)
    assert result.moves == [
        Change(
            "service",
            "marketing",
            3,
            [Example("test:1", "complaint", "default"), Example("test:2", "complaint", "default")],
        )
    ]
    assert result.old_versions == (old.version,)
    assert result.new_version == new.version
    assert result.new_places == {"marketing": 4, "service": 1}


def test_what_would_be_filtered_is_named_by_its_reason() -> None:
    new = Router(rules({"name": "noise", "when": {"intents.complaint": {"below": 0.2}}, "filter": "noise"}))
    result = diff(history(router(), 0.1), new)
    assert [(change.old, change.new, change.count) for change in result.moves] == [("marketing", "filtered: noise", 1)]


def test_another_priority_or_due_time_is_told_apart_from_a_move() -> None:
    result = diff(history(router(), 0.1, 0.6, 0.7), router(priority="high", first_response="1h"))
    assert (result.moved, result.reprioritised, result.retimed, result.unchanged) == (0, 2, 0, 1)
    assert [(change.old, change.new, change.count) for change in result.priorities] == [
        ("service normal", "service high", 2)
    ]
    result = diff(history(router(), 0.1, 0.6, 0.7), router(first_response="1h"))
    assert (result.moved, result.reprioritised, result.retimed, result.unchanged) == (0, 0, 2, 1)


def test_a_mention_is_judged_as_of_the_time_it_was_decided_first() -> None:
    fresh = router(when={"age": {"below": "1h"}})
    assert diff(history(fresh, 0.1), fresh).moved == 0
    late = [
        Routed(mention=one.mention, tags=one.tags, decision=fresh.route(one.mention, one.tags, NOW + timedelta(days=9)))
        for one in history(fresh, 0.1)
    ]
    assert diff(late, fresh).moved == 0


def test_no_history_is_no_change() -> None:
    result = diff([], router())
    assert (result.total, result.unchanged) == (0, 0)
    assert result.old_versions == ()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_the_counts_always_sum(scores: list[float], before: float, after: float) -> None:
    old = router(when={"intents.complaint": {"at_least": before}})
    new = router(when={"intents.complaint": {"at_least": after}}, priority="high")

    def once() -> Iterator[Routed]:
        yield from history(old, *scores)

    result = diff(once(), new)
    assert result.moved + result.reprioritised + result.retimed + result.unchanged == result.total == len(scores)
    assert sum(result.old_places.values()) == sum(result.new_places.values()) == len(scores)
    assert sum(change.count for change in result.moves) == result.moved
