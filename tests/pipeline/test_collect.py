"""From a source to the bus: durable first, then the cursor; one source's trouble is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.bus.embedded import Config as BusConfig
from pipeline.bus.embedded import EmbeddedBus
from pipeline.clock import ManualClock, SystemClock
from pipeline.codec import decode
from pipeline.collect import Intake, Supervisor, digest, own
from pipeline.errors import BusUnavailable, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Author, Item, Mention, Removal
from pipeline.ports import Backoff, Brand, Gap, Page, Rejection, Topic
from pipeline.worker import Output
from tests.desk.build import ANA, Room
from tests.fixtures.postgres import store_in
from tests.fixtures.shapes import mention

BRAND = Brand("acme", own_accounts={"t": ("@AcmeCares",)})


class Scripted:
    """A connector that does what each run's script says."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=0, step=0.25, cap=16),
        "http": Backoff(first=5, factor=2, cap=320),
        "rate_limited": Backoff(first=60, factor=2, cap=960),
        "silent": Backoff(first=0, step=0.25, cap=16),
    }

    def __init__(self, *runs: Callable[[str | None], Iterator[Page]]) -> None:
        self._runs = iter(runs)
        self.cursors: list[str | None] = []

    def pages(self, cursor: str | None) -> Iterator[Page]:
        self.cursors.append(cursor)
        return next(self._runs)(cursor)

    def parse(self, payload: bytes) -> Sequence[Item]:
        return ()


class Desk:
    """A store, a bus and an intake on a clock that is moved by hand."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        self.bus = EmbeddedBus(BusConfig(path=path / "bus.db"), SystemClock())
        self.bus.apply([Topic("raw", 2, 24)])
        self.store = store_in(path, self.clock)
        self.producer = self.bus.producer()
        self.intake = Intake("wire", Output(self.producer, "raw"), self.store, [BRAND], self.clock)

    def supervise(self, connector: Scripted, silence_secs: float | None = None) -> Supervisor:
        supervisor = Supervisor(connector, self.intake, self.store, self.clock, silence_secs)
        supervisor.run()
        return supervisor

    def published(self) -> list[Item]:
        consumer = self.bus.consumer("reader", ["raw"], "me")
        found = [decode(record.value) for record in consumer.poll(10_000, 0.3)]
        consumer.commit({})
        consumer.close()
        assert all(isinstance(item, Mention | Removal) for item in found)
        return found  # type: ignore[return-value]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.bus.close()
    made.store.close()


def says(*pages: Page, then: Exception | None = None) -> Callable[[str | None], Iterator[Page]]:
    def run(cursor: str | None) -> Iterator[Page]:
        yield from pages
        if then:
            raise then

    return run


def test_a_page_is_durable_before_the_connector_goes_on(desk: Desk) -> None:
    seen = []

    def run(cursor: str | None) -> Iterator[Page]:
        yield Page([mention("t:1")], "c1")
        seen.append((len(desk.published()), desk.store.cursor("wire")))

    desk.supervise(Scripted(run))
    assert seen == [(1, "c1")]


def test_a_mention_is_marked_with_its_source_its_time_and_whether_it_is_ours(desk: Desk) -> None:
    ours = mention("t:2", author=Author(id="7", handle="acmecares"))
    desk.supervise(Scripted(says(Page([mention("t:1"), ours]))))
    first, second = sorted(desk.published(), key=lambda item: item.id)  # type: ignore[union-attr]
    assert isinstance(first, Mention)
    assert isinstance(second, Mention)
    assert (first.via, first.collected_at, first.own, second.own) == ("wire", desk.clock.now(), False, True)
    assert not own(mention("other:2", author=Author(id="7", handle="acmecares")), [BRAND])


def test_what_the_desk_sent_is_ours_whatever_account_it_came_from(desk: Desk) -> None:
    room = Room(desk.store, desk.clock)
    case = room.say("t:1").id
    room.send(case, ANA._replace(token=room.cases.claim(case, ANA.user).lease.token))
    room.sent(case, "t:answer")
    desk.supervise(Scripted(says(Page([mention("t:answer"), mention("t:2"), mention("t:1")]))))
    assert {item.id: item.own for item in desk.published() if isinstance(item, Mention)} == {
        "t:answer": True,
        "t:2": False,
        "t:1": False,
    }


def test_the_same_page_again_publishes_nothing_and_an_edit_publishes_the_new_wording(desk: Desk) -> None:
    page = Page([mention("t:1"), mention("t:2"), mention("t:2")], "c1")
    desk.supervise(Scripted(says(page, page)))
    assert len(desk.published()) == 2
    edited = mention("t:1", text="it came after all", edited_at=mention().created_at + timedelta(hours=1))
    desk.supervise(Scripted(says(Page([edited], "c2"))))
    assert len(desk.published()) == 3


def test_a_crash_between_bus_and_cursor_repeats_the_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in = desk.store.take_in

    def dies(*args: object) -> None:
        raise SystemExit("killed here")

    monkeypatch.setattr(desk.store, "take_in", dies)
    with pytest.raises(SystemExit):
        desk.supervise(Scripted(says(Page([mention("t:1")], "c1"))))
    monkeypatch.setattr(desk.store, "take_in", take_in)
    again = Scripted(says(Page([mention("t:1")], "c1")))
    desk.supervise(again)
    assert again.cursors == [None]
    assert {item.id for item in desk.published() if isinstance(item, Mention)} == {"t:1"}


def test_a_bus_that_vanishes_holds_the_cursor_back(desk: Desk) -> None:
    flush, failures = desk.producer.flush, iter([True, True])
    cursors = []

    def fails() -> None:
        cursors.append(desk.store.cursor("wire"))
        flush()
        if next(failures, False):
            raise BusUnavailable("it may be durable, or not")

    desk.producer.flush = fails  # type: ignore[method-assign] # the real producer, failing twice
    desk.supervise(Scripted(says(Page([mention("t:1")], "c1"))))
    assert cursors == [None, None, None]
    assert desk.store.cursor("wire") == "c1"
    assert {item.id for item in desk.published() if isinstance(item, Mention)} == {"t:1"}


def test_a_bad_item_is_dead_lettered_with_its_place_and_the_rest_go_on(desk: Desk) -> None:
    bad = Rejection(b"rubbish", "line 17", "there is no text")
    desk.supervise(Scripted(says(Page([mention("t:1"), bad], "c1"), Page([bad], "c2"))))
    (letter,) = desk.store.dead()
    assert (letter.payload, letter.place, letter.reason) == (b"rubbish", "line 17", "there is no text")
    assert len(desk.published()) == 1


def test_a_mention_too_large_for_the_topics_is_dead_lettered(desk: Desk) -> None:
    desk.supervise(Scripted(says(Page([mention("t:1", text="é" * 600_000), mention("t:2", text="é" * 400_000)]))))
    (letter,) = desk.store.dead()
    assert "over the limit" in letter.reason
    assert [item.id for item in desk.published() if isinstance(item, Mention)] == ["t:2"]


@pytest.mark.parametrize(
    ("trouble", "documented"),
    [("network", [0, 0.25, 0.5]), ("http", [5, 10, 20]), ("rate_limited", [60, 120, 240])],
)
def test_it_waits_as_the_platform_documents(desk: Desk, trouble: Trouble, documented: list[float]) -> None:
    fails = says(then=SourceUnavailable("gone", trouble=trouble))
    started = desk.clock.monotonic()
    reached: list[float] = []

    def noted(cursor: str | None) -> Iterator[Page]:
        reached.append(desk.clock.monotonic() - started)
        return fails(cursor)

    desk.supervise(Scripted(noted, noted, noted, says(Page())))
    reached.append(desk.clock.monotonic() - started)
    delays = [after - before for before, after in pairwise(reached)]
    for delay, least in zip(delays, documented, strict=True):
        assert least <= delay <= least * 1.1 + 1e-6


def test_a_delay_that_the_platform_names_is_obeyed(desk: Desk) -> None:
    desk.supervise(
        Scripted(says(then=SourceUnavailable("slow down", trouble="rate_limited", retry_after=7)), says(Page()))
    )
    assert sum(desk.clock.waits) == pytest.approx(7)


def test_a_page_resets_the_count_of_attempts(desk: Desk) -> None:
    gone = SourceUnavailable("gone", trouble="http")
    desk.supervise(Scripted(says(then=gone), says(Page(), then=gone), says(Page())))
    assert sum(desk.clock.waits) < 5 + 5 + 1.1


def test_it_goes_on_from_the_saved_cursor(desk: Desk) -> None:
    connector = Scripted(says(Page([mention("t:1")], "c1"), then=SourceUnavailable("gone")), says(Page()))
    desk.supervise(connector)
    assert connector.cursors == [None, "c1"]


def test_a_refusal_stops_this_source_and_says_why(desk: Desk) -> None:
    assert desk.supervise(Scripted(says(then=SourceRefused("bad token")))).refused == "bad token"


def test_a_connector_that_fails_unannounced_is_tried_again(desk: Desk) -> None:
    connector = Scripted(says(then=KeyError("tag")), says(Page([mention("t:1")])))
    desk.supervise(connector)
    assert len(desk.published()) == 1


def test_a_gap_is_recorded_once(desk: Desk) -> None:
    now = desk.clock.now()
    gap = Gap(now - timedelta(minutes=5), now, "the cursor was too old")
    desk.supervise(Scripted(says(Page(gaps=[gap]), Page(gaps=[gap]))))
    (recorded,) = desk.store.gaps(open_only=True)
    assert (recorded.via, recorded.reason) == ("wire", "the cursor was too old")


def test_silence_is_noticed_and_its_end_too(desk: Desk) -> None:
    from pipeline.metrics import SILENT

    found = []

    def run(cursor: str | None) -> Iterator[Page]:
        yield Page()
        for _ in range(3):
            desk.clock.advance(30)
            yield Page(heard=False)
        found.append(SILENT.labels("wire")._value.get())
        yield Page()
        found.append(SILENT.labels("wire")._value.get())

    desk.supervise(Scripted(run), silence_secs=60)
    assert found == [1, 0]


def test_the_digest_changes_with_the_wording_and_not_with_the_counts() -> None:
    from pipeline.mention import Metrics

    assert digest(mention()) == digest(mention(metrics=Metrics(likes=9)))
    assert digest(mention()) != digest(mention(text="other"))
