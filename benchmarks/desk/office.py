"""A store with cases in it, people with tokens, and harken's own processes at work on it: `harken serve`, and
`harken run desk`, which sends what people queue."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import select

from benchmarks.desk.hasty import HastyClock
from benchmarks.machine import ROOT, BenchError
from desk.accounts import Accounts
from desk.cases import Cases
from desk.hearing import CaseSettings
from desk.replies import TERM
from pipeline.mention import Removal, Routed
from pipeline.store import Store
from pipeline.store.answer_tables import drafts

QUEUES = ("service", "marketing")
"""Those of the routing rules that come with harken."""

VIA = "shop"
LEASE_SECS = 10
"""The shortest that may be configured."""

BATCH = 500
"""As deliver has it unless told otherwise."""


@dataclass(frozen=True)
class Person:
    """Somebody with a token: the actor they are, and the secret."""

    actor: str
    secret: str


class Office:
    """On the database at `url`. With `answers_to`, an address, role `desk` sends answers there. The time in all of it
    goes `pace` times too fast."""

    def __init__(self, folder: Path, url: str, *, pace: float = 1.0, lease_secs: float = LEASE_SECS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.pace = pace
        self.lease_secs = lease_secs
        self.addresses: list[str] = []
        self._folder = folder
        self._url = url
        self._epoch = time.time()
        self.clock = HastyClock(self._epoch, pace)
        self.store = Store(url, self.clock)
        self.store.upgrade()
        # Nobody here writes twice within a second and means one case by it: the window is for people's hours.
        settings = CaseSettings(join_hours=0, lease_seconds=lease_secs)
        self.cases = Cases(self.store._db, self.clock, settings)
        self._accounts = Accounts(self.store._db, self.clock)
        self._running: list[subprocess.Popen[str]] = []

    # ------------------------------------------------------------------------ before

    def hear(self, batch: Sequence[Routed], removals: Sequence[Removal] = ()) -> None:
        """What the role deliver does with a batch."""
        self.store.deliver(batch, removals, also=self.cases.take_in)

    def fill(self, mentions: Iterable[Routed]) -> float:
        """Hear all of this, in batches; returns the seconds it took."""
        begun, rest = time.perf_counter(), iter(mentions)
        while batch := list(islice(rest, BATCH)):
            self.hear(batch)
        return time.perf_counter() - begun

    def people(self, number: int) -> list[Person]:
        """So many agents."""
        found = []
        for place in range(number):
            user, _ = self._accounts.add_user(f"agent-{place}", ["agent"], "system:simulation")
            _, secret = self._accounts.issue_token(
                user.id, sorted(user.may), timedelta(days=30), "system:simulation", "simulation"
            )
            found.append(Person(user.actor, secret.get_secret_value()))
        return found

    # ------------------------------------------------------------------------ at work

    def open(self, servers: int = 1, answers_to: str | None = None) -> None:
        """Start everything and wait until it answers; `addresses` are then those of the servers."""
        config = self._configured(answers_to)
        if answers_to:
            self._start(config, "desk", "run", "desk", "--http-port", "0")
        serving = [self._start(config, f"serve-{number}", "serve", "--port", "0") for number in range(servers)]
        for process in serving:
            said = process.stdout.readline() if process.stdout else ""
            _, found, address = said.strip().partition("answers at ")
            if not found:
                raise BenchError(f"harken serve did not start:\n{said}{self.logs()}")
            self.addresses.append(address)

    def on_their_way(self) -> int:
        """How many answers are queued, or being sent."""
        with self.store._db.read() as transaction:
            return len(transaction.run(select(drafts.c.id).where(drafts.c.next_at.is_not(None))).all())

    def began(self, key: str) -> datetime | None:
        """When the sender of this key made sure that it may go out, while it is being sent."""
        with self.store._db.read() as transaction:
            until = transaction.run(select(drafts.c.next_at).where(drafts.c.key == key)).scalar()
        return until - TERM if until else None

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self._folder.glob("*.log")))

    def failures(self) -> list[str]:
        """What the processes logged as an error."""
        lines = [line for path in self._folder.glob("*.log") for line in path.read_text().splitlines()]
        return [f"logged: {line[:300]}" for line in lines if '"level": "error"' in line or "Traceback" in line]

    def leave(self) -> list[str]:
        """Ask every process to stop; returns what went wrong with that."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        wrong = []
        for process in self._running:
            try:
                if status := process.wait(15):
                    wrong.append(f"a process ended with {status}")
            except subprocess.TimeoutExpired:
                wrong.append("a process did not stop within 15 seconds")
        return wrong

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        self.store.close()

    def _configured(self, answers_to: str | None) -> Path:
        reply = {"url": answers_to, "secret": "${DESK_SECRET}"} if answers_to else None
        shop = {"type": "webhook", "secret": "${DESK_SECRET}", "reply": reply}
        config = {
            "brands": {"acme": {"terms": ["acme"]}},
            "bus": {"type": "embedded", "path": str(self._folder / "bus.db")},
            "store": {"url": self._url},
            "sources": {VIA: shop},
            "desk": {"cases": True, "lease_secs": self.lease_secs, "join_hours": 0},
            "http": {"port": 0},
            "log": {"format": "json", "level": "warning"},
        }
        path = self._folder / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        return path

    def _start(self, config: Path, name: str, *command: str) -> subprocess.Popen[str]:
        hasty = ("benchmarks.desk.hasty", str(self._epoch), str(self.pace))
        module = ("pipeline.cli",) if self.pace == 1 else hasty
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module, "--config", str(config), *command],
                stdout=subprocess.PIPE if command[0] == "serve" else log,
                stderr=log,
                text=True,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "DESK_SECRET": secrets.token_hex(16)},
            )
        self._running.append(process)
        return process
