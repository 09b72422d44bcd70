"""Rows: a figure, its ratio to another of the same run, and the gate it must pass; as a table, as JSON lines, and in
benchmarks/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

README = Path(__file__).parent / "README.md"
BEGIN = "<!-- results: written by python -m benchmarks --write-readme -->"
END = "<!-- end of results -->"


@dataclass(frozen=True)
class Gate:
    """What a row must show: its ratio (or, without one, its value) at least or at most `limit`."""

    limit: float
    at_most: bool = False

    def passed(self, figure: float) -> bool:
        """Whether the figure is on the right side."""
        return figure <= self.limit if self.at_most else figure >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """One result. `ratio` is to the figure that `of` names."""

    measure: str
    what: str
    value: float
    unit: str
    ratio: float | None = None
    of: str = ""
    gate: Gate | None = None
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the gate is passed; None without one."""
        return self.gate.passed(self.value if self.ratio is None else self.ratio) if self.gate else None

    def cells(self) -> tuple[str, ...]:
        """As text: measure, what, figure, ratio, gate with its verdict, note."""
        ratio = "" if self.ratio is None else f"{_short(self.ratio)} of {self.of}"
        gate = f"{self.gate} {'passed' if self.passed else 'MISSED'}" if self.gate else ""
        return self.measure, self.what, f"{_short(self.value)} {self.unit}", ratio, gate, self.note

    def as_json(self) -> dict[str, object]:
        """With the gate in words."""
        return asdict(self) | {"gate": str(self.gate) if self.gate else None, "passed": self.passed}


HEADS = ("measure", "what", "figure", "ratio", "gate", "note")


def show(rows: Sequence[Row], machine: Mapping[str, str], console: Console) -> None:
    """The table, then the machine."""
    table = Table(*HEADS, header_style="bold")
    for row in rows:
        style = {True: "green", False: "bold red", None: ""}[row.passed]
        table.add_row(*row.cells()[:4], f"[{style}]{row.cells()[4]}[/]" if style else "", row.note)
    console.print(table)
    for name, words in machine.items():
        console.print(f"{name}: {words}", style="dim", highlight=False)


def write_lines(rows: Sequence[Row], machine: Mapping[str, str], quick: bool, directory: Path) -> Path:
    """One JSON object a line, the machine first; returns the new file."""
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = directory / f"{now:%Y%m%dT%H%M%SZ}.jsonl"
    head = {"measured_at": now.isoformat(), "quick": quick, "machine": dict(machine)}
    lines = [head, *(row.as_json() for row in rows)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def write_readme(rows: Sequence[Row], machine: Mapping[str, str], quick: bool, path: Path = README) -> None:
    """Put the results between the two markers, each with the day it was measured. Those of measures that are not among
    the rows stay as they stand."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} lacks the markers {BEGIN} and {END}")
    when = f"{datetime.now(UTC):%Y-%m-%d}" + (", quick" if quick else "")
    measured = {row.measure for row in rows}
    lines = [line for line in old.splitlines() if _measure_of(line) not in {"", "---", HEADS[0], *measured}]
    lines += [f"| {' | '.join((*row.cells(), when))} |" for row in rows]
    table = [f"| {' | '.join((*HEADS, 'measured'))} |", "|" + " --- |" * (len(HEADS) + 1), *lines]
    about = ["The machine, as it was for the newest of them:", "", *(f"- {name}: {it}" for name, it in machine.items())]
    path.write_text("\n".join([before + begin, "", *table, "", *about, "", end + after]), encoding="utf-8")


def _measure_of(line: str) -> str:
    """The measure that a line of the table is of; empty for any other line."""
    return line.split("|")[1].strip() if line.startswith("|") else ""


def _short(figure: float) -> str:
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
