"""From the outbox to a sink: nothing is lost while one is down, and nobody else waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import SinkUnavailable
from pipeline.mention import Decision, Routed, Tags
from pipeline.outbox import Dispatcher
from pipeline.ports import Delivery
from pipeline.store import Store
from tests.fixtures.postgres import store_in
from tests.fixtures.shapes import mention


class Listed:
    """A sink that keeps what it gets, unless the next of its troubles is an exception."""

    def __init__(self, *troubles: Exception | None) -> None:
        self.troubles = list(troubles)
        self.got: list[str] = []
        self.refuses: dict[str, str] = {}

    def deliver(self, batch: Sequence[Delivery]) -> Sequence[str | None]:
        if self.troubles and (trouble := self.troubles.pop(0)):
            raise trouble
        ids = [one.record.mention.id for one in batch if isinstance(one.record, Routed)]
        self.got += [id for id in ids if id not in self.refuses]
        return [self.refuses.get(id) for id in ids]

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    made = store_in(tmp_path, clock)
    yield made
    made.close()


def stored(store: Store, *ids: str, sinks: Sequence[str] = ("one",)) -> None:
    decision = Decision(rule="r", rules_version="1", decided_at=datetime(2026, 1, 5, 9, tzinfo=UTC), queue="service")
    store.deliver([Routed(mention=mention(id), tags=Tags(), decision=decision) for id in ids], sinks=sinks)


def test_what_was_sent_is_not_sent_again(store: Store, clock: ManualClock) -> None:
    stored(store, "t:1", "t:2")
    sink = Listed()
    dispatcher = Dispatcher("one", sink, store, clock)
    assert dispatcher.step() == 2
    assert dispatcher.step() == 0
    assert sink.got == ["t:1", "t:2"]


@pytest.mark.parametrize("trouble", [SinkUnavailable("down"), RuntimeError("a fault in the sink")])
def test_a_sink_in_trouble_gets_everything_when_it_is_back(
    store: Store, clock: ManualClock, trouble: Exception
) -> None:
    stored(store, "t:1", "t:2")
    sink = Listed(trouble, trouble)
    dispatcher = Dispatcher("one", sink, store, clock)
    while not dispatcher.step():
        pass
    assert sink.got == ["t:1", "t:2"]
    assert clock.waits == [1.0, 2.0]


def test_the_delay_a_sink_names_is_obeyed(store: Store, clock: ManualClock) -> None:
    stored(store, "t:1")
    dispatcher = Dispatcher("one", Listed(SinkUnavailable("slow down", retry_after=30)), store, clock)
    dispatcher.step()
    assert clock.waits == [30]


def test_a_sink_that_is_down_holds_up_no_other(store: Store, clock: ManualClock) -> None:
    stored(store, "t:1", sinks=("one", "two"))
    two = Listed()
    Dispatcher("one", Listed(SinkUnavailable("down")), store, clock).step()
    Dispatcher("two", two, store, clock).step()
    assert two.got == ["t:1"]
    assert store.backlog("one").pending == 1


def test_what_a_sink_refuses_for_good_is_kept_with_its_reason(store: Store, clock: ManualClock) -> None:
    stored(store, "t:1", "t:2")
    sink = Listed()
    sink.refuses = {"t:1": "too long"}
    Dispatcher("one", sink, store, clock).step()
    assert sink.got == ["t:2"]
    assert store.backlog("one").refused == 1
    assert [one.last_error for one in store.story("t:1").dispatches] == ["too long"]
