"""Who is there and what they can do."""

from __future__ import annotations

from typing import Any

import pytest

from desk.presence import Agent
from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.desk.shop import Shop
from tests.desk.staff import person


@pytest.fixture
def shop(store: Store, clock: ManualClock) -> Shop:
    return Shop(store, clock)


def test_nobody_is_set_up_until_somebody_does(shop: Shop) -> None:
    user = person(shop.accounts).actor
    assert shop.agents.get(user) is None
    assert shop.agents.all() == []
    shop.agents.seen(user)
    with pytest.raises(Unfit, match="not set up"):
        shop.agents.present(user, "available")


def test_an_agent_is_set_up_and_changed_one_thing_at_a_time(shop: Shop) -> None:
    user = person(shop.accounts).actor
    made = shop.agents.set(
        user, "user:lead", team="Berlin", queues=["service", " press", "press"], languages=["de"], topics=["refund"]
    )
    assert made == Agent(
        user=user, team="Berlin", queues=("service", "press"), languages=("de",), topics=("refund",), capacity=3
    )
    assert shop.agents.get(user) == made
    shop.agents.set(user, "user:lead", capacity=5)
    shop.agents.set(user, "user:lead", queues=[], team="")
    changed = shop.agents.get(user)
    assert changed == Agent(user=user, languages=("de",), topics=("refund",), capacity=5)
    assert shop.agents.all() == [changed]


def test_setting_somebody_up_stands_in_the_audit_log(shop: Shop) -> None:
    user = person(shop.accounts).actor
    shop.agents.set(user, "user:lead", queues=["service", "press"], capacity=2)
    entry = shop.accounts.entries()[0]
    assert (entry.actor, entry.action, entry.about) == ("user:lead", "agent.set", user)
    assert entry.facts == {"queues": "service, press", "capacity": 2}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"queues": ["servce"]}, "queues", "there is no queue 'servce'; there are service, marketing, press"),
        ({"languages": ["German"]}, "languages", "'German' is not a language"),
        ({"languages": [""]}, "languages", "1 to 60 characters"),
        ({"topics": ["x" * 61]}, "topics", "1 to 60 characters"),
        ({"topics": ["line\nbreak"]}, "topics", "characters"),
        ({"topics": [str(number) for number in range(101)]}, "topics", "at most 100 names"),
        ({"topics": [f"{number:060}" for number in range(100)]}, "topics", "too many"),
        ({"capacity": -1}, "capacity", "0 to 1000"),
        ({"capacity": 1001}, "capacity", "0 to 1000"),
        ({"team": "x" * 61}, "team", "at most 60"),
        ({"team": "\ud800"}, "team", "at most 60"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_field(
    shop: Shop, changes: dict[str, Any], field: str, says: str
) -> None:
    user = person(shop.accounts).actor
    with pytest.raises(Unfit, match=says) as refused:
        shop.agents.set(user, "user:lead", **changes)
    assert refused.value.field == field
    assert shop.agents.get(user) is None


def test_only_users_can_be_set_up(shop: Shop) -> None:
    with pytest.raises(Unfit, match="no such user"):
        shop.agents.set("user:nobody", "user:lead", capacity=1)


def test_one_is_there_who_says_so_and_was_seen_lately(shop: Shop, clock: ManualClock) -> None:
    agent = shop.hire("ana", there=False)
    assert not shop.agents.there(agent)
    shop.agents.seen(agent.user)
    assert not shop.agents.there(agent)
    agent = shop.agents.present(agent.user, "available")
    clock.advance(120)
    assert shop.agents.there(agent)
    clock.advance(1)
    assert not shop.agents.there(agent)
    shop.agents.seen(agent.user)
    again = shop.agents.get(agent.user)
    assert again
    assert shop.agents.there(again)
    assert not shop.agents.there(shop.agents.present(agent.user, "away"))
    with pytest.raises(Unfit, match="available, away"):
        shop.agents.present(agent.user, "lunch")  # type: ignore[arg-type]


def test_a_sign_of_life_is_written_only_now_and_then(shop: Shop, clock: ManualClock) -> None:
    agent = shop.hire("ana")
    first = clock.now()
    clock.advance(10)
    shop.agents.seen(agent.user)
    assert shop.agents.all()[0].seen_at == first
    clock.advance(1)
    shop.agents.seen(agent.user)
    assert shop.agents.all()[0].seen_at == clock.now()
