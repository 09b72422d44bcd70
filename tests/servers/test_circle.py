"""What every source promises, from outside and all the way: connector, intake, bus, enrichment, routing, queue, case,
answer, the server's thread, and back. One harken listens to all servers at once; `platforms.py` says which are real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.fixtures.circle import Circle, running
from tests.servers.platforms import PLATFORMS

SAID = {
    "mastodon-sse": "my parcel is three weeks late and nobody at your office answers, I want my money back",
    "mastodon-websocket": "the app crashes whenever I try to pay, this is awful and support is no help",
    "email": "you charged me twice for one order and refuse to refund it, I am furious",
    "x": "the driver threw my package over the fence and it is broken, terrible service",
    "reddit": "worst hotline ever, one hour on hold and then they hang up on me",
    "youtube": "your update deleted all of my pictures, I am so disappointed in you",
    "discourse": "my subscription was cancelled without a word and now I cannot log in",
    "rss": "customers complain that their refunds were never paid and the shop does not react",
}
"""One complaint for each, so that none is taken for a copy of another."""
MISSED = (
    "still no answer to my complaint about the broken lamp, that is unacceptable",
    "the second delivery was damaged as well, I demand a replacement",
    "I was promised a call back yesterday and nobody called, this is a disgrace",
)
ANSWER = "I am sorry about that. Which order was it?"


def words(name: str) -> tuple[str, str]:
    """One stands in what is said there first, one in its rewording, and neither anywhere else."""
    letter = "abcdefgh"[list(SAID).index(name)]
    return f"violet{letter}", f"amber{letter}"


def first(name: str) -> str:
    return f"@AcmeCare #acme {words(name)[0]}: {SAID[name]}"


def reworded(name: str) -> str:
    return f"@AcmeCare #acme {words(name)[1]}: {SAID[name]}, as I said"


def missed(name: str) -> list[str]:
    return [f"@AcmeCare #acme {name}: {text}" for text in MISSED]


def those_that_can(promise: str) -> list[str]:
    return [name for name, platform in PLATFORMS.items() if promise not in platform.cannot]


class World:
    """All platforms and what was said there first: at once, since each needs its time to hear it."""

    def __init__(self, circle: Circle, platforms: dict[str, Any]) -> None:
        self.circle, self.platforms = circle, platforms
        circle.until(lambda: all(one.ready() for one in platforms.values()), "listening")
        self.things = {name: one.say(first(name), "ana") for name, one in platforms.items()}

    def all_heard(self) -> None:
        """What was said first stands in a queue."""
        self.circle.until(lambda: self.queued().keys() == self.platforms.keys(), "hearing everybody")

    def queued(self) -> dict[str, str]:
        """What was said first, as it stands in a queue now, by where it was said."""
        waiting = self.circle.queued().keys()
        found = {name: {first(name), reworded(name)} & waiting for name in self.platforms}
        return {name: texts.pop() for name, texts in found.items() if texts}

    def case(self, name: str) -> str:
        """The case of what was said there first."""
        self.circle.until(lambda: name in self.queued(), "hearing it")
        return self.circle.case_of(self.queued()[name])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        platforms = {
            name: stack.enter_context(each.running(tmp_path_factory.mktemp(name))) for name, each in PLATFORMS.items()
        }
        folder = tmp_path_factory.mktemp("circle")
        yield World(stack.enter_context(running(folder, list(platforms.values()))), platforms)


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_post_stands_in_a_queue_and_an_edit_changes_it(world: World, name: str) -> None:
    circle, platform = world.circle, world.platforms[name]
    case = circle.case_of(first(name))
    assert circle.said(case) == [first(name)]
    if "edit" not in platform.cannot:
        platform.edit(world.things[name], reworded(name))
        circle.until(lambda: circle.said(case) == [reworded(name)], "the edit")
        assert reworded(name) in circle.queued()


@pytest.mark.parametrize("name", those_that_can("answer"))
def test_an_answer_hangs_in_its_thread_and_opens_no_case_when_it_returns(world: World, name: str) -> None:
    circle, platform, thing = world.circle, world.platforms[name], world.things[name]
    case = world.case(name)
    answer = f"{ANSWER} ({name})"
    circle.answer(case, answer)
    circle.until(lambda: platform.answers(thing), "the answer on the server")
    circle.until(lambda: any(answer in text for text in circle.ours()), "our own answer's return")
    (given,) = platform.answers(thing)
    assert answer in given
    circle.settled()
    assert not [text for text in circle.queued() if answer in text]
    assert circle.said(case) in ([first(name)], [reworded(name)])
    circle.until(
        lambda: [draft["state"] for draft in circle.shown(case)["drafts"]] == ["sent"], "the draft's being sent"
    )


@pytest.fixture(scope="module")
def cut_off(world: World) -> World:
    """All cables are cut until it was noticed, and something is said meanwhile."""
    world.all_heard()
    for platform in world.platforms.values():
        platform.cable.cut()
    for name, platform in world.platforms.items():
        world.circle.until(lambda at=platform: at.cable.broken, f"{name} missing its server")  # type: ignore[misc]  # mypy cannot type a lambda's default
        for text in missed(name):
            platform.say(text, "ben")
    for platform in world.platforms.values():
        platform.cable.mend()
    return world


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_forced_disconnect_loses_nothing_and_doubles_nothing(cut_off: World, name: str) -> None:
    circle = cut_off.circle
    circle.until(lambda: set(missed(name)) <= circle.queued().keys(), "what was said meanwhile")
    case = circle.case_of(missed(name)[0])
    circle.until(lambda: sorted(circle.said(case)) == sorted(missed(name)), "one case of it")
    circle.until(lambda: circle.gaps(name) == [], "the gap's being filled")
    circle.settled()
    assert sorted(circle.said(case)) == sorted(missed(name))


@pytest.fixture(scope="module")
def withdrawn(world: World) -> World:
    """What was said first is taken back wherever that can be done. A platform that tells of no deletion is asked; so
    what listens is killed and started again, or the asking would wait for its turn."""
    world.all_heard()
    deleted = {name: world.platforms[name] for name in those_that_can("delete")}
    for name, platform in deleted.items():
        platform.delete(world.things[name])
    told = {name for name, platform in deleted.items() if platform.tells_of_deletions}
    world.circle.until(lambda: not told & world.queued().keys(), "being told of deletions")
    world.circle.collect_again()
    return world


@pytest.mark.parametrize("name", those_that_can("delete"))
def test_what_is_deleted_there_is_withdrawn_everywhere_here(withdrawn: World, name: str) -> None:
    circle = withdrawn.circle
    circle.until(lambda: name not in withdrawn.queued(), "the withdrawal")
    circle.until(lambda: not [case for case in circle.cases() if not circle.said(case)], "the closing of its case")
    circle.settled()
    circle.until(lambda: not any(map(circle.holding, words(name))), "its words' being gone from every table")


def test_nobody_can_answer_where_no_answers_are_taken(world: World) -> None:
    for name in PLATFORMS.keys() - set(those_that_can("answer")):
        shown = world.circle.shown(world.case(name))["answerable"]
        assert not shown["eligible"]
        assert shown["why_not"]
