"""The command `harken`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from pipeline.errors import ConfigError, HarkenError, Stop, Unavailable

COMMANDS = {
    "run": ("run.run", "Run roles in this process until it is told to stop; SIGTERM finishes the batch first."),
    "up": ("run.up", "Run everything, each role in its own process, restarted when it dies. Ctrl-C stops it cleanly."),
    "serve": ("serve.serve", "Answer the console, and the API at /api/v1, until told to stop; shows their address."),
    "ingest": (
        "ingest.ingest",
        "Take a file through collecting, enriching, routing and delivering, wait until all of it arrived, then exit.",
    ),
    "ledger": (
        "look.ledger",
        "Show, by source and overall, that taken in = queued + filtered + dead + removed + in flight, and how we know.",
    ),
    "status": (
        "look.status",
        "Show lag and rates of each role, the sources, their gaps, the sinks, and how many dead letters wait.",
    ),
    "sources": (
        "sources.sources",
        "Show of each source when it was last heard, what it brought against what is usual, and what is left to it.",
    ),
    "gaps": (
        "sources.gaps",
        "Show the stretches of time in which a source was not heard, why, and whether they were repaired.",
    ),
    "explain": (
        "look.explain",
        "Tell the story of one mention from arrival to queue: what was found, which rule decided, on what evidence.",
    ),
    "summary": (
        "look.summary",
        "What came in, what each queue holds, who should answer what first and why, and whether the ledger balances.",
    ),
    "figures": (
        "figures.show_figures",
        "Show figures of the desk by queue, team, agent, source or brand, or hour by hour or day by day.",
    ),
    "export": (
        "privacy.export",
        "Write everything that the store holds on one person to a JSON file that only you may read.",
    ),
    "erase": ("privacy.erase", "Remove a person everywhere, and prove it: exit status 1 when a trace of them is left."),
    "retention": (
        "privacy.retention",
        "Remove now what is past its period (`retention` in the configuration), and say how much of each kind it was.",
    ),
    "check": (
        "setup.check",
        "Report every problem of the configuration and its rules at once, with path and remedy; opens no connection.",
    ),
    "schema": (
        "setup.schema",
        "Print the wire form: JSON Schema of the records and AsyncAPI document of the topics, as one object.",
    ),
    "queue": ("queue.app", "The queues."),
    "case": ("case.app", "Cases: what one author says in one conversation, with one owner."),
    "draft": ("answers.app", "Answers: list, show, edit, submit, approve, reject, discard, send."),
    "macros": ("answers.show_macros", "List the macros, or those that fit a case."),
    "corrections": ("corrections.app", "What was routed or tagged wrong: confusion, export."),
    "calendar": ("clocks.calendar", "Calendars: check, show."),
    "agents": ("agents.app", "Who works on the desk: list, set."),
    "eval": ("evaluate.app", "How well sentiment and intents are heard, on texts with labels."),
    "train": ("train.app", "Train a model of sentiment or intents on texts with labels."),
    "models": ("models.app", "Which models are in force: list, shadow, differences, promote, rollback, off."),
    "route": ("route.app", "Routing rules: test them, and see what they would move."),
    "terms": ("terms.app", "The terms of brands: preview a change."),
    "dead": ("dead.app", "Dead letters: list, show, retry, discard."),
    "documents": ("documents.app", "What is edited at the desk: list, show, diff, save, rollback."),
    "topics": ("topics.app", "Topics: make those on the bus, discover those that people speak of."),
    "report": ("report.report", "Write or mail the weekly report of a brand."),
    "spikes": ("spikes.app", "Firestorms: find them, work on them, look back."),
    "customer": ("customers.app", "Customers: show, link, unlink, import."),
    "users": ("people.users", "Accounts: add, list, roles, password, invite, link, disable, enable."),
    "tokens": ("people.tokens", "API tokens: add, list, revoke."),
    "audit": ("people.audit", "The audit log: list, verify."),
}
"""Each command: where it is found in pipeline.commands (a function, or a Typer of several), and its line in --help."""


class Commands(typer.core.TyperGroup):
    """Imports a command's module when the command is called, so that one command does not wait for all others."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: typer.core.TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, in place of its line."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, name and loaded(name), rest


def loaded(name: str) -> Any:
    """The command of this name, imported."""
    module, _, attribute = COMMANDS[name][0].partition(".")
    found = getattr(importlib.import_module(f"pipeline.commands.{module}"), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer()
    alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]


app = typer.Typer(
    name="harken",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Social listening and response: every public mention in, tagged, routed to the person who should answer it.",
)


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The configuration; else $HARKEN_CONFIG, else ./config.yaml, else defaults.")
    ] = None,
) -> None:
    """Options of every command."""
    from pipeline.commands.common import Settings  # not for --help, which needs no configuration

    context.obj = Settings(config)


def main() -> None:
    """Entry point: every error of ours is one clear message and an exit status, never a stack trace.

    Status 2: the configuration is wrong; 3: stopped, the operator must act; 4: something is down; 1: anything else.
    """
    try:
        app()
    except HarkenError as error:
        from pipeline.commands.common import stderr

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
        from pipeline.supervise import STOPPED

        return STOPPED
    return 4 if isinstance(error, Unavailable) else 1


if __name__ == "__main__":
    main()
