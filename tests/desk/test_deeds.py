"""Liking and hiding: asked for once, done once, tried again where the platform is away, told where it says no."""

from __future__ import annotations

from typing import ClassVar

import pytest

from desk.deeds import Deed, Deeds, Doer
from desk.desk import Desk
from desk.eligibility import Powers
from desk.refusals import Conflict, NoSuchCase, Unfit
from pipeline.clock import ManualClock
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Mention
from pipeline.ports import Action, Backoff
from pipeline.store import Store
from tests.desk.answering import FIRST, VIA, Desks
from tests.desk.build import ANA
from tests.fixtures.replier import Crash, PostingReplier
from tests.store.samples import removal


class Page(PostingReplier):
    """A page of ours: what was done with which mention, in order."""

    actions: ClassVar[frozenset[Action]] = frozenset({"like", "hide", "message"})

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, str]] = []

    def may(self, action: Action, mention: Mention) -> str | None:
        return self.why_not

    def act(self, action: Action, mention: Mention, text: str, key: str) -> str:
        if self.trouble:
            raise self.trouble.pop(0)
        if (action, mention.id) not in self.done:
            self.done.append((action, mention.id))
        if self.lost:
            raise self.lost.pop(0)
        return mention.native_id


class Room(Desks):
    def __init__(self, store: Store, clock: ManualClock) -> None:
        super().__init__(store, clock)
        self.page = Page()
        self.case = self.hears()
        desk = Desk(powers={VIA: Powers(frozenset({"like", "hide"}))})
        self.deeds = Deeds(store._db, clock, desk)

    def doer(self) -> Doer:
        return Doer(self.store._db, self.clock, VIA, self.page, {"http": Backoff(first=30, cap=30)})

    def asks(self, action: str = "like", why: str = "") -> Deed:
        return self.deeds.ask(self.case, ANA, FIRST, action, why)  # type: ignore[arg-type]  # one of the two

    @property
    def one(self) -> Deed:
        (deed,) = self.deeds.of_case(self.case)
        return deed


@pytest.fixture
def room(store: Store, clock: ManualClock) -> Room:
    return Room(store, clock)


def test_a_like_is_done_once_and_says_who_wanted_it(room: Room) -> None:
    deed = room.asks()
    assert (deed.state, deed.actor, deed.mention, deed.action) == ("waiting", "user:ana", FIRST, "like")
    with pytest.raises(Conflict, match="on its way"):
        room.asks()
    assert room.doer().step()
    assert not room.doer().step()
    assert room.page.done == [("like", FIRST)]
    assert room.one.state == "done"
    with pytest.raises(Conflict, match="done already"):
        room.asks()


def test_to_hide_wants_a_reason(room: Room) -> None:
    with pytest.raises(Unfit, match="why"):
        room.asks("hide", " ")
    room.asks("hide", "a phone number stands in it")
    room.doer().step()
    assert (room.one.state, room.one.why) == ("done", "a phone number stands in it")


def test_what_a_source_cannot_do_nobody_can_ask_for(room: Room, store: Store, clock: ManualClock) -> None:
    bare = Deeds(store._db, clock, Desk())
    with pytest.raises(Unfit, match="like a mention"):
        bare.ask(room.case, ANA, FIRST, "like")
    with pytest.raises(NoSuchCase):
        bare.ask("nowhere", ANA, FIRST, "like")
    with pytest.raises(Unfit, match="mention"):
        room.deeds.ask(room.case, ANA, f"{VIA}:999", "like")


def test_a_platform_that_is_away_is_asked_again_as_its_connector_says(room: Room) -> None:
    room.page.trouble = [SourceUnavailable("down", trouble="http"), SourceUnavailable("later", retry_after=90)]
    room.asks()
    doer = room.doer()
    outcomes: list[str] = []
    assert doer.step(outcomes.append)
    assert (room.one.state, room.one.reason) == ("waiting", "down")
    room.clock.advance(29)
    assert not doer.step(outcomes.append)
    room.clock.advance(2)
    doer.step(outcomes.append)
    room.clock.advance(91)
    doer.step(outcomes.append)
    assert outcomes == ["retried", "retried", "done"]
    assert room.page.done == [("like", FIRST)]


def test_a_no_is_told_and_may_be_asked_for_again(room: Room) -> None:
    room.page.trouble = [ReplyRefused("not on a page of yours")]
    room.asks("hide", "spam")
    room.doer().step()
    assert (room.one.state, room.one.reason) == ("failed", "not on a page of yours")
    room.asks("hide", "spam")
    room.doer().step()
    assert room.one.state == "done"


def test_a_doer_that_dies_in_between_is_followed_by_another_and_it_is_done_once(room: Room) -> None:
    room.asks()
    room.page.lost = [Crash()]
    with pytest.raises(Crash):
        room.doer().step()
    assert not room.doer().step()
    room.clock.advance(181)
    assert room.doer().step()
    assert (room.one.state, room.page.done) == ("done", [("like", FIRST)])


def test_what_was_taken_back_meanwhile_is_left_alone(room: Room, store: Store) -> None:
    room.asks()
    store.deliver([], [removal(FIRST)])
    room.doer().step()
    assert room.page.done == []
    assert room.one.state == "failed"
