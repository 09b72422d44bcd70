"""`harken export`, `harken erase`: what is held on one person, to see, to hand over, to remove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from sqlalchemy import make_url

from desk import subject_export
from desk.erasure import Erasure, known_as
from desk.traces import Archive, Files, Survey
from pipeline.clock import SystemClock
from pipeline.commands.common import parts, safe, show_json, stderr, stdout, table
from pipeline.config import Config
from pipeline.errors import ConfigError, Problem, Unavailable
from pipeline.patience import Interrupted, patiently
from pipeline.service import Service, stop_on_signals
from pipeline.wiring import WORKERS, Parts
from pipeline.worker import BEAT_SECS

log = structlog.get_logger(__name__)

SINK_PATIENCE_SECS = 30.0
"""How long an erasure waits for sinks to take the removals."""

VIA = "erase"
"""The name under which the removal is taken in."""

AuthorId = Annotated[str, typer.Argument(metavar="AUTHOR", help="source:author_id, as `harken export` and queues say.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def export(
    context: typer.Context,
    author: AuthorId,
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
) -> None:
    """Write everything that the store holds on one person to a JSON file that only you may read."""
    _check(author)
    with parts(context) as made:
        document = subject_export.held_on(made.store, author, made.clock.now())
    size = subject_export.write(document, out)
    stdout.print(
        f"{len(document['mentions'])} mentions and {len(document['dead_letters'])} dead letters, {size:,} bytes, "
        f"in {safe(str(out))}; it is yours to delete: harken erase does not find it",
        highlight=False,
    )


def erase(
    context: typer.Context,
    author: AuthorId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    also: Annotated[
        list[str] | None, typer.Option(help="Another word that means them: an old handle, a name (may be repeated).")
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for the pipeline.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Remove a person everywhere, and prove it: exit status 1 when a trace of them is left.

    Publishes a removal of the author, runs whatever role does not run already until it is applied, removes what no
    removal reaches, then searches every table, topic and file of harken for them.
    """
    _check(author)
    if as_json and not yes:
        raise ConfigError([Problem("--json", "cannot ask whether you are sure", "say --yes")])
    clock = SystemClock()
    stop_on_signals(clock)
    with parts(context, "enrich", "sinks") as made:
        made.bus.apply(made.topics)
        topics = [topic.name for topic in made.topics]
        person = known_as(made.store, author, also or ())
        files = _files(made.config)
        erasure = Erasure(made.store, made.bus, topics, files, person, made.database, made.clock)
        before = erasure.look()
        if not as_json:
            _show_found(author, before)
        if not yes and not typer.confirm("Remove all of it, for good?"):
            raise typer.Exit(1)
        with _at_work(made) as service:
            patiently(clock, "bus", lambda: made.intake(VIA).publish(erasure.removals()))
            _await_roles(made, service, clock, wait)
            owed = _await_sinks(made, erasure, service, clock)
        renamed = erasure.finish()
        after = erasure.look(to_the_byte=True)
        retention = not _can_erase(made)
    left = after.of("theirs")
    report = {
        "author": author,
        "clean": not left and not owed,
        "removed": {place: count - left.get(place, 0) for place, count in before.of("theirs").items()},
        "ids_renamed": renamed,
        "kept": after.of("tombstone"),
        "said_by_others": after.of("others"),
        "left": {place: {"count": count, "examples": after.examples[place]} for place, count in left.items()},
        "sinks_waiting": owed,
        "cannot_reach": _beyond_reach(made, retention),
    }
    log.info("a person was erased", clean=report["clean"], places=len(before.of("theirs")))
    show_json(report) if as_json else _show(report)
    if not report["clean"]:
        raise typer.Exit(1)


def retention(context: typer.Context, as_json: AsJson = False) -> None:
    """Remove now what is past its period (`retention` in the configuration), and say how much of each kind it was.
    The role `deliver` does the same by itself, every ten minutes."""
    clock = SystemClock()
    stop_on_signals(clock)
    with parts(context) as made:
        keeping = made.retention()
        gone: Counter[str] = Counter()
        while not (keeping.through or clock.stopping):
            gone.update(keeping.sweep())
    if as_json:
        show_json({"removed": dict(gone), "days": keeping.periods._asdict(), "through": keeping.through})
        return
    days = {name.removesuffix("_days"): period for name, period in keeping.periods._asdict().items()}
    grid = table("kind", ">kept for (days)", ">removed now")
    for kind in dict.fromkeys((*days, *gone)):
        period = days.get(kind)
        kept = "—" if kind not in days else "no end" if period is None else f"{period:g}"
        grid.add_row(kind.replace("_", " "), kept, f"{gone[kind]:,}")
    stdout.print(grid)
    if not keeping.through:
        raise Unavailable("interrupted; run the command again")


def _check(author: str) -> None:
    source, _, id = author.partition(":")
    if not source or not id:
        raise ConfigError([Problem(author, "is not an author", "an author is named source:author_id")])


# ------------------------------------------------------------------- the pipeline


@contextmanager
def _at_work(made: Parts) -> Iterator[Service]:
    """The roles that no process has said to be at, in this one, on a clock of their own."""
    alive = made.clock.now() - timedelta(seconds=3 * BEAT_SECS)
    working = {worker.role for worker in made.store.workers() if worker.beat_at > alive}
    missing = [role for role in WORKERS if role not in working]
    service = Service(made.config, missing, SystemClock())
    try:
        if missing:
            service.start()
        yield service
    except Interrupted as error:
        raise Unavailable("interrupted; the removal may be on its way: run the command again") from error
    finally:
        service.leave()


def _await_roles(made: Parts, service: Service, clock: SystemClock, wait: float) -> None:
    """Each role in turn, until it has done what stood on its topic when the one before was through: later traffic
    does not hold this up."""
    deadline = clock.monotonic() + wait
    for role in WORKERS:  # what the role spikes keeps is taken out of its tables by the erasure itself
        topic, group = made.inputs[role], made.group(role)
        ends = {number: lag.end for number, lag in made.bus.lag(group, topic).items()}
        while any(lag.committed < ends.get(number, 0) for number, lag in made.bus.lag(group, topic).items()):
            service.stop_if_asked()
            if clock.monotonic() > deadline:
                raise Unavailable(
                    f"the role {role} has not come to the removal within {wait:g} s; it will be applied when it does. "
                    "Nothing is proven yet: run the command again"
                )
            clock.wait(0.1)


def _await_sinks(made: Parts, erasure: Erasure, service: Service, clock: SystemClock) -> dict[str, int]:
    """Until the sinks of this configuration have what they are owed, within reason; returns what is owed still."""
    deadline = clock.monotonic() + SINK_PATIENCE_SECS
    here = {sink.name for sink in made.config.sinks}
    while here & (owed := erasure.owed()).keys() and clock.monotonic() < deadline:
        service.stop_if_asked()
        clock.wait(0.1)
    return owed


def _can_erase(made: Parts) -> bool:
    return made.bus.purge(made.topics[0].name, (), lambda _: False) == "now"


# ---------------------------------------------------------------------- the files


def _files(config: Config) -> Files:
    """The databases of the store and the bus on this machine, and the sinks of this configuration that keep files."""
    url = make_url(config.file.store.url.get_secret_value())
    paths = [Path(url.database)] if url.get_backend_name() == "sqlite" and url.database else []
    if isinstance(path := getattr(config.bus.settings, "path", None), Path):
        paths.append(path)
    sinks = (sink.module.Sink(sink.settings) for sink in config.sinks)  # which opens nothing
    return Files([path for path in paths if path.is_file()], [sink for sink in sinks if isinstance(sink, Archive)])


def _beyond_reach(made: Parts, retention: bool) -> list[str]:
    said = []
    if retention:
        hours = made.config.file.topics.retention_hours
        said.append(
            "Kafka: the records, and the removal with the author's id, stay on "
            f"{', '.join(topic.name for topic in made.topics)} until their retention ({hours:g} h, and up to a day "
            "until a segment is closed) deletes them"
        )
    if make_url(made.config.file.store.url.get_secret_value()).get_backend_name() != "sqlite":
        said.append("PostgreSQL: deleted rows stay in its files until VACUUM, and in its archived log; run VACUUM now")
    said += [
        f"sink {sink.name}: it got the removal; whoever is behind it has to obey it"
        for sink in made.config.sinks
        if not issubclass(sink.module.Sink, Archive)
    ]
    return [*said, "backups, exports, log files, your shell's history, and the platform itself"]


# ------------------------------------------------------------------------ showing


def _show_found(author: str, before: Survey) -> None:
    found = before.of("theirs")
    if not found:
        stdout.print(f"Nothing of {safe(author)} is held; what comes later will be kept out.", highlight=False)
        return
    grid = table("held on them", ">records")
    for place, count in found.items():
        grid.add_row(safe(place), f"{count:,}")
    stdout.print(grid)


def _show(report: dict[str, Any]) -> None:
    grid = table("removed from", ">records", title="")
    for place, count in report["removed"].items():
        grid.add_row(safe(place), f"{count:,}")
    stdout.print(grid)
    if report["ids_renamed"]:
        stdout.print(f"{report['ids_renamed']} post ids that named the account were replaced in the ledger")
    if report["kept"]:
        stdout.print("Kept: one tombstone with the author's id, the reason and the time; it keeps late copies out")
    for place, count in report["said_by_others"].items():
        stdout.print(f"Said by others, who name them: {count:,} in {safe(place)}", highlight=False)
    for line in report["cannot_reach"]:
        stdout.print(f"Out of reach: {safe(line)}", highlight=False)
    for place, found in report["left"].items():
        examples = ", ".join(safe(one) for one in found["examples"])
        stderr.print(f"[red]LEFT[/red] {found['count']:,} in {safe(place)}: {examples}", highlight=False)
    for sink, count in report["sinks_waiting"].items():
        stderr.print(f"[red]LEFT[/red] sink {safe(sink)} has yet to take {count} removal(s)", highlight=False)
    if report["clean"]:
        stdout.print("[green]No trace is left[/green] in any table, topic or file that was searched.")
    else:
        stderr.print("Not all is gone. When the cause is mended, run the command again.")
