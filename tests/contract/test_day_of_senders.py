"""A day of each connector that is pushed to (`test_day.py` has the others): its senders send at random moments, and
again as they document; on the way requests are spoilt and answers lost, the platform's own interface and the store
are away at times, and the process is killed now and then, also with a page on the bus that is not saved yet.

In the end every item is on the bus, exactly once but for what was on it when the process died before it had saved, and
in the queue exactly once; whatever its sender gave up is in a gap.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from pipeline.ports import Connector, Page
from tests.contract.connectors import Fronted, Ready
from tests.contract.faults import FAULTS, Fault
from tests.contract.hostile import Hostile
from tests.contract.jumping import JumpingClock
from tests.contract.sending import Sending
from tests.contract.shaky import HOW, Shaky
from tests.contract.test_connector import ADAPTERS
from tests.contract.test_day import DAY, HOUR, NOT_IN_A_DAY, Process
from tests.contract.test_hostile import PUSHED, having

pytestmark = pytest.mark.long

SENDERS = having("pushes=")
FREE, TROUBLES, OUTAGES, KILLS = 20, 24, 4, 12
STEP_SECS = 1_200.0


class Unheard(Fault):
    """What is sent arrives and is dealt with; the connection breaks off before the answer comes."""

    def head(self, put: Callable[[str, str | None], None], get: Callable[[str], str]) -> None:
        del put, get
        raise ConnectionResetError


TO_US = {**{name: fault for name, fault in FAULTS.items() if name not in NOT_IN_A_DAY}, "unheard": Unheard}
"""What may befall a request to the connector."""

TO_THEM = [
    "refused",
    "reset",
    "half",
    "silence",
    "401",
    "403",
    "404",
    "410",
    "429",
    "429 with a delay",
    "500",
    "redirects",
]
"""What may befall a question to the platform: answers of somebody's between, which are not its last word."""


class Day:
    """Everything that happens from midnight to midnight, drawn from one seed; then on until everybody is content."""

    def __init__(
        self, ready: Ready, ways: tuple[Hostile, Hostile], clock: JumpingClock, store: Shaky, seed: int
    ) -> None:
        assert ready.pushes is not None
        self.clock = clock
        self.said: dict[str, datetime] = {}
        self.killing: str | None = None
        self.absence = 0.0
        """For so many seconds nobody listens, once, from the first death on."""
        self._pushes = ready.pushes
        self._to_us, self._to_them = ways
        self._store = store
        self._connector: Any = None
        chance = random.Random(seed)  # noqa: S311 - guards nothing but this test
        self.sending = Sending(ready.pushes, clock, self._base, chance)
        for moment in (chance.uniform(0, DAY) for _ in range(FREE)):
            clock.at(moment, self._say)
        faults = chance.sample(sorted(TO_US), len(TO_US))
        for number in range(TROUBLES):
            start, length = chance.uniform(0, DAY - HOUR), chance.choice([10, 60, 600]) * chance.random()
            clock.at(start, partial(self._fail, self._to_us, TO_US[faults[number % len(faults)]]))
            clock.at(start, partial(self._fail, self._to_them, FAULTS[chance.choice(TO_THEM)]))
            clock.at(start + length, self._mend)
            for _ in range(chance.randint(1, 2)):
                clock.at(start + length * chance.random(), self._say)
        for start in (chance.uniform(0, DAY - HOUR) for _ in range(OUTAGES)):
            clock.at(start, partial(self._away, True))
            clock.at(start + 1, self._say)
            clock.at(start + chance.uniform(2, 300), partial(self._away, False))
        for number, moment in enumerate(chance.uniform(0, DAY) for _ in range(KILLS)):
            clock.at(moment, partial(self._kill, HOW[number % len(HOW)]))
            clock.at(moment, self._say)
        clock.at(DAY, self._end)

    def born(self, connector: Connector) -> None:
        """Whoever waited for the one before it is told, or not."""
        self.sending.finish()
        if self._connector is not None and self.absence:
            self._connector = None
            self.clock.wait(self.absence)
            self.absence = 0.0
            self.clock.at(self.clock.monotonic(), self._say)
        self._connector = connector

    def move(self, page: Page, quiet: float) -> bool:
        """On to the next that is sent, once nothing is under way."""
        del quiet
        if page.items or self._busy():
            return False
        while not self.clock.stopping and self.killing != "now" and not self._busy():
            self.clock.step(STEP_SECS)
        return True

    def _busy(self) -> bool:
        """Whether an answer may still come as things are: while one side says nothing, only the time brings one."""
        return self.sending.under_way() and not (self._to_us.fault.mutes or self._to_them.fault.mutes)

    def _base(self) -> str | None:
        port = None if self._connector is None else self._connector.port
        return None if port is None else self._to_us.front(f"http://127.0.0.1:{port}")

    def _say(self) -> None:
        moment = self.clock.now()
        push = self._pushes.next(moment)
        self.said[push.id] = moment
        self.sending.begin(push)

    def _fail(self, way: Hostile, fault: Callable[[], Fault]) -> None:
        way.fault = fault()

    def _mend(self) -> None:
        self._to_us.fault = self._to_them.fault = Fault()

    def _away(self, away: bool) -> None:
        self._store.away = away

    def _kill(self, how: str) -> None:
        self.killing = how

    def _end(self) -> None:
        self._mend()
        self._away(False)
        if self.sending.waiting or self.absence:
            self.clock.at(self.clock.monotonic() + HOUR, self._end)
        else:
            self.clock.stop()


def test_every_connector_that_is_pushed_to_and_nothing_else_has_this_day() -> None:
    assert set(SENDERS) == set(PUSHED)


class Lived:
    """What is left of a day."""

    def __init__(self, name: str, seed: int, folder: Path, absence: float = 0.0) -> None:
        harness = cast(Fronted, ADAPTERS[name]())
        with ExitStack() as stack:
            to_us, to_them = (stack.enter_context(Hostile(pushed=pushed).running()) for pushed in (True, False))
            ready = stack.enter_context(harness.ready(folder, to_them.front))
            clock = JumpingClock()
            process = Process(name, ready, folder, clock, Shaky)
            stack.callback(process.close)
            self.store = cast(Shaky, process.store)
            self.day = Day(ready, (to_us, to_them), clock, self.store, seed)
            self.day.absence = absence
            self.store.plan = self.day
            stack.enter_context(self.day.sending)
            with structlog.testing.capture_logs() as self.lines:
                process.live(self.day)
            self.lives = process.lives
            published = process.published()
            self.queued = process.queued(published)
            self.gaps = self.store.gaps()
            self.dead = self.store.dead()
        self.orphans = Counter({id: count for (id, _), count in self.store.orphans.items()})
        on_bus = Counter(mention.id for mention in published)
        self.too_often = {id: count for id, count in on_bus.items() if count > 1 + self.orphans[id]}
        self.seen = {mention.id for mention in published}
        self.lost = {id: moment for id, moment in self.day.said.items() if id not in self.seen}


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page while nobody sends comes sooner than it otherwise would."""
    for name in SENDERS:
        monkeypatch.setattr(f"connectors.{name}.IDLE_SECS", 0.01)


def retold(name: str, lived: Lived) -> dict[str, int]:
    """What a sink may hear of twice: of a message whose process died before it had saved when it came, the form's time
    is another one, and that is news of it."""
    return dict.fromkeys(lived.orphans, 1) if name == "feedback" else {}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", SENDERS)
def test_what_is_sent_through_a_day_of_faults_arrives_exactly_once(name: str, seed: int, tmp_path: Path) -> None:
    lived = Lived(name, seed, tmp_path)
    assert lived.lives > KILLS / 2
    assert lived.day.sending.failed > TROUBLES / 2
    assert lived.store.outages
    assert lived.store.orphans
    assert lived.too_often == {}
    assert lived.seen == set(lived.day.said), lived.lines
    assert {**lived.queued, **retold(name, lived)} == dict.fromkeys(lived.seen, 1)
    assert lived.dead == []
    assert not [line for line in lived.lines if line["event"] == "connector failed"]


def test_what_meta_gave_up_in_two_days_is_read_back_or_in_a_gap(tmp_path: Path) -> None:
    lived = Lived("meta", 3, tmp_path, absence=44 * HOUR)
    assert lived.too_often == {}
    assert lived.queued == dict.fromkeys(lived.seen, 1)
    assert lived.lost
    assert set(lived.lost) < lived.day.sending.given_up
    assert not [id for id in lived.lost if id.startswith("facebook:500_")], "comments are read back"
    assert all(any(gap.since <= moment <= gap.until for gap in lived.gaps) for moment in lived.lost.values())
    assert all(any(gap.since <= moment <= gap.until for gap in lived.gaps) for moment in lived.lost.values())
