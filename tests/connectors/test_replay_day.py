"""A day of a file that grows: rows are added at random, some of them broken; the file is away at times and once is
saved anew with other bytes, the store fails, and the process is killed now and then."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import structlog

from connectors.replay import Config
from pipeline.collect import digest
from pipeline.ports import Connector, Page
from tests.contract.connectors import Ready
from tests.contract.jumping import JumpingClock
from tests.contract.shaky import HOW, Shaky
from tests.contract.test_day import DAY, HOUR, Process

pytestmark = pytest.mark.long

BURSTS, ABSENCES, OUTAGES, KILLS = 60, 6, 6, 12
BROKEN = ("{0},,ana,{1},\n", "{0},said,ana,10/11/2017,\n", "{0},said,ana\n", '{0},"never closed,ana,{1},\n')


class Day:
    """What happens to the file and to its reader, drawn from one seed."""

    def __init__(self, path: Path, clock: JumpingClock, store: Shaky, seed: int) -> None:
        self.clock = clock
        self.said: dict[str, datetime] = {}
        self.broken = 0
        self.killing: str | None = None
        self._path = path
        self._waiting: list[bytes] = []
        self._store = store
        self._chance = chance = random.Random(seed)  # noqa: S311 - guards nothing but this test
        path.write_bytes(b"tweet,said,who,at,to\n")
        for moment in (chance.uniform(0, DAY) for _ in range(BURSTS)):
            clock.at(moment, partial(self._add, chance.randint(1, 9)))
        for start in (chance.uniform(0, DAY - HOUR) for _ in range(ABSENCES)):
            clock.at(start, self._leave)
            clock.at(start + chance.uniform(60, HOUR), self._come_back)
        for start in (chance.uniform(0, DAY - HOUR) for _ in range(OUTAGES)):
            clock.at(start, partial(self._away, True))
            clock.at(start, partial(self._add, 2))
            clock.at(start + chance.uniform(60, HOUR), partial(self._away, False))
        for number, moment in enumerate(chance.uniform(0, DAY - HOUR) for _ in range(KILLS)):
            clock.at(moment, partial(self._kill, HOW[number % len(HOW)]))
            clock.at(moment, partial(self._add, 7))
        clock.at(DAY / 2, self._save_anew)
        clock.at(DAY, self._come_back)
        clock.at(DAY, partial(self._away, False))
        clock.at(DAY + HOUR, clock.stop)

    def born(self, connector: Connector) -> None:
        """Nobody needs to know."""

    def move(self, page: Page, quiet: float) -> bool:
        """A file is read at once: time passes between one reading and the next."""
        del page, quiet
        return False

    def _add(self, number: int) -> None:
        for _ in range(number):
            count, at = len(self.said) + self.broken, self.clock.now().isoformat()
            if self._chance.random() < 0.1:
                self.broken += 1
                row = self._chance.choice(BROKEN).format(count, at)
            else:
                said = f'"row {count},\nsaid"' if self._chance.random() < 0.3 else f"row {count}"
                parent = self._chance.choice(sorted(self.said))[5:] if self.said and count % 3 == 0 else ""
                self.said[f"demo:{count}"] = self.clock.now()
                row = f"{count},{said},ana,{at},{parent}\n"
            self._waiting.append(row.encode())
        self._write()

    def _write(self) -> None:
        if self._path.exists():
            with self._path.open("ab") as file:
                file.write(b"".join(self._waiting))
            self._waiting.clear()

    def _leave(self) -> None:
        if self._path.exists():
            self._path.rename(self._path.with_suffix(".away"))

    def _come_back(self) -> None:
        if not self._path.exists():
            self._path.with_suffix(".away").rename(self._path)
        self._write()

    def _save_anew(self) -> None:
        self._come_back()
        self._path.write_bytes(b"\xef\xbb\xbf" + self._path.read_bytes())

    def _away(self, away: bool) -> None:
        self._store.away = away

    def _kill(self, how: str) -> None:
        self.killing = how


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_day_of_faults_every_row_of_a_growing_file_comes_once(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "mentions.csv"
    columns = {"id": "tweet", "text": "said", "author": "who", "created_at": "at", "parent": "to"}
    config = Config(path=path, source="demo", map=columns, page_size=3)
    clock = JumpingClock()
    with ExitStack() as stack:
        process = Process("replay", Ready(config, "demo", frozenset(), 0), tmp_path, clock, Shaky)
        stack.callback(process.close)
        process.rest_secs = 600.0
        store = cast(Shaky, process.store)
        store.plan = day = Day(path, clock, store, seed)
        with structlog.testing.capture_logs() as lines:
            process.live(day)
        published = process.published()
        queued = process.queued(published)
        dead = store.dead(1_000)
    versions = Counter((mention.id, digest(mention)) for mention in published)
    assert {one: count for one, count in versions.items() if count > 1 + store.orphans[one]} == {}
    assert {mention.id for mention in published} == set(day.said)
    assert queued == dict.fromkeys(day.said, 1)
    assert len(dead) == day.broken
    assert store.outages
    assert store.orphans
    told = Counter(line["event"] for line in lines)
    assert not told["connector failed"], lines
    assert told["source refused"], "the file was away"
    assert told["the file is not the one the cursor was saved for: reading it from the start"]
