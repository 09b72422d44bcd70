"""`harken corrections`: what people said was routed or tagged wrong, counted, and as training data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from heapq import merge
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from pipeline.commands.common import new_file, parts, safe, show_json, span, stdout, table
from pipeline.commands.working import As, working

if TYPE_CHECKING:
    from desk.case_records import Confusion, Correction
    from desk.labels import Corrected
    from pipeline.mention import Routed

app = typer.Typer(no_args_is_help=True, help="What was routed or tagged wrong: confusion, export.")

Since = Annotated[str, typer.Option(help="How far back: 24h, 7d, 4w.")]
Until = Annotated[str, typer.Option(help="Up to so long ago; 0m is now.")]


@app.command()
def confusion(
    context: typer.Context,
    since: Since = "30d",
    until: Until = "0m",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Show where the rules sent cases, and where they belonged; what stands on the diagonal was right."""
    with parts(context) as made:
        found = made.cases.confusion(*_period(made.clock.now(), since, until))
    if as_json:
        show_json([it._asdict() for it in found])
    elif found:
        _show(found)
    else:
        stdout.print("No case was settled or corrected in that time.")


@app.command()
def export(
    context: typer.Context,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="A new file; - prints it.")],
    since: Since = "30d",
    until: Until = "0m",
    name: As = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, every word as it was written; not CSV.")] = False,
) -> None:
    """Write what people put right (the queue, sentiment, intents) with the words, to learn from. The audit log notes
    it."""
    from desk.audit import Event, Fact
    from desk.labels import Labels

    with working(context, name, "corrections.export") as me:
        since_, until_ = _period(me.made.clock.now(), since, until)
        sent = (_queue(it) for it in me.made.cases.corrections(since_, until_))
        labelled = (_label(it) for it in Labels(me.made.database, me.made.clock).between(since_, until_))
        found = merge(sent, labelled, key=itemgetter("at"))
        rows = 0
        with _written(out) as file:
            for line in _lines(found, as_json):
                file.write(line)
                rows += 1
        rows -= 0 if as_json else 1
        facts: dict[str, Fact] = {"since": since_.isoformat(), "until": until_.isoformat(), "rows": rows}
        me.accounts.note(Event(me.actor, "corrections.exported", "corrections", facts))
    if out != "-":
        stdout.print(f"{rows} corrections in {safe(out)}. Erasing a person does not reach this file.", highlight=False)


def _period(now: datetime, since: str, until: str) -> tuple[datetime, datetime]:
    return now - span(since, "--since"), now - span(until, "--until")


def _lines(rows: Iterator[dict[str, Any]], as_json: bool) -> Iterator[str]:
    """JSON lines, or CSV with its header."""
    import json
    from io import StringIO

    from desk.figures import cell

    if as_json:
        for row in rows:
            yield json.dumps(row, ensure_ascii=False) + "\n"
        return
    from csv import writer

    def line(values: Iterable[object]) -> str:
        out = StringIO()
        writer(out).writerow(values)
        return out.getvalue()

    yield line(COLUMNS)
    for row in rows:
        yield line(cell(value) for value in row.values())


COLUMNS = (
    "case", "at", "mention", "source", "language", "brand", "title", "text", "sentiment", "intents", "topics",
    "label", "found", "right", "rule", "rules_version", "reason",
)  # fmt: skip
"""`label` is what was put right: `queue`, `sentiment` or an intent; `found` what harken said of it, `right` what a
person says. Rule and reason are those of a queue."""


def _queue(it: Correction) -> dict[str, Any]:
    said = ("queue", it.routed_queue, it.right_queue, it.rule, it.rules_version, it.reason)
    return dict(zip(COLUMNS, (it.case, it.at.isoformat(), *_tagged(it.routed), *said), strict=True))


def _label(it: Corrected) -> dict[str, Any]:
    said = (it.label, it.found, it.right, "", "", "")
    return dict(zip(COLUMNS, (it.case, it.at.isoformat(), *_tagged(it.routed), *said), strict=True))


def _tagged(routed: Routed | None) -> tuple[object, ...]:
    """What was said, and what was found in it, as the columns from `mention` to `topics`."""
    mention, tags = (routed.mention, routed.tags) if routed else (None, None)
    return (
        mention.id if mention else "",
        mention.source if mention else "",
        tags.language.code if tags and tags.language else "",
        tags.brand or "" if tags else "",
        mention.title if mention else "",
        mention.text if mention else "",
        tags.sentiment.score if tags and tags.sentiment else "",
        " ".join(f"{one.name}={one.score:.2f}" for one in tags.intents) if tags else "",
        " ".join(tags.topics) if tags else "",
    )


@contextmanager
def _written(out: str) -> Iterator[IO[str]]:
    if out == "-":
        yield sys.stdout
        return
    with new_file(out) as file:
        yield file


def _show(found: Sequence[Confusion]) -> None:
    """A matrix where it fits the screen, else its cells that are not empty."""
    queues = sorted({name for it in found for name in (it.routed_queue, it.right_queue)})
    counted = {(it.routed_queue, it.right_queue): it.cases for it in found}
    if sum(len(name) + 2 for name in (*queues, *queues[:1])) + 20 <= stdout.width:
        grid = table("sent to", *(f">{safe(name)}" for name in queues), ">right", title="belonged in")
        for sent in queues:
            row = [counted.get((sent, right), 0) for right in queues]
            share = f"{counted.get((sent, sent), 0) / sum(row):.0%}" if sum(row) else "—"
            grid.add_row(safe(sent), *(f"{count:,}" if count else "·" for count in row), share)
    else:
        grid = table("sent to", "belonged in", ">cases")
        for it in found:
            grid.add_row(safe(it.routed_queue, 30), safe(it.right_queue, 30), f"{it.cases:,}")
    stdout.print(grid)
