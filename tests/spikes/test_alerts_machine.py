"""Whatever happens in whatever order: changes, crashes, outages, silence. What a target was told last is how the
incident stands, no key ever stands for two texts, and nothing certain is said twice."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.clock import ManualClock
from spikes._notice import Notice
from spikes._target import Later, Outcome, Refused, Told
from spikes.detection import Severity
from spikes.sending import REPEATS, Sender
from tests.fixtures.postgres import store_in
from tests.spikes.storm import Desk, Paper

pytestmark = pytest.mark.long


OUTCOMES: dict[str, Outcome] = {
    "told": Told(),
    "down": Later("down"),
    "hangs": Later("hangs", doubtful=True),
    "refused": Refused("no"),
}


class Crash(BaseException):
    """The process dies after it has sent."""


class Dying(Sender):
    def _say(self, name: str, taken: Any, outcome: Outcome) -> None:
        raise Crash


@dataclass
class Reader(Paper):
    """A target that takes what it hangs over, as the worst ones do, and knows what it saw."""

    read: list[tuple[Notice, bool]] = field(default_factory=list)
    keys: dict[str, Notice] = field(default_factory=dict)

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:
        assert self.keys.setdefault(notice.key, notice) == notice, "one key, two texts"
        outcome = super().send(notice, repeated=repeated)
        if outcome == Told() or outcome == OUTCOMES["hangs"]:
            self.read.append((notice, repeated))
        return outcome


class Telling(RuleBasedStateMachine):
    """One incident, a target of each kind."""

    @initialize()
    def begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.papers = {
            "keyed": Reader(),
            "edits": Reader(edits=True),
            "chat": Reader(keyed=False),
            "once": Reader(keyed=False, repeats=False),
        }
        store = store_in(Path(self._folder.name), self.clock)
        self.desk = Desk(store, self.clock, self.papers, "playbooks: [{name: all}]")
        self.desk.change()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.store.close()
            self._folder.cleanup()

    @rule(state=st.sampled_from(["open", "acknowledged", "statement_out", "calming", "closed", "reopened"]))
    def moves(self, state: str) -> None:
        self.desk.change(state, state=state)

    @rule(severity=st.sampled_from(list(Severity)))
    def grows(self, severity: Severity) -> None:
        if severity.rank > self.desk.storm.severity.rank:
            self.desk.change("grew", severity=severity)

    @rule(number=st.integers(0, 3))
    def is_reworded(self, number: int) -> None:
        self.desk.change("grew", paragraph=f"{number} people complain.")

    @rule(name=st.sampled_from(["keyed", "edits", "chat", "once"]), outcome=st.sampled_from(sorted(OUTCOMES)))
    def answers(self, name: str, outcome: str) -> None:
        self.papers[name].always = OUTCOMES[outcome]

    @rule(minutes=st.sampled_from([0, 1, 7, 70]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(60 * minutes)
        self.desk.work()

    @rule(name=st.sampled_from(["keyed", "edits", "chat", "once"]))
    def a_sender_dies(self, name: str) -> None:
        desk = self.desk
        try:
            Dying(desk.store._db, self.clock, desk.alerts, desk.books, self.papers).step(name)
        except Crash:
            self.desk.restart()

    @rule()
    def the_process_is_restarted(self) -> None:
        self.desk.restart()

    @invariant()
    def no_key_is_read_twice_without_a_mark(self) -> None:
        for paper in getattr(self, "papers", {}).values():
            unmarked = [notice.key for notice, repeated in paper.read if not repeated]
            assert len(unmarked) == len(set(unmarked))

    @invariant()
    def a_target_that_is_not_keyed_is_not_flooded(self) -> None:
        for name, most in (("chat", REPEATS + 1), ("once", 1)):
            keys = [notice.key for notice, _ in self.papers[name].read] if hasattr(self, "papers") else []
            assert all(keys.count(key) <= most for key in set(keys))

    @invariant()
    def sequences_only_grow(self) -> None:
        for paper in getattr(self, "papers", {}).values():
            sequences = [notice.sequence for notice, _ in paper.got]
            assert sequences == sorted(sequences)

    @rule()
    def in_the_end_everybody_knows(self) -> None:
        for paper in self.papers.values():
            paper.always = Told()
        for _ in range(5):
            self.clock.advance(3700)
            self.desk.work()
        for name in ("keyed", "edits"):
            if self.desk.stand()[name] == "told":
                said = self.papers[name].read[-1][0].matters[0]
                assert (said.state, said.severity) == (self.desk.storm.state, self.desk.storm.severity), name
        assert "waiting" not in self.desk.stand().values()
        assert "sending" not in self.desk.stand().values()


TestTelling = Telling.TestCase
TestTelling.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
