"""`python -m benchmarks [NAME…] [--texts FILE] [--quick] [--write-readme]`: measure, side by side, in one run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import enrich, firehose, growth, loop, machine, results, roles, texts, vader
from benchmarks.console import measure as console
from benchmarks.desk import measure as desk
from benchmarks.measures import Bench
from benchmarks.spikes import evaluate as spikes
from benchmarks.spikes import load as spikes_load
from pipeline.errors import HarkenError

Measure = Callable[[Bench], Iterator[results.Row]]

MEASURES: dict[str, Measure] = {
    "vader": vader.measure,
    "enrich": enrich.measure,
    "loops": loop.measure,
    "end-to-end": roles.end_to_end,
    "latency": roles.latency,
    "growth": growth.measure,
    "firehose": firehose.measure,
    "desk": desk.measure,
    "console": console.measure,
    "spikes": spikes.measure,
    "spikes-load": spikes_load.measure,
}

WITH_RIVALS = {"loops", "end-to-end"}
MADE = 40_000

stdout = Console(width=None if sys.stdout.isatty() else 160)
stderr = Console(stderr=True)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(MEASURES)}; all unless given.")] = None,
    texts_file: Annotated[
        Path | None, typer.Option("--texts", help="A CSV file whose column `text` holds posts; made ones unless given.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Smaller and fewer runs: indicative only, under two minutes.")] = False,
    write_readme: Annotated[bool, typer.Option(help="Put the results into benchmarks/README.md.")] = False,
) -> None:
    """Measure, print a table, and write it as JSON lines to var/bench. Exits with 1 when a gate is missed."""
    chosen = names or list(MEASURES)
    try:
        if unknown := [name for name in chosen if name not in MEASURES]:
            raise machine.BenchError(f"there is no measure {unknown[0]}; the measures are {', '.join(MEASURES)}")
        if WITH_RIVALS & set(chosen):
            machine.require_rivals()
        posts = texts.read(texts_file) if texts_file else texts.made(MADE)
        rows = _measured(chosen, posts, quick)
    except (machine.BenchError, HarkenError, OSError, ValueError) as error:
        stderr.print(f"[bold red]error[/] {error}", highlight=False)
        raise typer.Exit(2) from error
    about = machine.described() | {"texts": _about(posts, texts_file)}
    results.show(rows, about, stdout)
    stdout.print(f"also in {results.write_lines(rows, about, quick, machine.VAR)}", highlight=False)
    if write_readme:
        results.write_readme(rows, about, quick)
    raise typer.Exit(1 if any(row.passed is False for row in rows) else 0)


def _measured(chosen: list[str], posts: list[str], quick: bool) -> list[results.Row]:
    machine.VAR.mkdir(parents=True, exist_ok=True)
    rows: list[results.Row] = []
    with (
        ExitStack() as closing,
        tempfile.TemporaryDirectory(dir=machine.VAR, prefix="run-") as folder,
        stderr.status("") as status,
    ):
        bench = Bench(posts, quick, Path(folder), lambda words: status.update(words), closing)
        for name, measure in MEASURES.items():
            if name in chosen:
                bench.say(name)
                for row in measure(bench):
                    rows.append(row)
                    stderr.print(f"{row.measure}: {', '.join(filter(None, row.cells()[1:5]))}", highlight=False)
    return rows


def _about(posts: list[str], file: Path | None) -> str:
    average = sum(map(len, posts)) / len(posts)
    where = "of a file given" if file else "made from a seed"
    return f"{len(posts):,} {where}, {len(set(posts)):,} different, {average:.0f} characters on average"


if __name__ == "__main__":
    typer.run(main)
