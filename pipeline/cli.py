"""The command `harken`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands import case, dead, ingest, look, people, privacy, queue, route, run, setup
from pipeline.commands.common import Settings, stderr
from pipeline.errors import ConfigError, HarkenError, Stop, Unavailable
from pipeline.supervise import STOPPED

app = typer.Typer(
    name="harken",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Social listening and response: every public mention in, tagged, routed to the person who should answer it.",
)
for group in (run, ingest, look, privacy, setup):
    group.register(app)
app.add_typer(queue.app, name="queue")
app.add_typer(case.app, name="case")
app.add_typer(route.app, name="route")
app.add_typer(dead.app, name="dead")
app.add_typer(setup.topics, name="topics")
app.add_typer(people.users, name="users")
app.add_typer(people.tokens, name="tokens")
app.add_typer(people.audit, name="audit")


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The configuration; else $HARKEN_CONFIG, else ./config.yaml, else defaults.")
    ] = None,
) -> None:
    """Options of every command."""
    context.obj = Settings(config)


def main() -> None:
    """Entry point: every error of ours is one clear message and an exit status, never a stack trace.

    Status 2: the configuration is wrong; 3: stopped, the operator must act; 4: something is down; 1: anything else.
    """
    try:
        app()
    except HarkenError as error:
        if isinstance(error, ConfigError):
            stderr.print(f"[bold]{len(error.problems)} problem(s) in the configuration[/bold]")
        for line in str(error).splitlines():
            stderr.print(line, markup=False, highlight=False)
        sys.exit(_status(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _status(error: HarkenError) -> int:
    if isinstance(error, ConfigError):
        return 2
    if isinstance(error, Stop):
        return STOPPED
    return 4 if isinstance(error, Unavailable) else 1


if __name__ == "__main__":
    main()
