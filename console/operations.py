"""What the pages on the flow need of the parts that carry it: the console sees the topics, the bus and the connectors
through this alone. `pipeline.wiring` makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pipeline.store import Backlog, DeadLetter, Fault, RecordedGap, Refusal, SourceStatus, Worker
from pipeline.store.coverage import Seen, UsedUp


@dataclass(frozen=True)
class Configured:
    """A source, stage or sink of the configuration; `kind` is the adapter's name."""

    name: str
    kind: str
    enabled: bool = True
    silence_secs: float | None = None


@dataclass(frozen=True)
class Layout:
    """What the flow is made of. `topics` are the names of raw, enriched and routed."""

    sources: tuple[Configured, ...]
    stages: tuple[Configured, ...]
    sinks: tuple[Configured, ...]
    topics: tuple[str, str, str]
    queues: tuple[str, ...]
    roles: tuple[str, ...]
    cases: bool


@dataclass(frozen=True)
class Standing:
    """How the flow stood `at` that time. `lag` is None where the bus did not answer; `waiting` is by queue: open cases,
    or mentions where there are no cases. `usages` is what each source has used of its allowances, `seen` what it
    brought against what is usual. `models` are the versions of the stages that the newest mention passed."""

    at: datetime
    lag: Mapping[str, int] | None
    workers: Sequence[Worker]
    sources: Mapping[str, SourceStatus]
    gaps: Sequence[RecordedGap]
    backlogs: Mapping[str, Backlog]
    waiting: Mapping[str, int]
    faults: Sequence[Fault]
    refusals: Sequence[Refusal]
    usages: Mapping[str, Sequence[UsedUp]]
    seen: Mapping[str, Seen]
    models: Mapping[str, str]

    @property
    def dead(self) -> int:
        """How many dead letters wait, of the most frequent faults."""
        return sum(it.letters for it in self.faults)


@dataclass(frozen=True)
class Books:
    """The ledger as it was read `at` that time: what `harken ledger --json` prints, and how it knows, in words."""

    at: datetime
    figures: Mapping[str, Any]
    evidence: Sequence[str]

    @property
    def balanced(self) -> bool:
        """Whether it balances."""
        return bool(self.figures["balanced"])


class Operations(Protocol):
    """The flow, for the console."""

    @property
    def layout(self) -> Layout:
        """What it is made of."""

    @property
    def rules_version(self) -> str:
        """Of the routing rules that this process has in force."""

    def standing(self) -> Standing | None:
        """How it stands, some seconds old at most while it is asked for; None while that is found out."""

    def books(self) -> Books | None:
        """The ledger; read anew from time to time while it is asked for. None while it is read for the first time."""

    def count_again(self) -> None:
        """Have the ledger read anew."""

    def retry(self, letters: Sequence[DeadLetter]) -> tuple[int, Mapping[str, str]]:
        """Send dead letters through again: how many are on their way, and why others are not, by id."""
