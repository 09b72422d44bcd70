"""`harken spikes`: incidents, and what the detector would have said of a series of counts, or of what is stored."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import median_low
from typing import IO, Annotated

import typer

from pipeline.commands import incidents, playbooks, spike_history
from pipeline.commands.common import safe, stderr, stdout
from pipeline.errors import ConfigError, Problem
from pipeline.registry import suggestion
from spikes.detector import DAY, THRESHOLDS, Detector

app = typer.Typer(name="spikes", no_args_is_help=True, help="Firestorms: find them, work on them, look back.")

for _called, _command in (
    ("list", incidents.show_list),
    ("show", incidents.show),
    ("cases", incidents.show_cases),
    ("follow", incidents.follow),
    ("answer", incidents.answer),
    ("ack", incidents.acknowledge),
    ("note", incidents.note),
    ("statement", incidents.statement),
    ("calm", incidents.calm),
    ("close", incidents.close),
    ("reopen", incidents.reopen),
    ("review", incidents.review),
):
    app.command(_called)(_command)
app.add_typer(playbooks.app)

FIRST_ROWS = 1000
"""The width of the buckets is the middle distance between so many rows."""
ALONE = timedelta(minutes=5)
"""The width where there is one row."""
SHOWN = 20
"""So many bad rows are named one by one."""


@app.callback()
def spikes() -> None:
    """Firestorms: find them, work on them, look back."""


@app.command()
def backtest(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A CSV file with the columns timestamp and value, in order of time.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the scores go; replaced if it is there.")] = None,
    since: Annotated[str | None, typer.Option(help="In place of a file: what was stored since, such as 90d.")] = None,
    brand: Annotated[str | None, typer.Option(help="With --since: only this brand.")] = None,
    sensitivity: Annotated[str, typer.Option(help=f"One of {', '.join(THRESHOLDS)}.")] = "normal",
    as_json: Annotated[bool, typer.Option("--json", help="With --since: one JSON object.")] = False,
) -> None:
    """Score a series of counts as if it came in live, and mark what would have been an alert; or, with --since, say
    which incidents the mentions that are stored would have made with another sensitivity.

    Rows that cannot be read are kept, without a score, and named; the status is then 1.
    """
    threshold = _threshold(sensitivity)
    if since is not None:
        if file is not None or out is not None:
            raise ConfigError([Problem("--since", "stands in place of FILE and --out", "leave one of them out")])
        spike_history.backtest(context, since, brand, sensitivity, as_json)
        return
    if file is None or out is None:
        raise ConfigError([Problem("FILE and --out", "are missing", "name both, or give --since 90d")])
    if out.exists() and not out.is_file():
        raise ConfigError([Problem(f"--out {out}", "is no file", "name a file to write")])
    if out.exists() and file.exists() and out.samefile(file):
        raise ConfigError([Problem(f"--out {out}", "is the file to read", "name another one")])
    try:
        with file.open(encoding="utf-8-sig", newline="") as source, _replacing(out) as target:
            told = _score(_rows(source, file), target, threshold, file)
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(file), f"is not UTF-8: {error.reason}", "save it as UTF-8")]) from None
    except OSError as error:
        place = str(error.filename or file)
        raise ConfigError([Problem(place, f"{error.strerror or error}", "check the path and the rights")]) from None
    stdout.print(told.line(out), highlight=False)
    raise typer.Exit(1 if told.bad else 0)


@dataclass
class _Row:
    line: int
    timestamp: str
    value: str
    at: datetime | None = None
    count: float = 0.0
    wrong: str = ""


@dataclass
class _Told:
    width: timedelta
    rows: int = 0
    bad: int = 0
    alerts: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def line(self, out: Path) -> str:
        weeks = (self.last - self.first + self.width) / timedelta(weeks=1) if self.first and self.last else 0.0
        rate = f", {self.alerts / weeks:.2f} a week" if weeks >= 1 else ""
        bad = f", {self.bad} that cannot be read" if self.bad else ""
        return f"{self.rows} rows{bad}, buckets of {self.width}: {self.alerts} alerts{rate}; scores in {safe(str(out))}"


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """A file that takes the place of `path` when it is whole; nothing is left of it otherwise."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _threshold(sensitivity: str) -> float:
    found = {str(name): level for name, level in THRESHOLDS.items()}
    if sensitivity not in found:
        problem = Problem(f"--sensitivity {sensitivity}", "is no sensitivity", suggestion(sensitivity, [*found]))
        raise ConfigError([problem])
    return found[sensitivity]


def _rows(source: IO[str], file: Path) -> Iterator[_Row]:
    reader = csv.reader(source)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in ("timestamp", "value") if name not in header]
        if missing:
            remedy = "the first line names the columns: timestamp,value"
            raise ConfigError([Problem(f"{file}, line 1", f"there is no column {name}", remedy) for name in missing])
        places = header.index("timestamp"), header.index("value")
        for fields in reader:
            if fields:
                timestamp, value = (fields[place].strip() if place < len(fields) else "" for place in places)
                yield _read(_Row(reader.line_num, timestamp, value))
    except csv.Error as error:
        raise ConfigError([Problem(f"{file}, line {reader.line_num}", f"is no CSV: {error}")]) from None


def _read(row: _Row) -> _Row:
    try:
        moment = datetime.fromisoformat(row.timestamp)
        row.at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        row.wrong = f"{row.timestamp[:40]!r} is no time"
        return row
    try:
        row.count = float(row.value)
    except ValueError:
        row.wrong = f"{row.value[:40]!r} is no number"
        return row
    if not 0 <= row.count < float("inf"):
        row.wrong = f"{row.value[:40]!r} is no count: a number from 0 on"
    return row


def _score(rows: Iterator[_Row], target: IO[str], threshold: float, file: Path) -> _Told:
    first = list(islice(rows, FIRST_ROWS))
    times = [row.at for row in first if row.at and not row.wrong]
    if not times:
        raise ConfigError([Problem(str(file), "has no row that can be read", "for example 2026-03-01T10:05:00Z,17")])
    width = median_low(after - before for before, after in pairwise(times)) if len(times) > 1 else ALONE
    if width > DAY:
        raise ConfigError([Problem(str(file), f"has a row every {width}", "counts of a day or of less are judged")])
    detector = Detector(width) if width > timedelta(0) else Detector(ALONE)
    told = _Told(detector.width)
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["timestamp", "value", "anomaly_score", "alert"])
    before: _Row | None = None
    for row in chain(first, rows):
        told.rows += 1
        if row.wrong or row.at is None:
            told.bad += 1
            _name(row, told.bad)
            writer.writerow([row.timestamp, row.value, "", ""])
            continue
        if before and before.at and row.at <= before.at:
            raise ConfigError([_disorder(file, before, row)])
        score = detector.step(row.at, row.count).score
        alert = score >= threshold
        told.alerts += alert
        told.first = told.first or row.at
        told.last = row.at
        before = row
        writer.writerow([row.timestamp, row.value, repr(score), int(alert)])
    return told


def _name(row: _Row, number: int) -> None:
    if number <= SHOWN:
        stderr.print(f"line {row.line}: {safe(row.wrong)}: kept, without a score", highlight=False)
    elif number == SHOWN + 1:
        stderr.print("more rows cannot be read: they have no score in the output", highlight=False)


def _disorder(file: Path, before: _Row, row: _Row) -> Problem:
    what = "is there twice" if row.at == before.at else f"is before {before.timestamp} in line {before.line}"
    return Problem(f"{file}, line {row.line}", f"{row.timestamp} {what}", "one row a bucket, in the order of time")
