"""Stored mentions are checked again, over and over, within what is allowed an hour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec.structs import replace

from pipeline.collect import digest
from pipeline.config import RecheckSettings
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Item, Mention, Removal
from pipeline.recheck import Rechecking
from pipeline.store import Taken
from tests.fixtures.shapes import mention
from tests.pipeline.test_collect import Desk, Scripted
from tests.store.samples import routed


class Platform:
    """Knows what became of each post; fails as told."""

    source = "t"
    batch: ClassVar[int] = 3
    per_hour = math.inf

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.reworded: dict[str, str] = {}
        self.asked: list[str] = []
        self.failures: list[Exception] = []

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        if self.failures:
            raise self.failures.pop(0)
        self.asked += [it.id for it in mentions]
        return list(self._found(mentions))

    def _found(self, mentions: Sequence[Mention]) -> Iterator[Item]:
        for it in mentions:
            if it.id in self.gone:
                yield Removal(source="t", reason="deleted", noticed_at=it.created_at, mention=it.id)
            elif it.id in self.reworded:
                yield replace(it, text=self.reworded[it.id], edited_at=it.created_at + timedelta(minutes=5))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    for number in range(7):
        it = mention(f"t:{number}", via="wire", conversation="t:0", created_at=made.clock.now())
        made.store.take_in("wire", None, [Taken(it.id, it.source, digest(it), it.created_at)])
        made.store.deliver([routed(it.id, via="wire", conversation="t:0", created_at=it.created_at)], [])
    yield made
    made.bus.close()
    made.store.close()


def rechecking(desk: Desk, platform: Platform, per_hour: int = 600, days: float = 30) -> Rechecking:
    settings = RecheckSettings(per_hour=per_hour, days=days)
    return Rechecking(platform, desk.intake, desk.store, desk.clock, Scripted.backoff, settings)


def test_what_is_gone_and_what_was_reworded_comes_out_with_its_conversation(desk: Desk) -> None:
    platform = Platform()
    platform.gone, platform.reworded = {"t:1"}, {"t:2": "reworded"}
    checking = rechecking(desk, platform)
    while checking.step():
        pass
    removal, reworded = sorted(desk.published(), key=lambda it: isinstance(it, Mention))
    assert isinstance(removal, Removal)
    assert isinstance(reworded, Mention)
    assert (removal.mention, removal.thread, removal.via) == ("t:1", "t:0", "wire")
    assert (reworded.id, reworded.text) == ("t:2", "reworded")
    done = desk.store.rounds()["wire"]
    assert (done.rounds, done.checked, done.gone, done.reworded) == (1, 7, 1, 1)


def test_a_restart_goes_on_where_it_was_and_a_round_begins_anew(desk: Desk) -> None:
    platform = Platform()
    rechecking(desk, platform).step()
    rechecking(desk, platform).step()
    assert platform.asked == [f"t:{number}" for number in range(6)]
    checking = rechecking(desk, platform)
    assert [checking.step() for _ in range(3)] == [1, 0, 3]
    assert platform.asked[-3:] == ["t:0", "t:1", "t:2"]


def test_a_batch_that_failed_is_asked_again_after_the_documented_wait(desk: Desk) -> None:
    platform = Platform()
    platform.failures = [SourceUnavailable("down", trouble="http"), SourceUnavailable("down", trouble="http")]
    before = desk.clock.now()
    checking = rechecking(desk, platform)
    _run(checking, desk, 3)
    assert platform.asked == ["t:0", "t:1", "t:2"]
    assert desk.clock.now() - before >= timedelta(seconds=5 + 10)


def test_no_more_are_asked_about_an_hour_than_is_allowed(desk: Desk) -> None:
    platform = Platform()
    before = desk.clock.now()
    _run(rechecking(desk, platform, per_hour=2), desk, 3)
    assert platform.asked == [f"t:{number}" for number in range(6)]
    assert desk.clock.now() - before == timedelta(hours=3)


@pytest.mark.parametrize(("allowed", "asked", "hours"), [(2.0, 6, 3), (0.5, 3, 6)])
def test_no_more_are_asked_about_than_the_platform_leaves_room_for(
    desk: Desk, allowed: float, asked: int, hours: float
) -> None:
    platform = Platform()
    platform.per_hour = allowed
    before = desk.clock.now()
    _run(rechecking(desk, platform), desk, 3)
    assert platform.asked == [f"t:{number}" for number in range(asked)]
    assert desk.clock.now() - before == timedelta(hours=hours)


def test_where_there_is_no_room_nobody_is_asked(desk: Desk) -> None:
    platform = Platform()
    platform.per_hour = 0.0
    rechecking(desk, platform).run()
    assert platform.asked == []


def test_who_is_refused_stops_and_what_is_too_old_is_not_asked_about(desk: Desk) -> None:
    platform = Platform()
    platform.failures = [SourceRefused("no")]
    rechecking(desk, platform).run()
    assert platform.asked == []
    desk.clock.advance(86_400 * 40)
    assert rechecking(desk, platform).step() == 0


def _run(checking: Rechecking, desk: Desk, waits: int) -> None:
    """`run` until it has waited so often; waiting moves the clock."""
    wait, left = desk.clock.wait, [waits]

    def counted(seconds: float) -> bool:
        left[0] -= 1
        asked = wait(seconds)
        if not left[0]:
            desk.clock.stop()
        return asked or not left[0]

    desk.clock.wait = counted  # type: ignore[method-assign]  # the clock of this test, not of the code under test
    checking.run()
