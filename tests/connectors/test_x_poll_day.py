"""A day of random faults and kills with searches instead of the stream."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from pipeline.collect import digest
from tests.contract.connectors.x import harness
from tests.contract.hostile import Hostile
from tests.contract.jumping import JumpingClock
from tests.contract.test_day import ITEMS, Day, Process

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seed", [1])
def test_in_a_day_of_faults_searches_bring_every_post_exactly_once_or_tell_of_a_gap(tmp_path: Path, seed: int) -> None:
    with ExitStack() as stack:
        hostile = stack.enter_context(Hostile().running())
        streaming = stack.enter_context(harness.ready(tmp_path, hostile.front))
        config = streaming.config.model_copy(update={"mode": "poll"})
        ready = replace(streaming, config=config, expected=frozenset())
        clock = JumpingClock()
        day = Day("x", ready, hostile, clock, seed)
        process = Process("x", ready, tmp_path, clock)
        stack.callback(process.close)
        with structlog.testing.capture_logs():
            process.live(day)
        published = process.published()
        gaps = process.store.gaps(open_only=True)
    assert process.lives > 1
    assert len(day.said) == ITEMS
    versions = Counter((mention.id, digest(mention)) for mention in published)
    assert [version for version, count in versions.items() if count > 1] == []
    lost = [moment for id, moment in day.said.items() if id not in {mention.id for mention in published}]
    assert all(any(gap.since <= moment <= gap.until for gap in gaps) for moment in lost)
    assert len(lost) < ITEMS / 10
