"""An incident to be told of, and alerts to tell of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pipeline.clock import ManualClock
from pipeline.store import Store
from pipeline.store.database import Transaction
from spikes._notice import Notice
from spikes._quiet import Quiet
from spikes._target import Outcome, Target, Told
from spikes.alerts import Alerts
from spikes.detection import Severity
from spikes.playbooks import Playbooks, read
from spikes.sending import Sender

CHAIN = """
playbooks:
  - name: storm
    kinds: [firestorm]
    call:
      - {targets: [care]}
      - {targets: [lead], after_minutes: 10}
      - {targets: [chief], after_minutes: 30, severity: major}
    statements: [sorry]
    pause: [the spring campaign]
    read: [{title: Crisis handbook, url: "https://wiki.example/crisis"}]
statements:
  - name: sorry
    title: Sorry
    texts: {en: "{brand.name} is sorry ({incident.reference}), {customer.first_name}."}
"""


@dataclass(frozen=True)
class Storm:
    """What of an incident is told."""

    id: str = "i1"
    brand: str = "larkline"
    kind: str = "firestorm"
    state: str = "open"
    severity: Severity = Severity.MINOR
    title: str = "trains without heating"
    paragraph: str = "19 people complain of cold trains."
    url: str = "http://desk.example/incidents/i1"
    opened_at: datetime | None = None
    acknowledged_at: datetime | None = None


@dataclass
class Paper:
    """A target that answers as it is told to, and remembers what it got: the notice and whether it was marked."""

    keyed: bool = True
    edits: bool = False
    sleeps: bool = True
    repeats: bool = True
    answers: list[Outcome] = field(default_factory=list)
    always: Outcome = field(default_factory=Told)
    got: list[tuple[Notice, bool]] = field(default_factory=list)

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:
        self.got.append((notice, repeated))
        return self.answers.pop(0) if self.answers else self.always

    @property
    def stories(self) -> list[str]:
        return [" + ".join(f"{it.state} {it.severity}" for it in notice.matters) for notice, _ in self.got]


class Desk:
    """Alerts over a store, with what the timeline was told and what came of each message."""

    def __init__(
        self,
        store: Store,
        clock: ManualClock,
        targets: Mapping[str, Target],
        playbooks: str = CHAIN,
        quiet: Quiet | None = None,
    ) -> None:
        self.store, self.clock = store, clock
        self.books: Playbooks = read(playbooks, "playbooks.yaml")
        self.targets, self.quiet = targets, quiet
        self.timeline: list[tuple[str, str]] = []
        self.fates: list[tuple[str, str]] = []
        self.storm = Storm(opened_at=clock.now())
        self.restart()

    def restart(self) -> None:
        """Another process takes over: what was in memory is gone."""

        def tell(transaction: Transaction, incident: str, sentence: str) -> None:
            self.timeline.append((incident, sentence))

        database = self.store._db
        self.alerts = Alerts(database, self.clock, self.books, self.targets, self.quiet, tell)
        self.sender = Sender(
            database,
            self.clock,
            self.alerts,
            self.books,
            self.targets,
            self.quiet,
            lambda name, fate: self.fates.append((name, fate)),
        )

    def change(self, change: str = "opened", **changes: Any) -> None:
        """Let the incident change, as the one who changes it would."""
        if changes.get("state") in ("open", "reopened"):
            changes = {"acknowledged_at": None, **changes}
        elif changes.get("state") == "acknowledged":
            changes = {"acknowledged_at": self.clock.now(), **changes}
        self.storm = replace(self.storm, **changes)
        self.follow(self.storm, change)

    def follow(self, storm: Storm, change: str = "opened") -> None:
        with self.store._db.write() as transaction:
            self.alerts.follow(transaction, storm, change)

    def work(self, minutes: float = 0) -> None:
        """Let so much time pass, a minute at a time, doing all that is due."""
        for passed in range(int(minutes) + 1):
            if passed:
                self.clock.advance(60)
            self.alerts.escalate()
            while self.sender.step():
                pass

    def stand(self, incident: str = "i1") -> dict[str, str]:
        return {it.target: it.state for it in self.alerts.standings(incident)}
