"""`harken ingest FILE`: a file through the whole pipeline to completion."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline import registry
from pipeline.clock import SystemClock
from pipeline.commands.common import safe, settings, show_json, stderr, stdout
from pipeline.config import validated
from pipeline.errors import ConfigError, HarkenError, Problem, Stop
from pipeline.ledger import Ledger
from pipeline.logs import configure
from pipeline.patience import Interrupted, patiently
from pipeline.ports import Context, Rejection
from pipeline.service import Service, stop_on_signals
from pipeline.wiring import LOOPS, WORKERS, Parts

SINK_PATIENCE_SECS = 30.0
"""How long completion waits for sinks: one that is down keeps its rows in the outbox for `harken run deliver`."""


def ingest(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV or JSON-lines file of mentions.")],
    map: Annotated[
        list[str] | None, typer.Option(help="FIELD=COLUMN: which column holds a field (may be repeated).")
    ] = None,
    source: Annotated[str | None, typer.Option(help="The mentions' source: the first part of their ids.")] = None,
    brand: Annotated[str | None, typer.Option(help="The brand all of them are about, configured or not.")] = None,
    anchor: Annotated[str, typer.Option(help="`now` shifts all times so that the newest is now.")] = "none",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, no progress.")] = False,
) -> None:
    """Take a file through collecting, enriching, routing and delivering, wait until all of it arrived, then exit.

    Where firestorms are watched for, it says which ones it found. Ingesting the same file again changes nothing.
    """
    config = settings(context).config.calling_nobody()  # a file is no news
    configure(config.file.log, quiet=True)
    given = {"path": str(file), "anchor": anchor, "map": _mapping(map or [])}
    given |= {key: value for key, value in (("source", source), ("brand", brand)) if value is not None}
    module = registry.load("connectors", "replay", "ingest")
    replay = validated(module.Config, given, "ingest")
    clock = SystemClock()
    stop_on_signals(clock)
    name = source or file.stem
    service = Service(config, LOOPS if config.file.spikes.enabled else WORKERS, clock)
    started, since = time.monotonic(), clock.now()
    try:
        service.start()
        connector = module.Connector(replay, Context(name, service.parts.config.brands, clock))
        result = _complete(service, connector, name, clock, quiet=as_json)
        result["incidents"] = _incidents(service.parts, since) if config.file.spikes.enabled else []
    except Interrupted as error:
        raise service.fatal or Stop("interrupted; start it again to complete, nothing is taken in twice") from error
    finally:
        service.leave()
    result["seconds"] = round(time.monotonic() - started, 2)
    if as_json:
        show_json(result)
    else:
        stdout.print(
            "{read} read, {taken_in} in the ledger ({new} new): {queued} queued, {filtered} filtered, {dead} dead, "
            "{removed} removed, {in_flight} in flight; {verdict} in {seconds} s".format(
                **result, verdict="balanced" if result["balanced"] else "NOT balanced"
            )
        )
        for incident in result["incidents"]:
            stdout.print(
                "[bold]{severity} {kind}[/bold] around {brand} since {onset}: {posts} posts by {authors} people; "
                "harken spikes show {id}".format(
                    **{key: safe(str(it)) for key, it in incident.items()} | {"onset": _when(incident["onset"])}
                ),
                highlight=False,
            )
    if not result["balanced"]:
        raise HarkenError("the ledger does not balance; see: harken ledger")


def _complete(service: Service, connector: Any, name: str, clock: SystemClock, *, quiet: bool) -> dict[str, Any]:
    parts = service.parts
    intake = patiently(clock, "bus", lambda: parts.intake(name))
    sources = {name}
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=stderr, disable=quiet or not stderr.is_terminal, transient=True,
    )  # fmt: skip
    with bar:
        reading = bar.add_task("reading", total=None)
        with closing(connector.pages(None)) as pages:
            for page in pages:
                intake.take(page)
                sources.update(item.source for item in page.items if not isinstance(item, Rejection))
                bar.update(reading, completed=intake.read)
                service.stop_if_asked()
        bar.update(reading, total=intake.read)
        arriving = bar.add_task("arriving", total=None)
        roles = LOOPS if parts.config.file.spikes.enabled else WORKERS
        while waiting := sum(records for _, records in patiently(clock, "bus", partial(parts.lag, roles))):
            bar.update(arriving, description=f"{waiting} records on their way")
            service.stop_if_asked()
            clock.wait(0.1)
        _wait_for_sinks(service, clock)
    ledger = patiently(clock, "store", parts.ledger)
    return {"read": intake.read, "new": intake.fresh, **_figures(ledger, sources)}


def _wait_for_sinks(service: Service, clock: SystemClock) -> None:
    deadline = clock.monotonic() + SINK_PATIENCE_SECS
    for sink in service.parts.config.sinks:
        while patiently(clock, "store", partial(service.parts.store.backlog, sink.name)).pending:
            if clock.monotonic() > deadline:
                stderr.print(f"sink {sink.name}: not all delivered yet; `harken run deliver` goes on with it")
                break
            service.stop_if_asked()
            clock.wait(0.1)


def _incidents(parts: Parts, since: datetime) -> list[dict[str, Any]]:
    """What was seen that is out of the ordinary, once all that was held back is judged and all its mentions are
    gathered."""
    from spikes.incident_records import IncidentFilter

    parts.listener.go_on()
    while parts.incidents.gather():
        pass
    page = parts.incidents.incidents(IncidentFilter(live=True))
    found = []
    for incident in page.incidents:
        if incident.work.opened_at is not None and incident.work.opened_at >= since:
            posts, authors = parts.incidents.size(incident.id)
            found.append(
                {
                    "id": incident.id,
                    "severity": str(incident.severity),
                    "kind": str(incident.kind),
                    "brand": incident.brand,
                    "onset": incident.extent.onset.isoformat(),
                    "posts": posts,
                    "authors": authors,
                }
            )
    return found


def _when(onset: str) -> str:
    return f"{datetime.fromisoformat(onset):%Y-%m-%d %H:%M} UTC"


def _figures(ledger: Ledger, sources: set[str]) -> dict[str, Any]:
    """The ledger's columns over the file's sources."""
    columns = ("taken_in", "queued", "filtered", "dead", "removed", "in_flight")
    found = [figures for source, figures in ledger.as_json()["sources"].items() if source in sources]
    sums: dict[str, Any] = {column: sum(figures[column] for figures in found) for column in columns}
    return sums | {"balanced": all(figures["balanced"] for figures in found)}


def _mapping(pairs: list[str]) -> dict[str, str]:
    problems = [
        Problem(f"--map {pair}", "is not FIELD=COLUMN", "for example --map text=body")
        for pair in pairs
        if "=" not in pair
    ]
    if problems:
        raise ConfigError(problems)
    return {field: column for field, _, column in (pair.partition("=") for pair in pairs)}
