"""The ledger: for everything taken in, what became of it. The columns sum, or something is wrong and it says what.

    taken in = queued + filtered + dead + removed + in flight

How it knows. Each column is counted in a table of its own (see `pipeline.store.books`), so an outcome without an
intake, or a mention in two columns, breaks the sum. That the rest is really in flight, and not lost, is shown by the
bus: when the topics are empty, what was in flight before is noted, the topics are read again in the order of the
flow, and if they are empty still, nothing of what was noted can be on its way: each record was published before it
was taken in, and a worker empties a topic only after its output stands on the next. What was noted and has no outcome
then is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.store import Store
from pipeline.store.books import Tally

Lags = Callable[[], Sequence[tuple[str, int]]]
"""Reads (topic, records its readers have yet to finish) of raw, enriched and routed, in this order; more may follow."""


@dataclass(frozen=True)
class Columns:
    """How many mentions (and unreadable items) stand where. `in_flight` is without the `missing`."""

    taken_in: int = 0
    queued: int = 0
    filtered: int = 0
    dead: int = 0
    removed: int = 0
    in_flight: int = 0
    missing: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the columns sum and nothing is missing."""
        return not self.missing and self.taken_in == (
            self.queued + self.filtered + self.dead + self.removed + self.in_flight
        )


@dataclass(frozen=True)
class Evidence:
    """How the ledger knows: the lags it read last, whether they prove that nothing is under way, how many ids were in
    flight before, and a few ids of each kind that should not be."""

    lags: tuple[tuple[str, int], ...]
    drained: bool
    noted: int
    missing: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """One reading, overall and per source."""

    total: Columns
    sources: Mapping[str, Columns]
    filtered_by_reason: Mapping[str, int]
    evidence: Evidence

    @property
    def balanced(self) -> bool:
        """Whether every source balances and no id is where it should not be."""
        wrong = self.evidence.orphans or self.evidence.twice
        return not wrong and self.total.balanced and all(columns.balanced for columns in self.sources.values())

    def as_json(self) -> dict[str, Any]:
        """What `harken ledger --json` prints."""
        sources = {name: {**asdict(columns), "balanced": columns.balanced} for name, columns in self.sources.items()}
        return {
            **asdict(self.total),
            "balanced": self.balanced,
            "filtered_by_reason": dict(self.filtered_by_reason),
            "sources": sources,
            "evidence": {**asdict(self.evidence), "lags": dict(self.evidence.lags)},
        }


def read_ledger(store: Store, lag: Lags, release: bool = False) -> Ledger:
    """Read the ledger now, holding up nobody; a lag of no topics at all proves nothing.

    With `release`, what is found missing may be taken in again: when its source brings it once more, it is published
    once more. Without, nothing is changed.
    """
    before = tuple(lag())
    with store.books() as books:
        quiet = bool(before) and not any(records for _, records in before)
        noted = books.mark() if quiet else 0
        lags = tuple(lag()) if noted else before
        drained = quiet and not any(records for _, records in lags)
        tally = books.tally(lost=drained and noted > 0)
        if release and tally.missing:
            books.release()
    names = sorted({count.source for count in tally.counts})
    return Ledger(
        total=_columns(tally),
        sources={name: _columns(tally, name) for name in names},
        filtered_by_reason=_reasons(tally),
        evidence=Evidence(lags, drained, noted, tuple(tally.missing), tuple(tally.orphans), tuple(tally.twice)),
    )


def explained(found: Ledger) -> list[str]:
    """The evidence in words."""
    evidence = found.evidence
    lags = ", ".join(f"{role} {records:,}" for role, records in evidence.lags)
    under_way = sum(records for _, records in evidence.lags)
    said = [f"{under_way:,} records are on their way ({lags})" if under_way else f"nothing is on its way ({lags})"]
    for ids, what in (
        (evidence.missing, "taken in, no longer on the bus, and without an outcome"),
        (evidence.orphans, "with an outcome, but never taken in"),
        (evidence.twice, "both removed and kept"),
    ):
        if ids:
            said.append(f"{what}: {', '.join(ids)}")
    if evidence.missing:
        said.append("harken ledger --release-missing, then collect or ingest them again")
    return said


def _columns(tally: Tally, source: str | None = None) -> Columns:
    sums: dict[str, int] = {}
    for count in tally.counts:
        if source is None or count.source == source:
            sums[count.column] = sums.get(count.column, 0) + count.ids
    return Columns(**sums)


def _reasons(tally: Tally) -> dict[str, int]:
    sums: dict[str, int] = {}
    for count in tally.counts:
        if count.column == "filtered":
            reason = count.reason or ""
            sums[reason] = sums.get(reason, 0) + count.ids
    return dict(sorted(sums.items()))
