"""`harken up` and `harken run`: the roles at work."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.clock import SystemClock
from pipeline.commands.common import Settings, settings
from pipeline.config import File
from pipeline.errors import ConfigError, Problem
from pipeline.logs import configure
from pipeline.registry import suggestion
from pipeline.service import Service, stop_on_signals
from pipeline.supervise import Child, Household, harken, leave_with_parent, start_again
from pipeline.wiring import LOOPS, ROLES, WORKERS

SECTIONS = {"collect": "sources", "enrich": "enrich", "deliver": "sinks", "desk": "sources"}
"""The part of the configuration whose adapters a role uses."""


def run(
    context: typer.Context,
    roles: Annotated[list[str], typer.Argument(help=f"Any of {', '.join(ROLES)}.")],
    slot: Annotated[
        str, typer.Option(help="A stable name for this process, so that a restart takes its place at once.")
    ] = "",
    source: Annotated[
        list[str] | None, typer.Option(help="Collect only this configured source (may be repeated).")
    ] = None,
    http_port: Annotated[int | None, typer.Option(help="Where to show /metrics, /healthz and /readyz.")] = None,
) -> None:
    """Run roles in this process until it is told to stop; SIGTERM finishes the batch first."""
    config = settings(context).config_for(*(SECTIONS[role] for role in roles if role in SECTIONS))
    problems = [
        Problem(role, "there is no such role", suggestion(role, list(ROLES))) for role in roles if role not in ROLES
    ]
    sources = {configured.name for configured in config.sources}
    problems += [
        Problem(f"sources.{name}", "there is no such source, or it is not enabled", suggestion(name, list(sources)))
        for name in source or ()
        if name not in sources
    ]
    if "spikes" in roles and not config.file.spikes.enabled:
        problems.append(Problem("spikes.enabled", "is off, so the role spikes has nothing to do", "set it to true"))
    if "desk" in roles and not config.file.desk.cases:
        problems.append(Problem("desk.cases", "is off, so the role desk has nothing to do", "set it to true"))
    if problems:
        raise ConfigError(problems)
    if http_port is not None:
        config = config.serving_on(http_port)
    configure(config.file.log, role=",".join(roles))
    clock = SystemClock()
    stop = stop_on_signals(clock)
    leave_with_parent(stop)
    service = Service(config, roles, clock, slot=slot, sources=source or ())
    service.run()
    if service.outdated and not stop.asked:
        start_again()


def up(context: typer.Context) -> None:
    """Run everything, each role in its own process, restarted when it dies. Ctrl-C stops it cleanly."""
    given: Settings = settings(context)
    config = given.config
    configure(config.file.log, role="up")
    clock = SystemClock()
    stop_on_signals(clock)
    first = config.file.http.port
    children = [
        Child(
            f"{role}-{number}",
            harken(*given.arguments, "run", role, "--slot", str(number), "--http-port", str(first and first + place)),
        )
        for place, (role, number) in enumerate(_places(config.file))
    ]
    if config.file.desk.cases:
        port = str(first and first + len(children))
        children.append(Child("serve", harken(*given.arguments, "serve", "--http-port", port)))
    raise typer.Exit(Household(children, clock).run())


def _places(file: File) -> list[tuple[str, int]]:
    """Every process: its role, and its number within the role. Those of the desk only where there are cases, those of
    spikes where they are watched for."""
    several = (*(LOOPS if file.spikes.enabled else WORKERS), *(("desk",) if file.desk.cases else ()))
    return [("collect", 1)] + [
        (role, number + 1) for role in several for number in range(file.worker.processes.get(role, 1))
    ]
