"""What every connector that likes, hides or writes in private promises (`pipeline.ports.Actor`), each of its actions on
a local platform. That building one opens nothing, and what answers promise, `test_replier.py` holds it to.

A connector joins by a file in tests/contract/actors/ (see its `__init__`); one that does not fails the meta-test.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast, get_args

import pytest
import structlog

import tests.contract.actors as harnesses
from pipeline.clock import ManualClock
from pipeline.errors import HarkenError, ReplyRefused, SourceUnavailable
from pipeline.ports import Action, Actor, Context, Settings
from tests.contract.actors import Done, Harness, Stand
from tests.contract.repliers import NAME
from tests.contract.test_replier import HOSTILE
from tests.fixtures.shapes import mention

ADAPTERS: dict[str, Callable[[], Harness]] = {
    found.name: lambda name=found.name: importlib.import_module(f"{harnesses.__name__}.{name}").harness  # type: ignore[misc]  # mypy cannot type a lambda's default
    for found in pkgutil.iter_modules(harnesses.__path__)
}

ACTIONS: tuple[Action, ...] = get_args(Action)


def offered(name: str) -> list[Action]:
    """The actions of this connector, in their order."""
    actions = importlib.import_module(f"connectors.{name}").Replier.actions
    return [action for action in ACTIONS if action in actions]


class Suite:
    """One action of one connector with its platform."""

    def __init__(self, name: str, action: Action, stand: Stand, clock: ManualClock) -> None:
        self.module = importlib.import_module(f"connectors.{name}")
        self.action = action
        self.stand = stand
        self.clock = clock
        self.actor = self.build()
        self.text = "Which parcel is it?" if action == "message" else ""

    def build(self, config: Settings | None = None) -> Actor:
        return cast(Actor, self.module.Replier(config or self.stand.config, Context(NAME, (), self.clock)))

    def act(self, key: str = "key-1", *, text: str | None = None, by: Actor | None = None) -> str:
        return (by or self.actor).act(self.action, self.stand.mention, self.text if text is None else text, key)

    def done(self) -> list[Done]:
        return self.stand.done(self.action)

    def fails(self, *, by: Actor | None = None) -> SourceUnavailable:
        with pytest.raises(SourceUnavailable) as failure:
            self.act(by=by)
        return failure.value

    def refused(self) -> ReplyRefused:
        with pytest.raises(ReplyRefused) as refusal:
            self.act()
        return refusal.value


@pytest.fixture(params=[(name, action) for name in sorted(ADAPTERS) for action in offered(name)], ids="-".join)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    name, action = request.param
    clock = ManualClock()
    with ADAPTERS[name]().stand(clock) as stand:
        yield Suite(name, action, stand, clock)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_it_offers_something_and_nothing_but_what_there_is(name: str) -> None:
    actions = importlib.import_module(f"connectors.{name}").Replier.actions
    assert actions
    assert actions <= set(ACTIONS)


def test_it_is_done_once_and_seen_on_the_platform(suite: Suite) -> None:
    assert suite.actor.may(suite.action, suite.stand.mention) is None
    id = suite.act()
    assert suite.done() == [Done(id, suite.text)]


def test_what_was_not_asked_for_is_not_done(suite: Suite) -> None:
    suite.act()
    others = [action for action in suite.actor.actions if action != suite.action]
    assert [suite.stand.done(action) for action in others] == [[] for _ in others]


def test_twice_under_one_key_it_has_one_effect(suite: Suite) -> None:
    suite.act()
    done = suite.done()
    suite.act()
    assert suite.done() == done


def test_after_a_crash_it_has_one_effect(suite: Suite) -> None:
    suite.act()
    done = suite.done()
    suite.clock.advance(3_600)
    suite.act(by=suite.build())
    assert suite.done() == done


def test_what_is_so_already_stays_so(suite: Suite) -> None:
    if suite.action == "message":
        return  # under another key it is another message
    id = suite.act("key-1")
    suite.clock.advance(3_600)
    assert suite.act("key-2") == id
    assert suite.done() == [Done(id)]


def test_when_the_answer_to_us_got_lost_the_next_attempt_has_no_second_effect(suite: Suite) -> None:
    suite.stand.lose(suite.action)
    assert suite.fails().trouble == "network"
    done = suite.done()
    assert [one.text for one in done] == [suite.text]
    suite.act(by=suite.build())
    assert suite.done() == done


def test_any_key_will_do(suite: Suite) -> None:
    for key in ("a/b?c=d&e", 'quote" back\\slash % 25%25 ключ 😀\nbreak', "k" * 200):
        assert suite.act(key)


def test_of_another_network_and_of_what_cannot_be_done_it_says_so_without_asking_anybody(suite: Suite) -> None:
    actor = suite.build(suite.stand.unreachable)
    elsewhere = mention("test:1", reply_ref=suite.stand.mention.reply_ref)
    for asked in (elsewhere, suite.stand.cannot):
        reason = actor.may(suite.action, asked)
        assert reason
        assert reason.endswith(".")
        with pytest.raises(ReplyRefused) as refusal:
            actor.act(suite.action, asked, suite.text, "key-1")
        assert refusal.value.reason == reason
    assert actor.may(suite.action, suite.stand.mention) is None


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_what_it_does_not_offer_it_says_and_does_not_try(name: str) -> None:
    clock = ManualClock()
    with ADAPTERS[name]().stand(clock) as stand:
        module = importlib.import_module(f"connectors.{name}")
        actor = cast(Actor, module.Replier(stand.unreachable, Context(NAME, (), clock)))
        for action in set(ACTIONS) - actor.actions:
            reason = actor.may(action, stand.mention)
            assert reason
            assert reason.endswith(".")
            with pytest.raises(ReplyRefused) as refusal:
                actor.act(action, stand.mention, "", "key-1")
            assert refusal.value.reason == reason


def test_a_refusal_says_why_in_the_platforms_words(suite: Suite) -> None:
    suite.stand.refuse(suite.action, "You may not do this to this person.")
    assert "You may not do this to this person." in suite.refused().reason
    assert suite.done() == []
    assert suite.act()


def test_hostile_words_of_a_refusal_are_short_and_on_one_line(suite: Suite) -> None:
    suite.stand.refuse(suite.action, "\x1b[2J\x00line\r\nbreak \u202e\u2028" + "long " * 1_000)
    reason = suite.refused().reason
    assert reason.isprintable()
    assert len(reason) < 500


def test_an_outage_is_for_later(suite: Suite) -> None:
    suite.stand.fail(suite.action)
    assert suite.fails().trouble == "http"
    assert suite.fails(by=suite.build(suite.stand.unreachable)).trouble == "network"
    assert suite.done() == []
    assert suite.act()


def test_a_platform_that_does_not_answer_is_not_waited_for(suite: Suite) -> None:
    suite.stand.hang(suite.action)
    assert suite.fails(by=suite.build(suite.stand.impatient)).trouble == "network"


def test_a_rate_limit_says_how_long_to_wait(suite: Suite) -> None:
    suite.stand.limit(suite.action, 300)
    failure = suite.fails()
    assert failure.trouble == "rate_limited"
    assert failure.retry_after == pytest.approx(300, abs=2)
    assert suite.done() == []
    suite.clock.advance(301)
    assert suite.act()


@pytest.mark.parametrize("text", HOSTILE, ids=["signs", "markup", "lines", "controls"])
def test_a_message_arrives_as_it_was_written_or_is_refused(suite: Suite, text: str) -> None:
    if suite.action != "message":
        return  # nothing is said
    try:
        id = suite.act(text=text)
    except ReplyRefused:
        assert suite.done() == []
        return
    assert suite.done() == [Done(id, text)]
    suite.act(text=text, by=suite.build())
    assert suite.done() == [Done(id, text)]


def test_what_no_message_can_carry_is_refused_and_not_sent(suite: Suite) -> None:
    if suite.action != "message":
        return  # nothing is said
    with pytest.raises(ReplyRefused, match="Unicode"):
        suite.act(text="half of an emoji: \ud83d")
    assert suite.done() == []


def test_no_secret_shows_in_logs_or_errors(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    stand, action = suite.stand, suite.action
    said: list[object] = [repr(suite.actor)]
    with structlog.testing.capture_logs() as lines:
        refuse = partial(stand.refuse, action, f"No: {' '.join(stand.secrets)}")
        faults: list[Callable[[], None]] = [refuse, partial(stand.fail, action), partial(stand.limit, action, 3)]
        faults.append(partial(stand.lose, action))
        for fault in faults:
            fault()
            with pytest.raises(HarkenError) as failure:
                suite.act(by=suite.build())
            error: BaseException | None = failure.value
            said.append(vars(error))
            while error is not None:
                said += [str(error), repr(error)]
                error = error.__cause__ or error.__context__
    said += [lines, *capfd.readouterr()]
    assert not [text for text in map(str, said) for secret in stand.secrets if secret in text]
